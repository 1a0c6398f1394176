//! The audit API: what was changed through the sandbox, and by which request.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::running::{TestSandbox, error_code};
use super::samples::{self, assert_alike};

impl TestSandbox {
    pub(super) async fn audits(&self, query: &str) -> Value {
        let response = self.asked(&format!("/api_gateway/v2/audits?{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{query}");
        response.json().await.unwrap()
    }
}

/// What the rows of one request say: event type, field, value before, value after.
pub(super) fn told(answer: &Value, request_id: &str) -> Vec<[String; 4]> {
    let rows = answer["data"].as_array().unwrap().iter().filter(|row| row["requestId"] == request_id);
    let events = rows.flat_map(|row| row["events"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = |event: &Value| {
        let values = &event["additionalFields"];
        [&event["eventType"], &event["updatedField"], &values["previousValue"], &values["currentValue"]].map(text)
    };
    events.map(told).collect()
}

#[tokio::test]
async fn a_change_is_found_by_its_request_field_by_field() {
    let sandbox = TestSandbox::start().await;
    sandbox.change("customers/5", json!({})).await;
    let mut profiles = sandbox.customer_body(5).await["profiles"].clone();
    profiles[0]["lastName"] = json!("Fontaine-Goto");
    profiles[0]["fields"]["Gender"] = json!("Weekly");
    profiles[0]["identifiersAll"][0] = json!({"type": "mobile", "value": "915550000007"});
    let patch = json!({"profiles": profiles, "extendedFields": {"city": null, "hobby": "chess"}});
    let changed = sandbox.change("customers/5", patch).await;
    let answer = sandbox.audits("entityType=CUSTOMER&entityId=5&sortOrder=ASC&limit=50").await;
    let expected = [
        ["Standard Fields", "LastName", "Almeida", "Fontaine-Goto"],
        ["Identifiers", "mobile", "919000000005", "915550000007"],
        ["Custom Fields", "Gender", "Monthly", "Weekly"],
        ["Extended Fields", "city", "Garden", "NA"],
        ["Extended Fields", "hobby", "NA", "chess"],
    ];
    assert_eq!(told(&answer, &changed.request_id), expected);
    assert_alike(&answer, &samples::sample("api_gateway_v2_audits__customer"));
    assert_eq!((&answer["data"][0]["entityId"], &answer["data"][0]["orgId"]), (&json!(5), &json!(100_737)));
}

#[tokio::test]
async fn before_a_registration_there_was_nothing() {
    let sandbox = TestSandbox::start().await;
    let added = sandbox.change("customers/5", json!({})).await;
    let answer = sandbox.audits("entityType=CUSTOMER&entityId=5").await;
    let told = told(&answer, &added.request_id);
    assert!(told.iter().any(|[_, field, _, now]| field == "cardnumber" && now == "CARD000000000005"), "{told:?}");
    assert!(told.iter().all(|[_, _, before, _]| before == "NA"), "{told:?}");
}

#[tokio::test]
async fn a_change_of_nothing_that_is_audited_leaves_no_row() {
    let sandbox = TestSandbox::start().await;
    sandbox.change("customers/5?event=customerUpdated", json!({"segments": {"a": "b"}})).await;
    sandbox.change("customers/6?event=customerUpdated", json!({"extendedFields": {"city": "Porto"}})).await;
    sandbox.change("transactions/5", json!({"billDetails": {"amount": 1}})).await;
    let answer = sandbox.audits("entityType=CUSTOMER&entityId=5").await;
    let pagination = json!({"totalElements": 0, "totalPages": 0, "numberOfElements": 0, "number": 0});
    assert_eq!(answer, json!({"data": [], "pagination": pagination}));
    assert_eq!(sandbox.audits("entityType=CARD&entityId=6").await, answer);
}

#[tokio::test]
async fn rows_come_in_pages_the_newest_first() {
    let sandbox = TestSandbox::start().await;
    let mut requests = Vec::new();
    for step in 0..23 {
        let patch = json!({"extendedFields": {"step": step}});
        requests.push(sandbox.change("customers/5?event=customerUpdated", patch).await.request_id);
    }
    let ids = |answer: &Value| -> Vec<String> {
        answer["data"].as_array().unwrap().iter().map(|row| row["requestId"].as_str().unwrap().to_owned()).collect()
    };
    let oldest = sandbox.audits("entityType=CUSTOMER&entityId=5&sortOrder=ASC&limit=5&pageNo=1").await;
    assert_eq!(ids(&oldest), requests[5..10]);
    requests.reverse();
    let first = sandbox.audits("entityType=CUSTOMER&entityId=5").await;
    assert_eq!(ids(&first), requests[..10]);
    assert_eq!(first["pagination"], json!({"totalElements": 23, "totalPages": 3, "numberOfElements": 10, "number": 0}));
    let last = sandbox.audits("entityType=CUSTOMER&entityId=5&pageNo=2").await;
    assert_eq!(ids(&last), requests[20..]);
    assert_eq!(last["pagination"], json!({"totalElements": 23, "totalPages": 3, "numberOfElements": 3, "number": 2}));
}

#[tokio::test]
async fn a_deletion_is_audited_as_a_status_without_a_request() {
    let sandbox = TestSandbox::start().await;
    sandbox.delete_customer(5).await;
    let answer = sandbox.audits("entityType=CUSTOMER&entityId=5").await;
    assert_eq!(told(&answer, ""), [["Customer Status", "CustomerStatus", "ACTIVE", "DELETED"]]);
}

#[tokio::test]
async fn a_merge_is_audited_with_both_customers_and_what_the_survivor_took_over() {
    let sandbox = TestSandbox::start().await;
    let mut profiles = sandbox.customer_body(9).await["profiles"].clone();
    profiles[0]["identifiersAll"].as_array_mut().unwrap().push(json!({"type": "externalId", "value": "EXT-9"}));
    sandbox.change("customers/9", json!({"profiles": profiles})).await;
    let merged = sandbox.merge(9, json!({"into": 10})).await;
    let answer = sandbox.audits("entityType=CUSTOMER&entityId=10").await;
    let row = &answer["data"][0];
    assert_eq!(row["requestId"], merged.request_id);
    assert_eq!(row["victimUserDetails"]["externalId"], "EXT-9");
    assert_eq!(row["survivorUserDetails"]["externalId"], Value::Null);
    assert_eq!(row["events"][0]["additionalFields"], json!({"previousValue": null, "currentValue": "EXT-9"}));
    let mut row = row.clone();
    row["survivorUserDetails"]["externalId"] = json!("");
    assert_alike(&row, &samples::sample("api_gateway_v2_audits__customer_merge")["data"][0]);
    assert!(merged.entity.to_string().contains("EXT-9"));
}

#[tokio::test]
async fn what_is_not_asked_properly_gets_400() {
    let sandbox = TestSandbox::start().await;
    for query in [
        "",
        "entityId=5",
        "entityType=CUSTOMER",
        "entityType=CUSTOMER&entityId=five",
        "entityType=TRANSACTION&entityId=5",
        "entityType=CUSTOMER&entityId=5&limit=0",
        "entityType=CUSTOMER&entityId=5&pageNo=-1",
        "entityType=CUSTOMER&entityId=5&sortOrder=up",
    ] {
        let response = sandbox.asked(&format!("/api_gateway/v2/audits?{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(error_code(response).await, 400, "{query}");
    }
}

#[tokio::test]
async fn it_is_guarded_breaks_and_is_counted_like_capillarys_other_paths() {
    let sandbox = TestSandbox::start().await;
    let path = "/api_gateway/v2/audits?entityType=CUSTOMER&entityId=5";
    let bare = sandbox.request(Method::GET, path).header("content-type", "application/json").send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    sandbox.faults(json!([{"path": "/api_gateway", "kind": "status", "status": 503, "times": 1}])).await;
    assert_eq!(sandbox.asked(path).send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(sandbox.asked(path).send().await.unwrap().status(), StatusCode::OK);
    let calls = sandbox.calls().await;
    let statuses: Vec<&Value> = calls.as_array().unwrap().iter().map(|call| &call["status"]).collect();
    assert_eq!(statuses, [401, 503, 200]);
    assert_eq!(calls[2]["path"], "/api_gateway/v2/audits");
}
