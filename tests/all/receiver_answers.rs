//! Every row of the status table (design, section 2).

use serde_json::{Value, json};

use crate::support::delivery::{Answer, Delivery};
use crate::support::world::{World, number};

fn event(id: &str) -> Value {
    json!({
        "eventName": "customerUpdated", "eventId": id, "orgId": 100_737, "refId": "100737_728942858",
        "apiRequestId": "4d0c6a5e", "createdAt": 1_755_225_718_242_u64,
        "data": {"customerIdentifiers": {"customerId": 728_942_858}}
    })
}

#[tokio::test]
async fn a_new_event_is_accepted_once_it_is_in_the_ledger_and_in_the_queue() {
    let world = World::new().await;
    let answer = world.receiver().await.deliver(event("new").to_string()).await;
    assert_eq!(answer.accepted(), "new");
    assert_eq!(answer.json(), json!({"status": "accepted", "eventId": "new"}));
    assert!(answer.header("content-type").unwrap_or_default().starts_with("application/json"), "{answer:?}");
    assert_eq!(world.ledger_row("new").await.expect("a row").status(), "RECEIVED");
    assert_eq!(world.queue_messages().await.len(), 1);
}

#[tokio::test]
async fn a_body_that_the_gateway_gives_as_text_is_accepted_too() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    assert_eq!(receiver.send(&Delivery::of(event("text").to_string()).in_text()).await.accepted(), "text");
}

#[tokio::test]
async fn an_event_that_was_handled_is_a_duplicate() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for status in ["ENRICHED", "PUBLISHED", "FAILED"] {
        receiver.deliver(event(status).to_string()).await.accepted();
        world.set(status, "status", aws_sdk_dynamodb::types::AttributeValue::S(status.into())).await;
        let answer = receiver.deliver(event(status).to_string()).await;
        assert_eq!(answer.duplicate(), status);
        assert_eq!(answer.json(), json!({"status": "duplicate", "eventId": status}));
        // The run-out lease of a row that is past RECEIVED means nothing (protocol, F8).
        world.lease_runs_out(status).await;
        receiver.deliver(event(status).to_string()).await.duplicate();
        assert_eq!(world.ledger_row(status).await.expect("a row").status(), status);
    }
    assert_eq!(world.queue_length().await, 3, "a duplicate is not enqueued");
}

#[tokio::test]
async fn an_event_whose_lease_still_runs_is_sent_back_for_what_is_left_of_it() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(event("leased").to_string()).await.accepted();
    let answer = receiver.deliver(event("leased").to_string()).await;
    let wait = answer.come_again();
    assert!((10..=15).contains(&wait), "a lease of 15 s that has just begun: {wait}");
    let soon = crate::support::world::now_ms() + 2_500;
    world.set("leased", "leaseUntil", number(soon)).await;
    let wait = receiver.deliver(event("leased").to_string()).await.come_again();
    assert!((1..=3).contains(&wait), "2.5 s of the lease were left: {wait}");
    assert_eq!(world.queue_length().await, 1);
}

#[tokio::test]
async fn a_stranger_gets_401_and_no_hint() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let absent = receiver.send(&Delivery::without_headers(event("stranger").to_string())).await;
    absent.problem(401);
    let wrong = Delivery::without_headers(event("stranger").to_string())
        .header("Authorization", "Basic d3Jvbmc=")
        .header("X-Webhook-Key", "local-key");
    let wrong = receiver.send(&wrong).await;
    wrong.problem(401);
    assert_eq!(absent.text, wrong.text, "the body tells what was wrong");
    for word in ["authorization", "x-webhook-key", "local-key", "Basic"] {
        assert!(!wrong.text.to_lowercase().contains(&word.to_lowercase()), "a hint: {}", wrong.text);
    }
    nothing_was_kept(&world).await;
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_bodies_and_leaves_nothing_behind() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for body in ["", "not json", "[1]", "{}"] {
        receiver.send(&Delivery::without_headers(body)).await.problem(401);
    }
    nothing_was_kept(&world).await;
}

async fn nothing_was_kept(world: &World) {
    assert!(world.ledger_rows().await.is_empty());
    assert_eq!(world.queue_length().await, 0);
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn what_is_no_json_object_gets_400_and_lies_in_the_dead_letter_queue() {
    let bodies: [&[u8]; 10] = [
        b"not json",
        b"[{\"eventName\": \"a\"}]",
        b"\"text\"",
        b"7",
        b"null",
        b"{\"eventName\": \"cut off",
        b"{\"a\": 1} and more",
        b"{'a': 1}",
        b"{\"a\": \"\xff\xfe\"}",
        b"{\"a\": \"\x01\"}",
    ];
    let world = World::new().await;
    let receiver = world.receiver().await;
    for body in bodies {
        receiver.deliver(body).await.problem(400);
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for letter in world.dead_letters().await {
        assert_eq!(letter.attribute("reason"), Some("not_json"), "{letter:?}");
        kept.push(letter.delivered_bytes());
    }
    for body in bodies {
        assert!(kept.iter().any(|bytes| bytes == body), "{} is lost", String::from_utf8_lossy(body));
    }
    assert_eq!(kept.len(), bodies.len());
    assert_eq!(world.queue_length().await, 0);
}

#[tokio::test]
async fn an_empty_body_gets_400_and_there_is_nothing_to_keep() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver("").await.problem(400);
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(world.queue_length().await, 0);
}

#[tokio::test]
async fn any_json_object_is_an_event() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for body in ["{}", "{\"x\": [1, 2]}", " \n{\"eventName\": 7, \"orgId\": \"a\", \"data\": null}\r\n", "{\"eventId\": \"\"}"] {
        let id = receiver.deliver(body).await.accepted();
        assert!(id.starts_with("sha256:"), "{id}");
    }
    let messages = world.queue_messages().await;
    assert_eq!(messages.len(), 4);
    for message in messages {
        // Of unknown shape its name is `unknown`.
        assert_eq!(message.attribute("eventName").unwrap_or("unknown"), "unknown", "{message:?}");
        assert_eq!(message.attribute("orgId"), None, "{message:?}");
    }
}

#[tokio::test]
async fn another_path_is_404_and_another_method_405() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for path in ["/", "/event", "/events/more", "/Prod/other"] {
        receiver.send(&Delivery::of(event("elsewhere").to_string()).path(path)).await.problem(404);
    }
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = receiver.send(&Delivery::of(event("elsewhere").to_string()).method(method)).await;
        answer.problem(405);
        assert_eq!(answer.header("allow"), Some("POST"), "{answer:?}");
    }
    nothing_was_kept(&world).await;
}

#[tokio::test]
async fn the_stage_may_stand_before_the_path() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.send(&Delivery::of(event("plain").to_string()).path("/events")).await.accepted();
    receiver.send(&Delivery::of(event("staged").to_string()).path("/Prod/events")).await.accepted();
}

#[tokio::test]
async fn cargo_lambda_watch_is_understood_and_understands_the_answer() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for (method, status) in [("POST", 200), ("GET", 405), ("PUT", 405)] {
        let event = Delivery::of(event("watched").to_string()).method(method).watch_event();
        // Its deadlines lie in 1970, which counts as no deadline.
        let limit = std::time::Duration::from_secs(12);
        let answer = receiver.0.invoke_with_a_past_deadline(&event, limit).await.expect("an answer");
        // It reads the answer as this type, and gives its caller a 500 if that fails.
        let read = serde_json::from_value::<lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse>(answer.clone());
        assert!(read.is_ok(), "{:?}: {answer}", read.err());
        assert_eq!(Answer::of(&answer).status, status, "{method}: {answer}");
    }
    assert_eq!(world.queue_length().await, 1);
}

#[tokio::test]
async fn strange_host_headers_do_not_crash_it() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for (number, host) in ["", "a b", "[::1", "http://x/", "\u{e9}.example"].into_iter().enumerate() {
        let delivery = Delivery::of(event(&format!("host-{number}")).to_string()).header("Host", host);
        let answer = receiver.attempt(&delivery).await;
        // Answered by itself, or (behind the gateway) a crash that becomes 429: a final refusal would lose the event.
        if let Ok(answer) = answer {
            assert!(matches!(answer.status, 200 | 429), "{host}: {answer:?}");
        }
        // Whatever the host did, the next delivery is served.
        receiver.deliver(event(&format!("after-{number}")).to_string()).await.accepted();
    }
}
