//! Stories of what the settings keep from being fetched, published, or told.

use serde_json::json;

use super::{super::*, world::*};
use crate::redact::Patterns;

fn filtered(world: &World, rules: &str) -> Enricher<World> {
    Enricher { filter: Filter::parse(rules).unwrap(), ..world.enricher() }
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_goes_out_as_it_came_without_a_call() {
    let world = World::default();
    assert!(filtered(&world, "1/customer*=pass").enrich(vec![about(5)], MINUTE).await.is_empty());
    let state = world.state();
    assert_eq!((state.calls, &state.published[0]["data"]["enrichment"]["status"]), (0, &json!("none")));
    assert!(world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_is_stored_so_that_another_setting_does_not_tell_it_differently() {
    let world = World::default();
    world.state().marks_fail = true;
    assert_eq!(filtered(&world, "*=pass").enrich(vec![about(5)], MINUTE).await.len(), 1);
    world.state().marks_fail = false;
    assert!(world.enricher().enrich(vec![about(5)], MINUTE).await.is_empty());
    let state = world.state();
    assert_eq!((state.published.len(), &state.published[0]), (2, &state.published[1]));
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_goes_nowhere_and_is_marked() {
    let world = World::default();
    let enricher = filtered(&world, "customerUpdated=ignore");
    assert!(enricher.enrich(vec![about(5)], MINUTE).await.is_empty());
    let row = world.row("e5");
    assert_eq!(row.status, Some(crate::ledger::Status::Published));
    assert!(world.enricher().enrich(vec![about(5)], MINUTE).await.is_empty());
    let state = world.state();
    assert_eq!((state.calls, state.published.len(), state.dead.len()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_before_it_was_to_be_ignored_is_published() {
    let world = World::default();
    world.state().invalid_entries = true;
    assert_eq!(world.enricher().enrich(vec![about(5)], MINUTE).await.len(), 1);
    world.state().invalid_entries = false;
    assert!(filtered(&world, "*=ignore").enrich(vec![about(5)], MINUTE).await.is_empty());
    assert_eq!(world.published_ids(), ["e5"]);
}

#[tokio::test(start_paused = true)]
async fn without_the_key_of_pseudonyms_events_wait_and_nobody_is_asked() {
    let world = World::default();
    let redaction = Redaction { hash: Patterns::parse("firstName").unwrap(), ..Redaction::default() };
    let enricher = Enricher { redaction, ..world.enricher() };
    world.state().bodies.insert("5".to_owned(), json!({"id": 5, "firstName": "Ana"}).to_string());
    for secret in [None, Some("{}"), Some(r#"{"hashKey":"short"}"#)] {
        world.state().secret = secret.map(str::to_owned);
        assert_eq!(enricher.enrich(vec![about(5)], MINUTE).await.len(), 1, "{secret:?}");
        world.state().passed_ms += DAY_MS / 24;
    }
    assert_eq!(world.state().calls, 0);
    world.state().secret = Some(r#"{"hashKey":"0123456789abcdef"}"#.to_owned());
    assert!(enricher.enrich(vec![about(5)], MINUTE).await.is_empty());
    let state = world.state();
    let (entity, enrichment) = (&state.published[0]["data"]["entities"][0], &state.published[0]["data"]["enrichment"]);
    assert!(entity["body"]["firstName"].as_str().unwrap().starts_with("hmac-sha256:"));
    assert_eq!(enrichment["redacted"], true);
    let kept = world.snapshots().values().next().unwrap().state.body().unwrap().get().to_owned();
    assert!(kept.contains("Ana"), "what is remembered is what the next state is compared with");
}

#[tokio::test(start_paused = true)]
async fn what_is_redacted_is_stored_so_that_another_key_does_not_tell_it_differently() {
    let world = World::default();
    let redaction = Redaction { drop: Patterns::parse("name").unwrap(), ..Redaction::default() };
    let body = r#"{"eventId":"p","eventName":"promotionCreated","orgId":1,"createdAt":5,"data":{"name":"x"}}"#;
    let message = || Incoming { body: body.to_owned(), ..about(1) };
    world.put_row("p", crate::ledger::Row { status: Some(crate::ledger::Status::Received), ..crate::ledger::Row::default() });
    world.state().marks_fail = true;
    assert_eq!(Enricher { redaction, ..world.enricher() }.enrich(vec![message()], MINUTE).await.len(), 1);
    world.state().marks_fail = false;
    assert!(world.enricher().enrich(vec![message()], MINUTE).await.is_empty());
    let state = world.state();
    assert_eq!((state.published.len(), &state.published[0]), (2, &state.published[1]));
}
