//! The points ledger: entries that are there, not yet there, and nowhere.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::running::{TestSandbox, error_code};
use super::samples::{self, assert_alike};

const PATH: &str = "/v2/pointsLedger/getLedgerExplodeInfo";
const SOMEBODY: &str = "identifierName=id&identifierValue=565039506&source=ALL";

impl TestSandbox {
    async fn entries(&self, ids: &str) -> Value {
        self.body(&format!("{PATH}?{SOMEBODY}&eventIds={ids}")).await
    }

    async fn entry_is(&self, id: u64, state: &str) {
        self.stand(&format!("/sandbox/ledger/{id}/state"), json!({"state": state})).await;
    }
}

fn ids(answer: &Value) -> Vec<u64> {
    answer["events"].as_array().unwrap().iter().map(|entry| entry["eventLogId"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn entries_nobody_spoke_of_are_found_and_look_like_the_sample() {
    let sandbox = TestSandbox::start().await;
    let answer = sandbox.entries("57205206,36113607").await;
    assert_alike(&answer, &samples::answer("v2_pointsLedger_getLedgerExplodeInfo"));
    assert_eq!(ids(&answer), [57_205_206, 36_113_607]);
    assert_eq!(answer["warnings"], json!([]));
    assert_ne!(answer["events"][0]["uniqueId"], answer["events"][1]["uniqueId"]);
}

#[tokio::test]
async fn an_entry_that_is_pending_is_not_there_and_a_warning_says_so() {
    let sandbox = TestSandbox::start().await;
    sandbox.entry_is(2, "pending").await;
    let answer = sandbox.entries("1,2").await;
    assert_eq!((ids(&answer), &answer["warnings"][0]["code"]), (vec![1], &json!(11002)));
    let alone = sandbox.entries("2").await;
    assert_eq!((ids(&alone), &alone["warnings"][0]["code"], alone.get("errors")), (vec![], &json!(11002), None));
    sandbox.entry_is(2, "found").await;
    assert_eq!(sandbox.entries("2").await["warnings"], json!([]));
}

#[tokio::test]
async fn where_nothing_is_found_is_an_error() {
    let sandbox = TestSandbox::start().await;
    sandbox.entry_is(2, "not_found").await;
    let answer = sandbox.entries("2").await;
    assert_eq!((ids(&answer), &answer["errors"][0]["code"]), (vec![], &json!(11003)));
    let some = sandbox.entries("1,2").await;
    assert_eq!((ids(&some), &some["warnings"], some.get("errors")), (vec![1], &json!([]), None));
}

#[tokio::test]
async fn an_entry_can_be_changed_without_an_event() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(sandbox.change("ledger/2", json!({"eventName": "PointsRedemption"})).await.event_id, None);
    assert_eq!(sandbox.entries("2").await["events"][0]["eventName"], "PointsRedemption");
}

#[tokio::test]
async fn what_is_not_asked_properly_is_refused_with_the_code_for_it() {
    let sandbox = TestSandbox::start().await;
    let refusals = [
        ("identifierName=id&eventIds=1".to_owned(), 11013),
        ("identifierName=id&identifierValue=&source=ALL&eventIds=1".to_owned(), 11013),
        ("identifierName=id&identifierValue=5&eventIds=1".to_owned(), 11013),
        (SOMEBODY.to_owned(), 11001),
        (format!("{SOMEBODY}&eventIds=1,two"), 11017),
        (format!("{SOMEBODY}&eventIds=1,2,3,4,5,6,7,8,9,10,11"), 11006),
    ];
    for (query, code) in refusals {
        let response = sandbox.asked(&format!("{PATH}?{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(error_code(response).await, code, "{query}");
    }
    assert_eq!(ids(&sandbox.entries("1,2,3,4,5,6,7,8,9,10").await).len(), 10);
}
