//! What goes out on the bus (design, sections 3 and 5).

use serde_json::{Value, json};

use crate::support::events::{CREATED_AT_TEXT, ORG, of_customer, of_nobody, of_transaction};
use crate::support::world::World;

/// The `Detail` of the one entry that was sent.
fn only_detail(world: &World) -> Value {
    let details = world.sent_details();
    assert_eq!(details.len(), 1, "{details:?}");
    serde_json::from_str(&details[0]).expect("Detail is JSON")
}

fn entity<'a>(detail: &'a Value, kind: &str) -> &'a Value {
    let entities = detail["data"]["entities"].as_array().expect("entities");
    entities.iter().find(|entity| entity["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {detail}"))
}

#[tokio::test]
async fn a_customer_event_becomes_the_cloud_event_of_the_contract() {
    let world = World::new().await;
    world.capillary().await.customer(728_942_858, json!({"extendedFields": {"city": "Porto"}})).await;
    let enricher = world.enricher().await;
    let event = of_customer("customerUpdated", "one", 728_942_858);
    world.enqueue(&event).await;
    world.enrich(&enricher).await.all_done();

    let entries = world.sent_entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["Source"], "capillary.events");
    assert_eq!(entries[0]["DetailType"], "customerUpdated");
    assert_eq!(entries[0]["EventBusName"], world.bus_name());

    let detail = only_detail(&world);
    let found = entity(&detail, "customer").clone();
    assert_eq!(found["id"], "728942858");
    assert_eq!(found["status"], "found");
    assert_eq!(found["baseline"], true, "there is no snapshot before the first sight");
    assert_eq!(found["body"]["id"], json!(728_942_858));
    assert_eq!(found["body"]["extendedFields"]["city"], "Porto");
    assert!(is_time(&found["fetchedAt"]), "{found}");
    assert!(found.get("version").is_none_or(|version| version.is_u64() || version.is_null()), "{found}");
    let expected = json!({
        "specversion": "1.0", "id": "one", "source": format!("/capillary/orgs/{ORG}"), "type": "capillary.customerUpdated",
        "subject": "customer/728942858", "time": CREATED_AT_TEXT, "datacontenttype": "application/json",
        "data": {"event": event, "entities": [found], "changes": [],
                 "enrichment": {"status": "complete", "late": false, "truncated": false}}
    });
    assert_eq!(detail, expected);

    let published = world.published(1).await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0]["id"], "one");
    assert_eq!(world.ledger_row("one").await.expect("a row").status(), "PUBLISHED");
}

/// RFC 3339, UTC, with milliseconds.
fn is_time(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time::PrimitiveDateTime::parse(text, format).is_ok()
}

#[tokio::test]
async fn a_transaction_comes_with_its_customer_and_its_type_is_asked_for() {
    for (bill_type, name) in [("REGULAR", "transactionAdded"), ("RETURN", "transactionAdded"), ("REGULAR", "transactionUpdated")]
    {
        let world = World::new().await;
        world.capillary().await.transaction(4_564_853_117, json!({"type": bill_type})).await;
        let enricher = world.enricher().await;
        world.enqueue(&of_transaction(name, "one", 4_564_853_117, 77, bill_type)).await;
        world.enrich(&enricher).await.all_done();
        let detail = only_detail(&world);
        let transaction = entity(&detail, "transaction");
        assert_eq!(
            (&transaction["id"], &transaction["status"]),
            (&json!("4564853117"), &json!("found")),
            "{bill_type}: {detail}"
        );
        assert_eq!(transaction["body"]["id"], json!(4_564_853_117_u64));
        assert_eq!(entity(&detail, "customer")["body"]["id"], json!(77));
        assert_eq!(detail["data"]["enrichment"]["status"], "complete");
        let subject = detail["subject"].as_str().unwrap_or_default();
        let first = &detail["data"]["entities"][0];
        assert_eq!(subject, format!("{}/{}", first["type"].as_str().unwrap(), first["id"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn every_other_event_that_names_a_customer_gets_it() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let names = ["customerAdded", "pointsIssued", "tierUpgraded", "customerSubscription", "badgeEarned", "pointsRedeemed"];
    for (number, name) in (1..).zip(names) {
        world.enqueue(&of_customer(name, name, number)).await;
    }
    world.enrich(&enricher).await.all_done();
    let details: Vec<Value> = world.sent_details().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(details.len(), names.len());
    for detail in details {
        assert_eq!(entity(&detail, "customer")["status"], "found", "{detail}");
        assert_eq!(detail["type"], format!("capillary.{}", detail["id"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn the_envelope_is_enriched_too() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let mut attributes = of_customer("customerUpdated", "one", 5);
    attributes.as_object_mut().unwrap().remove("eventId");
    let envelope = json!({"eventId": "one", "eventType": format!("{ORG}_customerUpdated"), "consumerGroupId": null,
                          "actionType": "START", "timeStamp": 1_755_225_718_250_u64, "attributes": attributes});
    world.receiver().await.deliver(envelope.to_string()).await.accepted();
    world.enrich(&enricher).await.all_done();
    let detail = only_detail(&world);
    assert_eq!(detail["id"], "one");
    assert_eq!(detail["type"], "capillary.customerUpdated");
    assert_eq!(detail["source"], format!("/capillary/orgs/{ORG}"));
    assert_eq!(detail["time"], CREATED_AT_TEXT);
    assert_eq!(entity(&detail, "customer")["id"], "5");
    // Nothing dropped or renamed: the data is there, where the shape has it.
    let event = &detail["data"]["event"];
    let data = event.get("attributes").unwrap_or(event);
    assert_eq!(data["data"]["source"], "INSTORE", "{event}");
}

#[tokio::test]
async fn a_wrapped_event_goes_out_unwrapped() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let event = of_customer("pointsRedeemed", "one", 5);
    world.receiver().await.deliver(json!({"body": event}).to_string()).await.accepted();
    world.enrich(&enricher).await.all_done();
    assert_eq!(only_detail(&world)["data"]["event"], event);
}

#[tokio::test]
async fn numbers_keep_their_text_form() {
    let world = World::new().await;
    let capillary = world.capillary().await;
    let fields: Value =
        serde_json::from_str(r#"{"extendedFields": {"balance": 2.50, "long": 12345678901234567890.10}}"#).unwrap();
    capillary.customer(5, fields).await;
    let enricher = world.enricher().await;
    let body = r#"{"eventName":"tierUpgraded","eventId":"one","orgId":50952.0,"createdAt":1.755225718242E12,
        "data":{"customerIdentifiers":{"customerId":5.0},"amount":1.10,"exponent":1E5,"long":123456789012345678901234567890,"zero":-0.0}}"#;
    world.receiver().await.deliver(body).await.accepted();
    world.enrich(&enricher).await.all_done();
    let text = &world.sent_details()[0];
    for number in [
        "50952.0",
        "1.755225718242E12",
        "1.10",
        "1E5",
        "123456789012345678901234567890",
        "-0.0",
        "2.50",
        "12345678901234567890.10",
    ] {
        assert!(text.contains(&format!(":{number}")), "{number} has lost its form in {text}");
    }
    let detail = only_detail(&world);
    // Integral floats are ids all the same (facts 1.8).
    assert_eq!(detail["source"], "/capillary/orgs/50952");
    assert_eq!(detail["subject"], "customer/5");
    assert_eq!(detail["time"], CREATED_AT_TEXT);
}

#[tokio::test]
async fn an_unknown_name_is_published_as_it_came() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.enqueue(&of_nobody("one")).await;
    world.enrich(&enricher).await.all_done();
    let detail = only_detail(&world);
    assert_eq!(detail["data"]["event"], of_nobody("one"));
    assert_eq!(detail["data"]["enrichment"]["status"], "none");
    assert_eq!(detail["data"]["entities"], json!([]));
    assert_eq!(detail["data"]["changes"], json!([]));
    assert_eq!(detail["type"], "capillary.somethingNew");
    assert!(detail.get("subject").is_none(), "{detail}");
    assert!(world.capillary().await.calls("/v2").await.is_empty());
    assert_eq!(world.published(1).await.len(), 1);
    assert_eq!(world.ledger_row("one").await.expect("a row").status(), "PUBLISHED");
}

#[tokio::test]
async fn what_an_event_does_not_say_has_its_documented_form() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let id = world.receiver().await.deliver(r#"{"x":1}"#).await.accepted();
    world.enrich(&enricher).await.all_done();
    let detail = only_detail(&world);
    assert_eq!(detail["id"], json!(id));
    assert_eq!(detail["source"], "/capillary/orgs/0");
    assert_eq!(detail["type"], "capillary.unknown");
    assert_eq!(world.sent_entries()[0]["DetailType"], "unknown");
    assert!(is_time(&detail["time"]), "no createdAt, so receivedAt: {detail}");
}

#[tokio::test]
async fn a_name_longer_than_a_detail_type_may_be_is_unknown() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let mut event = of_nobody("one");
    event["eventName"] = json!("n".repeat(129));
    world.receiver().await.deliver(event.to_string()).await.accepted();
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.sent_entries()[0]["DetailType"], "unknown");
    assert_eq!(only_detail(&world)["data"]["event"], event);
}

#[tokio::test]
async fn what_capillary_says_for_good_is_published_as_partial() {
    for (state, status) in [("missing", "not_found"), ("deleted", "deleted"), ("merged", "merged")] {
        let world = World::new().await;
        world.capillary().await.customer_is(5, state).await;
        let enricher = world.enricher().await;
        world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
        world.enrich(&enricher).await.all_done();
        let detail = only_detail(&world);
        assert_eq!(entity(&detail, "customer")["status"], status, "{state}");
        assert_eq!(detail["data"]["enrichment"]["status"], "partial", "{state}");
        assert_eq!(detail["subject"], "customer/5");
        let body = entity(&detail, "customer").get("body");
        assert!(body.is_none_or(Value::is_null) || status == "merged", "{state}: {detail}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_not_there_is_partial() {
    let world = World::new().await;
    world.capillary().await.transaction_is(9, "missing").await;
    let enricher = world.enricher().await;
    world.enqueue(&of_transaction("transactionAdded", "one", 9, 5, "REGULAR")).await;
    world.enrich(&enricher).await.all_done();
    let detail = only_detail(&world);
    assert_eq!(entity(&detail, "transaction")["status"], "not_found");
    assert_eq!(entity(&detail, "customer")["status"], "found");
    assert_eq!(detail["data"]["enrichment"]["status"], "partial");
}

#[tokio::test]
async fn what_we_may_not_read_is_forbidden_and_final() {
    let world = World::new().await;
    world.capillary().await.fault("/v2/customers", json!({"kind": "status", "status": 403})).await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_done();
    let detail = only_detail(&world);
    assert_eq!(entity(&detail, "customer")["status"], "forbidden");
    assert_eq!(detail["data"]["enrichment"]["status"], "partial");
}

#[tokio::test]
async fn an_entry_over_the_limit_drops_bodies_and_says_so() {
    let world = World::new().await;
    world.capillary().await.customer(5, json!({"extendedFields": {"long": "x".repeat(100_000)}})).await;
    let enricher = world.enricher_with(&[("MAX_ENTRY_KIB", "64")]).await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_done();
    let text = &world.sent_details()[0];
    assert!(text.len() <= 64 * 1024, "{} bytes", text.len());
    let detail = only_detail(&world);
    assert_eq!(detail["data"]["enrichment"]["truncated"], true);
    assert!(entity(&detail, "customer").get("body").is_none());
    assert_eq!(entity(&detail, "customer")["status"], "found");
    assert_eq!(detail["data"]["event"], of_customer("customerUpdated", "one", 5));
}

#[tokio::test]
async fn an_event_too_large_for_the_bus_is_dead_lettered_and_harms_no_other() {
    let world = World::new().await;
    let enricher = world.enricher_with(&[("MAX_ATTEMPTS", "1")]).await;
    let mut large = of_nobody("large");
    large["data"]["long"] = json!("x".repeat(300 * 1024));
    world.receiver().await.deliver(large.to_string()).await.accepted();
    world.enqueue(&of_nobody("small")).await;
    world.enrich(&enricher).await.all_done();
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].attribute("reason").is_some(), "{:?}", letters[0].attributes);
    assert_eq!(letters[0].delivered_bytes(), large.to_string().into_bytes());
    assert_eq!(world.ledger_row("large").await.expect("a row").status(), "FAILED");
    assert_eq!(world.published(1).await[0]["id"], "small");
}

#[tokio::test]
async fn no_call_of_put_events_is_over_its_limits() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    for number in 0..10 {
        let mut event = of_nobody(&format!("event-{number}"));
        event["data"]["long"] = json!("x".repeat(200 * 1024));
        world.enqueue(&event).await;
    }
    world.enrich(&enricher).await.all_done();
    for call in world.proxy.calls("PutEvents") {
        let request: Value = serde_json::from_str(&call.body).unwrap();
        let entries = request["Entries"].as_array().unwrap();
        let size: usize = entries.iter().map(|entry| entry["Detail"].as_str().unwrap().len()).sum();
        assert!(entries.len() <= 10 && size <= 1024 * 1024, "{} entries of {size} bytes", entries.len());
    }
    assert_eq!(world.published(10).await.len(), 10);
}

#[tokio::test]
async fn bodies_that_travel_encoded_come_out_as_they_were() {
    let world = World::new().await;
    let enricher = world.enricher_with(&[("MAX_ENTRY_KIB", "256")]).await;
    let receiver = world.receiver().await;
    let mut odd = of_nobody("odd");
    odd["data"]["odd"] = json!("\u{FFFE}");
    receiver.deliver(odd.to_string()).await.accepted();
    // Over 256 KiB as it came, and far less once the white space between its members is gone.
    let spacious = format!("{}{}", " ".repeat(300 * 1024), of_nobody("spacious"));
    receiver.deliver(spacious).await.accepted();
    world.enrich(&enricher).await.all_done();
    let details: Vec<Value> = world.sent_details().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    for expected in [odd, of_nobody("spacious")] {
        let detail = details.iter().find(|detail| detail["id"] == expected["eventId"]).expect("both are sent");
        assert_eq!(detail["data"]["event"], expected);
    }
}
