//! Customers and transactions that were touched through the control paths: every state they have had, and which of them
//! a read sees. All others follow from the templates.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

/// The touched entities of one kind.
#[derive(Default)]
pub(crate) struct Entities(BTreeMap<u64, Entity>);

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
    Missing,
    /// Deleted after a request for deletion of personal data (8109).
    Deleted,
    /// Merged away; nobody is answered instead (8069).
    Merged,
    /// Merged away; the survivor is answered (91009).
    Survivor,
}

impl Standing {
    pub(crate) const FOUND: Self = Self { state: StandingName::Found, survivor: None, http_status: None };

    pub(crate) fn of(state: StandingName) -> Self {
        Self { state, ..Self::FOUND }
    }

    pub(crate) fn survived_by(survivor: u64) -> Self {
        Self { state: StandingName::Survivor, survivor: Some(survivor), http_status: None }
    }
}

impl EntityState {
    /// How an entity is that nobody has touched.
    pub(crate) fn untouched(template: Value) -> Self {
        Self { body: template, standing: Standing::FOUND }
    }
}

impl Entities {
    /// The present state, if it was ever touched.
    pub(crate) fn now(&self, id: u64) -> Option<EntityState> {
        let (_, state) = self.0.get(&id)?.history.last()?;
        Some(state.clone())
    }

    /// What a read through Capillary's paths sees: a replica may lag behind, and a test may have asked for the past.
    /// None means the template.
    pub(crate) fn seen(&mut self, id: u64, lag: Duration) -> Option<EntityState> {
        let entity = self.0.get_mut(&id)?;
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
    pub(crate) fn become_so(&mut self, id: u64, state: EntityState) {
        self.0.entry(id).or_default().history.push((Instant::now(), state));
    }

    /// Whether it was spoken of before, as opposed to being told how it is found; from now on it was.
    pub(crate) fn hear_of(&mut self, id: u64) -> bool {
        std::mem::replace(&mut self.0.entry(id).or_default().is_heard_of, true)
    }

    pub(crate) fn set_stale(&mut self, id: u64, stale: Stale) {
        self.0.entry(id).or_default().stale = stale;
    }
}
