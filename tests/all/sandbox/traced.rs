//! What `capctl trace` makes of Capillary's event log, for events that never reached a ledger.

use serde_json::{Value, json};

use super::receiver::{Answer, Receiver};
use super::running::{PATIENCE, TestSandbox};
use crate::support::capctl::{Capctl, Ran};
use crate::support::wait::poll;
use crate::support::world::World;

/// Somebody who traces, at the place to which a webhook sends.
async fn trace(world: &World, sandbox: &TestSandbox, place: &str, id: &str) -> Ran {
    Capctl::of(world, sandbox.url()).with("EVENTS_URL", place).run(&["--json", "trace", id]).await
}

fn story(ran: &Ran) -> Value {
    let told = ran.object();
    let [story] = <[Value; 1]>::try_from(told["events"].as_array().expect("events").clone()).expect("one event");
    story
}

#[tokio::test]
async fn of_several_deliveries_the_one_to_this_deployment_counts() {
    let (world, sandbox) = tokio::join!(World::new(), TestSandbox::start());
    let refusing = Receiver::start(|_, _| Answer::Status(401)).await;
    let taking = Receiver::content().await;
    for (name, receiver) in [("refusing", &refusing), ("taking", &taking)] {
        sandbox.register(name, receiver.url(), &["customerAdded"]).await;
    }
    let changed = sandbox.change("customers/5", json!({})).await;
    let event_id = changed.event_id.expect("an event");
    let rows = poll(PATIENCE, async || {
        let rows = sandbox.body(&format!("/v3/webHooks/eventLog/requestId/{}", changed.request_id)).await["data"].clone();
        let is_answered = |row: &Value| !row["consumerResponse"].is_null();
        rows.as_array().filter(|rows| rows.len() == 2 && rows.iter().all(is_answered)).cloned()
    })
    .await
    .expect("both deliveries are answered");
    assert_ne!(rows[0]["consumerGroupId"], rows[1]["consumerGroupId"]);

    let ran = trace(&world, &sandbox, refusing.url(), &changed.request_id).await;
    assert_eq!((story(&ran)["standing"]["state"].as_str(), ran.code), (Some("refused"), 1), "{}", ran.all());
    assert_eq!((&story(&ran)["capillary"]["httpStatus"], &story(&ran)["elsewhere"][0]["httpStatus"]), (&json!(401), &json!(200)));
    assert_eq!(story(&ran)["eventId"], json!(event_id));

    let ran = trace(&world, &sandbox, taking.url(), &changed.request_id).await;
    assert_eq!((story(&ran)["standing"]["state"].as_str(), ran.code), (Some("not_in_ledger"), 1), "{}", ran.all());
    assert_eq!(ran.object()["notes"], json!([]));
}

#[tokio::test]
async fn an_event_that_waits_at_capillary_is_found_by_each_of_its_ids() {
    let (world, sandbox) = tokio::join!(World::new(), TestSandbox::start());
    let receiver = Receiver::content().await;
    sandbox.webhook(json!({"url": receiver.url(), "active": false})).await;
    let changed = sandbox.change("customers/5", json!({})).await;
    let event_id = changed.event_id.expect("an event");
    for form in ["object", "array"] {
        sandbox.forms(json!({"refIdLog": form})).await;
        for id in [event_id.as_str(), &changed.request_id, "100737_5"] {
            let ran = trace(&world, &sandbox, receiver.url(), id).await;
            assert_eq!(story(&ran)["standing"]["state"], json!("not_delivered"), "{form}, {id}: {}", ran.all());
            assert_eq!(story(&ran)["eventId"], json!(event_id));
        }
    }
}

#[tokio::test]
async fn a_route_that_capillary_has_closed_leaves_the_others() {
    let (world, sandbox) = tokio::join!(World::new(), TestSandbox::start());
    let receiver = Receiver::content().await;
    sandbox.webhook(json!({"url": receiver.url(), "active": false})).await;
    let changed = sandbox.change("customers/5", json!({})).await;
    let path = format!("/v3/webHooks/eventLog/{}", changed.request_id);
    sandbox.faults(json!([{"path": path, "kind": "status", "status": 403}])).await;
    let ran = trace(&world, &sandbox, receiver.url(), &changed.request_id).await;
    assert_eq!(story(&ran)["standing"]["state"], json!("not_delivered"), "{}", ran.all());
    assert!(ran.object()["notes"][0].as_str().is_some_and(|note| note.contains("403")), "{}", ran.all());
}
