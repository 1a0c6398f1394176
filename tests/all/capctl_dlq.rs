//! `capctl dlq`: an operator finds out what died, and mends it.

mod interrupted;
mod redriven;

use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use serde_json::json;

use crate::support::delivery::Delivery;
use crate::support::messages::Received;
use crate::support::world::{World, now_ms};

/// What stands in bodies, and in nothing that is printed unasked.
const PERSONAL: &str = "Anna 919900112233";
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// A letter as the functions, or SQS itself, leave it.
struct Letter {
    id: String,
    name: &'static str,
    /// None: moved by SQS.
    reason: Option<&'static str>,
    body: String,
}

impl Letter {
    fn new(id: &str, reason: Option<&'static str>) -> Self {
        let body = json!({"eventName": "customerAdded", "eventId": id, "orgId": 7, "data": {"name": PERSONAL}}).to_string();
        Self { id: id.to_owned(), name: "customerAdded", reason, body }
    }

    fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    fn attributes(&self) -> Vec<(&'static str, MessageAttributeValue)> {
        let value = |data_type: &str, text: &str| {
            MessageAttributeValue::builder().data_type(data_type).string_value(text).build().expect("a data type")
        };
        let mut attributes = vec![
            ("v", value("Number", "1")),
            ("eventId", value("String", &self.id)),
            ("eventName", value("String", self.name)),
            ("orgId", value("Number", "7")),
            ("receivedAt", value("Number", &now_ms().to_string())),
        ];
        if let Some(reason) = self.reason {
            attributes.extend([("reason", value("String", reason)), ("detail", value("String", "what the last failure was"))]);
        }
        attributes
    }
}

impl World {
    /// Puts letters into the dead-letter queue.
    async fn bury(&self, letters: &[Letter]) {
        for ten in letters.chunks(10) {
            let entries = ten.iter().enumerate().map(|(position, letter)| {
                let entry = SendMessageBatchRequestEntry::builder().id(position.to_string()).message_body(&letter.body);
                let entry =
                    letter.attributes().into_iter().fold(entry, |entry, (name, value)| entry.message_attributes(name, value));
                entry.build().expect("an entry")
            });
            let send = self.aws.sqs.send_message_batch().queue_url(&self.names.dead_letter_queue);
            let sent = send.set_entries(Some(entries.collect())).send().await.expect("the letters are sent");
            assert!(sent.failed().is_empty());
        }
    }

    /// The same with one that belongs to a trace.
    async fn bury_traced(&self, letter: &Letter) {
        let trace = MessageSystemAttributeValue::builder().data_type("String").string_value(TRACE).build().expect("a value");
        let send = self.aws.sqs.send_message().queue_url(&self.names.dead_letter_queue).message_body(&letter.body);
        let send = letter.attributes().into_iter().fold(send, |send, (name, value)| send.message_attributes(name, value));
        let send = send.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
        send.send().await.expect("the letter is sent");
    }
}

/// Ids of the events in messages, sorted.
fn ids(messages: &[Received]) -> Vec<String> {
    let mut ids: Vec<String> = messages.iter().filter_map(|message| message.attribute("eventId")).map(str::to_owned).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_queue_says_so() {
    let world = World::new().await;
    assert_eq!(world.capctl(&["dlq", "list"]).await.text(0), "no dead letters\n");
    assert_eq!(world.capctl(&["dlq", "redrive", "--all"]).await.text(0), "no letter to redrive\n");
    assert_eq!(world.capctl(&["dlq", "list", "--json"]).await.json(0)["reasons"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_of_each_reason_is_listed_with_what_helps() {
    let world = World::new().await;
    let remedies = [
        (Some("not_json"), "ask Capillary for the event"),
        (Some("unstorable"), "once a mended version is deployed"),
        (Some("too_large"), "ask Capillary for the event by its ids"),
        (Some("too_large_for_bus"), "raise MaxEntryKib"),
        (Some("panic"), "look in the enricher's log for `panic`"),
        (Some("invalid_entry"), "see the detail for the bus's error"),
        (Some("too_old"), "see the detail for the last failure"),
        (None, "give it more memory"),
    ];
    let letters = remedies.iter().map(|(reason, _)| Letter::new(reason.unwrap_or("moved"), *reason));
    world.bury(&letters.chain([Letter::new("second", Some("panic")).named("customerUpdated")]).collect::<Vec<_>>()).await;

    let listed = world.capctl(&["dlq", "list"]).await;
    let text = listed.text(1);
    assert!(text.starts_with("9 letters\n"), "{text}");
    for (reason, remedy) in remedies {
        let (_, of_reason) = text.split_once(&format!("\n\n{}  ", reason.unwrap_or("none, moved by SQS"))).expect(&text);
        let of_reason = of_reason.split("\n\n").next().unwrap_or_default();
        let (_, told) = of_reason.split_once("\n  → ").expect(of_reason);
        assert!(told.contains(remedy), "{reason:?}: {told}");
        assert!(of_reason.contains("customerAdded"), "{of_reason}");
    }
    assert!(!listed.all().contains(PERSONAL));

    let reasons = world.capctl(&["dlq", "list", "--json", "--event-name", "CUSTOMERUPDATED"]).await.json(1)["reasons"].clone();
    assert_eq!(reasons.as_array().expect("a list").len(), 1, "{reasons}");
    assert_eq!((&reasons[0]["reason"], &reasons[0]["canBeRedriven"]), (&json!("panic"), &json!(true)));
    assert_eq!(reasons[0]["events"][0]["letters"], 1);
    let each = world.capctl(&["dlq", "list", "--json", "--each", "--reason", "none"]).await.json(1)["each"].clone();
    assert_eq!((&each[0]["eventId"], &each[0]["reason"], &each[1]), (&json!("moved"), &json!(null), &json!(null)));
    for (filter, letters) in [("--older-than", 0), ("--newer-than", 9)] {
        assert_eq!(world.capctl(&["dlq", "list", "--json", filter, "1h"]).await.json(i32::from(letters > 0))["letters"], letters);
    }
    assert_eq!(world.capctl(&["dlq", "list", "--json", "--limit", "2"]).await.json(1)["letters"], 2);
    assert_eq!(world.dead_letters().await.len(), 9, "all were given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_is_reading_is_counted() {
    let world = World::new().await;
    world.bury(&[Letter::new("one", Some("panic")), Letter::new("two", Some("panic"))]).await;
    let taken = world.aws.sqs.receive_message().queue_url(&world.names.dead_letter_queue).visibility_timeout(300).send().await;
    assert_eq!(taken.expect("an answer").messages().len(), 1);
    let text = world.capctl(&["dlq", "list"]).await.text(4);
    assert!(text.starts_with("1 letter\n") && text.contains("about 1 more can't be seen now"), "{text}");
    let taken = world.aws.sqs.receive_message().queue_url(&world.names.dead_letter_queue).visibility_timeout(300).send().await;
    assert_eq!(taken.expect("an answer").messages().len(), 1);
    for (words, told) in
        [(&["list"][..], "no letter was seen"), (&["redrive", "--all"], "no letter"), (&["drop", "--all", "--yes"], "no letter")]
    {
        let text = world.capctl(&[&["dlq"], words].concat()).await.text(4);
        assert!(text.starts_with(told) && text.contains("about 2 more can't be seen now"), "{words:?}: {text}");
    }
    let text = world.capctl(&["dlq", "show", "one"]).await.text(4);
    assert!(text.contains("was seen") && !text.contains("is in the dead-letter queue"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_delivery_is_looked_at_saved_and_dropped() {
    let world = World::new().await;
    let poison = [b"\xff\x00 no JSON, but ".as_slice(), PERSONAL.as_bytes()].concat();
    let receiver = world.receiver().await;
    assert_eq!(receiver.send(&Delivery::of(poison.clone())).await.status, 400);
    world.bury(&[Letter::new("other", Some("panic"))]).await;
    let listed = world.capctl(&["dlq", "list", "--json", "--each", "--reason", "not_json"]).await.json(1);
    let message = listed["each"][0]["messageId"].as_str().expect("an id");

    let shown = world.capctl(&["dlq", "show", message]).await;
    let text = shown.text(0);
    assert!(text.contains("not_json: the body is no JSON object") && text.contains("\n  → "), "{text}");
    assert!(!shown.all().contains(PERSONAL), "only who asks for the body sees it");
    assert_eq!(world.capctl(&["dlq", "show", message, "--body"]).await.stdout, poison, "as received");

    let directory = directory_name();
    let file = format!("{directory}/poison");
    std::fs::create_dir(&directory).expect("a directory");
    world.capctl(&["dlq", "show", message, "--save", &file]).await.text(0);
    assert_eq!((std::fs::read(&file).expect("the file"), mode(&file)), (poison.clone(), 0o600));
    assert!(
        world.capctl(&["dlq", "show", "other", "--save", &file]).await.error(2).contains("exists"),
        "nothing is written over"
    );

    let kept = format!("{directory}/letters");
    let asked = world.capctl(&["dlq", "drop", "--reason", "not_json", "--save", &kept]).await;
    assert!(asked.text(2).contains("1 letter would be dropped") && asked.text(2).contains("add --yes"));
    assert_eq!(world.dead_letters().await.len(), 2, "nothing is dropped without --yes");
    assert!(!std::path::Path::new(&kept).exists());
    let dropped = world.capctl(&["dlq", "drop", "--reason", "not_json", "--save", &kept, "--yes"]).await;
    assert!(dropped.text(0).starts_with("1 letter dropped\n"));
    assert!(!dropped.all().contains(PERSONAL));
    let file = format!("{kept}/{message}");
    assert_eq!((std::fs::read(&file).expect("the file"), mode(&file), mode(&kept)), (poison, 0o600, 0o700));
    let label = std::fs::read_to_string(format!("{file}.json")).expect("what it said of itself");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&label).expect("JSON"), listed["each"][0]);
    assert_eq!(std::fs::read_dir(&kept).expect("the directory").count(), 2, "nothing else lies there");
    assert_eq!(ids(&world.dead_letters().await), ["other"]);
    std::fs::remove_dir_all(&directory).expect("the directory is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_cannot_be_saved_is_not_dropped() {
    let world = World::new().await;
    world.bury(&[Letter::new("one", Some("panic"))]).await;
    let failed = world.capctl(&["dlq", "drop", "--all", "--yes", "--save", "/proc/nowhere"]).await;
    assert!(failed.error(2).contains("/proc/nowhere"));
    assert_eq!(world.dead_letters().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_changes_nothing() {
    let world = World::new().await;
    world.bury(&[Letter::new("one", Some("panic")), Letter::new("one", Some("panic"))]).await;
    for words in [
        &["dlq", "redrive"][..],
        &["dlq", "redrive", "--limit", "1"],
        &["dlq", "redrive", "--all", "--org", "7"],
        &["dlq", "redrive", "--all", "--rate", "0"],
        &["dlq", "redrive", "--reason", "panick"],
        &["dlq", "drop", "--yes"],
        &["dlq", "drop", "--all", "--yes", "--older-than", "long"],
        &["dlq", "show", "one", "--body"],
    ] {
        let ran = world.capctl(words).await;
        assert!(!ran.error(2).is_empty(), "{words:?}");
        assert!(!ran.all().contains(PERSONAL), "{words:?}");
    }
    assert_eq!(world.dead_letters().await.len(), 2);
    assert_eq!(world.queue_length().await, 0);
    let nobody = world.capctl(&["dlq", "show", "nobody"]).await;
    assert_eq!(nobody.text(1), "no letter with this id is in the dead-letter queue\n");
    let odd = "--it's\u{1b}[2Jodd";
    world.bury(&[Letter::new(odd, Some("panic"))]).await;
    assert!(
        world.capctl(&["dlq", "show", odd]).await.text(0).contains("--it's\\u{1b}[2Jodd"),
        "a terminal is told nothing by it"
    );
    assert_eq!(world.capctl(&["dlq", "list", "--event-id", odd, "--json", "--each"]).await.json(1)["each"][0]["eventId"], odd);
}

/// A name under the system's directory for such things.
fn directory_name() -> String {
    std::env::temp_dir().join(format!("capctl-{}", uuid::Uuid::new_v4())).display().to_string()
}

/// Who may read a file.
fn mode(path: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}
