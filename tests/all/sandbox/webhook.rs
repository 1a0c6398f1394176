//! The webhook's settings, and what is sent there as it stands.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::receiver::{Answer, Receiver};
use super::running::{TestSandbox, executable};

const SECRET: &str = "Basic bm90IHRvIGJlIHNob3du";

#[tokio::test]
async fn without_a_webhook_nothing_is_sent_then_or_later() {
    let sandbox = TestSandbox::start().await;
    let changed = sandbox.change("customers/5", json!({"segments": {"a": "b"}})).await;
    assert_eq!(changed.event_id, None);
    assert_eq!(changed.request_id.len(), 32);
    let refused = sandbox.request(Method::POST, "/sandbox/events").json(&json!({"eventId": "a"})).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let receiver = Receiver::content().await;
    sandbox.webhook(json!({"url": receiver.url()})).await;
    sandbox.event("b").await;
    sandbox.until_delivery("b", "delivered").await;
    assert_eq!(receiver.ids(), ["b"]);
}

#[tokio::test]
async fn the_configured_headers_are_sent_and_never_shown() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    let headers = json!({"Authorization": SECRET, "X-Webhook-Key": "also secret"});
    let answered = sandbox.webhook(json!({"url": receiver.url(), "headers": headers})).await;
    let shown = sandbox.control(Method::GET, "/sandbox/webhook", None).await;
    assert_eq!(answered, shown);
    assert_eq!(shown["headerNames"], json!(["Authorization", "X-Webhook-Key"]));
    assert!(!shown.to_string().contains("bm90") && !shown.to_string().contains("also secret"));
    sandbox.event("a").await;
    let received = receiver.until_received(1).await.remove(0);
    let header = |name: &str| received.headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!((header("authorization").as_str(), header("x-webhook-key").as_str()), (SECRET, "also secret"));
    // As in the one captured delivery.
    assert_eq!(header("content-type"), "application/json");
    assert!(header("user-agent").starts_with("Java/"));
    assert_eq!(header("content-length"), received.body.len().to_string());
}

#[tokio::test]
async fn settings_are_merged_and_null_is_the_default() {
    let sandbox = TestSandbox::start().await;
    let fresh = sandbox.control(Method::GET, "/sandbox/webhook", None).await;
    sandbox.webhook(json!({"url": "https://example.com/events", "orgId": 7, "headers": {"a": "1", "b": "2"}})).await;
    let changed = sandbox.webhook(json!({"active": false, "headers": {"a": null}})).await;
    assert_eq!((&changed["orgId"], &changed["active"], &changed["headerNames"]), (&json!(7), &json!(false), &json!(["b"])));
    assert_eq!(sandbox.webhook(json!({"url": null, "orgId": null, "active": null, "headers": null})).await, fresh);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_without_repeating_a_secret() {
    let sandbox = TestSandbox::start().await;
    for settings in [
        json!({"url": "ftp://127.0.0.1/"}),
        json!({"url": "events"}),
        json!({"url": "http://user:secret@127.0.0.1/"}),
        json!({"maxAllowedConnections": 0}),
        json!({"maxAllowedConnections": 21}),
        json!({"timeScale": 0}),
        json!({"timeoutMs": 0}),
        json!({"form": "round"}),
        json!({"retries": 3}),
        json!({"headers": {"": "secret"}}),
        json!({"headers": {"a": "secret\n"}}),
        json!({"headers": "secret"}),
        json!({"headers": {"a": {"secret": 1}}}),
    ] {
        let response = sandbox.request(Method::PUT, "/sandbox/webhook").json(&settings).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{settings}");
        assert!(!response.text().await.unwrap().contains("secret"), "{settings}");
    }
}

#[tokio::test]
async fn an_event_of_ones_own_is_sent_byte_for_byte() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "form": "envelope"})).await;
    let body = "{ \"eventId\" : \"a\",\n \"orgId\": 50952.0, \"data\": {\"points\": 20.50} }";
    let sent = sandbox.request(Method::POST, "/sandbox/events").body(body).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::ACCEPTED);
    assert_eq!(receiver.until_received(1).await[0].body, body);
    for nonsense in ["[]", "not json", ""] {
        let refused = sandbox.request(Method::POST, "/sandbox/events").body(nonsense).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{nonsense:?}");
    }
}

#[tokio::test]
async fn while_it_is_paused_events_wait() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "active": false, "maxAllowedConnections": 1})).await;
    let event_id = sandbox.change("customers/5", json!({})).await.event_id.unwrap();
    sandbox.event("b").await;
    assert_eq!(sandbox.until_delivery(&event_id, "waiting").await["attempts"], json!([]));
    sandbox.webhook(json!({"active": true})).await;
    sandbox.until_delivery("b", "delivered").await;
    assert_eq!(receiver.ids(), [event_id, "b".to_owned()]);
}

#[tokio::test]
async fn an_event_that_waits_for_its_next_attempt_can_be_paused_and_goes_on_before_younger_ones() {
    let receiver = Receiver::start(|id, before| Answer::Status(if id == "a" && before == 0 { 429 } else { 200 })).await;
    let sandbox = TestSandbox::start().await;
    // So slow that the second attempt does not come by itself.
    sandbox.webhook(json!({"url": receiver.url(), "timeScale": 0.001, "maxAllowedConnections": 1})).await;
    sandbox.event("a").await;
    sandbox.event("b").await;
    receiver.until_received(1).await;
    sandbox.until_delivery("a", "waiting").await;
    sandbox.webhook(json!({"active": false})).await;
    sandbox.webhook(json!({"active": true, "timeScale": 1e6})).await;
    sandbox.until_delivery("b", "delivered").await;
    assert_eq!(receiver.ids(), ["a", "a", "b"]);
}

#[tokio::test]
async fn deliveries_can_be_filtered_and_those_that_are_settled_forgotten() {
    let receiver = Receiver::start(|id, _| if id == "stuck" { Answer::Never } else { Answer::Status(200) }).await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "maxAllowedConnections": 1})).await;
    for id in ["done", "stuck", "queued"] {
        sandbox.event(id).await;
    }
    sandbox.until_delivery("stuck", "sending").await;
    for (state, expected) in [("delivered", "done"), ("sending", "stuck"), ("waiting", "queued")] {
        let found = sandbox.control(Method::GET, &format!("/sandbox/deliveries?state={state}"), None).await;
        assert_eq!(found.as_array().unwrap().len(), 1, "{state}");
        assert_eq!(found[0]["eventId"], expected);
    }
    sandbox.control(Method::DELETE, "/sandbox/deliveries", None).await;
    let left: Vec<Value> = sandbox.deliveries().await.iter().map(|delivery| delivery["eventId"].clone()).collect();
    assert_eq!(left, ["stuck", "queued"]);
}

#[tokio::test]
async fn reset_forgets_what_is_still_to_be_sent_and_frees_the_lane() {
    let receiver = Receiver::start(|id, _| if id == "stuck" { Answer::Never } else { Answer::Status(200) }).await;
    let sandbox = TestSandbox::start_with(&[("SANDBOX_WEBHOOK_URL", receiver.url())]).await;
    sandbox.webhook(json!({"maxAllowedConnections": 1, "orgId": 7})).await;
    sandbox.event("stuck").await;
    sandbox.event("queued").await;
    receiver.until_received(1).await;
    sandbox.control(Method::POST, "/sandbox/reset", None).await;
    assert_eq!(sandbox.deliveries().await, Vec::<Value>::new());
    let webhook = sandbox.control(Method::GET, "/sandbox/webhook", None).await;
    assert_eq!((&webhook["url"], &webhook["orgId"]), (&json!(receiver.url()), &json!(100_737)), "that of the start");
    sandbox.webhook(json!({"maxAllowedConnections": 1})).await;
    sandbox.event("new").await;
    sandbox.until_delivery("new", "delivered").await;
    assert_eq!(receiver.ids(), ["stuck", "new"]);
}

#[tokio::test]
async fn it_can_be_given_at_the_start_with_the_receivers_own_secret() {
    let receiver = Receiver::content().await;
    for (name, content) in [
        ("plain", json!({"authorization": SECRET})),
        ("secret", json!({"headers": {"authorization": [SECRET, "Basic old"]}, "holdUntil": "2026-12-01T00:00:00Z"})),
    ] {
        let file = temporary_file(name, &content.to_string());
        let environment = [("SANDBOX_WEBHOOK_URL", receiver.url()), ("SANDBOX_WEBHOOK_HEADERS_FILE", file.as_str())];
        let sandbox = TestSandbox::start_with(&environment).await;
        sandbox.event(name).await;
        sandbox.until_delivery(name, "delivered").await;
        assert_eq!(receiver.received().last().unwrap().headers["authorization"], SECRET, "{name}");
    }
}

#[tokio::test]
async fn a_start_with_bad_settings_fails_and_names_them_without_a_value() {
    let file = temporary_file("broken", r#"{"authorization": {"secret": "Basic broken"}}"#);
    for (variable, value) in [("SANDBOX_WEBHOOK_URL", "nonsense"), ("SANDBOX_WEBHOOK_HEADERS_FILE", file.as_str())] {
        let output = executable().env("SANDBOX_ADDRESS", "127.0.0.1:0").env(variable, value).output().await.unwrap();
        assert!(!output.status.success(), "{variable}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(variable) && !said.contains("Basic broken"), "{said}");
    }
}

fn temporary_file(name: &str, content: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("webhook-headers-{name}.json"));
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}
