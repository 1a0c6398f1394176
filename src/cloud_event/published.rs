//! What a stored detail says of itself to whoever publishes it, and what of it is kept afterwards.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{EnrichmentStatus, TYPE_PREFIX, UNKNOWN};

/// The ledger row of an event that was published is read by people, so it is kept short: beyond this only the number of changes is told.
const MAX_CHANGES_TOLD: usize = 10;

/// What a detail made by [`super::detail`] says of itself.
pub struct Published {
    /// EventBridge's `DetailType`: the event's name.
    pub detail_type: String,
    /// How complete it is; none where it does not say so.
    pub enrichment_status: Option<EnrichmentStatus>,
    /// What it tells, as JSON without anything of a person: which entities, and where they changed, but no values.
    pub summary: String,
}

#[derive(Deserialize, Default)]
struct Detail<'a> {
    #[serde(rename = "type", default, borrow)]
    event_type: Cow<'a, str>,
    #[serde(default, borrow)]
    data: Data<'a>,
}

/// Entities and changes are for people only, so an unexpected one must not cost the event its name: they are read apart.
#[derive(Deserialize, Default)]
struct Data<'a> {
    #[serde(borrow)]
    entities: Option<&'a RawValue>,
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
    enrichment: Option<Enrichment>,
}

#[derive(Deserialize, Serialize, Clone, Copy)]
struct Enrichment {
    status: EnrichmentStatus,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

#[derive(Deserialize, Serialize)]
struct Entity<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
}

#[derive(Deserialize, Serialize)]
struct Change<'a> {
    #[serde(borrow)]
    entity: Cow<'a, str>,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    origin: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    enrichment: Option<Enrichment>,
    entities: &'a [Entity<'a>],
    changes: &'a [Change<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    further_changes: Option<usize>,
}

impl Published {
    /// Reads a detail, which may be a stored one.
    pub fn read(detail: &str) -> Self {
        let Detail { event_type, data } = serde_json::from_str(detail).unwrap_or_default();
        let mut entities: Vec<Entity<'_>> = read(data.entities);
        for entity in &mut entities {
            // A card that was not found is known by its number alone.
            if entity.kind == "card" && entity.status != "found" {
                entity.id = None;
            }
        }
        let mut changes: Vec<Change<'_>> = read(data.changes);
        let further = changes.len().saturating_sub(MAX_CHANGES_TOLD);
        changes.truncate(MAX_CHANGES_TOLD);
        let summary = Summary {
            enrichment: data.enrichment,
            entities: &entities,
            changes: &changes,
            further_changes: Some(further).filter(|further| *further > 0),
        };
        Self {
            detail_type: event_type.strip_prefix(TYPE_PREFIX).unwrap_or(UNKNOWN).to_owned(),
            enrichment_status: data.enrichment.map(|enrichment| enrichment.status),
            summary: serde_json::to_string(&summary).unwrap_or_default(),
        }
    }
}

/// A list; empty where it is none of that kind.
fn read<'a, T: Deserialize<'a>>(list: Option<&'a RawValue>) -> Vec<T> {
    list.and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn summary(detail: &Value) -> Value {
        serde_json::from_str(&Published::read(&detail.to_string()).summary).unwrap()
    }

    #[test]
    fn what_was_told_is_kept_without_anything_of_a_person() {
        let detail = json!({"type": "capillary.customerUpdated", "data": {
            "event": {"data": {"firstName": "Marker"}},
            "entities": [{"type": "customer", "id": "7", "status": "found", "fetchedAt": "2025-08-15T02:42:01.007Z", "baseline": false,
                          "version": 3, "body": {"firstName": "Marker"}}],
            "changes": [{"entity": "customer/7", "op": "replace", "path": "/firstName", "before": "Marker", "after": "Marker", "origin": "event"}],
            "enrichment": {"status": "complete", "late": false, "truncated": true}}});
        let expected = json!({
            "enrichment": {"status": "complete", "truncated": true},
            "entities": [{"type": "customer", "id": "7", "status": "found", "baseline": false, "version": 3}],
            "changes": [{"entity": "customer/7", "op": "replace", "path": "/firstName", "origin": "event"}]});
        assert_eq!(summary(&detail), expected);
        assert_eq!(Published::read(&detail.to_string()).detail_type, "customerUpdated");
    }

    #[test]
    fn the_number_of_a_card_that_nobody_knows_is_not_kept() {
        let card = |status: &str| json!({"data": {"entities": [{"type": "card", "id": "6001", "status": status}]}});
        assert_eq!(summary(&card("not_found"))["entities"], json!([{"type": "card", "status": "not_found"}]));
        assert_eq!(summary(&card("found"))["entities"], json!([{"type": "card", "id": "6001", "status": "found"}]));
    }

    #[test]
    fn an_entity_of_a_form_that_nobody_knows_costs_the_event_neither_name_nor_status() {
        let detail = json!({"type": "capillary.customerUpdated", "data": {"entities": [7], "enrichment": {"status": "partial"}}});
        let read = Published::read(&detail.to_string());
        assert_eq!((read.detail_type.as_str(), read.enrichment_status), ("customerUpdated", Some(EnrichmentStatus::Partial)));
        assert_eq!(summary(&detail)["entities"], json!([]));
    }

    #[test]
    fn of_many_changes_only_the_number_is_kept() {
        let change =
            |at: usize| json!({"entity": "customer/7", "op": "add", "path": format!("/fields/{at}"), "origin": "snapshot"});
        let detail = |count: usize| json!({"data": {"changes": (0..count).map(change).collect::<Vec<_>>()}});
        let told = summary(&detail(MAX_CHANGES_TOLD + 3));
        assert_eq!((told["changes"].as_array().unwrap().len(), &told["furtherChanges"]), (MAX_CHANGES_TOLD, &json!(3)));
        assert_eq!(summary(&detail(MAX_CHANGES_TOLD)).get("furtherChanges"), None);
    }
}
