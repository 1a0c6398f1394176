//! Stories of single messages whose faults no real component would show on demand: panics, slowness, age, an API that is down.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, value::RawValue};

use super::*;
use crate::{
    entity::{EntityRef, FetchFailure, Fetched, Scope, Status},
    event::Event,
    ledger::{
        Identity, Row, Status as RowStatus,
        writes::{Attempt, Condition, MARK_PUBLISHED, MARK_PUBLISHED_UNSTORED, STORE},
    },
    ports::{Commit, Entry, Known, PortError, Written},
    snapshot::{Snapshot, may_move},
    told::Told,
};

const NOW_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What all the doubles of one test share.
#[derive(Clone, Default)]
struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rows: BTreeMap<String, Row>,
    snapshots: BTreeMap<Key, Snapshot>,
    attempts: BTreeMap<String, u32>,
    published: Vec<Value>,
    dead: Vec<DeadLetter>,
    delays: Vec<(String, u32)>,
    calls: u32,
    in_flight: u32,
    most_in_flight: u32,
    api_down: bool,
    invalid_entries: bool,
    ledger_down: bool,
    marks_fail: bool,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enricher(&self) -> Enricher<Self, Self, Self, Self, Self, Self> {
        let limits = Limits {
            event_ttl: Duration::from_secs(21 * 86_400),
            max_attempts: 3,
            max_entry_bytes: 262_144,
            max_entities: 20,
            snapshot_ttl: Duration::from_secs(400 * 86_400),
        };
        Enricher {
            ledger: self.clone(),
            bus: self.clone(),
            dead_letters: self.clone(),
            redelivery: self.clone(),
            entities: self.clone(),
            clock: self.clone(),
            limits,
            rules: Rules::default(),
            turnstile: Turnstile::new(10),
        }
    }

    fn mark(&self, condition: Condition<'_>, key: &str, expires_at_s: i64) -> Result<Written, PortError> {
        let mut state = self.state();
        if state.marks_fail {
            return Err(down("published"));
        }
        if !state.allows(condition, key) {
            return Ok(Written::Refused);
        }
        let row = state.rows.entry(key.to_owned()).or_default();
        (row.status, row.detail, row.expires_at_s) = (Some(RowStatus::Published), None, Some(expires_at_s));
        Ok(Written::Yes)
    }

    fn published_ids(&self) -> Vec<String> {
        self.state().published.iter().map(|event| event["id"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn down(call: &'static str) -> PortError {
    PortError::Unavailable { call, cause: "down".to_owned() }
}

impl Clock for World {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }
}

impl State {
    fn allows(&self, condition: Condition<'_>, key: &str) -> bool {
        condition.holds(self.rows.get(key), Attempt { now_ms: NOW_MS, fingerprint: "" })
    }
}

impl Ledger for World {
    async fn look(&self, events: &[String], entities: &[Key]) -> Result<Known, PortError> {
        let state = self.state();
        if state.ledger_down {
            return Err(down("look"));
        }
        Ok(Known {
            rows: events.iter().filter_map(|key| Some((key.clone(), state.rows.get(key)?.clone()))).collect(),
            snapshots: entities.iter().filter_map(|key| Some((key.clone(), state.snapshots.get(key)?.clone()))).collect(),
        })
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Written, PortError> {
        let row = Row {
            status: Some(RowStatus::Enriched),
            fingerprint: Some(commit.identity.fingerprint.as_str().to_owned()),
            detail: Some(commit.detail.to_owned()),
            ..Row::default()
        };
        let mut state = self.state();
        let version = |key: &Key| state.snapshots.get(key).map(|known| known.version);
        if !state.allows(STORE, &commit.identity.key)
            || !commit.moves.iter().all(|step| may_move(version(&step.key), step.read_version))
        {
            return Ok(Written::Refused);
        }
        state.rows.insert(commit.identity.key.clone(), row);
        for step in commit.moves {
            state.snapshots.insert(step.key.clone(), step.next.clone());
        }
        Ok(Written::Yes)
    }

    async fn published(&self, key: &str, expires_at_s: i64) -> Result<Written, PortError> {
        self.mark(MARK_PUBLISHED, key, expires_at_s)
    }

    async fn published_unstored(&self, identity: &Identity, _now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        self.mark(MARK_PUBLISHED_UNSTORED, &identity.key, expires_at_s)
    }

    async fn failed(&self, identity: &Identity, _reason: Reason, _expires_at_s: i64) -> Result<Written, PortError> {
        self.state().rows.entry(identity.key.clone()).or_default().status = Some(RowStatus::Failed);
        Ok(Written::Yes)
    }

    async fn count_attempt(&self, key: &str) -> Result<Option<u32>, PortError> {
        let mut state = self.state();
        if !state.rows.contains_key(key) {
            return Ok(None);
        }
        let attempts = state.attempts.entry(key.to_owned()).or_default();
        *attempts += 1;
        Ok(Some(*attempts))
    }
}

impl Bus for World {
    async fn publish(&self, entries: &[Entry]) -> Vec<Result<(), PortError>> {
        let mut state = self.state();
        let mut publish = |entry: &Entry| {
            if state.invalid_entries {
                return Err(PortError::Invalid { call: "publish", cause: "MalformedDetail".to_owned() });
            }
            state.published.push(serde_json::from_str(&entry.detail).unwrap());
            Ok(())
        };
        entries.iter().map(&mut publish).collect()
    }
}

impl DeadLetterQueue for World {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        self.state().dead.push(letter.clone());
        Ok(())
    }
}

impl Redelivery for World {
    async fn delay(&self, messages: &[(String, u32)]) -> Result<(), PortError> {
        self.state().delays.extend_from_slice(messages);
        Ok(())
    }
}

/// Customer 13 makes the process panic, customer 14 never answers.
impl Entities for World {
    async fn fetch(&self, _org_id: Option<i64>, entity: &EntityRef) -> Result<Fetched, FetchFailure> {
        {
            let mut state = self.state();
            state.calls += 1;
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.state().in_flight -= 1;
        assert_ne!(entity.id, "13");
        if entity.id == "14" {
            std::future::pending::<()>().await;
        }
        if self.state().api_down {
            return Err(FetchFailure { scope: Scope::Api, retry_after_s: Some(77), cause: "503".to_owned() });
        }
        let body = RawValue::from_string(format!("{{\"id\":{}}}", entity.id)).unwrap();
        Ok(Fetched { status: Status::Found, survivor_id: None, body: Some(body), fetched_at_ms: NOW_MS })
    }

    async fn audits(&self, _: Option<i64>, _: &EntityRef, _: &str, _: i64) -> Result<Vec<Told>, FetchFailure> {
        Ok(Vec::new())
    }
}

/// A message about a customer, with nothing but a body.
fn about(customer: u32) -> Incoming {
    static MESSAGES: AtomicU32 = AtomicU32::new(0);
    let number = MESSAGES.fetch_add(1, Ordering::Relaxed);
    Incoming {
        message_id: format!("m{number}-{customer}"),
        receipt_handle: format!("r{customer}"),
        body: format!(
            r#"{{"eventId":"e{customer}","eventName":"customerUpdated","orgId":1,"data":{{"customerIdentifiers":{{"customerId":{customer}}}}}}}"#
        ),
        receive_count: 1,
        sent_at_ms: Some(NOW_MS),
        ..Incoming::default()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

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
async fn what_panics_each_time_is_dead_lettered_and_its_row_says_so() {
    let world = World::default();
    world.state().rows.insert("e13".to_owned(), Row { status: Some(RowStatus::Received), ..Row::default() });
    let enricher = world.enricher();
    for attempt in 1..=3 {
        let failed = enricher.enrich(vec![about(13)], MINUTE).await;
        assert_eq!(failed.is_empty(), attempt == 3, "attempt {attempt}");
    }
    let state = world.state();
    assert_eq!((state.dead.len(), state.dead[0].reason), (1, Reason::Panic));
    assert_eq!(state.rows["e13"].status, Some(RowStatus::Failed));
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
        assert!(state.rows["e1"].detail.is_some());
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
        assert!(state.dead.is_empty() && state.attempts.is_empty());
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
    assert_eq!(state.rows["e2"].status, Some(RowStatus::Failed));
}

#[tokio::test(start_paused = true)]
async fn copies_that_differ_in_their_delivery_are_published_alike_though_nothing_was_marked_between() {
    let world = World::default();
    let claimed = Event::parse(br#"{"eventId":"e3","eventName":"promotionCreated","orgId":1}"#).unwrap().fingerprint();
    let claimed = Row { status: Some(RowStatus::Received), fingerprint: Some(claimed.as_str().to_owned()), ..Row::default() };
    world.state().rows.insert("e3".to_owned(), claimed);
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
    assert_eq!(state.rows["e3"].detail, None, "what is claimed and alike by itself is not stored");
}

#[tokio::test(start_paused = true)]
async fn while_the_ledger_is_down_nothing_is_fetched_and_nothing_published() {
    let world = World::default();
    world.state().ledger_down = true;
    assert_eq!(world.enricher().enrich(vec![about(1), about(2)], MINUTE).await.len(), 2);
    assert!(world.published_ids().is_empty());
    assert_eq!(world.state().calls, 0);
}
