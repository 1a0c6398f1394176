//! The product's own decisions, asked in the model's terms.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use capillary_events::{
    change::Volatile,
    entity::Kind,
    event::{Event, Fingerprint},
    ledger::{
        self, Claim, Identity, Refusal, Step,
        writes::{Attempt, Condition},
    },
    snapshot::{Gone, Judgement, Rules as Judging, Seen, Snapshot, State, judge_gone, judge_seen},
    stamp::Stamp,
};
use serde_json::{Value, value::RawValue};

use crate::{
    rules::{Rules, Slip},
    scenario::{Scenario, Stamps},
    world::{Content, GONE, NO_ENTITY, Receiver, Remembered, Row, TICK_MS, Tick, ms},
};

/// What an answer of Capillary's comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Judged {
    /// It can be told, and this is to be remembered with it.
    Tell(Content, Option<Remembered>),
    /// Only a later call can tell.
    Wait,
}

/// What is remembered, the state in the answer, when the call began, and now.
type Sight = (Option<Remembered>, u8, Tick, Tick);

/// The product, with what it is configured to.
pub(crate) struct Product {
    identities: [Identity; 2],
    judging: Judging,
    stamps: Stamps,
    judged: RefCell<HashMap<Sight, Judged>>,
}

/// A tick in seconds for the one question how long a row will live: wide enough for a row to count as a claim that lives longer than
/// any invocation, and no longer than that.
fn wide_s(tick: Tick) -> i64 {
    i64::from(tick) * 40 * 60
}

impl Product {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let identity = |name: &str| {
            let body = format!(r#"{{"eventId":"e","eventName":"{name}","orgId":1}}"#);
            Identity::of(&Event::parse(body.as_bytes()).unwrap(), ms(0))
        };
        // Events that don't share an id may be of one kind; then a fingerprint tells nothing of them.
        let second = identity(if scenario.same_id { "another" } else { "one" });
        let judging = Judging { replica_lag_ms: i64::from(scenario.lag) * TICK_MS, volatile: Volatile::parse("autoUpdateTime") };
        Self { identities: [identity("one"), second], judging, stamps: scenario.stamps, judged: RefCell::default() }
    }

    fn fingerprint(&self, event: usize) -> &Fingerprint {
        &self.identities[event].fingerprint
    }

    fn row(&self, row: &Row) -> ledger::Row {
        ledger::Row {
            status: Some(row.status),
            fingerprint: Some(self.fingerprint(row.event).as_str().to_owned()),
            claim_id: row.claim.map(|claim| claim.to_string()),
            lease_until_ms: row.lease_until.map(ms),
            expires_at_s: row.expires.map(|tick| ms(tick) / 1000),
            detail: row.detail.map(|_| String::new()),
        }
    }

    /// Whether a write over this row is allowed.
    pub(crate) fn allows(&self, condition: Condition<'_>, row: Option<&Row>, event: usize, now: Tick) -> bool {
        let attempt = Attempt { now_ms: ms(now), fingerprint: self.fingerprint(event).as_str() };
        condition.holds(row.map(|row| self.row(row)).as_ref(), attempt)
    }

    /// What it means that a claim was refused.
    pub(crate) fn judge_refusal(&self, receiver: &Receiver, slot: usize, row: &Row, rules: &Rules) -> Refusal {
        let claim = Claim {
            identity: self.identities[receiver.event].clone(),
            claim_id: slot.to_string(),
            now_ms: ms(receiver.began),
            expires_at_s: 0,
        };
        let mut row = self.row(row);
        if rules.slip(Slip::ClaimIdUnread) {
            row.claim_id = None;
        }
        if rules.slip(Slip::FingerprintUnread) {
            row.fingerprint = None;
        }
        ledger::judge_refusal(&claim, &row)
    }

    /// What the enricher does with an event whose row is this.
    pub(crate) fn next_step(&self, row: Option<&Row>, event: usize, now: Tick, rules: &Rules) -> Step {
        if rules.slip(Slip::FailedReadAsDone) && row.is_some_and(|row| row.status == ledger::Status::Failed) {
            return Step::Done;
        }
        let mut row = row.map(|row| ledger::Row { expires_at_s: row.expires.map(wide_s), ..self.row(row) });
        if rules.slip(Slip::FingerprintUnread)
            && let Some(row) = &mut row
        {
            row.fingerprint = Some(self.fingerprint(event).as_str().to_owned());
        }
        ledger::next_step(row, self.fingerprint(event), wide_s(now))
    }

    /// What an answer means beside what is remembered; [`GONE`] says that the customer was deleted.
    pub(crate) fn judge(&self, known: Option<Remembered>, state: u8, began: Tick, now: Tick, rules: &Rules) -> Judged {
        *self.judged.borrow_mut().entry((known, state, began, now)).or_insert_with(|| {
            let overwritten =
                known.filter(|known| known.state == GONE && state != GONE && rules.slip(Slip::TombstoneOverwritable));
            let mut judged = self.judge_anew(known.filter(|_| overwritten.is_none()), state, began, now, rules);
            if let (Judged::Tell(_, Some(next)), Some(overwritten)) = (&mut judged, overwritten) {
                next.version = overwritten.version + 1;
            }
            if let (Judged::Tell(_, Some(next)), None, true) = (&mut judged, known, rules.slip(Slip::VersionFromOne)) {
                next.version = 1;
            }
            judged
        })
    }

    fn judge_anew(&self, known: Option<Remembered>, state: u8, began: Tick, now: Tick, rules: &Rules) -> Judged {
        let snapshot = known.map(|known| self.snapshot(known));
        let judgement = if state == GONE {
            judge_gone(snapshot.as_ref(), Gone::Deleted, ms(now), ms(now))
        } else {
            let seen = Seen { body: body(state, self.stamps), began_at_ms: ms(began), answered_at_ms: ms(now) };
            let mut judging = self.judging.clone();
            if rules.slip(Slip::NoWaitForReplicas) {
                judging.replica_lag_ms = i64::MIN / 2;
            }
            judge_seen(Kind::Transaction, snapshot.as_ref(), &seen, &judging, ms(now))
        };
        let content = Content { shows: state, change: None, baseline: false, late: false, fetched: now };
        match judgement {
            Judgement::Stays { .. } => Judged::Tell(content, None),
            Judgement::Wait { .. } => Judged::Wait,
            Judgement::Late => {
                let known = known.unwrap();
                Judged::Tell(Content { shows: known.state, late: true, fetched: known.observed, ..content }, None)
            }
            Judgement::Moves(moved) => {
                let value = |value: &Option<Value>| u8::try_from(value.as_ref().unwrap().as_u64().unwrap()).unwrap();
                let change = moved.changes.first().map(|change| (value(&change.before), value(&change.after)));
                let next = Remembered { version: moved.next.version, state, observed: now };
                Judged::Tell(Content { change, baseline: moved.baseline, ..content }, Some(next))
            }
        }
    }

    fn snapshot(&self, known: Remembered) -> Snapshot {
        let (state, stamp) = if known.state == GONE {
            (State::Gone(Gone::Deleted), None)
        } else {
            let body = body(known.state, self.stamps);
            let stamp = Stamp::of(Kind::Transaction, &serde_json::from_str(body.get()).unwrap());
            (State::Body(body), stamp)
        };
        Snapshot { version: known.version, stamp, observed_at_ms: ms(known.observed), customer: None, state }
    }
}

/// What is published of an event without entities.
pub(crate) const WITHOUT_ENTITY: Content = Content { shows: NO_ENTITY, change: None, baseline: false, late: false, fetched: 0 };

/// An entity in this state, as Capillary answers.
fn body(state: u8, stamps: Stamps) -> Arc<RawValue> {
    let second = match stamps {
        Stamps::Strict => Some(state),
        Stamps::Ties => Some(state.max(1)),
        Stamps::Absent => None,
    };
    let stamp = second.map(|second| format!(r#","autoUpdateTime":"2025-02-06T11:59:{second:02}Z""#)).unwrap_or_default();
    Arc::from(RawValue::from_string(format!(r#"{{"id":1,"state":{state}{stamp}}}"#)).unwrap())
}
