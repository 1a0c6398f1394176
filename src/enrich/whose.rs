//! Whose the entities of an event are, and which of these customers were deleted.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::assemble::Assembly;
use crate::{
    entity::{By, EntityRef, Fetched, Kind, Status},
    routes,
    snapshot::{Gone, Key, Snapshot, State},
};

impl Assembly<'_> {
    /// Whether an entity is gone, as the answer or the event says.
    pub(super) fn gone(&self, entity: &EntityRef, sighting: &Fetched) -> Option<Gone> {
        let is_customer = entity.kind == Kind::Customer;
        match (sighting.status, sighting.answered_id.as_ref().filter(|_| is_customer)) {
            (Status::Found, Some(_)) | (Status::Merged, _) => Some(Gone::Merged),
            (Status::Deleted, _) => Some(Gone::Deleted),
            (_, None) if self.says_deleted && is_customer => Some(Gone::Deleted),
            _ => None,
        }
    }

    /// The customers of an event who were deleted. They are known before anything is judged that is theirs.
    pub(super) fn deleted(&self, sightings: &[(EntityRef, Fetched)]) -> HashSet<Key> {
        let customers = sightings.iter().filter(|(entity, _)| entity.kind == Kind::Customer);
        customers
            .filter(|(entity, _)| Key::is_kept(self.org_id, entity))
            .map(|(entity, sighting)| (Key::of(self.org_id, entity), self.gone(entity, sighting)))
            .filter(|(key, gone)| *gone == Some(Gone::Deleted) || self.knows_deleted(key))
            .map(|(key, _)| key)
            .collect()
    }

    pub(super) fn knows_deleted(&self, customer: &Key) -> bool {
        matches!(self.snapshots.get(customer), Some(Some(Snapshot { state: State::Gone(Gone::Deleted), .. })))
    }

    /// The customer with whom an entity is forgotten: the one whom its body names; or who was known to have it; or whom the event names.
    pub(super) fn customer(&self, entity: &EntityRef, body: &RawValue, known: Option<&Snapshot>) -> Option<Key> {
        let key = |id: &str| Key::new(self.org_id, Kind::Customer, id);
        let told = match &entity.by {
            By::Code { customer_id, .. } => customer_id.as_deref(),
            _ => None,
        };
        let named = routes::belongs_to(entity.kind, body);
        named.as_deref().map(key).or_else(|| known.and_then(|known| known.customer.clone())).or_else(|| told.map(key))
    }
}
