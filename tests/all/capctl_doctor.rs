//! `capctl doctor`: what is as it should be, and each fault with its remedy.

use serde_json::Value;

use crate::support::capctl::{Capctl, Ran};
use crate::support::stack::Stack;
use crate::support::world::World;

/// The findings about something, as state and words.
fn findings(ran: &Ran, what: &str) -> Vec<(String, String)> {
    let told = ran.object();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let about = told["findings"].as_array().expect("findings").iter().filter(|finding| finding["what"] == what);
    about.map(|finding| (text(finding, "state"), text(finding, "words"))).collect()
}

#[track_caller]
fn assert_found(ran: &Ran, what: &str, state: &str, words: &str) {
    let found = findings(ran, what);
    assert!(found.iter().any(|(is, says)| is == state && says.contains(words)), "{what} is not {state} ({words}): {found:?}");
}

/// A world whose tables forget, as those of the template do.
async fn world() -> World {
    let world = World::new().await;
    for table in [&world.names.events_table, &world.names.snapshots_table] {
        world.forgets(table).await;
    }
    world
}

async fn doctor(world: &World) -> Ran {
    let capillary = world.capillary().await.url();
    Capctl::of(world, capillary).with("EVENTS_URL", "http://127.0.0.1:9/events").run(&["--json", "doctor"]).await
}

#[tokio::test]
async fn the_deployed_stack_is_well() {
    let ran = Capctl::of_stack(&Stack::load()).run(&["--json", "doctor"]).await;
    for (what, words) in [
        ("ledger", "forgets"),
        ("snapshots", "forgets"),
        ("webhook key", "authorization and x-webhook-key"),
        ("API key", "readable"),
        ("receiver", "takes deliveries"),
        ("Capillary", "open to the credentials: customers, transactions, cards, groups, coupons, points ledger"),
        ("clock", "agrees"),
        ("alarms", "is on"),
        ("webhook", "Capillary sends here"),
    ] {
        assert_found(&ran, what, "good", words);
    }
    // Other tests may leave something in its queues meanwhile.
    let told = ran.object();
    let bad: Vec<&Value> =
        told["findings"].as_array().expect("findings").iter().filter(|finding| finding["state"] == "bad").collect();
    assert!(bad.iter().all(|finding| finding["what"] == "dead letters"), "{bad:?}");
    ran.keeps_secret(&Stack::load().webhook_headers().iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_table_that_never_forgets_is_found() {
    let world = World::new().await;
    let ran = doctor(&world).await;
    assert_found(&ran, "ledger", "bad", "TTL on `expiresAt` is off");
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn a_table_that_is_gone_is_found() {
    let world = world().await;
    let capillary = world.capillary().await.url();
    let ran = Capctl::of(&world, capillary).with("SNAPSHOTS_TABLE", "no-such-table").run(&["--json", "doctor"]).await;
    assert_found(&ran, "snapshots", "bad", "there is no table no-such-table");
    assert_found(&ran, "ledger", "good", "forgets");
}

#[tokio::test]
async fn a_secret_that_nobody_can_read_is_found_without_telling_what_is_in_it() {
    let world = world().await;
    world.webhook_secret_is(r#"{"headers": {"authorization": "Marker-1"}}"#).await;
    world.capillary_secret_is(r#"{"key": "Marker-2"}"#).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "webhook key", "bad", "every delivery is answered 429");
    assert_found(&ran, "API key", "bad", "every event waits");
    ran.keeps_secret(&["Marker-1", "Marker-2"]);
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn a_rotation_under_way_and_a_hold_are_hints() {
    let world = world().await;
    let secret = r#"{"headers": {"authorization": ["Marker-new", "Marker-old"]}, "holdUntil": "2999-01-01T00:00:00Z"}"#;
    world.webhook_secret_is(secret).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "webhook key", "hint", "authorization may have any of 2 values");
    assert_found(&ran, "webhook key", "hint", "answered 429 until 2999-01-01");
    ran.keeps_secret(&["Marker-new", "Marker-old"]);
}

#[tokio::test]
async fn credentials_that_capillary_refuses_are_found() {
    let world = world().await;
    world.capillary_secret_is(r#"{"key": "sandbox-key", "secret": "Marker"}"#).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "Capillary", "bad", "the credentials bring nothing");
    ran.keeps_secret(&["Marker"]);
}

#[tokio::test]
async fn an_api_that_is_closed_to_the_credentials_is_named() {
    let world = world().await;
    let capillary = world.capillary().await;
    capillary.fault("/v2/coupon", serde_json::json!({"kind": "status", "status": 403})).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "Capillary", "bad", "closed to the credentials: coupons");
    assert_found(&ran, "Capillary", "good", "customers, transactions, cards, groups, points ledger");
}

#[tokio::test]
async fn a_webhook_that_was_never_registered_or_is_switched_off_is_found() {
    let world = world().await;
    assert_found(&doctor(&world).await, "webhook", "bad", "no webhook sends to this deployment");
    let capctl = Capctl::of(&world, world.capillary().await.url()).with("EVENTS_URL", "http://127.0.0.1:9/events");
    assert_eq!(capctl.run(&["webhook", "register"]).await.code, 0);
    assert_found(&doctor(&world).await, "webhook", "good", "with the headers of the secret");
    capctl.run(&["webhook", "pause"]).await;
    assert_found(&doctor(&world).await, "webhook", "bad", "it is switched off");
}

#[tokio::test]
async fn dead_letters_and_a_receiver_out_of_reach_are_found() {
    let world = world().await;
    let send = world.aws.sqs.send_message().queue_url(&world.names.dead_letter_queue).message_body("x");
    send.send().await.expect("a letter is sent");
    let ran = doctor(&world).await;
    assert_found(&ran, "dead letters", "bad", "about 1");
    assert_found(&ran, "receiver", "bad", "no connection");
    assert_eq!(ran.code, 1);
}
