//! `/sandbox/customers/…` and `/sandbox/transactions/…`: how they are, how they change, how they are found.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::Value;

use super::{Shared, complaint};
use crate::answers::{merge, stamp};
use crate::entities::{EntityState, Stale, Standing, StandingName};
use crate::state::Sandbox;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/customers/{id}", get(show_customer).put(patch_customer))
        .route("/sandbox/customers/{id}/state", put(stand_customer))
        .route("/sandbox/customers/{id}/stale", put(stale_customer))
        .route("/sandbox/transactions/{id}", get(show_transaction).put(patch_transaction))
        .route("/sandbox/transactions/{id}/state", put(stand_transaction))
        .route("/sandbox/transactions/{id}/stale", put(stale_transaction))
}

async fn show_customer(State(sandbox): Shared, Path(id): Path<u64>) -> Json<Value> {
    Json(sandbox.world().customer(&sandbox, id).body)
}

async fn patch_customer(State(sandbox): Shared, Path(id): Path<u64>, Json(patch): Json<Value>) -> Response {
    let mut world = sandbox.world();
    let EntityState { body, standing } = world.customer(&sandbox, id);
    let Some(body) = patched(body, &patch) else {
        return complaint("a patch is a JSON object");
    };
    world.customers.become_so(id, EntityState { body: body.clone(), standing });
    Json(body).into_response()
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

async fn patch_transaction(State(sandbox): Shared, Path(id): Path<u64>, Json(patch): Json<Value>) -> Response {
    let mut world = sandbox.world();
    let EntityState { body, standing } = world.transaction(&sandbox, id);
    let Some(body) = patched(body, &patch) else {
        return complaint("a patch is a JSON object");
    };
    world.transactions.become_so(id, EntityState { body: body.clone(), standing });
    Json(body).into_response()
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

/// The whole entity, so that who wants to change one element of an array (a merge patch replaces arrays whole) has what
/// to start from.
fn patched(mut body: Value, patch: &Value) -> Option<Value> {
    patch.is_object().then(|| {
        merge(&mut body, patch);
        stamp(&mut body, patch);
        body
    })
}
