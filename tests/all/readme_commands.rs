//! The README's commands about what is kept of a person do what it says, on the local AWS.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::events::{ORG, of_customer, of_transaction};
use crate::support::examples;
use crate::support::fault_proxy::Fault;
use crate::support::stage::{NO_LAG, Stage, customer, customer_key, transaction, transaction_key};
use crate::support::world::World;

/// Placeholders that are no outputs: what the reader looks for, and what an answer brought.
const SOUGHT: [&str; 6] = ["orgId", "customerId", "entityKey", "eventId", "ReceiptHandle", "StackName"];

/// The section's commands, each as one line.
fn commands() -> Vec<String> {
    let readme = examples::text("README.md");
    let (_, section) = readme.split_once("#### What is kept of a person\n").expect("the section");
    let (_, block) = section.split_once("\n```sh\n").expect("its commands");
    let (block, _) = block.split_once("\n```").expect("their end");
    let block = block.replace("\\\n", " ");
    block.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn placeholders(command: &str) -> Vec<&str> {
    command.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0)).collect()
}

/// The commands, and which of them nobody has tried yet.
struct Commands<'a> {
    world: &'a World,
    untried: RefCell<BTreeSet<String>>,
}

impl<'a> Commands<'a> {
    fn of(world: &'a World) -> Self {
        Self { world, untried: RefCell::new(commands().into_iter().collect()) }
    }

    /// Runs the one command that holds all these words, with these values in the places of placeholders.
    fn run(&self, words: &[&str], values: &[(&str, &str)]) -> Result<Value, String> {
        let fitting: Vec<String> =
            commands().into_iter().filter(|command| words.iter().all(|word| command.contains(word))).collect();
        assert_eq!(fitting.len(), 1, "{words:?}: {fitting:?}");
        self.untried.borrow_mut().remove(&fitting[0]);
        let mut command = fitting[0].clone();
        for name in placeholders(&fitting[0]) {
            let given = values.iter().find(|(placeholder, _)| *placeholder == name).map(|(_, value)| (*value).to_owned());
            let value = given.or_else(|| self.world.output(name)).unwrap_or_else(|| panic!("no {name} for {command}"));
            command = command.replace(&format!("<{name}>"), &value);
        }
        self.world.aws_command(&command)
    }

    #[track_caller]
    fn answer(&self, words: &[&str], values: &[(&str, &str)]) -> Value {
        self.run(words, values).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    fn all_are_tried(&self) {
        assert!(self.untried.borrow().is_empty(), "nobody has tried {:?}", self.untried.borrow());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_of_a_person_is_found_and_ended_by_these_commands() {
    let stage = Stage::with(&[NO_LAG[0], ("MAX_ATTEMPTS", "1")]).await;
    let org = ORG.to_string();
    let her = [("orgId", org.as_str()), ("customerId", "5")];
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    let mut bill = transaction(9, &[1], 10);
    bill["customerId"] = json!(5);
    stage.capillary.transaction(9, &bill);
    stage.tell(&of_transaction("transactionAdded", "bill", 9, 5, "REGULAR")).await;
    stage.world.proxy.always("PutEvents", Fault::EntriesRefused("refused", "MalformedDetail"));
    stage.attempt(&of_customer("customerUpdated", "refused", 5)).await.all_done();
    let commands = Commands::of(&stage.world);

    // Snapshots.
    let hers = commands.answer(&["dynamodb get-item", "#customer#"], &her);
    assert_eq!(hers["Item"]["entityKey"]["S"], json!(customer_key(5)));
    let keys = commands.answer(&["dynamodb query"], &her);
    assert_eq!((&keys["Count"], &keys["Items"][0]["entityKey"]["S"]), (&json!(1), &json!(transaction_key(9))));
    commands.answer(&["dynamodb delete-item"], &[("entityKey", &transaction_key(9))]);
    assert_eq!(stage.world.snapshot_keys().await, [customer_key(5)]);

    // The ledger.
    let rows = commands.answer(&["dynamodb scan"], &her);
    assert_eq!((&rows["Count"], &rows["Items"][0]["eventId"]["S"]), (&json!(1), &json!("refused")));
    assert!(
        commands.run(&["dynamodb update-item"], &[("eventId", "bill")]).is_err_and(|error| error.contains("ConditionalCheck"))
    );
    for stored in [true, false] {
        let row = commands.answer(&["dynamodb get-item", "eventId"], &[("eventId", "refused")]);
        assert_eq!((row["Item"]["detail"].is_null(), &row["Item"]["status"]["S"]), (!stored, &json!("FAILED")));
        if stored {
            commands.answer(&["dynamodb update-item"], &[("eventId", "refused")]);
        }
    }
    stage.world.proxy.heal();
    let redriven = stage.received(&[of_customer("customerUpdated", "refused", 5)]).await;
    stage.world.enrich_these(&stage.enricher, redriven).await.all_done();
    assert_eq!(stage.world.ledger_row("refused").await.expect("a row").status(), "PUBLISHED");

    // The queues.
    let letters = commands.answer(&["sqs receive-message"], &[]);
    let letter = &letters["Messages"][0];
    assert_eq!(letter["MessageAttributes"]["reason"]["StringValue"], "invalid_entry");
    commands.answer(&["sqs delete-message"], &[("ReceiptHandle", letter["ReceiptHandle"].as_str().expect("a handle"))]);
    assert!(stage.world.dead_letters().await.is_empty());
    stage.world.enqueue(&of_customer("customerUpdated", "waiting", 5)).await;
    let waiting = commands.answer(&["sqs get-queue-attributes"], &[]);
    assert_eq!(waiting["Attributes"]["ApproximateNumberOfMessages"], "1");
    commands.answer(&["sqs purge-queue"], &[]);
    assert_eq!(stage.world.queue_length().await, 0);

    // What the local AWS has no more of than the words.
    commands.answer(&["events list-archives"], &[]);
    commands.answer(&["dynamodb describe-continuous-backups"], &[]);
    commands.answer(&["dynamodb update-continuous-backups"], &[]);
    commands.answer(&["logs filter-log-events"], &[("StackName", "capillary-events"), ("eventId", "refused")]);
    commands.all_are_tried();
}

#[test]
fn the_names_in_brackets_are_outputs_of_the_stack() {
    let outputs = crate::template::outputs();
    for command in commands() {
        for name in placeholders(&command).into_iter().filter(|name| !SOUGHT.contains(name)) {
            assert!(outputs.contains(&name), "{name} in {command}");
        }
    }
}
