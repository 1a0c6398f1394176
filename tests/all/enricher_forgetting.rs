//! What is remembered no more: the deleted and the merged, what is too large, what expired (design, sections 3 and 4).

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::events::{CREATED_AT, of_customer, of_transaction};
use crate::support::history::{History, changes, entity, lasting, told};
use crate::support::scripted_capillary::Reply;
use crate::support::stage::{NO_LAG, Stage, customer, customer_key, transaction_key};
use crate::support::wait;
use crate::support::world::now_ms;
use crate::support::world::snapshots::Snapshot;

const DELETED: u32 = 8109;
const MERGED: u32 = 8069;

fn updated(id: &str) -> Value {
    of_customer("customerUpdated", id, 5)
}

/// Customer 5, seen once.
async fn known(stage: &Stage) -> Snapshot {
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&updated("one")).await;
    stage.world.snapshot(&customer_key(5)).await.expect("a snapshot")
}

/// Nothing of her is left but that she was there.
async fn only_a_tombstone_is_left(stage: &Stage, version: impl Fn(u64) -> bool) {
    let stone = stage.world.snapshot(&customer_key(5)).await.expect("a tombstone");
    assert!(stone.is_tombstone() && !stone.has("body"), "{stone:?}");
    assert!(version(stone.version()), "{stone:?}");
    assert!(stone.number("expiresAt").abs_diff(now_ms() / 1000 + 90 * 86_400) < 60, "{stone:?}");
    let everything = format!("{stone:?}");
    assert!(["Ana", "Berg", "Porto", "915328341890"].iter().all(|word| !everything.contains(word)), "{everything}");
    for row in stage.world.ledger_rows().await {
        assert!(!row.has("detail"), "her data stays in the ledger: {row:?}");
    }
}

#[tokio::test]
async fn who_was_deleted_or_merged_away_leaves_a_tombstone_and_does_not_come_back() {
    for (code, status) in [(DELETED, "deleted"), (MERGED, "merged")] {
        let stage = Stage::with(NO_LAG).await;
        let last = known(&stage).await.version();
        stage.capillary.next(5, Reply::error(code));
        let detail = stage.tell(&updated("two")).await;
        let seen = entity(&detail, "customer");
        assert_eq!((&seen["status"], &seen["version"]), (&json!(status), &json!(last + 1)), "{detail}");
        assert!(seen.get("body").is_none_or(Value::is_null), "{detail}");
        assert_eq!(changes(&detail), &[] as &[Value], "what she was is not told once more");
        assert_eq!(detail["data"]["enrichment"]["status"], "partial");
        only_a_tombstone_is_left(&stage, |version| version == last + 1).await;
        // A replica, or a slow answer, still has her; one even says that she was updated.
        stage.capillary.customer(5, &customer(5, "Lisboa", Some(59)));
        for (id, reply) in [("three", Reply::State(0)), ("four", Reply::State(1)), ("five", Reply::error(code))] {
            stage.capillary.next(5, reply);
            let detail = stage.tell(&updated(id)).await;
            assert_eq!(entity(&detail, "customer")["status"], status, "{detail}");
            assert!(entity(&detail, "customer").get("body").is_none_or(Value::is_null), "{detail}");
            assert_eq!(changes(&detail), &[] as &[Value]);
            assert_eq!(detail["data"]["enrichment"]["late"], id != "five", "{detail}");
            only_a_tombstone_is_left(&stage, |version| version == last + 1).await;
        }
    }
}

#[tokio::test]
async fn who_is_seen_first_when_gone_leaves_a_tombstone_too() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.capillary.next(5, Reply::error(DELETED));
    let before_ms = now_ms();
    stage.tell(&updated("one")).await;
    only_a_tombstone_is_left(&stage, |version| (before_ms..=now_ms()).contains(&version)).await;
    let detail = stage.tell(&updated("two")).await;
    assert_eq!(entity(&detail, "customer")["status"], "deleted");
    only_a_tombstone_is_left(&stage, |version| (before_ms..=now_ms()).contains(&version)).await;
}

#[tokio::test]
async fn the_event_itself_may_say_that_she_was_deleted_before_the_api_does() {
    let stage = Stage::with(NO_LAG).await;
    let last = known(&stage).await.version();
    let mut event = updated("two");
    event["data"]["customerStatus"] =
        json!({"previousStatus": "ACTIVE", "previousLabel": "Active", "currentStatus": "DELETED", "currentLabel": "Deleted"});
    let detail = stage.tell(&event).await;
    let seen = entity(&detail, "customer");
    assert_eq!(seen["status"], "deleted");
    assert!(seen.get("body").is_none_or(Value::is_null), "{detail}");
    only_a_tombstone_is_left(&stage, |version| version == last + 1).await;
    let detail = stage.tell(&updated("three")).await;
    assert_eq!(entity(&detail, "customer")["status"], "deleted", "the API still has her");
    only_a_tombstone_is_left(&stage, |version| version == last + 1).await;
}

#[tokio::test]
async fn a_deletion_in_the_middle_of_a_batch_holds_for_what_happened_later() {
    let stage = Stage::with(NO_LAG).await;
    let last = known(&stage).await.version();
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(11)));
    let happened = |id: &str, later_ms: u64| {
        let mut event = updated(id);
        event["createdAt"] = json!(CREATED_AT + later_ms);
        event
    };
    let mut deletion = happened("deletion", 2);
    deletion["data"]["customerStatus"] = json!({"currentStatus": "DELETED", "currentLabel": "Deleted"});
    for event in [happened("after", 3), deletion, happened("before", 1)] {
        stage.world.enqueue(&event).await;
    }
    stage.world.enrich(&stage.enricher).await.all_done();
    let status = |id: &str| entity(&told(&stage.world, id), "customer")["status"].clone();
    assert_eq!(["before", "deletion", "after"].map(status), ["found", "deleted", "deleted"]);
    assert_eq!(["before", "deletion", "after"].map(|id| changes(&told(&stage.world, id)).len()), [1, 0, 0]);
    only_a_tombstone_is_left(&stage, |version| version == last + 2).await;
}

#[tokio::test]
async fn an_answer_about_the_survivor_is_remembered_as_the_survivors() {
    let stage = Stage::with(NO_LAG).await;
    let last = known(&stage).await.version();
    let mut survivor = customer(6, "Lisboa", Some(20));
    survivor["warnings"] = json!([{"code": 91009, "message": "survivor returned"}]);
    stage.capillary.always(5, Reply::Answer(200, survivor.to_string()));
    let detail = stage.tell(&updated("two")).await;
    let entities = detail["data"]["entities"].as_array().unwrap();
    let who: Vec<(&Value, &Value)> = entities.iter().map(|entity| (&entity["id"], &entity["status"])).collect();
    assert_eq!(who, [(&json!("5"), &json!("merged")), (&json!("6"), &json!("found"))]);
    assert_eq!((&entities[1]["baseline"], &entities[1]["body"]["extendedFields"]["city"]), (&json!(true), &json!("Lisboa")));
    only_a_tombstone_is_left(&stage, |version| version == last + 1).await;
    let remembered = stage.world.snapshot(&customer_key(6)).await.expect("the survivor is remembered");
    assert_eq!((remembered.body(), json!(remembered.version())), (survivor.clone(), entities[1]["version"].clone()));
    // She changes, and an event of her own tells it; the one of the victim tells it no second time.
    survivor["warnings"] = json!([]);
    survivor["extendedFields"]["city"] = json!("Faro");
    survivor["profiles"][0]["autoUpdateTime"] = json!("2025-02-06T11:59:21Z");
    stage.capillary.customer(6, &survivor);
    let detail = stage.tell(&of_customer("customerUpdated", "three", 6)).await;
    assert_eq!((changes(&detail).len(), &changes(&detail)[0]["entity"]), (1, &json!("customer/6")));
    survivor["warnings"] = json!([{"code": 91009, "message": "survivor returned"}]);
    stage.capillary.always(5, Reply::Answer(200, survivor.to_string()));
    assert_eq!(changes(&stage.tell(&updated("four")).await), &[] as &[Value]);
    assert_eq!(History::of(&stage.world).replay("customer/6").0, remembered.version() + 1);
}

#[tokio::test]
async fn who_is_not_found_or_forbidden_stays_remembered() {
    let stage = Stage::with(NO_LAG).await;
    let last = known(&stage).await;
    for (id, reply) in [("two", Reply::error(8015)), ("three", Reply::Answer(403, "{}".into()))] {
        stage.capillary.next(5, reply);
        let detail = stage.tell(&updated(id)).await;
        assert_eq!((&detail["data"]["enrichment"]["status"], changes(&detail)), (&json!("partial"), &[][..]));
        assert_eq!(stage.world.snapshot(&customer_key(5)).await.unwrap().0, last.0);
    }
}

#[tokio::test]
async fn a_snapshot_that_goes_while_an_event_is_worked_on_is_made_anew() {
    let stage = Stage::with(NO_LAG).await;
    let last = known(&stage).await.version();
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(11)));
    let gate = Arc::new(Semaphore::new(0));
    stage.capillary.next(5, Reply::Held(Arc::clone(&gate)));
    let event = updated("two");
    let expiry = async {
        let asked = async || (stage.capillary.customer_calls(5) == 2).then_some(());
        wait::poll(std::time::Duration::from_secs(10), asked).await.expect("the enricher asks");
        stage.world.delete_snapshot(&customer_key(5)).await;
        gate.add_permits(1);
    };
    let (detail, ()) = tokio::join!(stage.tell(&event), expiry);
    let seen = entity(&detail, "customer");
    assert_eq!((&seen["baseline"], changes(&detail)), (&json!(true), &[][..]), "the state before is nobody's knowledge any more");
    let anew = stage.world.snapshot(&customer_key(5)).await.expect("a snapshot").version();
    assert!(anew > last && seen["version"] == json!(anew), "a version is used twice: {last} {anew}");
}

#[tokio::test]
async fn a_body_that_no_item_can_hold_is_a_baseline_each_time() {
    let stage = Stage::with(NO_LAG).await;
    let noise = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..700_000).map(|_| random.alphanumeric()).collect::<String>()
    };
    let mut last = 0;
    for second in [10, 11, 12] {
        let mut body = customer(5, "Porto", Some(second));
        body["extendedFields"]["noise"] = json!(noise(u64::from(second)));
        stage.capillary.customer(5, &body);
        let detail = stage.tell(&updated(&format!("at {second}"))).await;
        let seen = entity(&detail, "customer");
        assert_eq!((&seen["baseline"], changes(&detail)), (&json!(true), &[][..]), "there was nothing to compare with");
        assert_eq!((&seen["status"], &detail["data"]["enrichment"]["truncated"]), (&json!("found"), &json!(true)));
        let snapshot = stage.world.snapshot(&customer_key(5)).await.expect("that she was seen is remembered");
        assert!(!snapshot.has("body") && !snapshot.is_tombstone());
        assert!(snapshot.version() > last && seen["version"] == json!(snapshot.version()));
        last = snapshot.version();
    }
    // An answer from before is known as such even so.
    stage.capillary.next(5, Reply::State(0));
    let detail = stage.tell(&updated("late")).await;
    assert_eq!(detail["data"]["enrichment"]["late"], true);
    assert_eq!(stage.world.snapshot(&customer_key(5)).await.unwrap().version(), last);
    // She shrinks, and can be remembered again.
    stage.capillary.customer(5, &customer(5, "Porto", Some(13)));
    assert_eq!(entity(&stage.tell(&updated("small")).await, "customer")["baseline"], true);
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(14)));
    assert_eq!(changes(&stage.tell(&updated("small too")).await).len(), 1);
}

#[tokio::test]
async fn changes_that_do_not_fit_the_bus_are_cut_and_the_state_is_remembered() {
    let stage = Stage::with(NO_LAG).await;
    let body = |letter: &str, second: u32| {
        let mut body = customer(5, "Porto", Some(second));
        body["extendedFields"]["essay"] = json!(letter.repeat(300_000));
        body
    };
    stage.capillary.customer(5, &body("a", 10));
    stage.tell(&updated("one")).await;
    stage.capillary.customer(5, &body("b", 11));
    let detail = stage.tell(&updated("two")).await;
    assert_eq!(detail["data"]["enrichment"], json!({"status": "complete", "late": false, "truncated": true}));
    assert!(detail.to_string().len() <= 256 * 1024);
    assert_eq!(detail["data"]["event"], updated("two"));
    let snapshot = stage.world.snapshot(&customer_key(5)).await.unwrap();
    assert_eq!(snapshot.body(), body("b", 11));
    stage.capillary.customer(5, &{
        let mut next = body("b", 12);
        next["extendedFields"]["city"] = json!("Lisboa");
        next
    });
    let detail = stage.tell(&updated("three")).await;
    assert_eq!(changes(&detail).len(), 1, "what did not fit was told under another id");
    assert_eq!(changes(&detail)[0]["path"], "/extendedFields/city");
}

#[tokio::test]
async fn what_is_beyond_the_limit_of_entities_is_neither_asked_for_nor_remembered() {
    let stage = Stage::with(&[("ENRICH_MAX_ENTITIES", "1")]).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.capillary.transaction(9, &crate::support::stage::transaction(9, &[1], 10));
    let detail = stage.tell(&of_transaction("transactionAdded", "one", 9, 5, "REGULAR")).await;
    assert_eq!(
        (&entity(&detail, "transaction")["status"], &entity(&detail, "customer")["status"]),
        (&json!("found"), &json!("skipped"))
    );
    assert_eq!((stage.capillary.customer_calls(5), stage.world.snapshot_count().await), (0, 1));
    let snapshot = stage.world.snapshot(&transaction_key(9)).await.expect("a snapshot");
    assert_eq!(lasting(&snapshot.body()), lasting(&entity(&detail, "transaction")["body"]));
}
