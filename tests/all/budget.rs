//! What an event costs, in calls and in billed units, is what `local/cost/budget.json` says: nothing more, and nothing less.
//!
//! The stories are played by the executables of `sam build` on the local AWS; what they call is counted by AWS's rules of
//! billing. A call more, a unit more, a row a kilobyte larger turns this red, and so does one less: the budget is what
//! `make cost` prices.

mod artefacts;
mod listed;
mod meter;
mod stories;
mod tables;

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::examples;
use listed::Budget;

/// Text before what `local/cost.py` prints, in the README.
const SHOWN_AFTER: &str = "## What it costs\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_takes_what_the_budget_says() {
    let run = stories::played().await;
    let differences = Budget::read().differences(&run);
    assert!(differences.is_empty(), "local/cost/budget.json and this run differ:\n{}", differences.join("\n"));
}

/// Issue 6: one put and one send before the answer to a new event, one put for a duplicate, nothing for a stranger.
#[test]
fn the_budget_keeps_the_goals_of_the_receiver() {
    let budget = Budget::read();
    let calls = |story: &str| {
        let lines = budget.story(story).aws.iter();
        lines.map(|line| (line.call.as_str(), line.times)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(calls(stories::NEW_EVENT), BTreeMap::from([("PutItem EventsTable", 1), ("SendMessage EventsQueue", 1)]));
    assert_eq!(calls(stories::DUPLICATE), BTreeMap::from([("PutItem EventsTable", 1)]));
    assert_eq!(calls(stories::STRANGER), BTreeMap::new());
    assert!(budget.stored_bytes[stories::ROW_RECEIVED] < 1024, "a ledger row of the receiver's is over a kilobyte");
}

#[test]
fn the_readme_shows_what_make_cost_prints() {
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(std::path::Path::new(root).join(".tools/aws/bin/python3"))
        .arg("local/cost.py")
        .current_dir(root)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the Python of the local AWS runs; `make tools` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("text");
    let readme = examples::text("README.md");
    let (_, section) = readme.split_once(SHOWN_AFTER).expect("the section about costs");
    let (_, shown) = section.split_once("```text\n").expect("what is printed");
    let (shown, _) = shown.split_once("```\n").expect("its end");
    assert_eq!(shown, printed, "the README shows other costs than `make cost` prints");
}
