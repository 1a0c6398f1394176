//! `/sandbox/…`: the paths by which tests and the demo say what is so. They need no credentials.

mod entities;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::forms::Forms;
use crate::state::{Call, Sandbox};

type Shared = State<Arc<Sandbox>>;

pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/health", get(health))
        .route("/sandbox/faults", get(list_faults).put(set_faults).delete(clear_faults))
        .route("/sandbox/calls", get(list_calls).delete(clear_calls))
        .route("/sandbox/replica", get(show_replica).put(set_replica))
        .route("/sandbox/forms", get(show_forms).put(set_forms))
        .route("/sandbox/reset", post(reset))
        .merge(entities::routes())
        .merge(sending::routes())
}

async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
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

/// How far the copy is behind that Capillary's reads are answered from.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Replica {
    lag_ms: u64,
}

async fn show_replica(State(sandbox): Shared) -> Json<Replica> {
    let lag_ms = u64::try_from(sandbox.world().replica_lag.as_millis()).unwrap_or(u64::MAX);
    Json(Replica { lag_ms })
}

async fn set_replica(State(sandbox): Shared, Json(replica): Json<Replica>) -> StatusCode {
    sandbox.world().replica_lag = Duration::from_millis(replica.lag_ms);
    StatusCode::NO_CONTENT
}

async fn show_forms(State(sandbox): Shared) -> Json<Forms> {
    Json(sandbox.world().forms)
}

async fn set_forms(State(sandbox): Shared, Json(forms): Json<Forms>) -> StatusCode {
    sandbox.world().forms = forms;
    StatusCode::NO_CONTENT
}

async fn reset(State(sandbox): Shared) -> StatusCode {
    sandbox.change(|world| world.reset(&sandbox.settings));
    StatusCode::NO_CONTENT
}

fn complaint(text: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": text}))).into_response()
}
