//! `/sandbox/{kind}/{id}`: how customers, transactions, cards, groups, coupons and the ledger are, how they change, how
//! they are found.
//!
//! Only what changes an entity makes an event. How it is found (`/state`), and which of its states (`/stale`), is a
//! matter of the answers alone.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::{Shared, complaint};
use crate::changes::{self, Change, Telling};
use crate::entities::{EntityState, Stale, Standing, StandingName};
use crate::keys::Key;
use crate::state::Sandbox;

/// As Capillary's APIs call it.
const REQUEST_ID_HEADER: &str = "x-cap-requestid";
const EVENT_ID_HEADER: &str = "x-sandbox-event-id";

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/{kind}/{id}", get(show).put(patch).delete(delete))
        .route("/sandbox/{kind}/{id}/merge", post(merge))
        .route("/sandbox/{kind}/{id}/state", put(stand))
        .route("/sandbox/{kind}/{id}/stale", put(set_stale))
}

async fn show(State(sandbox): Shared, Path(key): Path<Key>) -> Json<Value> {
    Json(sandbox.world().now(&sandbox, &key).body)
}

/// How a change is to be told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// The name of the event, or `none`.
    event: Option<String>,
}

async fn patch(State(sandbox): Shared, Path(key): Path<Key>, Query(choice): Query<Choice>, Json(patch): Json<Value>) -> Response {
    if !patch.is_object() {
        return complaint("a patch is a JSON object");
    }
    let telling = Telling::chosen(choice.event.as_deref());
    if matches!(telling, Telling::By(_)) && !key.is_told() {
        return complaint("no event tells how a coupon or an entry of the ledger is");
    }
    told(changes::patch(&sandbox, &key, &patch, telling))
}

async fn delete(State(sandbox): Shared, Path(key): Path<Key>) -> Response {
    match key {
        Key::Customer(id) => told(changes::delete_customer(&sandbox, id)),
        _ => complaint("only customers are deleted"),
    }
}

/// Into whom a customer is merged, and whether the survivor is answered instead of her (`survivor`) or nobody (`merged`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    into: u64,
    state: Option<StandingName>,
}

async fn merge(State(sandbox): Shared, Path(key): Path<Key>, Json(merge): Json<Merge>) -> Response {
    let Key::Customer(victim) = key else {
        return complaint("only customers are merged");
    };
    if merge.into == victim {
        return complaint("nobody is merged into herself");
    }
    let standing = match merge.state {
        None | Some(StandingName::Survivor) => Standing::survived_by(merge.into),
        Some(StandingName::Merged) => Standing::of(StandingName::Merged),
        Some(_) => return complaint("state: survivor or merged"),
    };
    told(changes::merge_customers(&sandbox, victim, merge.into, standing))
}

async fn stand(State(sandbox): Shared, Path(key): Path<Key>, Json(standing): Json<Standing>) -> Response {
    if let Some(text) = standing.complaint(&key) {
        return complaint(text);
    }
    let mut world = sandbox.world();
    let body = world.now(&sandbox, &key).body;
    world.entities.become_so(&key, EntityState { body, standing });
    StatusCode::NO_CONTENT.into_response()
}

async fn set_stale(State(sandbox): Shared, Path(key): Path<Key>, Json(stale): Json<Stale>) -> StatusCode {
    sandbox.world().entities.set_stale(&key, stale);
    StatusCode::NO_CONTENT
}

/// Answers the whole entity, so that who wants to change one element of an array (a merge patch replaces arrays whole)
/// has what to start from; and by which ids the change can be followed.
fn told(change: Change) -> Response {
    let request_id = [(REQUEST_ID_HEADER, change.request_id)];
    let event_id = change.event_id.map(|id| [(EVENT_ID_HEADER, id)]);
    (request_id, event_id, Json(change.entity)).into_response()
}
