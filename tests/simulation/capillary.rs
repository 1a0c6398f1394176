//! Capillary's side: entities with their histories, answered for by replicas that lag.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use capillary_events::entity::{EntityRef, Fetched, Kind, Status};
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// All entities, by kind and id.
#[derive(Default)]
pub(crate) struct Capillary(Mutex<BTreeMap<Name, Vec<(i64, State)>>>);

/// `("customer", "5")`.
type Name = (&'static str, String);

/// A state since some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The one with this number; each entity counts its own.
    Number(u32),
    Deleted,
    MergedInto(String),
}

impl Capillary {
    /// The entity is in its next state from now (milliseconds since 1970) on, unless it is gone.
    pub(crate) fn change(&self, kind: Kind, id: &str, now_ms: i64) {
        let mut entities = self.0.lock().expect("nobody panics while holding Capillary");
        let history = entities.entry((kind.as_str(), id.to_owned())).or_default();
        let next = match history.last() {
            None => State::Number(0),
            Some((_, State::Number(number))) => State::Number(number + 1),
            Some((_, gone)) => gone.clone(),
        };
        history.push((now_ms, next));
    }

    pub(crate) fn delete(&self, kind: Kind, id: &str, now_ms: i64) {
        self.end(kind, id, State::Deleted, now_ms);
    }

    pub(crate) fn merge(&self, victim: &str, survivor: &str, now_ms: i64) {
        self.end(Kind::Customer, victim, State::MergedInto(survivor.to_owned()), now_ms);
    }

    fn end(&self, kind: Kind, id: &str, state: State, now_ms: i64) {
        let mut entities = self.0.lock().expect("nobody panics while holding Capillary");
        entities.entry((kind.as_str(), id.to_owned())).or_default().push((now_ms, state));
    }

    /// What a replica answers that knows all until then, in milliseconds since 1970; without the times of the call.
    pub(crate) fn answer(&self, entity: &EntityRef, until_ms: i64) -> Fetched {
        let state = |id: &str| {
            let entities = self.0.lock().expect("nobody panics while holding Capillary");
            let history = entities.get(&(entity.kind.as_str(), id.to_owned()))?;
            history.iter().rev().find(|(since_ms, _)| *since_ms <= until_ms).cloned()
        };
        let fetched = |status, answered_id, body| Fetched { status, answered_id, body, began_at_ms: 0, fetched_at_ms: 0 };
        let found = |answered_id, id: &str, number: u32, since_ms: i64| {
            fetched(Status::Found, answered_id, Some(body(entity.kind, id, number, since_ms)))
        };
        match state(&entity.id) {
            None => fetched(Status::NotFound, None, None),
            Some((_, State::Deleted)) => fetched(Status::Deleted, None, None),
            Some((since_ms, State::Number(number))) => found(None, &entity.id, number, since_ms),
            Some((_, State::MergedInto(survivor))) => match state(&survivor) {
                Some((since_ms, State::Number(number))) => found(Some(survivor.clone()), &survivor, number, since_ms),
                _ => fetched(Status::Merged, None, None),
            },
        }
    }
}

/// Whose what is.
pub(crate) const CUSTOMER_OF: [(Kind, u32, u32); 3] =
    [(Kind::Transaction, 11, 1), (Kind::Transaction, 12, 2), (Kind::Group, 21, 2)];

/// A state as Capillary shows it: update times are in seconds, and groups have none.
fn body(kind: Kind, id: &str, number: u32, since_ms: i64) -> Arc<RawValue> {
    let since = OffsetDateTime::from_unix_timestamp(since_ms / 1000).expect("a time").format(&Rfc3339).expect("a text");
    let stamp = if kind == Kind::Group { String::new() } else { format!(r#","autoUpdateTime":"{since}""#) };
    let owner = CUSTOMER_OF.iter().find(|(of, known, _)| *of == kind && known.to_string() == id);
    let member = if kind == Kind::Group { "primaryMemberId" } else { "customerId" };
    let owner = owner.map(|(_, _, customer)| format!(r#","{member}":{customer}"#)).unwrap_or_default();
    Arc::from(RawValue::from_string(format!(r#"{{"id":{id},"number":{number}{owner}{stamp}}}"#)).expect("JSON"))
}
