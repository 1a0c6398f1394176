//! The world of these tests: one double for all that an enricher needs. Its tables are those of the simulation, which are held to what the
//! real ones do.

#[path = "../../../tests/doubles/tables.rs"]
#[allow(dead_code, reason = "the simulation needs more of them")]
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU32, Ordering},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, value::RawValue};

use self::tables::{FORGOTTEN_AT_ONCE, StoredRow, Tables};
use super::{super::*, detail_schema};
use crate::{
    entity::{By, EntityRef, FetchFailure, Fetched, Kind, Scope, Status},
    filter::Filter,
    ledger::{Identity, Row},
    metrics::tests::unwritten,
    ports::{Commit, Entities, Entry, FailedKept, Forgotten, Known, Parts, PortError, PublishedMark, SecretStore, Written},
    redact::Redaction,
    secret::CachedSecret,
    snapshot::Snapshot,
    told::Told,
};

pub(super) const NOW_MS: i64 = 1_800_000_000_000;
/// How far an answer may lag.
pub(super) const LAG_MS: i64 = 5_000;
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What all the doubles of one test share.
#[derive(Clone, Default)]
pub(super) struct World {
    state: Arc<Mutex<State>>,
    tables: Tables,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) published: Vec<Value>,
    pub(super) dead: Vec<DeadLetter>,
    pub(super) delays: Vec<(String, u32)>,
    pub(super) calls: u32,
    pub(super) in_flight: u32,
    pub(super) most_in_flight: u32,
    pub(super) api_down: bool,
    pub(super) invalid_entries: bool,
    pub(super) ledger_down: bool,
    pub(super) marks_fail: bool,
    /// Forgetting fails.
    pub(super) memory_stuck: bool,
    /// The customers who were to be forgotten, in order.
    pub(super) forgotten: Vec<Key>,
    /// So many entities can be forgotten at once; any number if none is given.
    pub(super) forgets_at_once: Option<usize>,
    /// Bodies of all but cards by id; those that are not here have only an id.
    pub(super) bodies: BTreeMap<String, String>,
    /// Who is answered for somebody merged away.
    pub(super) survivors: BTreeMap<String, String>,
    /// The API secret.
    pub(super) secret: Option<String>,
    /// Customers who were deleted.
    pub(super) deleted: BTreeSet<String>,
    /// Cards by number.
    pub(super) cards: BTreeMap<String, String>,
    /// Orgs without credentials.
    pub(super) orgs_without: BTreeSet<Option<i64>>,
    /// Orgs whose credentials are refused.
    pub(super) orgs_refused: BTreeSet<Option<i64>>,
    /// Subjects of entities that are not ready.
    pub(super) unready: BTreeSet<String>,
    /// The subjects of each call's entities.
    pub(super) asked: Vec<String>,
    /// So many commits are still refused.
    pub(super) commits_refused: u32,
    /// What the audit log answers.
    pub(super) audits: Option<Result<Vec<Told>, FetchFailure>>,
    pub(super) audit_calls: u32,
    /// How far the clock went on.
    pub(super) passed_ms: i64,
}

impl World {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enricher(&self) -> Enricher<Self> {
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
            rules: Rules { replica_lag_ms: LAG_MS, ..Rules::default() },
            turnstile: Turnstile::new(10),
            filter: Filter::default(),
            redaction: Redaction::default(),
            hash_key: CachedSecret::new(self.clone(), self.clone()),
            metrics: unwritten(),
        }
    }

    /// A row of the ledger.
    pub(super) fn row(&self, key: &str) -> Row {
        self.tables.state().rows[key].row.clone()
    }

    pub(super) fn put_row(&self, key: &str, row: Row) {
        self.tables.state().rows.insert(key.to_owned(), StoredRow { row, ..StoredRow::default() });
    }

    /// What is remembered.
    pub(super) fn snapshots(&self) -> BTreeMap<Key, Snapshot> {
        self.tables.state().snapshots.clone()
    }

    pub(super) fn put_snapshot(&self, key: Key, snapshot: Snapshot) {
        self.tables.state().snapshots.insert(key, snapshot);
    }

    /// Failures that were counted as events' own.
    pub(super) fn attempts(&self) -> u32 {
        self.tables.state().rows.values().map(|stored| stored.attempts).sum()
    }

    fn mark(&self, written: impl FnOnce() -> Written) -> Result<Written, PortError> {
        if self.state().marks_fail { Err(down("published")) } else { Ok(written()) }
    }

    pub(super) fn published_ids(&self) -> Vec<String> {
        self.state().published.iter().map(|event| event["id"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn down(call: &'static str) -> PortError {
    PortError::Unavailable { call, cause: "down".to_owned() }
}

impl Parts for World {
    type Ledger = Self;
    type Bus = Self;
    type DeadLetters = Self;
    type Redelivery = Self;
    type Entities = Self;
    type Secrets = Self;
    type Clock = Self;
}

impl SecretStore for World {
    async fn read(&self) -> Result<String, PortError> {
        self.state().secret.clone().ok_or_else(|| down("read"))
    }
}

impl Clock for World {
    fn now_ms(&self) -> i64 {
        NOW_MS + self.state().passed_ms
    }
}

impl Ledger for World {
    async fn look(&self, events: &[String], entities: &[Key]) -> Result<Known, PortError> {
        if self.state().ledger_down {
            return Err(down("look"));
        }
        self.tables.look(events, entities).await
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Written, PortError> {
        let is_refused = {
            let mut state = self.state();
            let is_refused = state.commits_refused > 0;
            state.commits_refused = state.commits_refused.saturating_sub(1);
            is_refused
        };
        if is_refused { Ok(Written::Refused) } else { self.tables.commit(commit).await }
    }

    async fn published(&self, key: &str, mark: &PublishedMark<'_>) -> Result<Written, PortError> {
        self.mark(|| self.tables.published_now(key, mark.expires_at_s))
    }

    async fn published_unstored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        self.mark(|| self.tables.published_unstored_now(identity, now_s, expires_at_s, None))
    }

    async fn ignored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        self.mark(|| self.tables.published_unstored_now(identity, now_s, expires_at_s, Some("ignored")))
    }

    async fn failed(&self, identity: &Identity, reason: Reason, kept: &FailedKept) -> Result<Written, PortError> {
        self.tables.failed(identity, reason, kept).await
    }

    async fn forget(&self, customer: &Key) -> Result<Forgotten, PortError> {
        let at_once = {
            let mut state = self.state();
            if state.memory_stuck {
                return Err(down("forget"));
            }
            state.forgotten.push(customer.clone());
            state.forgets_at_once.unwrap_or(FORGOTTEN_AT_ONCE)
        };
        Ok(self.tables.forget_now(customer, at_once))
    }

    async fn count_attempt(&self, key: &str) -> Result<Option<u32>, PortError> {
        self.tables.count_attempt(key).await
    }
}

impl Bus for World {
    async fn publish(&self, entries: &[Entry]) -> Vec<Result<(), PortError>> {
        let mut state = self.state();
        let mut publish = |entry: &Entry| {
            if state.invalid_entries {
                return Err(PortError::Invalid { call: "publish", cause: "MalformedDetail".to_owned() });
            }
            let detail = serde_json::from_str(&entry.detail).unwrap();
            detail_schema::assert_valid(&detail);
            state.published.push(detail);
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

/// Customer 13 makes the process panic, customer 14 never answers. The card with number N is card 1N, and customer N's.
impl Entities for World {
    async fn fetch(&self, org_id: Option<i64>, entities: &[EntityRef]) -> Vec<Result<Fetched, FetchFailure>> {
        {
            let mut state = self.state();
            state.calls += 1;
            state.asked.push(entities.iter().map(EntityRef::subject).collect::<Vec<_>>().join("+"));
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.state().in_flight -= 1;
        if entities.iter().any(|entity| entity.id == "14") {
            std::future::pending::<()>().await;
        }
        entities.iter().map(|entity| self.answer(org_id, entity)).collect()
    }

    async fn audits(&self, _: Option<i64>, _: &EntityRef, _: &str, _: i64) -> Result<Vec<Told>, FetchFailure> {
        let mut state = self.state();
        state.audit_calls += 1;
        state.audits.clone().unwrap_or_else(|| Ok(Vec::new()))
    }
}

impl World {
    fn answer(&self, org_id: Option<i64>, entity: &EntityRef) -> Result<Fetched, FetchFailure> {
        assert_ne!(entity.id, "13");
        let state = self.state();
        let now_ms = NOW_MS + state.passed_ms;
        let none = |status| Fetched { status, answered_id: None, body: None, began_at_ms: now_ms, fetched_at_ms: now_ms };
        if state.orgs_without.contains(&org_id) {
            return Ok(none(Status::Forbidden));
        }
        let failure = |scope, cause: &str| Err(FetchFailure { scope, retry_after_s: Some(77), cause: cause.to_owned() });
        if state.api_down {
            return failure(Scope::Api, "503");
        }
        if state.orgs_refused.contains(&org_id) {
            return failure(Scope::Org, "401");
        }
        if state.unready.contains(&entity.subject()) {
            return failure(Scope::NotReady, "not ready");
        }
        let fetched = |answered_id: Option<String>, body: String| Fetched {
            status: Status::Found,
            answered_id,
            body: Some(Arc::from(RawValue::from_string(body).unwrap())),
            began_at_ms: now_ms,
            fetched_at_ms: now_ms,
        };
        if let By::Number(number) | By::NumberOnly(number) = &entity.by {
            let Some(body) = state.cards.get(number) else {
                return Ok(none(Status::NotFound));
            };
            let id = format!("1{number}");
            return Ok(fetched(Some(id).filter(|id| *id != entity.id), body.clone()));
        }
        if entity.kind == Kind::Customer && state.deleted.contains(&entity.id) {
            return Ok(none(Status::Deleted));
        }
        let survivor_id = state.survivors.get(&entity.id).cloned();
        let id = survivor_id.as_ref().unwrap_or(&entity.id);
        let body = state.bodies.get(id).cloned().unwrap_or_else(|| format!("{{\"id\":{id}}}"));
        Ok(fetched(survivor_id, body))
    }
}

/// A message about a customer, with nothing but a body.
pub(super) fn about(customer: u32) -> Incoming {
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

pub(super) const MINUTE: Duration = Duration::from_secs(60);
