//! Several orgs behind one webhook, each with credentials of its own (design, section 6; facts 4.2).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::answering_capillary::{Answer, AnsweringCapillary, Call, TOKEN};
use crate::support::events::{ORG, of_card, of_customer};
use crate::support::history::entities;
use crate::support::messages::Received;
use crate::support::stage::{NO_LAG, Stage};
use crate::support::wait;
use crate::support::world::Batch;

/// The other one.
const CHILD: u64 = ORG + 1;

fn oauth(key: &str) -> Value {
    json!({"key": key, "secret": format!("secret of {key}")})
}

/// A stage where the two orgs have these credentials.
async fn with_orgs(parent: &Value, child: &Value) -> Stage<AnsweringCapillary> {
    let stage = Stage::answering(NO_LAG).await;
    stage.world.capillary_secret_is(&json!({"orgs": {ORG.to_string(): parent, CHILD.to_string(): child}}).to_string()).await;
    stage
}

/// An event about a customer of an org.
fn of_org(org: u64, id: &str, customer: u64) -> Value {
    let mut event = of_customer("customerUpdated", id, customer);
    event["orgId"] = json!(org);
    event
}

/// Four events of each: of customers from 1 on in the one org, and before them from 11 on in the other.
fn four_of_each(round: u32) -> Vec<Value> {
    let of = |org: u64, first: u64| {
        (first..first + 4).map(move |customer| of_org(org, &format!("{round}-{org}-{customer}"), customer))
    };
    of(CHILD, 11).chain(of(ORG, 1)).collect()
}

/// All of these are of the other org, and each of its four is there.
#[track_caller]
fn are_those_of_the_child(messages: &[Received]) {
    assert_eq!(messages.len(), 4, "{messages:?}");
    assert!(messages.iter().all(|message| message.attribute("orgId") == Some(&CHILD.to_string())), "{messages:?}");
}

/// Whose the calls at a path are.
fn callers(calls: &[Call], path: &str) -> Vec<String> {
    let mut callers: Vec<String> = calls.iter().filter(|call| call.path.starts_with(path)).map(|call| call.who.clone()).collect();
    callers.sort();
    callers
}

impl Stage<AnsweringCapillary> {
    /// Token calls of a client are answered so.
    fn token_calls_are_answered(&self, key: &'static str, answer: Answer) {
        self.capillary.answers(move |call| (call.path == TOKEN && call.who == key).then(|| answer.clone()));
    }
}

#[tokio::test]
async fn each_call_bears_the_token_of_its_org() {
    let stage = with_orgs(&oauth("parent"), &oauth("child")).await;
    let mut events = four_of_each(1);
    // The same customer's number in the other org is somebody else.
    events.push(of_org(CHILD, "namesake", 1));
    let mut card = of_card("card", "CARD15");
    card["orgId"] = json!(CHILD);
    events.push(card);
    stage.attempt_all(&events).await.all_done();
    let calls = stage.capillary.calls();
    assert_eq!(callers(&calls, TOKEN), ["child", "parent"], "one token for each");
    for call in calls.iter().filter(|call| call.path != TOKEN) {
        let id = if call.path.starts_with("/v2/customers") { call.id() } else { call.parameter("entityId") };
        let expected: &[&str] = match id {
            "1" => &["parent", "child"],
            "2" | "3" | "4" => &["parent"],
            _ => &["child"],
        };
        assert!(expected.contains(&call.who.as_str()), "{call:?}");
    }
    assert_eq!(callers(&calls, "/v2/customers/1").iter().filter(|caller| *caller == "parent").count(), 1);
    assert_eq!(calls.iter().filter(|call| call.path == "/v2/customers/1").count(), 2, "each asks for hers");
    let keys = stage.world.snapshot_keys().await;
    for org in [ORG, CHILD] {
        assert!(keys.contains(&format!("{org}#customer#1")), "{keys:?}");
    }
}

#[tokio::test]
async fn one_orgs_wrong_key_sends_back_its_own_events_only_and_costs_a_batch_one_call() {
    let refusals = [
        Answer::new(400, r#"{"data":null,"errors":[{"code":400,"message":"Failed to generate token"}]}"#),
        Answer::new(401, ""),
        Answer::new(403, "<html>no</html>"),
        Answer::new(200, "<!DOCTYPE html><html>maintenance</html>"),
        Answer::new(200, r#"{"data":{"accessToken":"#),
        Answer::json(&json!({"data": null, "errors": [{"code": 400, "message": "no"}]})),
        Answer::json(&json!({"data": {"accessToken": "", "ttlSeconds": 300}, "errors": null})),
    ];
    let stage = with_orgs(&oauth("parent"), &oauth("child")).await;
    let rounds: Vec<Value> = (0..7).flat_map(four_of_each).collect();
    let (messages, mut back) = (stage.received(&rounds).await, Vec::new());
    for (messages, refusal) in messages.chunks(8).zip(refusals) {
        stage.token_calls_are_answered("child", refusal.clone());
        let batch = stage.world.enrich_these(&stage.enricher, messages.to_vec()).await;
        are_those_of_the_child(&batch.back);
        let calls = stage.capillary.calls();
        assert_eq!(callers(&calls, TOKEN).iter().filter(|key| *key == "child").count(), 1, "{refusal:?}");
        assert!(callers(&calls, "/v2").iter().all(|caller| caller == "parent"), "{refusal:?}: {calls:?}");
        back.extend(batch.back);
    }
    assert_eq!((stage.world.sent_entries().len(), back.len()), (28, 28));
    for message in &back {
        let id = message.attribute("eventId").unwrap();
        assert!(stage.world.ledger_row(id).await.is_none(), "nothing is stored, and no attempt counted");
    }
    stage.capillary.answers(|_| None);
    stage.again(&Batch { back, done: Vec::new() }).await.all_done();
}

#[tokio::test]
async fn one_orgs_token_that_is_refused_is_renewed_once_and_sends_back_its_own_events_only() {
    let stage = with_orgs(&oauth("parent"), &oauth("child")).await;
    stage.capillary.answers(|call| (call.path.starts_with("/v2") && call.who == "child").then(|| Answer::new(401, "")));
    let rounds: Vec<Value> = (0..2).flat_map(four_of_each).collect();
    // The second batch still has the token that the first one ended with.
    for (messages, tokens) in stage.received(&rounds).await.chunks(8).zip([2, 1]) {
        let batch = stage.world.enrich_these(&stage.enricher, messages.to_vec()).await;
        are_those_of_the_child(&batch.back);
        let calls = stage.capillary.calls();
        assert_eq!(callers(&calls, TOKEN).iter().filter(|key| *key == "child").count(), tokens);
        assert_eq!(callers(&calls, "/v2").iter().filter(|key| *key == "child").count(), 2);
    }
}

#[tokio::test]
async fn wrong_basic_credentials_are_no_other_orgs_affair_and_cost_a_batch_one_call() {
    let stage = with_orgs(&oauth("parent"), &json!({"username": "till", "password": "wrong"})).await;
    stage.capillary.answers(|call| call.who.starts_with("Basic ").then(|| Answer::new(401, "")));
    let rounds: Vec<Value> = (0..2).flat_map(four_of_each).collect();
    for messages in stage.received(&rounds).await.chunks(8) {
        let batch = stage.world.enrich_these(&stage.enricher, messages.to_vec()).await;
        are_those_of_the_child(&batch.back);
        assert_eq!(stage.capillary.calls().iter().filter(|call| call.who.starts_with("Basic ")).count(), 1);
    }
}

#[tokio::test]
async fn an_org_without_credentials_is_not_asked_for_and_its_events_go_out_as_partial() {
    let stage = Stage::answering(NO_LAG).await;
    stage.world.capillary_secret_is(&json!({"orgs": {ORG.to_string(): oauth("parent")}}).to_string()).await;
    let mut card = of_card("card", "CARD15");
    card["orgId"] = json!(CHILD);
    stage.attempt_all(&[of_org(ORG, "parent's", 1), of_org(CHILD, "child's", 2), card]).await.all_done();
    assert_eq!(entities(&stage.told("parent's")), ["customer/1 found"]);
    for (id, expected) in [("child's", "customer/2 forbidden"), ("card", "card/CARD15 forbidden")] {
        let detail = stage.told(id);
        assert_eq!(entities(&detail), [expected]);
        assert_eq!(detail["data"]["enrichment"]["status"], "partial");
    }
    let calls = stage.capillary.calls();
    assert_eq!(callers(&calls, TOKEN), ["parent"]);
    assert!(callers(&calls, "/").iter().all(|caller| caller == "parent"), "{calls:?}");
    assert_eq!(stage.world.snapshot_keys().await, [format!("{ORG}#customer#1")]);
}

#[tokio::test]
async fn credentials_that_were_put_there_lately_count_at_once() {
    let stage = Stage::answering(NO_LAG).await;
    stage.world.capillary_secret_is(&json!({"orgs": {ORG.to_string(): oauth("parent")}}).to_string()).await;
    stage.tell(&of_org(ORG, "one", 1)).await;
    let both = json!({"orgs": {ORG.to_string(): oauth("parent"), CHILD.to_string(): oauth("child")}});
    stage.world.capillary_secret_is(&both.to_string()).await;
    assert_eq!(entities(&stage.tell(&of_org(CHILD, "two", 2)).await), ["customer/2 found"]);
}

#[tokio::test]
async fn one_has_basic_authentication_another_oauth_and_all_others_the_default() {
    let stage = Stage::answering(NO_LAG).await;
    let secret = json!({
        "orgs": {ORG.to_string(): {"username": "till.1", "password": "secret"}, CHILD.to_string(): oauth("child")},
        "default": oauth("all others"),
    });
    stage.world.capillary_secret_is(&secret.to_string()).await;
    let events = [of_org(ORG, "basic", 1), of_org(CHILD, "oauth", 2), of_org(7, "default", 3), of_org(8, "default, too", 4)];
    stage.attempt_all(&events).await.all_done();
    let calls = stage.capillary.calls();
    // The password goes as its MD5.
    let basic = format!("Basic {}", STANDARD.encode("till.1:5ebe2294ecd0e0f08eab7690d2a6ee69"));
    for (customer, who) in [(1, basic.as_str()), (2, "child"), (3, "all others"), (4, "all others")] {
        assert_eq!(callers(&calls, &format!("/v2/customers/{customer}")), [who]);
    }
    assert_eq!(callers(&calls, TOKEN), ["all others", "child"]);
}

#[tokio::test]
async fn a_token_that_ends_between_two_batches_is_renewed_before_it_is_refused() {
    let stage = with_orgs(&oauth("parent"), &oauth("child")).await;
    stage.capillary.tokens_live(1);
    stage.attempt_all(&four_of_each(1)).await.all_done();
    let ended = async || (!stage.capillary.knows_a_token()).then_some(());
    wait::poll(Duration::from_secs(5), ended).await.expect("tokens end");
    stage.capillary.calls();
    stage.capillary.tokens_live(300);
    stage.attempt_all(&four_of_each(2)).await.all_done();
    let calls = stage.capillary.calls();
    assert_eq!(callers(&calls, TOKEN), ["child", "parent"]);
    assert!(calls.iter().all(|call| !call.who.is_empty()), "with a token that is over: {calls:?}");
}

#[tokio::test]
async fn a_token_that_was_revoked_between_two_batches_is_renewed_once_for_all_who_had_it() {
    let stage = with_orgs(&oauth("parent"), &oauth("child")).await;
    stage.attempt_all(&four_of_each(1)).await.all_done();
    stage.capillary.forget_tokens();
    stage.capillary.calls();
    stage.attempt_all(&four_of_each(2)).await.all_done();
    assert_eq!(callers(&stage.capillary.calls(), TOKEN), ["child", "parent"]);
}

#[tokio::test]
async fn a_token_call_that_meets_trouble_sends_all_back_after_that_one_call() {
    for (answer, least_s) in
        [(Answer::new(429, "{}").retry_after("45"), 45), (Answer::new(500, "{}"), 1), (Answer::new(404, "<html>"), 1)]
    {
        let stage = Stage::answering(NO_LAG).await;
        stage.capillary.answers({
            let answer = answer.clone();
            move |call| (call.path == TOKEN).then(|| answer.clone())
        });
        let events: Vec<Value> = (1..=4).map(|customer| of_org(ORG, &format!("{customer}"), customer)).collect();
        let batch = stage.attempt_all(&events).await;
        assert_eq!((batch.back.len(), stage.capillary.calls().len()), (4, 1), "{answer:?}");
        let longest = batch.back.iter().map(|message| stage.world.delay_of(message)).max();
        assert!(longest >= Some(least_s) && longest <= Some(least_s.max(5)), "{answer:?}: {longest:?}");
        stage.capillary.answers(|_| None);
        stage.again(&batch).await.all_done();
    }
}
