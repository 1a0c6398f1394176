//! The webhook's secret (design, section 2, "Auth").

use serde_json::json;

use crate::support::delivery::{AUTHORIZATION, Answer, Delivery, WEBHOOK_KEY};
use crate::support::fault_proxy::Fault;
use crate::support::world::World;

fn event(id: &str) -> String {
    json!({"eventName": "customerAdded", "eventId": id, "orgId": 1}).to_string()
}

fn bare(id: &str) -> Delivery {
    Delivery::without_headers(event(id))
}

#[tokio::test]
async fn every_configured_header_must_have_one_of_its_values() {
    let world = World::new().await;
    world
        .webhook_secret_is(
            &json!({"headers": {"Authorization": ["Basic new", "Basic old"], "x-webhook-key": ["k"], "x-third": ["1", "2"]}})
                .to_string(),
        )
        .await;
    let receiver = world.receiver().await;
    let full = |id, authorization: &str, third: &str| {
        bare(id).header("AUTHORIZATION", authorization).header("X-Webhook-Key", "k").header("X-Third", third)
    };
    receiver.send(&full("a", "Basic new", "1")).await.accepted();
    receiver.send(&full("b", "Basic old", "2")).await.accepted();
    receiver.send(&full("c", "Basic old", "3")).await.problem(401);
    receiver.send(&bare("d").header("authorization", "Basic new").header("x-third", "1")).await.problem(401);
    // A value of another header is no value of this one.
    receiver.send(&full("e", "k", "1")).await.problem(401);
}

#[tokio::test]
async fn header_names_have_no_case() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.send(&bare("a").header("aUTHORIZATION", AUTHORIZATION).header("X-WEBHOOK-KEY", WEBHOOK_KEY)).await.accepted();
}

/// Values that are near the right one, by what is wrong with them.
fn near_misses(right: &str) -> Vec<(&'static str, String)> {
    let mut misses = vec![
        ("empty", String::new()),
        ("blank", " ".to_owned()),
        ("in other case", right.to_uppercase()),
        ("in lower case", right.to_lowercase()),
        ("a prefix", right[..right.len() - 1].to_owned()),
        ("its first character", right[..1].to_owned()),
        ("its end", right[1..].to_owned()),
        ("an extension", format!("{right}x")),
        ("a space after it", format!("{right} ")),
        ("a space before it", format!(" {right}")),
        ("a tab after it", format!("{right}\t")),
        ("twice in one", format!("{right}, {right}")),
        ("twice without a comma", format!("{right}{right}")),
        ("in quotes", format!("\"{right}\"")),
        ("beyond ASCII", format!("{right}é")),
        ("nothing but beyond ASCII", "é\u{1F600}".to_owned()),
        ("a letter that looks the same", right.replace('a', "\u{430}").replace('l', "\u{406}")),
        ("NUL after it", format!("{right}\0")),
        ("10 KB", "x".repeat(10 * 1024)),
        ("10 KB after it", format!("{right}{}", "x".repeat(10 * 1024))),
    ];
    misses.retain(|(_, value)| value != right);
    misses
}

#[tokio::test]
async fn near_misses_are_all_refused_in_the_same_words() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let right = [("Authorization", AUTHORIZATION), ("X-Webhook-Key", WEBHOOK_KEY)];
    let mut strangers = vec![("neither header".to_owned(), bare("n"))];
    for (wrong, good) in [(right[0], right[1]), (right[1], right[0])] {
        let with_good = |delivery: Delivery| delivery.header(good.0, good.1);
        let twice = |name: &str, value: &str| with_good(bare("n").header(wrong.0, wrong.1).header(name, value));
        let mut add = |what: &str, delivery: Delivery| strangers.push((format!("{}: {what}", wrong.0), delivery));
        add("absent", with_good(bare("n")));
        add("twice", twice(wrong.0, wrong.1));
        add("twice, in other case", twice(&wrong.0.to_lowercase(), wrong.1));
        add("twice, the second wrong", twice(wrong.0, "x"));
        add("twice, the second empty", twice(wrong.0, ""));
        add("twice, the first wrong", with_good(bare("n").header(wrong.0, "x").header(wrong.0, wrong.1)));
        add("under another name", with_good(bare("n").header(&format!("X-{}", wrong.0), wrong.1)));
        add("the other one's value", with_good(bare("n").header(wrong.0, good.1)));
        for (what, value) in near_misses(wrong.1) {
            // Behind the other header or before it, and with it wrong, too.
            add(what, with_good(bare("n").header(wrong.0, &value)));
            add(what, bare("n").header(good.0, good.1).header(wrong.0, &value));
            add(what, bare("n").header(wrong.0, &value).header(good.0, &value));
        }
    }
    let mut first = None;
    for (what, delivery) in strangers {
        let answer = receiver.send(&delivery).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        answer.problem(401);
        assert_eq!(first.get_or_insert_with(|| answer.clone()), &answer, "{what}: a stranger is told more");
    }
    // The other form in which the gateway hands headers over.
    for (what, value) in near_misses(AUTHORIZATION) {
        let delivery = bare("n").header("Authorization", &value).header("X-Webhook-Key", WEBHOOK_KEY);
        let answer = receiver.0.invoke(&delivery.watch_event(), std::time::Duration::from_secs(12)).await.expect("an answer");
        assert_eq!(first.as_ref(), Some(&Answer::of(&answer)), "{what}: a stranger is told more");
    }
    assert!(world.ledger_rows().await.is_empty());
    receiver.deliver(event("n")).await.accepted();
}

#[tokio::test]
async fn a_rotation_needs_no_deploy() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(event("before")).await.accepted();
    world.webhook_secret_is(&json!({"headers": {"authorization": ["Basic bmV3"]}}).to_string()).await;
    // A mismatch rereads the secret, so the first delivery with the new value goes through.
    receiver.send(&bare("after").header("Authorization", "Basic bmV3")).await.accepted();
    receiver.deliver(event("old")).await.problem(401);
}

#[tokio::test]
async fn wrong_headers_ask_the_store_at_most_once_in_30_seconds() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(event("warm")).await.accepted();
    for _ in 0..20 {
        receiver.send(&bare("x").header("authorization", "Basic d3Jvbmc=")).await.problem(401);
    }
    let calls = world.proxy.calls("GetSecretValue").len();
    assert!(calls <= 2, "{calls} calls: a stranger makes us pay");
}

#[tokio::test]
async fn while_hold_until_lies_in_the_future_a_stranger_is_asked_to_come_again() {
    let world = World::new().await;
    let secret = |until: &str| json!({"headers": {"authorization": ["Basic bmV3"]}, "holdUntil": until}).to_string();
    world.webhook_secret_is(&secret("2999-01-01T00:00:00Z")).await;
    let receiver = world.receiver().await;
    receiver.send(&bare("a").header("Authorization", "Basic bmV3")).await.accepted();
    receiver.send(&bare("b").header("Authorization", "Basic b2xk")).await.come_again();
    receiver.send(&bare("c")).await.come_again();
    world.webhook_secret_is(&secret("2020-01-01T00:00:00Z")).await;
    let receiver = world.receiver().await;
    receiver.send(&bare("b").header("Authorization", "Basic b2xk")).await.problem(401);
    assert!(world.ledger_row("b").await.is_none());
}

#[tokio::test]
async fn without_a_good_secret_everything_is_429() {
    let bad = [
        "{}",
        "",
        "no json",
        "[]",
        "{\"headers\": {}}",
        "{\"headers\": {\"authorization\": []}}",
        "{\"headers\": {\"authorization\": \"\"}}",
        "{\"headers\": 7}",
    ];
    for secret in bad {
        let world = World::new().await;
        if secret.is_empty() {
            world.proxy.always("GetSecretValue", Fault::Refused(400, "ResourceNotFoundException"));
        } else {
            world.webhook_secret_is(secret).await;
        }
        let receiver = world.receiver().await;
        receiver.deliver(event("a")).await.come_again();
        receiver.send(&bare("b")).await.come_again();
        assert!(world.ledger_rows().await.is_empty(), "{secret}");
    }
}

#[tokio::test]
async fn an_empty_value_never_lets_anyone_in() {
    let world = World::new().await;
    world.webhook_secret_is(&json!({"headers": {"authorization": [""]}}).to_string()).await;
    let receiver = world.receiver().await;
    for delivery in [bare("a").header("authorization", ""), bare("a")] {
        let answer = receiver.send(&delivery).await;
        assert!(matches!(answer.status, 401 | 429), "{answer:?}");
    }
}

#[tokio::test]
async fn a_secret_that_was_filled_later_works_without_a_restart() {
    let world = World::new().await;
    world.webhook_secret_is("{}").await;
    let receiver = world.receiver().await;
    receiver.deliver(event("a")).await.come_again();
    world.webhook_secret_is(&json!({"headers": {"authorization": [AUTHORIZATION]}}).to_string()).await;
    // No good secret yet: it may space its questions, but not for longer than the 30 s of a mismatch.
    let accepted = crate::support::wait::poll(std::time::Duration::from_secs(35), async || {
        (receiver.deliver(event("a")).await.status == 200).then_some(())
    })
    .await;
    assert!(accepted.is_some(), "the filled secret was not taken up");
}

#[tokio::test]
async fn with_the_store_down_at_the_start_deliveries_wait_and_then_go_through() {
    let world = World::new().await;
    world.proxy.always("GetSecretValue", Fault::SECRETS_DOWN);
    let receiver = world.receiver().await;
    receiver.deliver(event("a")).await.come_again();
    receiver.send(&bare("b")).await.come_again();
    world.proxy.heal();
    let accepted = crate::support::wait::poll(std::time::Duration::from_secs(35), async || {
        (receiver.deliver(event("a")).await.status == 200).then_some(())
    })
    .await;
    assert!(accepted.is_some());
}

#[tokio::test]
async fn with_the_store_down_later_the_last_good_value_serves() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(event("a")).await.accepted();
    world.proxy.always("GetSecretValue", Fault::SECRETS_DOWN);
    refused(&receiver.send(&bare("b")).await);
    receiver.deliver(event("c")).await.accepted();
}

#[tokio::test]
async fn a_secret_that_was_broken_later_does_not_replace_the_last_good_one() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(event("a")).await.accepted();
    world.webhook_secret_is("{\"headers\": ").await;
    refused(&receiver.send(&bare("b")).await);
    receiver.deliver(event("c")).await.accepted();
}

/// A stranger while the secret cannot be reread: it may have been rotated, so nothing is final.
#[track_caller]
fn refused(answer: &Answer) {
    answer.problem(429);
}
