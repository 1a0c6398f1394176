//! Customers, transactions and all the rest that was touched through the control paths: every state they have had, and
//! which of them a read sees. All others follow from the templates.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::keys::Key;

/// The touched entities.
#[derive(Default)]
pub(crate) struct Entities(BTreeMap<Key, Entity>);

/// How an entity is, or was.
#[derive(Clone)]
pub(crate) struct EntityState {
    pub(crate) body: Value,
    pub(crate) standing: Standing,
}

#[derive(Default)]
struct Entity {
    /// Each state with the instant it began at, oldest first. Before the first one, the template holds.
    history: Vec<(Instant, EntityState)>,
    is_heard_of: bool,
    stale: Stale,
}

/// Which reads see the past. It is what `PUT /sandbox/…/{id}/stale` takes.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Stale {
    /// How many changes the reads know nothing of.
    revisions: usize,
    /// How many reads it concerns.
    times: u32,
}

/// Whether and how an entity is found. It is what `PUT /sandbox/…/{id}/state` takes.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Standing {
    pub(crate) state: StandingName,
    /// Who is answered instead, when the state is `survivor`.
    pub(crate) survivor: Option<u64>,
    /// The status that goes with a refusal. The documentation gives bodies without statuses, so that both ways of
    /// reading it have to work: 200 unless told otherwise.
    pub(crate) http_status: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StandingName {
    Found,
    #[serde(alias = "not_found")]
    Missing,
    /// Deleted after a request for deletion of personal data (8109).
    Deleted,
    /// Merged away; nobody is answered instead (8069).
    Merged,
    /// Merged away; the survivor is answered (91009).
    Survivor,
    /// Not yet in the ledger (11002).
    Pending,
}

impl Standing {
    pub(crate) const FOUND: Self = Self { state: StandingName::Found, survivor: None, http_status: None };

    pub(crate) fn of(state: StandingName) -> Self {
        Self { state, ..Self::FOUND }
    }

    pub(crate) fn survived_by(survivor: u64) -> Self {
        Self { state: StandingName::Survivor, survivor: Some(survivor), http_status: None }
    }

    /// The status of a refusal.
    pub(crate) fn refused_with(&self) -> u16 {
        self.http_status.unwrap_or(200)
    }

    /// What is wrong with it for an entity of this kind.
    pub(crate) fn complaint(&self, key: &Key) -> Option<&'static str> {
        use StandingName::{Deleted, Found, Merged, Missing, Pending, Survivor};
        if (self.state == Survivor) != self.survivor.is_some() {
            return Some("a survivor is named if and only if the state is survivor");
        }
        let is_one_of_several = matches!(key, Key::Coupon(_) | Key::LedgerEntry(_));
        match (key, self.state) {
            _ if is_one_of_several && self.http_status.is_some() => Some("one of several has no httpStatus of its own"),
            (_, Found | Missing) => None,
            (Key::Customer(_), Deleted | Merged | Survivor) => None,
            (Key::LedgerEntry(_), Pending) => None,
            (Key::Customer(_), _) => Some("a customer is found, missing, deleted, merged or survivor"),
            (Key::LedgerEntry(_), _) => Some("an entry of the ledger is found, missing or pending"),
            _ => Some("all but customers and the ledger are found or missing"),
        }
    }
}

impl EntityState {
    /// How an entity is that nobody has touched.
    pub(crate) fn untouched(template: Value) -> Self {
        Self { body: template, standing: Standing::FOUND }
    }

    /// The body, if it is to be answered.
    pub(crate) fn found(self) -> Option<Value> {
        (self.standing.state == StandingName::Found).then_some(self.body)
    }
}

impl Entities {
    /// The present state, if it was ever touched.
    pub(crate) fn now(&self, key: &Key) -> Option<EntityState> {
        let (_, state) = self.0.get(key)?.history.last()?;
        Some(state.clone())
    }

    /// What a read through Capillary's paths sees: a replica may lag behind, and a test may have asked for the past.
    /// None means the template.
    pub(crate) fn seen(&mut self, key: &Key, lag: Duration) -> Option<EntityState> {
        let entity = self.0.get_mut(key)?;
        let known = if entity.stale.times > 0 {
            entity.stale.times -= 1;
            entity.history.len().saturating_sub(entity.stale.revisions)
        } else {
            entity.history.partition_point(|(since, _)| since.elapsed() >= lag)
        };
        let (_, state) = entity.history.get(known.checked_sub(1)?)?;
        Some(state.clone())
    }

    /// From now on it is so.
    pub(crate) fn become_so(&mut self, key: &Key, state: EntityState) {
        self.entity(key).history.push((Instant::now(), state));
    }

    /// Whether it was spoken of before, as opposed to being told how it is found; from now on it was.
    pub(crate) fn hear_of(&mut self, key: &Key) -> bool {
        std::mem::replace(&mut self.entity(key).is_heard_of, true)
    }

    pub(crate) fn set_stale(&mut self, key: &Key, stale: Stale) {
        self.entity(key).stale = stale;
    }

    fn entity(&mut self, key: &Key) -> &mut Entity {
        self.0.entry(key.clone()).or_default()
    }
}
