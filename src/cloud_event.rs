//! What is published: a CloudEvent 1.0 (<https://github.com/cloudevents/spec>) as JSON text, within the bus's size.
//!
//! What came from outside (the event, the entities' bodies) is put in as the text it was, so numbers keep their digits.

mod published;
mod redacted;

use std::{cmp::Reverse, sync::Arc};

pub use published::Published;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    change::Change,
    clock::rfc3339,
    entity::{Kind, Status},
    event::Event,
    ledger::Identity,
    redact::Redactor,
    told::Origin,
};

/// EventBridge's `Source`.
pub const SOURCE: &str = "capillary.events";
/// The name that an event without one goes by.
pub(crate) const UNKNOWN: &str = "unknown";
/// The org that an event without one goes by.
pub(crate) const NO_ORG: i64 = 0;
const TYPE_PREFIX: &str = "capillary.";
/// Of what the bus counts, all but the detail and the detail type: the source, and 14 bytes for a time
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
const ENTRY_OVERHEAD_BYTES: usize = SOURCE.len() + 14;

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event: &'a RawValue,
    entities: Vec<Entity<'a>>,
    changes: &'a [EntityChange],
    enrichment: Enrichment,
}

/// An entity of the output, as the event's name and ids lead to it.
#[derive(Clone)]
pub struct View {
    /// What it is.
    pub kind: Kind,
    /// Its id: the one in the answer where there is one.
    pub id: String,
    /// What there is.
    pub status: Status,
    /// When its state was seen, in milliseconds since 1970; none if nobody looked.
    pub fetched_at_ms: Option<i64>,
    /// Whether this is its first known state.
    pub baseline: Option<bool>,
    /// Which of its states it is.
    pub version: Option<i64>,
    /// The state.
    pub body: Option<Arc<RawValue>>,
    /// Whether the id is the number of a card, as the event had it, since nobody told the card's id. Such a one has no changes.
    pub by_number: bool,
}

/// A change of one of the entities.
#[derive(Debug, Clone, Serialize)]
pub struct EntityChange {
    /// Whose: `customer/728942858`.
    pub entity: String,
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
    /// Who tells it.
    pub origin: Origin,
}

/// What an event is published with.
#[derive(Clone, Default)]
pub struct Enriched {
    /// The entities, first what the event is about.
    pub entities: Vec<View>,
    /// What changed.
    pub changes: Vec<EntityChange>,
    /// Whether the state of one of the entities is newer than what was fetched for this event.
    pub late: bool,
    /// Whether something had to be left out.
    pub truncated: bool,
}

/// One entity as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
}

/// How much of what is behind an event was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrichmentStatus {
    /// All of its entities.
    Complete,
    /// Not all of them.
    Partial,
    /// It has no entities.
    None,
}

impl EnrichmentStatus {
    /// As it stands in the output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::None => "none",
        }
    }
}

#[derive(Serialize)]
struct Enrichment {
    status: EnrichmentStatus,
    late: bool,
    truncated: bool,
    /// Only told where it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
}

/// Even without entities the event is larger than the bus takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event is too large for the bus even without entities")]
pub struct TooLarge;

/// The `Detail` of an event with what is known of its entities, as far as it may be on the bus (`redactor`). Until it fits, it loses
/// first bodies, biggest first; then the values of changes, biggest first, but not where they are; then the changes; then the names of
/// entities that were skipped, but for one.
///
/// # Errors
/// It does not fit even without all that.
pub fn detail(
    event: &Event<'_>,
    identity: &Identity,
    enriched: &Enriched,
    redactor: &Redactor<'_>,
    max_entry_bytes: usize,
) -> Result<String, TooLarge> {
    let name = event.name().unwrap_or_else(|| UNKNOWN.to_owned());
    let text = RawValue::from_string(redactor.event(event.to_json())).unwrap_or_else(|_| RawValue::NULL.to_owned());
    let complete = enriched.entities.iter().all(|entity| entity.status == Status::Found);
    let status = match complete {
        _ if enriched.entities.is_empty() => EnrichmentStatus::None,
        true => EnrichmentStatus::Complete,
        false => EnrichmentStatus::Partial,
    };
    let mut truncated = enriched.truncated;
    let mut enriched = enriched.redacted(redactor);
    loop {
        let envelope = Envelope {
            specversion: "1.0",
            id: &identity.key,
            source: format!("/capillary/orgs/{}", identity.org_id.unwrap_or(NO_ORG)),
            subject: enriched.entities.first().map(|entity| format!("{}/{}", entity.kind.as_str(), entity.id)),
            time: rfc3339(event.created_at_ms().unwrap_or(identity.received_at_ms)),
            datacontenttype: "application/json",
            data: Data {
                event: &text,
                entities: enriched.entities.iter().map(Entity::of).collect(),
                changes: &enriched.changes,
                enrichment: Enrichment { status, late: enriched.late, truncated, redacted: !redactor.is_idle() },
            },
            event_type: format!("{TYPE_PREFIX}{name}"),
        };
        let detail = serde_json::to_string(&envelope).map_err(|_| TooLarge)?;
        let bytes = detail.len() + name.len() + ENTRY_OVERHEAD_BYTES;
        if bytes <= max_entry_bytes {
            return Ok(detail);
        }
        if !enriched.to_mut().shorten(bytes - max_entry_bytes) {
            return Err(TooLarge);
        }
        truncated = true;
    }
}

impl Enriched {
    /// Drops what is worth the least, at least one thing and about as much as is too much; `false` if nothing is left to drop.
    fn shorten(&mut self, excess: usize) -> bool {
        let bodies = self.entities.iter_mut().map(|entity| &mut entity.body).filter(|body| body.is_some());
        if drop_biggest(bodies.map(|body| (body.as_ref().map_or(0, |body| body.get().len()), body)).collect(), excess) {
            return true;
        }
        let values = self
            .changes
            .iter_mut()
            .flat_map(|change| [&mut change.change.before, &mut change.change.after])
            .filter(|value| value.is_some());
        if drop_biggest(values.map(|value| (value.as_ref().map_or(0, bytes_of), value)).collect(), excess) {
            return true;
        }
        if !self.changes.is_empty() {
            self.changes.clear();
            return true;
        }
        // That there are some is told by one of them.
        let is_skipped = |entity: &View| entity.status == Status::Skipped;
        let first = self.entities.iter().position(is_skipped);
        let count = self.entities.len();
        let mut place = 0..;
        self.entities.retain(|entity| place.next() == first || !is_skipped(entity));
        self.entities.len() < count
    }
}

/// Empties the biggest of these until so many bytes are gone; `false` if there are none.
fn drop_biggest<T>(mut droppable: Vec<(usize, &mut Option<T>)>, excess: usize) -> bool {
    droppable.sort_by_key(|(bytes, _)| Reverse(*bytes));
    let (mut dropped_bytes, mut dropped_any) = (0, false);
    for (bytes, value) in droppable {
        if dropped_any && dropped_bytes >= excess {
            break;
        }
        *value = None;
        dropped_bytes += bytes;
        dropped_any = true;
    }
    dropped_any
}

fn bytes_of(value: &Value) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

impl<'a> Entity<'a> {
    fn of(view: &'a View) -> Self {
        Self {
            kind: view.kind.as_str(),
            id: &view.id,
            status: view.status.as_str(),
            fetched_at: view.fetched_at_ms.map(rfc3339),
            baseline: view.baseline,
            version: view.version,
            body: view.body.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests;
