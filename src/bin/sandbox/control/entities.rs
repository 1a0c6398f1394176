//! `/sandbox/customers/…` and `/sandbox/transactions/…`: how they are, how they change, how they are found.
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
use crate::state::Sandbox;

/// As Capillary's APIs call it.
const REQUEST_ID_HEADER: &str = "x-cap-requestid";
const EVENT_ID_HEADER: &str = "x-sandbox-event-id";

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/customers/{id}", get(show_customer).put(patch_customer).delete(delete_customer))
        .route("/sandbox/customers/{id}/merge", post(merge_customer))
        .route("/sandbox/customers/{id}/state", put(stand_customer))
        .route("/sandbox/customers/{id}/stale", put(stale_customer))
        .route("/sandbox/transactions/{id}", get(show_transaction).put(patch_transaction))
        .route("/sandbox/transactions/{id}/state", put(stand_transaction))
        .route("/sandbox/transactions/{id}/stale", put(stale_transaction))
}

/// How a change is to be told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// The name of the event, or `none`.
    event: Option<String>,
}

impl Choice {
    fn telling(&self) -> Telling<'_> {
        Telling::chosen(self.event.as_deref())
    }
}

async fn show_customer(State(sandbox): Shared, Path(id): Path<u64>) -> Json<Value> {
    Json(sandbox.world().customer(&sandbox, id).body)
}

async fn patch_customer(
    State(sandbox): Shared,
    Path(id): Path<u64>,
    Query(choice): Query<Choice>,
    Json(patch): Json<Value>,
) -> Response {
    if !patch.is_object() {
        return complaint("a patch is a JSON object");
    }
    told(changes::patch_customer(&sandbox, id, &patch, choice.telling()))
}

async fn delete_customer(State(sandbox): Shared, Path(id): Path<u64>) -> Response {
    told(changes::delete_customer(&sandbox, id))
}

/// Into whom a customer is merged, and whether the survivor is answered instead of her (`survivor`) or nobody (`merged`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    into: u64,
    state: Option<StandingName>,
}

async fn merge_customer(State(sandbox): Shared, Path(victim): Path<u64>, Json(merge): Json<Merge>) -> Response {
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

async fn stand_customer(State(sandbox): Shared, Path(id): Path<u64>, Json(standing): Json<Standing>) -> Response {
    if (standing.state == StandingName::Survivor) != standing.survivor.is_some() {
        return complaint("a survivor is named if and only if the state is survivor");
    }
    let mut world = sandbox.world();
    let body = world.customer(&sandbox, id).body;
    world.customers.become_so(id, EntityState { body, standing });
    StatusCode::NO_CONTENT.into_response()
}

async fn stale_customer(State(sandbox): Shared, Path(id): Path<u64>, Json(stale): Json<Stale>) -> StatusCode {
    sandbox.world().customers.set_stale(id, stale);
    StatusCode::NO_CONTENT
}

async fn show_transaction(State(sandbox): Shared, Path(id): Path<u64>) -> Json<Value> {
    Json(sandbox.world().transaction(&sandbox, id).body)
}

async fn patch_transaction(
    State(sandbox): Shared,
    Path(id): Path<u64>,
    Query(choice): Query<Choice>,
    Json(patch): Json<Value>,
) -> Response {
    if !patch.is_object() {
        return complaint("a patch is a JSON object");
    }
    told(changes::patch_transaction(&sandbox, id, &patch, choice.telling()))
}

async fn stand_transaction(State(sandbox): Shared, Path(id): Path<u64>, Json(standing): Json<Standing>) -> Response {
    if !matches!(standing.state, StandingName::Found | StandingName::Missing) {
        return complaint("a transaction is found or missing");
    }
    let mut world = sandbox.world();
    let body = world.transaction(&sandbox, id).body;
    world.transactions.become_so(id, EntityState { body, standing });
    StatusCode::NO_CONTENT.into_response()
}

async fn stale_transaction(State(sandbox): Shared, Path(id): Path<u64>, Json(stale): Json<Stale>) -> StatusCode {
    sandbox.world().transactions.set_stale(id, stale);
    StatusCode::NO_CONTENT
}

/// Answers the whole entity, so that who wants to change one element of an array (a merge patch replaces arrays whole)
/// has what to start from; and by which ids the change can be followed.
fn told(change: Change) -> Response {
    let request_id = [(REQUEST_ID_HEADER, change.request_id)];
    let event_id = change.event_id.map(|id| [(EVENT_ID_HEADER, id)]);
    (request_id, event_id, Json(change.entity)).into_response()
}
