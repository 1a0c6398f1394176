//! Each call of the enricher to AWS in turn is lost, refused, or its last, while customers change (design, sections 3 and 4).

use serde_json::Value;

use crate::support::events::of_customer;
use crate::support::fault_proxy::Fault;
use crate::support::history::{History, changes, lasting, told};
use crate::support::runtime_api::FunctionError;
use crate::support::stage::{NO_LAG, Stage, customer, customer_key};

/// How a call goes wrong, and how many calls in a row.
fn faults(operation: &str, stage: &Stage) -> Vec<(&'static str, Fault, usize)> {
    let throttled = if operation == "PutEvents" { "ThrottlingException" } else { "ProvisionedThroughputExceededException" };
    let process = stage.enricher.0.process();
    let mut faults = vec![
        ("cut", Fault::Cut, 1),
        ("cut for long", Fault::Cut, usize::MAX),
        ("answer lost", Fault::AnswerLost, 1),
        ("answers lost for long", Fault::AnswerLost, usize::MAX),
        ("throttled", Fault::Refused(400, throttled), 1),
        ("throttled for long", Fault::Refused(400, throttled), usize::MAX),
        ("failing for long", Fault::Refused(500, "InternalServerError"), usize::MAX),
        ("killed before", Fault::KillBefore(process.clone()), 1),
        ("killed after", Fault::KillAfter(process), 1),
    ];
    if operation == "TransactWriteItems" {
        for reason in [&["ConditionalCheckFailed", "None"], &["None", "ConditionalCheckFailed"], &["None", "TransactionConflict"]]
        {
            faults.push(("cancelled", Fault::Cancelled(reason), 1));
        }
        faults.push(("throttled inside", Fault::Cancelled(&["None", "ThrottlingError"]), usize::MAX));
    }
    faults
}

/// For each way to go wrong: somebody is known, changes (or not), an event comes and its call goes wrong; she changes again before
/// the message comes back, and once more before the next event. At the end every event is published, with one content, and the
/// changes lead from the first state to the last.
async fn whatever_becomes_of(operation: &str, changes_first: bool) {
    let mut stage = Stage::with(NO_LAG).await;
    let count = faults(operation, &stage).len();
    let mut expected = Vec::new();
    for case in 0..count {
        let id = u64::try_from(case).unwrap() + 1;
        let updated = |event: &str| of_customer("customerUpdated", &format!("{event}-{id}"), id);
        stage.capillary.customer(id, &customer(id, "Porto", Some(10)));
        stage.tell(&updated("first")).await;
        if changes_first {
            stage.capillary.customer(id, &customer(id, "Lisboa", Some(11)));
        }
        // Made anew for each case: the process may be another one.
        let (name, fault, times) = faults(operation, &stage).remove(case);
        let kills = matches!(fault, Fault::KillBefore(_) | Fault::KillAfter(_));
        let calls_before = stage.world.proxy.calls(operation).len();
        stage.world.proxy.times(operation, times, fault);
        stage.world.enqueue(&updated("faulty")).await;
        let messages = stage.world.queue_messages().await;
        let outcome = stage.world.attempt(&stage.enricher, messages.clone()).await;
        assert!(stage.world.proxy.calls(operation).len() > calls_before, "{operation} is never called");
        stage.world.proxy.heal();
        stage.capillary.customer(id, &customer(id, "Faro", Some(12)));
        match outcome {
            Ok(batch) if batch.back.is_empty() => {}
            Ok(batch) => stage.again(&batch).await.all_done(),
            Err(FunctionError::Died) if kills => {
                stage.enricher = stage.another_enricher(NO_LAG).await;
                stage.world.enrich_these(&stage.enricher, stage.world.redelivered(&messages).await).await.all_done();
            }
            Err(error) => panic!("{operation} {name}: {error:?}"),
        }
        stage.tell(&updated("next")).await;
        let remembered = stage.world.snapshot(&customer_key(id)).await.expect("a snapshot");
        assert_eq!(remembered.body(), customer(id, "Faro", Some(12)), "{operation} {name}");
        let replayed = History::of(&stage.world).replay(&format!("customer/{id}"));
        assert_eq!(replayed, (remembered.version(), lasting(&remembered.body())), "{operation} {name}");
        let told_by_both = changes(&told(&stage.world, &format!("faulty-{id}"))).len()
            + changes(&told(&stage.world, &format!("next-{id}"))).len();
        assert!((1..=2).contains(&told_by_both), "{operation} {name}: {told_by_both} changes of at most two");
        expected.extend(["first", "faulty", "next"].map(|event| format!("{event}-{id}")));
    }
    stage.world.all_are_published(&expected).await;
}

#[tokio::test]
async fn reading_rows_and_snapshots() {
    whatever_becomes_of("BatchGetItem", true).await;
}

#[tokio::test]
async fn storing_the_event_with_the_state() {
    whatever_becomes_of("TransactWriteItems", true).await;
}

#[tokio::test]
async fn storing_an_event_that_changes_nothing() {
    whatever_becomes_of("PutItem", false).await;
}

#[tokio::test]
async fn publishing() {
    whatever_becomes_of("PutEvents", true).await;
}

#[tokio::test]
async fn marking_what_was_published() {
    whatever_becomes_of("UpdateItem", true).await;
}

#[tokio::test]
async fn putting_back_what_waits() {
    // A visibility that can't be set costs time and nothing else.
    for fault in [Fault::Cut, Fault::AnswerLost, Fault::SQS_DOWN] {
        let stage = Stage::with(&[("CAPILLARY_REPLICA_LAG_SECONDS", "900")]).await;
        stage.capillary.customer(5, &customer(5, "Porto", None));
        stage.tell(&of_customer("customerUpdated", "one", 5)).await;
        stage.capillary.customer(5, &customer(5, "Lisboa", None));
        stage.world.proxy.always("ChangeMessageVisibilityBatch", fault);
        stage.attempt(&of_customer("customerUpdated", "two", 5)).await.all_back();
        assert_eq!(History::of(&stage.world).ids(), ["one"]);
    }
}

#[tokio::test]
async fn an_entry_that_the_bus_refuses_keeps_its_changes() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&of_customer("customerUpdated", "one", 5)).await;
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(11)));
    stage.world.proxy.always("PutEvents", Fault::EntriesRefused("refused", "InternalFailure"));
    let batch = stage.attempt(&of_customer("customerUpdated", "refused", 5)).await;
    batch.all_back();
    stage.capillary.customer(5, &customer(5, "Faro", Some(12)));
    assert_eq!(changes(&stage.tell(&of_customer("customerUpdated", "three", 5)).await)[0]["before"], "Lisboa");
    stage.world.proxy.heal();
    stage.again(&batch).await.all_done();
    let change: Vec<Value> = changes(&told(&stage.world, "refused")).to_vec();
    assert_eq!((change.len(), &change[0]["before"], &change[0]["after"]), (1, &"Porto".into(), &"Lisboa".into()));
    stage.world.all_are_published(&["one", "refused", "three"].map(str::to_owned)).await;
}
