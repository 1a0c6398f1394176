//! Stories of single messages whose faults no real component would show on demand: panics, slowness, age, an API that is down.

use super::{super::*, world::*};
use crate::{
    event::Event,
    ledger::{Row, Status as RowStatus},
    metrics::tests::taken,
};

#[tokio::test(start_paused = true)]
async fn one_that_panics_one_that_is_too_slow_and_one_that_is_no_event_leave_the_others_alone() {
    let world = World::default();
    let not_json = Incoming { body: "<html>".to_owned(), ..about(0) };
    let batch = vec![about(1), about(13), about(14), not_json, about(2)];
    let expected: Vec<String> = [&batch[1], &batch[2]].map(|message| message.message_id.clone()).into();
    let mut failed = world.enricher().enrich(batch, MINUTE).await;
    failed.sort();
    assert_eq!(failed, expected);
    assert_eq!(world.published_ids(), ["e1", "e2"]);
    let state = world.state();
    assert_eq!(state.dead.iter().map(|letter| letter.reason).collect::<Vec<_>>(), [Reason::NotJson]);
    assert_eq!(state.delays.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_very_first_call_lets_the_next_one_go_first() {
    for batch in [[13, 1, 2], [1, 2, 13]] {
        let world = World::default();
        let begun = tokio::time::Instant::now();
        assert_eq!(world.enricher().enrich(batch.map(about).into(), MINUTE).await.len(), 1);
        assert_eq!(world.published_ids(), ["e1", "e2"]);
        assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits for what it held");
    }
}

#[tokio::test(start_paused = true)]
async fn each_event_is_counted_once_whatever_became_of_it_and_its_copies_are_not() {
    let world = World::default();
    let not_json = Incoming { body: "<html>".to_owned(), ..about(0) };
    let enricher = world.enricher();
    enricher.enrich(vec![about(1), about(1), about(13), about(14), not_json], MINUTE).await;
    let lines = taken(&enricher.metrics);
    let fates: BTreeMap<&str, u64> =
        lines.iter().filter_map(|line| Some((line["Outcome"].as_str()?, line["Events"].as_u64()?))).collect();
    assert_eq!(fates, BTreeMap::from([("published", 1), ("failed", 1), ("put_back", 1), ("dead_lettered", 1)]));
    assert_eq!(lines[0]["ProcessingAge"].as_array().map(Vec::len), Some(5), "each message has its age");
    assert!(
        lines.iter().all(|line| line.get("PublishLatency").is_none()),
        "events that don't tell when they happened: {lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_panics_each_time_is_dead_lettered_and_its_row_says_so() {
    let world = World::default();
    world.put_row("e13", Row { status: Some(RowStatus::Received), ..Row::default() });
    let enricher = world.enricher();
    for attempt in 1..=3 {
        let failed = enricher.enrich(vec![about(13)], MINUTE).await;
        assert_eq!(failed.is_empty(), attempt == 3, "attempt {attempt}");
    }
    let state = world.state();
    assert_eq!((state.dead.len(), state.dead[0].reason), (1, Reason::Panic));
    assert_eq!(world.row("e13").status, Some(RowStatus::Failed));
}

#[tokio::test(start_paused = true)]
async fn what_the_bus_calls_invalid_each_time_is_dead_lettered_and_stays_stored() {
    let world = World::default();
    world.state().invalid_entries = true;
    let enricher = world.enricher();
    for _ in 0..3 {
        enricher.enrich(vec![about(1)], MINUTE).await;
    }
    {
        let mut state = world.state();
        assert_eq!(state.dead[0].reason, Reason::InvalidEntry);
        assert!(world.row("e1").detail.is_some());
        state.invalid_entries = false;
    }
    // A redrive after the mend publishes what was stored, without another call.
    let calls = world.state().calls;
    assert!(enricher.enrich(vec![about(1)], MINUTE).await.is_empty());
    assert_eq!(world.published_ids(), ["e1"]);
    assert_eq!(world.state().calls, calls);
}

#[tokio::test(start_paused = true)]
async fn a_dead_api_costs_a_batch_one_call_and_no_attempt() {
    let world = World::default();
    world.state().api_down = true;
    let enricher = world.enricher();
    for batch in 1..=20 {
        let failed = enricher.enrich((20..30).map(about).collect(), MINUTE).await;
        assert_eq!((failed.len(), world.state().calls), (10, batch));
    }
    {
        let mut state = world.state();
        assert!(state.delays.iter().any(|(_, delay)| *delay == 77), "what the API asked for is kept");
        assert!(state.dead.is_empty() && world.attempts() == 0);
        state.api_down = false;
    }
    assert!(enricher.enrich((20..30).map(about).collect(), MINUTE).await.is_empty());
    assert_eq!(world.published_ids().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn ten_customers_take_hardly_longer_than_one_once_the_api_is_known_to_answer() {
    let world = World::default();
    let enricher = world.enricher();
    enricher.enrich(vec![about(1)], MINUTE).await;
    let started = tokio::time::Instant::now();
    assert!(enricher.enrich((20..30).map(about).collect(), MINUTE).await.is_empty());
    assert!(started.elapsed() < Duration::from_millis(130), "{:?}", started.elapsed());
    assert_eq!(world.state().most_in_flight, 10);
}

#[tokio::test(start_paused = true)]
async fn one_customer_in_many_events_is_fetched_once() {
    let world = World::default();
    let batch = (0..5).map(|number| {
        let message = about(7);
        Incoming { body: message.body.replace("\"e7\"", &format!("\"e7-{number}\"")), ..message }
    });
    assert!(world.enricher().enrich(batch.collect(), MINUTE).await.is_empty());
    assert_eq!(world.published_ids().len(), 5);
    assert_eq!(world.state().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_message_in_one_batch_are_one_event() {
    let world = World::default();
    assert!(world.enricher().enrich(vec![about(1), about(1), about(1)], MINUTE).await.is_empty());
    assert_eq!(world.published_ids(), ["e1"]);
}

#[tokio::test(start_paused = true)]
async fn two_events_that_bear_one_id_are_both_published() {
    let world = World::default();
    let other = Incoming { body: r#"{"eventId":"e1","eventName":"promotionCreated","orgId":1}"#.to_owned(), ..about(1) };
    let enricher = world.enricher();
    assert!(enricher.enrich(vec![about(1)], MINUTE).await.is_empty());
    assert!(enricher.enrich(vec![other], MINUTE).await.is_empty());
    let ids = world.published_ids();
    assert_eq!((ids.len(), ids[0].as_str(), ids[1].starts_with("e1~")), (2, "e1", true));
}

#[tokio::test(start_paused = true)]
async fn two_events_that_bear_one_id_are_both_published_though_the_ledger_knows_neither_and_they_come_together() {
    let world = World::default();
    let message = |name: &str| {
        let body = format!(r#"{{"eventId":"e1","eventName":"{name}","orgId":1,"createdAt":5}}"#);
        Incoming { body, ..about(0) }
    };
    assert!(world.enricher().enrich(vec![message("promotionCreated"), message("promotionUpdated")], MINUTE).await.is_empty());
    let ids = world.published_ids();
    assert_eq!((ids.len(), ids[0] == ids[1]), (2, false), "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_receiver_wrote_waits_for_a_newer_enricher() {
    let world = World::default();
    let message = Incoming { content_encoding: Some("zstd+base64".to_owned()), ..about(1) };
    assert_eq!(world.enricher().enrich(vec![message], MINUTE).await.len(), 1);
    let state = world.state();
    assert_eq!((state.dead.len(), state.delays.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_queue_would_soon_move_by_itself_is_dead_lettered_with_a_reason() {
    let world = World::default();
    world.state().api_down = true;
    let often = Incoming { receive_count: 990, ..about(1) };
    assert!(world.enricher().enrich(vec![often], MINUTE).await.is_empty());
    assert_eq!(world.state().dead[0].reason, Reason::TooOld);
}

#[tokio::test(start_paused = true)]
async fn what_waited_twelve_days_is_dead_lettered_only_if_it_would_have_to_wait_on() {
    let world = World::default();
    let old = |customer| Incoming { sent_at_ms: Some(NOW_MS - 12 * DAY_MS - 1), ..about(customer) };
    let enricher = world.enricher();
    assert!(enricher.enrich(vec![old(1)], MINUTE).await.is_empty());
    assert_eq!(world.published_ids(), ["e1"]);
    world.state().api_down = true;
    assert!(enricher.enrich(vec![old(2)], MINUTE).await.is_empty());
    assert_eq!(enricher.enrich(vec![about(3)], MINUTE).await.len(), 1);
    let state = world.state();
    assert_eq!(state.dead.iter().map(|letter| letter.reason).collect::<Vec<_>>(), [Reason::TooOld]);
    assert_eq!(world.row("e2").status, Some(RowStatus::Failed));
}

#[tokio::test(start_paused = true)]
async fn copies_that_differ_in_their_delivery_are_published_alike_though_nothing_was_marked_between() {
    let world = World::default();
    let claimed = Event::parse(br#"{"eventId":"e3","eventName":"promotionCreated","orgId":1}"#).unwrap().fingerprint();
    let claimed = Row { status: Some(RowStatus::Received), fingerprint: Some(claimed.as_str().to_owned()), ..Row::default() };
    world.put_row("e3", claimed);
    world.state().marks_fail = true;
    let enricher = world.enricher();
    for (received_at_ms, body) in [
        (1, r#"{"eventId":"e1","eventName":"promotionCreated","orgId":1}"#),
        (2, r#"{"eventId":"e1","eventName":"promotionCreated","orgId":1}"#),
        (
            1,
            r#"{"eventId":"e2","eventType":"1_promotionCreated","timeStamp":1,"attributes":{"createdAt":5,"orgId":1,"data":{}}}"#,
        ),
        (
            2,
            r#"{"eventId":"e2","eventType":"1_promotionCreated","timeStamp":2,"attributes":{"createdAt":5,"orgId":1,"data":{}}}"#,
        ),
        (1, r#"{"eventId":"e3","eventName":"promotionCreated","orgId":1,"createdAt":5}"#),
        (2, r#"{"eventId":"e3","eventName":"promotionCreated","orgId":1,"createdAt":5}"#),
    ] {
        let copy = Incoming { body: body.to_owned(), received_at_ms: Some(received_at_ms), ..about(0) };
        assert_eq!(enricher.enrich(vec![copy], MINUTE).await.len(), 1);
    }
    let state = world.state();
    assert_eq!(state.published.len(), 6);
    for copies in state.published.chunks(2) {
        assert_eq!(copies[0], copies[1]);
    }
    assert_eq!(world.row("e3").detail, None, "what is claimed and alike by itself is not stored");
}

#[tokio::test(start_paused = true)]
async fn while_the_ledger_is_down_nothing_is_fetched_and_nothing_published() {
    let world = World::default();
    world.state().ledger_down = true;
    assert_eq!(world.enricher().enrich(vec![about(1), about(2)], MINUTE).await.len(), 2);
    assert!(world.published_ids().is_empty());
    assert_eq!(world.state().calls, 0);
}
