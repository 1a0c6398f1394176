//! What is remembered of an entity, and what is told when it is another than remembered (design, sections 3 to 5).

use serde_json::{Value, json};

use crate::support::events::{of_customer, of_transaction};
use crate::support::history::{History, changes, entity, lasting};
use crate::support::stage::{NO_LAG, Stage, customer, customer_key, transaction, transaction_key};
use crate::support::world::now_ms;

const DAY_S: u64 = 86_400;

fn updated(id: &str) -> Value {
    of_customer("customerUpdated", id, 5)
}

/// `op path before after origin` of each change.
fn lines(detail: &Value) -> Vec<String> {
    let line = |change: &Value| {
        let text = |name: &str| {
            change.get(name).map_or_else(|| "-".to_owned(), |value| value.as_str().map_or(value.to_string(), str::to_owned))
        };
        ["op", "path", "before", "after", "origin"].map(text).join(" ")
    };
    changes(detail).iter().map(line).collect()
}

#[tokio::test]
async fn the_first_sight_is_a_baseline_and_is_remembered() {
    let stage = Stage::with(NO_LAG).await;
    let body = customer(5, "Porto", Some(10));
    stage.capillary.customer(5, &body);
    let before_ms = now_ms();
    let detail = stage.tell(&updated("one")).await;
    let after_ms = now_ms();
    let seen = entity(&detail, "customer");
    assert_eq!((&seen["baseline"], changes(&detail)), (&json!(true), &[][..]));
    assert_eq!(seen["body"], body);

    let snapshot = stage.world.snapshot(&customer_key(5)).await.expect("a snapshot");
    assert_eq!(snapshot.number("v"), 1);
    assert_eq!(seen["version"], json!(snapshot.version()));
    for time in ["version", "observedAt"] {
        assert!((before_ms..=after_ms).contains(&snapshot.number(time)), "{time} is not now: {snapshot:?}");
    }
    assert_eq!(snapshot.text("stamp"), "2025-02-06T11:59:10Z");
    assert_eq!(snapshot.body(), body);
    assert!(!snapshot.has("deleted"));
    let expected = now_ms() / 1000 + 400 * DAY_S;
    assert!(snapshot.number("expiresAt").abs_diff(expected) < 60, "{snapshot:?}");
    assert_eq!(stage.world.snapshot_count().await, 1);
}

#[tokio::test]
async fn how_long_it_is_remembered_is_a_setting() {
    let stage = Stage::with(&[("SNAPSHOT_TTL_DAYS", "7")]).await;
    stage.capillary.customer(5, &customer(5, "Porto", None));
    stage.tell(&updated("one")).await;
    let snapshot = stage.world.snapshot(&customer_key(5)).await.expect("a snapshot");
    assert!(snapshot.number("expiresAt").abs_diff(now_ms() / 1000 + 7 * DAY_S) < 60, "{snapshot:?}");
    assert!(!snapshot.has("stamp"), "she does not say when she was updated: {snapshot:?}");
}

#[tokio::test]
async fn a_change_is_told_once_and_the_next_event_tells_nothing() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&updated("one")).await;
    let first = stage.world.snapshot(&customer_key(5)).await.unwrap();

    let mut changed = customer(5, "Lisboa", Some(11));
    changed["profiles"][0]["firstName"] = json!("Anna");
    changed["extendedFields"]["mood"] = json!(null);
    stage.capillary.customer(5, &changed);
    let detail = stage.tell(&updated("two")).await;
    let mut told = lines(&detail);
    told.sort();
    let expected = [
        "add /extendedFields/mood - null snapshot",
        "replace /extendedFields/city Porto Lisboa snapshot",
        "replace /profiles/0/firstName Ana Anna snapshot",
    ];
    assert_eq!(told, expected);
    assert!(changes(&detail).iter().all(|change| change["entity"] == "customer/5"));
    let seen = entity(&detail, "customer");
    assert_eq!((&seen["baseline"], &seen["version"]), (&json!(false), &json!(first.version() + 1)));
    assert_eq!(seen["body"], changed);
    let second = stage.world.snapshot(&customer_key(5)).await.unwrap();
    assert_eq!((second.version(), second.body(), second.text("stamp")), (first.version() + 1, changed, "2025-02-06T11:59:11Z"));
    assert!(second.number("observedAt") >= first.number("observedAt"));

    let detail = stage.tell(&updated("three")).await;
    let seen = entity(&detail, "customer");
    assert_eq!((&seen["baseline"], &seen["version"], changes(&detail)), (&json!(false), &json!(second.version()), &[][..]));
    assert_eq!(stage.world.snapshot(&customer_key(5)).await.unwrap().version(), second.version(), "nothing changed");
    assert_eq!(detail["data"]["enrichment"], json!({"status": "complete", "late": false, "truncated": false}));
}

#[tokio::test]
async fn one_id_in_two_orgs_is_two_customers() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&updated("one")).await;
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(10)));
    let mut event = updated("two");
    event["orgId"] = json!(7);
    let detail = stage.tell(&event).await;
    assert_eq!((&entity(&detail, "customer")["baseline"], changes(&detail)), (&json!(true), &[][..]));
    assert_eq!(stage.world.snapshot("7#customer#5").await.expect("a snapshot").body(), customer(5, "Lisboa", Some(10)));
    assert_eq!(stage.world.snapshot(&customer_key(5)).await.unwrap().body(), customer(5, "Porto", Some(10)));
}

#[tokio::test]
async fn what_goes_is_told_too() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&updated("one")).await;
    let mut changed = customer(5, "Porto", Some(11));
    changed["extendedFields"] = json!({});
    changed["profiles"][0]["identifiers"] = json!([]);
    stage.capillary.customer(5, &changed);
    let detail = stage.tell(&updated("two")).await;
    let removed: Vec<(&str, Option<&Value>)> =
        changes(&detail).iter().map(|change| (change["path"].as_str().unwrap(), change.get("after"))).collect();
    assert_eq!(removed.len(), 2, "{detail}");
    assert!(removed.contains(&("/extendedFields/city", None)), "{detail}");
    assert!(removed.contains(&("/profiles/0/identifiers/0", None)), "{detail}");
    assert!(changes(&detail).iter().all(|change| change["op"] == "remove"), "{detail}");
}

#[tokio::test]
async fn line_items_are_known_by_their_ids_and_their_order_is_no_change() {
    let stage = Stage::with(NO_LAG).await;
    let event = |id: &str| of_transaction("transactionUpdated", id, 9, 5, "REGULAR");
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.capillary.transaction(9, &transaction(9, &[3, 4, 5], 10));
    let first = stage.tell(&event("one")).await;
    assert_eq!((&entity(&first, "transaction")["baseline"], changes(&first)), (&json!(true), &[][..]));

    let mut reordered = transaction(9, &[3, 4, 5], 11);
    reordered["lineItems"].as_array_mut().unwrap().rotate_left(1);
    stage.capillary.transaction(9, &reordered);
    let detail = stage.tell(&event("two")).await;
    assert_eq!(lines(&detail), Vec::<String>::new());
    let remembered = stage.world.snapshot(&transaction_key(9)).await.expect("a snapshot");
    assert_eq!(lasting(&remembered.body()), lasting(&entity(&detail, "transaction")["body"]));
    assert_eq!(remembered.text("stamp"), "2025-02-06T11:59:11Z");

    // The second item changes, the first goes, a fourth comes, and all stand elsewhere.
    let mut changed = transaction(9, &[3, 40, 5, 6], 12);
    let items = changed["lineItems"].as_array_mut().unwrap();
    items.remove(0);
    items.swap(0, 1);
    stage.capillary.transaction(9, &changed);
    let detail = stage.tell(&event("three")).await;
    let told = lines(&detail);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("replace /lineItems/1/details/qty 4 40"), "{told:?}");
    assert!(told[1].starts_with("remove /lineItems/0 "), "{told:?}");
    assert!(told[2].starts_with("add /lineItems/2 "), "{told:?}");
    assert!(changes(&detail).iter().all(|change| change["entity"] == "transaction/9"));
    let history = History::of(&stage.world);
    let remembered = stage.world.snapshot(&transaction_key(9)).await.unwrap();
    assert_eq!(history.replay("transaction/9"), (remembered.version(), lasting(&remembered.body())));
    assert_eq!(history.replay("customer/5").1, lasting(&customer(5, "Porto", None)));
}

#[tokio::test]
async fn numbers_keep_their_digits_in_changes_and_in_memory() {
    let stage = Stage::with(NO_LAG).await;
    let text = |points: &str, second: u32| {
        let profiles = format!(r#"[{{"source":"INSTORE","autoUpdateTime":"2025-02-06T11:59:{second}Z"}}]"#);
        format!(r#"{{"id":5,"profiles":{profiles},"big":9007199254740993,"points":{points}}}"#)
    };
    stage.capillary.customer_text(5, &text("1.10", 10));
    stage.tell(&updated("one")).await;
    let remembered = stage.world.snapshot(&customer_key(5)).await.unwrap().body_text();
    assert!(remembered.contains("9007199254740993") && remembered.contains("1.10"), "{remembered}");

    stage.capillary.customer_text(5, &text("12345678901234567890.50", 11).replace("0993", "0995"));
    stage.tell(&updated("two")).await;
    let sent = stage.world.sent_details().pop().unwrap();
    for text in
        [r#""before":1.10"#, r#""after":12345678901234567890.50"#, r#""before":9007199254740993"#, r#""after":9007199254740995"#]
    {
        assert!(sent.contains(text), "{text} is not in {sent}");
    }
}

#[tokio::test]
async fn what_changes_by_itself_is_remembered_but_no_change() {
    let stage = Stage::with(NO_LAG).await;
    let body = |second: u32| {
        let mut body = customer(5, "Porto", Some(second));
        let time = json!(format!("2025-02-06T11:59:{second}Z"));
        body["profiles"][0]["attribution"] = json!({"createdBy": "till", "modifiedDate": time});
        body["loyaltyInfo"] = json!({"attributionV2": {"modifiedDate": time}, "lastUpdatedOn": time});
        body["warnings"] = json!([{"code": second, "message": "a warning"}]);
        body
    };
    stage.capillary.customer(5, &body(10));
    stage.tell(&updated("one")).await;
    stage.capillary.customer(5, &body(11));
    let detail = stage.tell(&updated("two")).await;
    assert_eq!(lines(&detail), Vec::<String>::new());
    assert_eq!(entity(&detail, "customer")["body"], body(11));
    let snapshot = stage.world.snapshot(&customer_key(5)).await.unwrap();
    assert_eq!((snapshot.body(), snapshot.text("stamp")), (body(11), "2025-02-06T11:59:11Z"));
}

#[tokio::test]
async fn which_fields_change_by_themselves_is_a_setting() {
    let stage = Stage::with(&[("VOLATILE_FIELDS", "extendedFields/mood, weather")]).await;
    let body = |mood: &str, second: u32| {
        let mut body = customer(5, "Porto", Some(second));
        (body["extendedFields"]["mood"], body["mood"], body["weather"]) = (json!(mood), json!(mood), json!(mood));
        body
    };
    stage.capillary.customer(5, &body("good", 10));
    stage.tell(&updated("one")).await;
    stage.capillary.customer(5, &body("bad", 11));
    let mut told = lines(&stage.tell(&updated("two")).await);
    told.sort();
    let time = "replace /profiles/0/autoUpdateTime 2025-02-06T11:59:10Z 2025-02-06T11:59:11Z snapshot";
    assert_eq!(told, ["replace /mood good bad snapshot", time]);
}
