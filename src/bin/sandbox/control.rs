//! `/sandbox/…`: the paths by which tests and the demo say what is so. They need no credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::answers::{merge, stamp};
use crate::faults::Fault;
use crate::state::{Call, Entity, Sandbox, Standing, StandingName, World};

type Shared = State<Arc<Sandbox>>;

pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/health", get(health))
        .route("/sandbox/customers/{id}", get(show_customer).put(patch_customer))
        .route("/sandbox/customers/{id}/state", put(stand_customer))
        .route("/sandbox/transactions/{id}", get(show_transaction).put(patch_transaction))
        .route("/sandbox/transactions/{id}/state", put(stand_transaction))
        .route("/sandbox/faults", get(list_faults).put(set_faults).delete(clear_faults))
        .route("/sandbox/calls", get(list_calls).delete(clear_calls))
        .route("/sandbox/reset", post(reset))
}

async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn show_customer(State(sandbox): Shared, Path(id): Path<u64>) -> Json<Value> {
    let known = sandbox.world().customers.get(&id).map(|entity| entity.body.clone());
    Json(known.unwrap_or_else(|| sandbox.answers.customer(id)))
}

async fn patch_customer(State(sandbox): Shared, Path(id): Path<u64>, Json(patch): Json<Value>) -> Response {
    let mut world = sandbox.world();
    patched(customer(&sandbox, &mut world, id), &patch)
}

async fn stand_customer(State(sandbox): Shared, Path(id): Path<u64>, Json(standing): Json<Standing>) -> Response {
    if (standing.state == StandingName::Survivor) != standing.survivor.is_some() {
        return complaint("a survivor is named if and only if the state is survivor");
    }
    let mut world = sandbox.world();
    customer(&sandbox, &mut world, id).standing = standing;
    StatusCode::NO_CONTENT.into_response()
}

async fn show_transaction(State(sandbox): Shared, Path(id): Path<u64>) -> Json<Value> {
    let known = sandbox.world().transactions.get(&id).map(|entity| entity.body.clone());
    Json(known.unwrap_or_else(|| sandbox.answers.transaction(id, "REGULAR")))
}

async fn patch_transaction(State(sandbox): Shared, Path(id): Path<u64>, Json(patch): Json<Value>) -> Response {
    let mut world = sandbox.world();
    patched(transaction(&sandbox, &mut world, id), &patch)
}

async fn stand_transaction(State(sandbox): Shared, Path(id): Path<u64>, Json(standing): Json<Standing>) -> Response {
    if !matches!(standing.state, StandingName::Found | StandingName::Missing) {
        return complaint("a transaction is found or missing");
    }
    let mut world = sandbox.world();
    transaction(&sandbox, &mut world, id).standing = standing;
    StatusCode::NO_CONTENT.into_response()
}

async fn list_faults(State(sandbox): Shared) -> Json<Vec<Fault>> {
    Json(sandbox.world().faults.clone())
}

async fn set_faults(State(sandbox): Shared, Json(faults): Json<Vec<Fault>>) -> Response {
    if let Some(text) = faults.iter().find_map(Fault::complaint) {
        return complaint(&text);
    }
    sandbox.world().faults = faults;
    StatusCode::NO_CONTENT.into_response()
}

async fn clear_faults(State(sandbox): Shared) -> StatusCode {
    sandbox.world().faults.clear();
    StatusCode::NO_CONTENT
}

async fn list_calls(State(sandbox): Shared) -> Json<Vec<Call>> {
    Json(sandbox.world().calls.clone())
}

async fn clear_calls(State(sandbox): Shared) -> StatusCode {
    sandbox.world().calls.clear();
    StatusCode::NO_CONTENT
}

async fn reset(State(sandbox): Shared) -> StatusCode {
    sandbox.world().reset();
    StatusCode::NO_CONTENT
}

fn customer<'a>(sandbox: &Sandbox, world: &'a mut World, id: u64) -> &'a mut Entity {
    entity(&mut world.customers, id, || sandbox.answers.customer(id))
}

fn transaction<'a>(sandbox: &Sandbox, world: &'a mut World, id: u64) -> &'a mut Entity {
    entity(&mut world.transactions, id, || sandbox.answers.transaction(id, "REGULAR"))
}

/// The entity as it is known, or, from now on, as the template has it.
fn entity(entities: &mut BTreeMap<u64, Entity>, id: u64, template: impl FnOnce() -> Value) -> &mut Entity {
    entities.entry(id).or_insert_with(|| Entity { body: template(), standing: Standing::FOUND })
}

/// Answers the whole entity, so that who wants to change one element of an array (a merge patch replaces arrays whole)
/// has what to start from.
fn patched(entity: &mut Entity, patch: &Value) -> Response {
    if !patch.is_object() {
        return complaint("a patch is a JSON object");
    }
    merge(&mut entity.body, patch);
    stamp(&mut entity.body, patch);
    Json(entity.body.clone()).into_response()
}

fn complaint(text: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": text}))).into_response()
}
