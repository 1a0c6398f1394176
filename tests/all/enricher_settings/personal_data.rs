//! What is kept from the bus: the README's list against a delivery of every name, and the pseudonyms.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::marks::{Planter, are_in, assert_none_in};
use crate::events;
use crate::support::answering_capillary::{Answer, AnsweringCapillary, Call};
use crate::support::events::{of_card, of_customer, of_nobody, with_data};
use crate::support::examples;
use crate::support::history::{changes, entities, entity};
use crate::support::stage::{NO_LAG, Stage};

/// A brand's key, a mobile number, and what OpenSSL makes of the two.
const KEY: &str = "0123456789abcdef";
const MOBILE: &str = "919900112233";
const PSEUDONYM: &str = "hmac-sha256:76f691d0ee238c5e4f5304f1d3ea53763f5fde6bc7977bc5f1900ee284fac834";

/// The list in the README: every second one of it, to be dropped, and the others, to be hashed.
fn list() -> [String; 2] {
    let readme = examples::text("README.md");
    let section = readme.split("### Personal data").nth(1).expect("the section");
    let list = section.split("```text").nth(1).and_then(|rest| rest.split("```").next()).expect("the list");
    let patterns: Vec<&str> = list.split(',').map(str::trim).collect();
    assert!(patterns.len() > 20 && patterns[..2] == ["firstName", "lastName"], "{patterns:?}");
    [0, 1].map(|first| patterns.iter().skip(first).step_by(2).copied().collect::<Vec<_>>().join(","))
}

fn secret(hash_key: &str) -> String {
    json!({"key": "sandbox-key", "secret": "sandbox-secret", "hashKey": hash_key}).to_string()
}

/// A sample of the public documentation, with invented values.
fn sample(call: &Call) -> Option<Value> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let id = |digits: &str| json!(digits.parse::<u64>().expect("an id"));
    let mut body;
    match call.path.as_str() {
        "/v2/card" => body = parsed(include_str!("../../../src/bin/sandbox/answers/v2_card_get.json")),
        "/v2/userGroup2" => {
            body = parsed(include_str!("../../../src/bin/sandbox/answers/v2_userGroup2_get.json"));
            body["data"][0]["groupId"] = id(call.parameter("id"));
        }
        path if path.starts_with("/v2/customers/") => {
            body = parsed(include_str!("../../../src/bin/sandbox/answers/v2_customers_id_get.json"));
            body["id"] = id(call.id());
        }
        path if path.starts_with("/v2/transactions/") => {
            body = parsed(include_str!("../../../src/bin/sandbox/answers/v2_transactions_id_get__REGULAR.json"));
            (body["id"], body["type"]) = (id(call.id()), json!(call.parameter("type")));
        }
        _ => return None,
    }
    Some(body)
}

impl Stage<AnsweringCapillary> {
    /// From now on all that is found is somebody's, and other than in other rounds.
    fn marks_entities(&self, round: u32) {
        self.capillary.answers(move |call| {
            let mut body = sample(call)?;
            assert!(Planter::of_round(round).plant(&mut body) > 0);
            Some(Answer::json(&body))
        });
    }

    /// What was stored to be published.
    fn stored(&self) -> Vec<String> {
        let calls = ["TransactWriteItems", "PutItem"].map(|operation| self.world.proxy.calls(operation)).concat();
        let bodies = calls.iter().map(|call| serde_json::from_str(&call.body).expect("DynamoDB speaks JSON"));
        let details = bodies.flat_map(|body: Value| match body.get("TransactItems") {
            Some(writes) => {
                writes.as_array().expect("writes").iter().map(|write| write["Put"]["Item"]["detail"].clone()).collect()
            }
            None => vec![body["Item"]["detail"].clone()],
        });
        let text = |detail: Value| {
            let compressed = STANDARD.decode(detail["B"].as_str()?).expect("base64");
            let mut text = String::new();
            flate2::read::GzDecoder::new(compressed.as_slice()).read_to_string(&mut text).expect("gzip");
            Some(text)
        };
        details.filter_map(text).collect()
    }
}

/// Bodies with the kinds of entities behind them, by name: the catalogue's, and two with members that none of these has.
fn deliveries() -> BTreeMap<String, (String, Vec<String>)> {
    let by_mobile = json!({"queryParams": {"identifierName": "mobile", "identifierValue": MOBILE}, "body": {}});
    let fields = json!([{"fieldName": "mobile", "fieldValue": MOBILE}]);
    let others = [
        ("by-mobile", with_data("requestWorkflowEvent", "-", &json!({"requestAttributes": by_mobile})), vec![]),
        (
            "fields",
            with_data(
                "requestUpdated",
                "-",
                &json!({"customerIdentifiers": {"customerId": 5}, "associatedEntityFields": fields}),
            ),
            vec!["customer".to_owned()],
        ),
    ];
    let others = others.into_iter().map(|(name, event, kinds)| (name.to_owned(), (event.to_string(), kinds)));
    events::accepted().into_iter().map(|(file, delivery)| (file, (delivery.body, delivery.entities))).chain(others).collect()
}

#[tokio::test]
async fn of_the_whole_catalogue_nothing_on_the_list_is_on_the_bus_or_stored_for_it() {
    let [dropped, hashed] = list();
    let stage = Stage::answering(&[("DROP_PATHS", &dropped), ("HASH_PATHS", &hashed), NO_LAG[0]]).await;
    stage.world.capillary_secret_is(&secret(KEY)).await;
    let deliveries = deliveries();
    let mut planted = BTreeMap::new();
    // Twice, so that there are changes, too.
    for round in 1..=2 {
        stage.marks_entities(round);
        for (name, (body, _)) in &deliveries {
            let mut event: Value = serde_json::from_str(body).expect("JSON");
            let id = format!("{name} {round}");
            planted.insert(id.clone(), Planter::of_round(round).plant(&mut event) > 0);
            stage.world.enqueue_raw(&event.to_string(), &[("v", "Number", "1"), ("eventId", "String", &id)]).await;
        }
        for batch in stage.world.queue_messages().await.chunks(10) {
            stage.world.enrich_these(&stage.enricher, batch.to_vec()).await.all_done();
        }
    }
    let stored = stage.stored();
    assert_eq!(stored.len(), 2 * deliveries.len(), "what depends on settings is stored, whoever is behind it");
    for text in &stored {
        assert_none_in(text, "stored");
    }
    for call in stage.world.proxy.calls("PutEvents") {
        assert_none_in(&call.body, "on the bus");
    }

    // There was something to be kept back, and the rest is there.
    assert!(planted.values().filter(|planted| **planted).count() > 100, "marks are in few events");
    let details: Vec<Value> = stage.world.sent_details().iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
    for detail in &details {
        let id = detail["id"].as_str().expect("an id");
        assert_eq!(detail["data"]["enrichment"]["redacted"], true, "{id}");
        let (_, expected) = &deliveries[id.split(' ').next().expect("a name")];
        let kinds = entities(detail).iter().map(|entity| entity.split('/').next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(kinds, *expected, "{id}");
    }
    for key in stage.world.snapshot_keys().await.iter().filter(|key| !key.contains("#coupon#")) {
        let remembered = stage.world.snapshot(key).await.expect("it is there");
        assert!(remembered.is_tombstone() || are_in(&remembered.body_text()), "{key}: compared with what?");
    }
    for (path, is_there) in [("/profiles/0/firstName", false), ("/profiles/0/lastName", true)] {
        let changes = details.iter().flat_map(changes).filter(|change| change["path"] == path);
        let changes: Vec<&Value> = changes.collect();
        assert!(changes.len() > 20, "{path} changes {} times", changes.len());
        for change in changes {
            let values = [change.get("before"), change.get("after")];
            let pseudonyms = values.map(|value| value.is_some_and(|text| text.as_str().unwrap().starts_with("hmac-sha256:")));
            assert!(values.map(|value| value.is_some()) == [is_there; 2] && pseudonyms == [is_there; 2], "{change}");
        }
    }
}

/// A customer with a mobile number.
fn reached_at(mobile: &str) -> Answer {
    let identifiers = json!([{"type": "mobile", "value": mobile}, {"type": "email", "value": "ana@example.com"}]);
    Answer::json(&json!({"id": 5, "profiles": [{"identifiers": identifiers, "source": "INSTORE"}], "warnings": []}))
}

const MOBILES: (&str, &str) = ("HASH_PATHS", "mobile,identifiers/value,updatedFields/previousValue,updatedFields/currentValue");

#[tokio::test]
async fn a_mobile_number_has_one_pseudonym_in_event_body_and_changes() {
    let stage = Stage::answering(&[MOBILES, NO_LAG[0]]).await;
    stage.world.capillary_secret_is(&secret(KEY)).await;
    stage.capillary.answers(|call| (call.path == "/v2/customers/5").then(|| reached_at(MOBILE)));
    for (id, mobile) in
        [("number", json!(919_900_112_233_u64)), ("text", json!(MOBILE)), ("padded", json!(format!(" {MOBILE} ")))]
    {
        let mut event = of_customer("tierRenewed", id, 5);
        event["data"]["customerIdentifiers"]["instore"] = json!({"mobile": mobile});
        let detail = stage.tell(&event).await;
        assert_eq!(detail["data"]["event"]["data"]["customerIdentifiers"]["instore"]["mobile"], PSEUDONYM, "{id}");
        assert_eq!(entity(&detail, "customer")["body"]["profiles"][0]["identifiers"][0]["value"], PSEUDONYM, "{id}");
    }
    stage.capillary.answers(|call| (call.path == "/v2/customers/5").then(|| reached_at("919900112234")));
    let mut event = of_customer("customerUpdated", "changed", 5);
    event["data"]["updatedFields"] =
        json!([{"fieldName": "mobile", "fieldType": "Identifier", "previousValue": MOBILE, "currentValue": "919900112234"}]);
    let detail = stage.tell(&event).await;
    let text = detail.to_string();
    assert!(!text.contains("9199001122") && !text.contains("ana@example.com"), "{text}");
    assert_eq!(detail["data"]["event"]["data"]["updatedFields"][0]["previousValue"], PSEUDONYM);
    // The element goes as a whole, and is known by its value.
    let (removed, added) = (&changes(&detail)[0], &changes(&detail)[1]);
    assert_eq!((&removed["op"], &removed["before"]["value"]), (&json!("remove"), &json!(PSEUDONYM)));
    assert_eq!((&removed["origin"], &added["origin"]), (&json!("event"), &json!("event")), "told of values that nobody may see");
    let now = &entity(&detail, "customer")["body"]["profiles"][0]["identifiers"][0]["value"];
    assert_eq!((&added["after"]["value"], &detail["data"]["event"]["data"]["updatedFields"][0]["currentValue"]), (now, now));
}

#[tokio::test]
async fn without_a_key_events_wait_and_with_it_they_go() {
    let stage = Stage::answering(&[MOBILES]).await;
    let mut batch = stage.attempt_all(&[of_customer("tierRenewed", "one", 5), of_nobody("of nobody")]).await;
    for secret in [json!({"key": "sandbox-key", "secret": "sandbox-secret"}).to_string(), secret("too short")] {
        batch.all_back();
        stage.world.capillary_secret_is(&secret).await;
        batch = stage.again(&batch).await;
    }
    batch.all_back();
    assert!(stage.capillary.calls().is_empty() && stage.world.sent_entries().is_empty());
    assert!(stage.world.ledger_rows().await.is_empty());
    assert!(stage.enricher.0.logs().contains("hashKey"), "{}", stage.enricher.0.logs());
    stage.world.capillary_secret_is(&secret(KEY)).await;
    stage.again(&batch).await.all_done();
    assert_eq!(entities(&stage.told("one")), ["customer/5 found"]);
}

#[tokio::test]
async fn the_number_that_stands_for_an_unknown_card_is_kept_back_with_the_others() {
    for (variable, expected) in [("DROP_PATHS", "dropped"), ("HASH_PATHS", PSEUDONYM)] {
        let stage = Stage::answering(&[(variable, "cardNumber")]).await;
        stage.world.capillary_secret_is(&secret(KEY)).await;
        stage.capillary.answers(|call| (call.path == "/v2/card").then(|| Answer::error(3010)));
        let detail = stage.tell(&of_card("one", MOBILE)).await;
        let card = entity(&detail, "card");
        assert_eq!((&card["id"], &card["status"]), (&json!(expected), &json!("not_found")));
        assert_eq!(detail["subject"], format!("card/{expected}"));
        assert!(!stage.world.sent_details()[0].contains(MOBILE));
    }
}
