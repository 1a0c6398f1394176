//! Several entities by one call: coupons, entries of the points ledger.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::answers::{complaint, v2_error, with_status};
use crate::entities::{EntityState, StandingName};
use crate::keys::Key;
use crate::state::Sandbox;

/// How many entries of the ledger one call can ask for.
const MOST_ENTRIES: usize = 10;

/// A parameter can come repeatedly.
type Repeated = Query<Vec<(String, String)>>;

pub(super) async fn coupons(State(sandbox): State<Arc<Sandbox>>, Query(parameters): Repeated) -> Response {
    let Some(ids) = numbers(&parameters, "couponIds").filter(|ids| !ids.is_empty()) else {
        return with_status(400, v2_error(400, "Invalid request: couponIds are required"));
    };
    let mut world = sandbox.world();
    let found: Vec<Value> = ids.into_iter().filter_map(|id| world.seen(&sandbox, &Key::Coupon(id)).found()).collect();
    let coupons: Vec<Value> = found.into_iter().map(|coupon| world.forms.coupon(coupon)).collect();
    Json(json!({"data": coupons, "warnings": [], "errors": []})).into_response()
}

/// Whose entries they are is not known here: whoever is named has those that are asked for.
pub(super) async fn ledger_entries(State(sandbox): State<Arc<Sandbox>>, Query(parameters): Repeated) -> Response {
    let has = |wanted: &str| parameters.iter().any(|(name, value)| name == wanted && !value.is_empty());
    if !["identifierName", "identifierValue", "source"].into_iter().all(has) {
        return with_status(400, v2_error(11013, "identifierName, identifierValue, source can not be empty"));
    }
    let Some(ids) = numbers(&parameters, "eventIds") else {
        return with_status(400, v2_error(11017, "Event id format exception"));
    };
    if ids.is_empty() {
        return with_status(400, v2_error(11001, "This combination of request parameters is not supported"));
    }
    if ids.len() > MOST_ENTRIES {
        return with_status(400, v2_error(11006, "Limit cannot be greater than 10"));
    }
    let mut world = sandbox.world();
    let seen: Vec<EntityState> = ids.into_iter().map(|id| world.seen(&sandbox, &Key::LedgerEntry(id))).collect();
    Json(ledger(seen)).into_response()
}

fn ledger(seen: Vec<EntityState>) -> Value {
    let is_pending = seen.iter().any(|entry| entry.standing.state == StandingName::Pending);
    let entries: Vec<Value> = seen.into_iter().filter_map(EntityState::found).collect();
    if is_pending {
        let warning = json!({"code": 11002, "message": "This customer has pending events, hence the ledger may be incomplete"});
        json!({"events": entries, "warnings": [warning]})
    } else if entries.is_empty() {
        let error = complaint(11003, "There are no ledger entries present for the given parameters");
        json!({"events": [], "warnings": [], "errors": [error]})
    } else {
        json!({"events": entries, "warnings": []})
    }
}

/// The numbers that a parameter lists, by commas or by coming repeatedly; none where one of them is no number.
fn numbers(parameters: &[(String, String)], wanted: &str) -> Option<Vec<u64>> {
    let values = parameters.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value);
    values.flat_map(|value| value.split(',')).map(|number| number.trim().parse().ok()).collect()
}
