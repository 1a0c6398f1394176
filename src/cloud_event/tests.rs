use super::*;
use crate::{
    change::Op,
    redact::{HashKey, Patterns, Redaction},
    secret::Meaning,
};
use serde_json::json;

fn customer(id: &str, body: &str) -> View {
    View {
        kind: Kind::Customer,
        id: id.to_owned(),
        status: Status::Found,
        fetched_at_ms: Some(1_755_225_718_242),
        baseline: Some(true),
        version: Some(7),
        body: Some(Arc::from(RawValue::from_string(body.to_owned()).unwrap())),
        by_number: false,
    }
}

fn change(path: &str, after: &str) -> EntityChange {
    let (before, after) = (serde_json::from_str("9007199254740993.10").ok(), Some(json!(after)));
    let change = Change { op: Op::Replace, path: path.into(), before, after };
    EntityChange { entity: "customer/1".into(), change, origin: Origin::Snapshot }
}

fn of(body: &str, enriched: &Enriched, max_entry_bytes: usize) -> Result<String, TooLarge> {
    redacted("", "", body, enriched, max_entry_bytes)
}

fn redacted(drop: &str, hash: &str, body: &str, enriched: &Enriched, max_entry_bytes: usize) -> Result<String, TooLarge> {
    let event = Event::parse(body.as_bytes()).unwrap();
    let redaction = Redaction { drop: Patterns::parse(drop).unwrap(), hash: Patterns::parse(hash).unwrap() };
    let key = HashKey::parse(r#"{"hashKey":"0123456789abcdef"}"#).unwrap();
    detail(&event, &Identity::of(&event, 1_000), enriched, &Redactor::new(&redaction, Some(&key)), max_entry_bytes)
}

fn with(entities: Vec<View>) -> Enriched {
    Enriched { entities, ..Enriched::default() }
}

const EVENT: &str =
    r#"{"eventName":"customerUpdated","eventId":"e1","orgId":100737,"createdAt":1631580115710,"data":{"points":1.10}}"#;

#[test]
fn an_event_with_its_customer() {
    let enriched =
        Enriched { changes: vec![change("/p", "y")], ..with(vec![customer("728942858", r#"{"id":728942858,"p":3.000}"#)]) };
    let detail = of(EVENT, &enriched, 262_144).unwrap();
    assert!(detail.contains(r#""event":{"eventName":"customerUpdated","eventId":"e1","orgId":100737,"createdAt":1631580115710,"data":{"points":1.10}}"#));
    assert!(detail.contains(r#""body":{"id":728942858,"p":3.000}"#), "numbers keep their digits");
    assert!(detail.contains(
        r#""changes":[{"entity":"customer/1","op":"replace","path":"/p","before":9007199254740993.10,"after":"y","origin":"snapshot"}]"#
    ));
    let value: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(value["specversion"], "1.0");
    assert_eq!(value["id"], "e1");
    assert_eq!(value["source"], "/capillary/orgs/100737");
    assert_eq!(value["type"], "capillary.customerUpdated");
    assert_eq!(value["subject"], "customer/728942858");
    assert_eq!(value["time"], "2021-09-14T00:41:55.710Z");
    assert_eq!(value["data"]["enrichment"], json!({"status": "complete", "late": false, "truncated": false}));
    let entity = &value["data"]["entities"][0];
    assert_eq!(
        (&entity["type"], &entity["status"], &entity["baseline"], &entity["version"]),
        (&json!("customer"), &json!("found"), &json!(true), &json!(7))
    );
    assert_eq!(entity["fetchedAt"], "2025-08-15T02:41:58.242Z");
    assert_eq!(Published::read(&detail).detail_type, "customerUpdated");
}

#[test]
fn an_event_that_tells_nothing_is_published_all_the_same() {
    let detail = of("{\"x\":[1, 2]}", &Enriched::default(), 262_144).unwrap();
    let value: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(value["type"], "capillary.unknown");
    assert_eq!(value["source"], "/capillary/orgs/0");
    assert_eq!(value["time"], "1970-01-01T00:00:01.000Z");
    assert_eq!(value.get("subject"), None);
    assert_eq!(value["data"]["changes"], json!([]));
    assert_eq!(value["data"]["enrichment"]["status"], "none");
    assert_eq!(Published::read(&detail).detail_type, "unknown");
}

#[test]
fn who_is_not_found_makes_it_partial() {
    let gone = View { status: Status::Deleted, body: None, baseline: None, ..customer("2", "{}") };
    let enriched = Enriched { late: true, ..with(vec![customer("1", "{}"), gone]) };
    let value: Value = serde_json::from_str(&of(EVENT, &enriched, 262_144).unwrap()).unwrap();
    assert_eq!(value["data"]["enrichment"], json!({"status": "partial", "late": true, "truncated": false}));
    assert_eq!((value["data"]["entities"][1].get("body"), value["data"]["entities"][1].get("baseline")), (None, None));
}

#[test]
fn what_is_too_large_loses_its_biggest_body_first() {
    let big = format!("{{\"id\":2,\"x\":\"{}\"}}", "x".repeat(2_000));
    let enriched = with(vec![customer("1", "{\"id\":1}"), customer("2", &big)]);
    let value: Value = serde_json::from_str(&of(EVENT, &enriched, 1_500).unwrap()).unwrap();
    assert_eq!(value["data"]["entities"][0]["body"]["id"], 1);
    assert_eq!(value["data"]["entities"][1].get("body"), None);
    assert_eq!(value["data"]["entities"][1]["status"], "found");
    assert_eq!(value["data"]["enrichment"]["truncated"], true);
    assert_eq!(of(EVENT, &enriched, 400).unwrap_err(), TooLarge);
    let exact = of(EVENT, &Enriched::default(), 262_144).unwrap().len() + "customerUpdated".len() + ENTRY_OVERHEAD_BYTES;
    assert!(of(EVENT, &Enriched::default(), exact).is_ok());
    assert!(of(EVENT, &Enriched::default(), exact - 1).is_err());
}

#[test]
fn then_values_of_changes_and_only_at_last_that_there_are_changes() {
    let long = "x".repeat(2_000);
    let enriched = Enriched { changes: vec![change("/a", "small"), change("/b", &long)], ..with(vec![customer("1", "{}")]) };
    let changes = |max_entry_bytes| {
        let value: Value = serde_json::from_str(&of(EVENT, &enriched, max_entry_bytes).unwrap()).unwrap();
        assert_eq!((value["data"]["entities"][0].get("body"), &value["data"]["enrichment"]["truncated"]), (None, &json!(true)));
        value["data"]["changes"].clone()
    };
    let told = changes(1_500);
    assert_eq!((&told[0]["after"], &told[1]["path"], told[1].get("after")), (&json!("small"), &json!("/b"), None));
    assert_eq!(changes(650), json!([]));
}

#[test]
fn what_may_not_be_on_the_bus_is_redacted_in_event_body_and_changes_alike() {
    let body = r#"{"id":1,"mobile":919900112233,"name":"Ana","n":1.10}"#;
    let number = |path| EntityChange {
        change: Change { before: Some(json!(" 919900112233")), ..change(path, "x").change },
        ..change(path, "x")
    };
    let enriched = Enriched { changes: vec![number("/mobile"), change("/name", "Ana")], ..with(vec![customer("1", body)]) };
    let event = r#"{"eventName":"customerUpdated","eventId":"e1","data":{"mobile":"919900112233 ","name":"Ana","n":1.10}}"#;
    let detail = redacted("name", "mobile", event, &enriched, 262_144).unwrap();
    assert!(!detail.contains("919900112233") && !detail.contains("Ana"), "{detail}");
    let value: Value = serde_json::from_str(&detail).unwrap();
    let data = &value["data"];
    assert_eq!(data["event"]["data"]["mobile"], data["entities"][0]["body"]["mobile"]);
    assert_eq!(data["event"]["data"]["mobile"], data["changes"][0]["before"]);
    assert_eq!(data["changes"][1], json!({"entity": "customer/1", "op": "replace", "path": "/name", "origin": "snapshot"}));
    assert_eq!(data["enrichment"], json!({"status": "complete", "late": false, "truncated": false, "redacted": true}));
    assert!(detail.contains(r#","n":1.10}"#), "{detail}");
}

#[test]
fn a_card_known_by_its_number_only_is_told_by_a_pseudonym() {
    let event = r#"{"eventName":"cardUpdated","eventId":"e1","data":{"cardNumber":"CARD988222673 "}}"#;
    let card = |by_number| View { status: Status::NotFound, body: None, by_number, ..customer("CARD988222673", "{}") };
    let told = |by_number| {
        let detail = redacted("", "cardNumber", event, &with(vec![card(by_number)]), 262_144).unwrap();
        assert_eq!(detail.contains("CARD988222673"), !by_number);
        serde_json::from_str::<Value>(&detail).unwrap()
    };
    let value = told(true);
    let pseudonym = value["data"]["event"]["data"]["cardNumber"].as_str().unwrap();
    assert_eq!(value["data"]["entities"][0]["id"], pseudonym);
    assert_eq!(value["subject"], format!("customer/{pseudonym}"));
    assert_eq!(told(false)["subject"], "customer/CARD988222673", "an id of Capillary's stays");
}

#[test]
fn what_is_left_out_takes_no_room() {
    let long = "x".repeat(2_000);
    let event = format!(r#"{{"eventName":"customerUpdated","eventId":"e1","data":{{"note":"{long}"}}}}"#);
    let enriched = with(vec![customer("1", &format!(r#"{{"id":1,"note":"{long}"}}"#))]);
    assert_eq!(of(&event, &enriched, 1_500).unwrap_err(), TooLarge);
    let value: Value = serde_json::from_str(&redacted("note", "", &event, &enriched, 1_500).unwrap()).unwrap();
    assert_eq!(
        (&value["data"]["entities"][0]["body"], &value["data"]["enrichment"]["truncated"]),
        (&json!({"id": 1}), &json!(false))
    );
}
