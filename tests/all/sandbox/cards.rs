//! Cards: asked for by number, told of by number, audited by id.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::audits::told;
use super::changes::sandbox_and_receiver;
use super::running::{TestSandbox, error_code};
use super::samples::{self, assert_alike};

impl TestSandbox {
    async fn card(&self, number: &str) -> Value {
        self.body(&format!("/v2/card?number={number}")).await
    }
}

#[tokio::test]
async fn a_card_nobody_spoke_of_is_found_with_ids_that_follow_from_its_number() {
    let sandbox = TestSandbox::start().await;
    let card = sandbox.card("ggai145281450053727").await;
    assert_alike(&card, &samples::answer("v2_card_get"));
    assert_eq!(card["cardNumber"], "ggai145281450053727");
    assert_eq!((&card["cardId"], &card["statusInfo"]["entityId"]), (&card["id"], &card["id"]));
    // Worked out by another program: the same in every process.
    assert_eq!((&card["id"], &card["customerId"]), (&json!(598_975_595), &json!(658_664_486)));
    assert_eq!(sandbox.card("ggai145281450053727").await, card);
    let other = sandbox.card("ggai145281450053728").await;
    assert_ne!((&other["id"], &other["customerId"]), (&card["id"], &card["customerId"]));
}

#[tokio::test]
async fn the_card_that_a_customer_has_is_hers() {
    let sandbox = TestSandbox::start().await;
    let customer = sandbox.customer_body(728_942_858).await;
    let number = customer["profiles"][0]["identifiers"][1]["value"].as_str().unwrap();
    assert_eq!(sandbox.card(number).await["customerId"], 728_942_858);
}

#[tokio::test]
async fn a_card_is_changed_found_or_not_and_read_late_like_everything_else() {
    let sandbox = TestSandbox::start().await;
    sandbox.change("cards/CARD%207", json!({"customerId": 7, "id": 8, "customFields": {"colour": "blue"}})).await;
    let card = sandbox.card("CARD%207").await;
    assert_eq!((&card["customerId"], &card["id"], &card["cardNumber"]), (&json!(7), &json!(8), &json!("CARD 7")));
    assert_eq!(card["customFields"], json!({"colour": "blue"}));
    sandbox.stand("/sandbox/cards/CARD%207/stale", json!({"revisions": 1, "times": 1})).await;
    assert_eq!(sandbox.card("CARD%207").await["customFields"], json!({}));
    sandbox.stand("/sandbox/cards/CARD%207/state", json!({"state": "missing", "httpStatus": 404})).await;
    let response = sandbox.asked("/v2/card?number=CARD%207").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(error_code(response).await, 3010);
    sandbox.stand("/sandbox/cards/CARD%207/state", json!({"state": "missing"})).await;
    assert_eq!(sandbox.asked("/v2/card?number=CARD%207").send().await.unwrap().status(), StatusCode::OK, "the body tells");
}

#[tokio::test]
async fn a_card_is_asked_for_by_number() {
    let sandbox = TestSandbox::start().await;
    for query in ["", "?id=7", "?number="] {
        let response = sandbox.asked(&format!("/v2/card{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn its_event_looks_like_the_sample_and_has_before_and_after() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({"orgId": 50538})).await;
    let fields = json!({"customFields": {"colour": "blue"}, "extendedFields": {"balance": 1696.0}});
    sandbox.change("cards/CARD7?event=none", fields).await;
    let patch = json!({
        "statusInfo": {"label": "LOST", "reason": "stolen"},
        "customFields": {"colour": "red"},
        "extendedFields": {"balance": null, "year": 36},
    });
    let changed = sandbox.change("cards/CARD7", patch).await;
    let mut event = receiver.until_received(1).await[0].event();
    assert_eq!((&event["eventName"], &event["eventId"]), (&json!("cardUpdated"), &json!(changed.event_id)));
    assert_eq!(event["refId"], format!("50538_{}", changed.entity["id"]));
    assert_eq!(event["apiRequestId"], changed.request_id);
    assert_eq!(
        event["data"],
        json!({
            "cardNumber": "CARD7", "cardType": "DIGITAL",
            "previousStatusLabel": "ACTIVE", "currentStatusLabel": "LOST",
            "previousStatusChangeReason": "", "currentStatusChangeReason": "stolen",
            "previousCustomFields": [{"name": "colour", "value": "blue"}],
            "currentCustomFields": [{"name": "colour", "value": "red"}],
            "previousExtendedFields": [{"name": "balance", "value": "1696.0"}],
            "currentExtendedFields": [{"name": "year", "value": "36"}],
        })
    );
    assert_alike(&event["data"], &samples::sample("cardUpdated__flat_full")["data"]);
    // The older sample is one without the type and the reasons.
    for younger in ["cardType", "previousStatusChangeReason", "currentStatusChangeReason"] {
        event["data"].as_object_mut().unwrap().remove(younger);
    }
    assert_alike(&event, &samples::event("cardUpdated.flat"));
}

#[tokio::test]
async fn only_a_new_status_or_field_makes_an_event() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({})).await;
    for silent in [json!({}), json!({"customerId": 7}), json!({"statusInfo": {"reason": "none", "label": "ACTIVE"}})] {
        assert_eq!(sandbox.change("cards/CARD7", silent.clone()).await.event_id, None, "{silent}");
    }
    let mut expected = Vec::new();
    for telling in [
        json!({"statusInfo": {"label": "LOST"}}),
        json!({"customFields": {"colour": "blue"}}),
        json!({"extendedFields": {"year": 36}}),
        json!({"extendedFields": {"year": null}}),
    ] {
        expected.extend(sandbox.change("cards/CARD7", telling).await.event_id);
    }
    assert_eq!(sandbox.change("cards/CARD7?event=none", json!({"statusInfo": {"label": "FOUND"}})).await.event_id, None);
    expected.extend(sandbox.change("cards/CARD7?event=cardUpdated", json!({})).await.event_id);
    receiver.until_received(5).await;
    assert_eq!(receiver.ids(), expected);
}

#[tokio::test]
async fn a_status_gets_its_day_unless_the_patch_brings_one() {
    let sandbox = TestSandbox::start().await;
    let day = |card: &Value| card["statusInfo"]["autoUpdateTime"].as_str().unwrap().to_owned();
    let before = day(&sandbox.card("CARD7").await);
    assert_eq!(day(&sandbox.change("cards/CARD7", json!({"customFields": {"a": "b"}})).await.entity), before);
    let changed = day(&sandbox.change("cards/CARD7", json!({"statusInfo": {"label": "LOST"}})).await.entity);
    assert!(changed > before && changed.len() == before.len(), "{changed}");
    let brought = json!({"statusInfo": {"label": "FOUND", "autoUpdateTime": "2024-02-03"}});
    assert_eq!(day(&sandbox.change("cards/CARD7", brought).await.entity), "2024-02-03");
}

#[tokio::test]
async fn its_audits_look_like_the_sample_and_name_whose_card_it_is() {
    let sandbox = TestSandbox::start().await;
    let fields = json!({"customFields": {"colour": "blue"}, "customerId": 7});
    let id = sandbox.change("cards/CARD7", fields).await.entity["id"].clone();
    let patch = json!({
        "statusInfo": {"label": "LOST", "labelId": 26},
        "customFields": {"colour": null},
        "extendedFields": {"year": 36},
    });
    let changed = sandbox.change("cards/CARD7", patch).await;
    let answer = sandbox.audits(&format!("entityType=CARD&entityId={id}&sortOrder=ASC")).await;
    let expected = [
        ["Card Status", "CardStatus", "ACTIVE", "LOST"],
        ["Card Custom Fields", "colour", "blue", "NA"],
        ["Card Extended Fields", "year", "NA", "36"],
    ];
    assert_eq!(told(&answer, &changed.request_id), expected);
    assert_eq!(answer["pagination"]["totalElements"], 4, "one row of the first change, three of the second");
    let status = &answer["data"][1];
    assert_alike(status, &samples::sample("api_gateway_v2_audits__card")["data"][0]);
    assert_eq!((&status["entityType"], &status["entityId"]), (&json!("CARD"), &id));
    assert_eq!(status["events"][0]["additionalFields"]["currentLabelId"], "26");
    assert_eq!(status["events"][0]["associateEntities"], json!([{"entityType": "CUSTOMER", "entityId": 7}]));
    let of_customer = sandbox.audits(&format!("entityType=CUSTOMER&entityId={id}")).await;
    assert_eq!(of_customer["data"], json!([]), "a customer with the same id is somebody else");
}
