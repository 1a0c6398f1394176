//! The events table and the snapshots table.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use capillary_events::{
    ledger::{
        Claim, Identity, Row, Status,
        writes::{
            Attempt, CLAIM, Condition, MARK_FAILED_STORED, MARK_FAILED_UNSTORED, MARK_PUBLISHED, MARK_PUBLISHED_UNSTORED, STORE,
        },
    },
    message::Reason,
    ports::{Claimed, Claims, Commit, FailedKept, Forgotten, Known, Ledger, Move, PortError, PublishedMark, Written},
    snapshot::{Key, Snapshot, may_move},
};

/// How much is forgotten of a customer's at once.
pub(crate) const FORGOTTEN_AT_ONCE: usize = 500;

/// Both tables; clones are the same ones.
#[derive(Clone, Default)]
pub(crate) struct Tables(Arc<Mutex<State>>);

/// What is in them, and what ever was.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) rows: BTreeMap<String, StoredRow>,
    pub(crate) snapshots: BTreeMap<Key, Snapshot>,
    /// Every snapshot that was ever written or, without one, forgotten, in their order.
    pub(crate) moved: Vec<(Key, Option<Snapshot>)>,
}

/// A row with what only operators read.
#[derive(Clone, Default)]
pub(crate) struct StoredRow {
    pub(crate) row: Row,
    pub(crate) attempts: u32,
    pub(crate) reason: Option<String>,
}

impl Tables {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the tables")
    }

    pub(crate) fn claim_now(&self, claim: &Claim) -> Claimed {
        assert_fits(&claim.identity.key);
        let mut state = self.state();
        let attempt = Attempt { now_ms: claim.now_ms, fingerprint: claim.identity.fingerprint.as_str() };
        let known = state.rows.get(&claim.identity.key);
        if let Some(known) = known.filter(|known| !CLAIM.holds(Some(&known.row), attempt)) {
            return Claimed::No(known.row.clone());
        }
        let row = Row {
            status: Some(Status::Received),
            fingerprint: Some(claim.identity.fingerprint.as_str().to_owned()),
            claim_id: Some(claim.claim_id.clone()),
            lease_until_ms: Some(claim.lease_until_ms()),
            expires_at_s: Some(claim.expires_at_s),
            detail: None,
        };
        state.rows.insert(claim.identity.key.clone(), StoredRow { row, ..StoredRow::default() });
        Claimed::Yes
    }

    pub(crate) fn look_now(&self, events: &[String], entities: &[Key]) -> Known {
        events.iter().for_each(|key| assert_fits(key));
        assert_eq!(entities.iter().collect::<BTreeSet<_>>().len(), entities.len(), "a key twice is refused");
        let state = self.state();
        Known {
            rows: events.iter().filter_map(|key| Some((key.clone(), state.rows.get(key)?.row.clone()))).collect(),
            snapshots: entities.iter().filter_map(|key| Some((key.clone(), state.snapshots.get(key)?.clone()))).collect(),
        }
    }

    pub(crate) fn commit_now(&self, identity: &Identity, detail: &str, moves: &[Move], now_ms: i64) -> Written {
        let mut state = self.state();
        let known = state.rows.get(&identity.key).map(|known| &known.row);
        let version = |key: &Key| state.snapshots.get(key).map(|known| known.version);
        let may_store = STORE.holds(known, Attempt { now_ms, fingerprint: identity.fingerprint.as_str() });
        if !may_store || !moves.iter().all(|step| may_move(version(&step.key), step.read_version)) {
            return Written::Refused;
        }
        let row = Row {
            status: Some(Status::Enriched),
            fingerprint: Some(identity.fingerprint.as_str().to_owned()),
            detail: Some(detail.to_owned()),
            ..Row::default()
        };
        state.rows.insert(identity.key.clone(), StoredRow { row, ..StoredRow::default() });
        for step in moves {
            state.snapshots.insert(step.key.clone(), step.next.clone());
            state.moved.push((step.key.clone(), Some(step.next.clone())));
        }
        Written::Yes
    }

    pub(crate) fn published_now(&self, key: &str, expires_at_s: i64) -> Written {
        self.update(MARK_PUBLISHED, key, Attempt { now_ms: 0, fingerprint: "" }, |known| {
            known.row.status = Some(Status::Published);
            known.row.expires_at_s = Some(expires_at_s);
            (known.row.detail, known.attempts, known.reason) = (None, 0, None);
        })
    }

    pub(crate) fn published_unstored_now(
        &self,
        identity: &Identity,
        now_s: i64,
        expires_at_s: i64,
        reason: Option<&str>,
    ) -> Written {
        let attempt = Attempt { now_ms: now_s * 1000, fingerprint: identity.fingerprint.as_str() };
        self.update(MARK_PUBLISHED_UNSTORED, &identity.key, attempt, |known| {
            known.row = Row {
                status: Some(Status::Published),
                fingerprint: Some(identity.fingerprint.as_str().to_owned()),
                expires_at_s: Some(expires_at_s),
                ..Row::default()
            };
            (known.attempts, known.reason) = (0, reason.map(str::to_owned));
        })
    }

    pub(crate) fn failed_now(&self, identity: &Identity, reason: Reason, kept: &FailedKept) -> Written {
        let attempt = Attempt { now_ms: 0, fingerprint: identity.fingerprint.as_str() };
        let fail = |known: &mut StoredRow| {
            known.row.status = Some(Status::Failed);
            known.row.fingerprint = Some(identity.fingerprint.as_str().to_owned());
            (known.row.claim_id, known.row.lease_until_ms) = (None, None);
            (known.attempts, known.reason) = (0, Some(reason.as_str().to_owned()));
        };
        let marks = [(MARK_FAILED_STORED, kept.stored_until_s), (MARK_FAILED_UNSTORED, kept.unstored_until_s)];
        for (condition, until_s) in marks {
            let written = self.update(condition, &identity.key, attempt, |known| {
                fail(known);
                known.row.expires_at_s = Some(until_s);
            });
            if written == Written::Yes {
                return Written::Yes;
            }
        }
        Written::Refused
    }

    /// Forgets what is a customer's, so many at once.
    pub(crate) fn forget_now(&self, customer: &Key, at_once: usize) -> Forgotten {
        let mut state = self.state();
        let hers = state.snapshots.iter().filter(|(_, snapshot)| snapshot.customer.as_ref() == Some(customer));
        let mut keys: Vec<Key> = hers.map(|(key, _)| key.clone()).collect();
        let forgotten = if keys.len() > at_once { Forgotten::InPart } else { Forgotten::All };
        keys.truncate(at_once);
        for key in keys {
            state.snapshots.remove(&key);
            state.moved.push((key, None));
        }
        forgotten
    }

    pub(crate) fn count_attempt_now(&self, key: &str) -> Option<u32> {
        let mut state = self.state();
        let known = state.rows.get_mut(key)?;
        known.attempts += 1;
        Some(known.attempts)
    }

    /// Deletes what is past its time, as the table's TTL does sooner or later.
    pub(crate) fn forget_rows_before(&self, now_s: i64) {
        self.state().rows.retain(|_, known| known.row.expires_at_s.is_none_or(|expiry| expiry > now_s));
    }

    fn update(&self, condition: Condition<'_>, key: &str, attempt: Attempt<'_>, with: impl FnOnce(&mut StoredRow)) -> Written {
        let mut state = self.state();
        if !condition.holds(state.rows.get(key).map(|known| &known.row), attempt) {
            return Written::Refused;
        }
        with(state.rows.entry(key.to_owned()).or_default());
        Written::Yes
    }
}

#[track_caller]
fn assert_fits(key: &str) {
    assert!((1..=2048).contains(&key.len()), "DynamoDB takes no such key");
}

impl Claims for Tables {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, PortError> {
        Ok(self.claim_now(claim))
    }
}

impl Ledger for Tables {
    async fn look(&self, events: &[String], entities: &[Key]) -> Result<Known, PortError> {
        Ok(self.look_now(events, entities))
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Written, PortError> {
        Ok(self.commit_now(commit.identity, commit.detail, commit.moves, commit.now_ms))
    }

    async fn published(&self, key: &str, mark: &PublishedMark<'_>) -> Result<Written, PortError> {
        Ok(self.published_now(key, mark.expires_at_s))
    }

    async fn published_unstored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        Ok(self.published_unstored_now(identity, now_s, expires_at_s, None))
    }

    async fn ignored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        Ok(self.published_unstored_now(identity, now_s, expires_at_s, Some("ignored")))
    }

    async fn failed(&self, identity: &Identity, reason: Reason, kept: &FailedKept) -> Result<Written, PortError> {
        Ok(self.failed_now(identity, reason, kept))
    }

    async fn forget(&self, customer: &Key) -> Result<Forgotten, PortError> {
        Ok(self.forget_now(customer, FORGOTTEN_AT_ONCE))
    }

    async fn count_attempt(&self, key: &str) -> Result<Option<u32>, PortError> {
        Ok(self.count_attempt_now(key))
    }
}
