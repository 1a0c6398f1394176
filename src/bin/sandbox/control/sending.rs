//! `/sandbox/webhook`, `/sandbox/events`, `/sandbox/deliveries`: where events go, events of one's own, and what became
//! of them all.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, complaint};
use crate::deliveries::{Delivery, DeliveryState};
use crate::events::Event;
use crate::setup;
use crate::state::Sandbox;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/webhook", get(show_webhook).put(set_webhook))
        .route("/sandbox/events", post(send_event))
        .route("/sandbox/deliveries", get(list_deliveries).delete(forget_deliveries))
}

async fn show_webhook(State(sandbox): Shared) -> Json<Value> {
    let world = sandbox.world();
    Json(setup::shown(&world.conduct, world.webhooks.own()))
}

/// Takes a merge patch, so that `{"active": false}` alone pauses.
async fn set_webhook(State(sandbox): Shared, Json(patch): Json<Value>) -> Response {
    let changed = sandbox.change(|world| {
        let (conduct, destination) = setup::patched(&world.conduct, world.webhooks.own(), &patch)?;
        world.conduct = conduct;
        destination.give_to(world.webhooks.own_mut());
        Ok::<_, String>(setup::shown(&world.conduct, world.webhooks.own()))
    });
    match changed {
        Ok(shown) => Json(shown).into_response(),
        Err(text) => complaint(&text),
    }
}

/// Sends the very bytes, whatever the webhook's form.
async fn send_event(State(sandbox): Shared, body: Bytes) -> Response {
    let told = match serde_json::from_slice::<Value>(&body) {
        Ok(told) if told.is_object() => told,
        _ => return complaint("an event is a JSON object"),
    };
    sandbox.change(|world| {
        if world.send(&Event::as_given(body, &told)) {
            StatusCode::ACCEPTED.into_response()
        } else {
            (StatusCode::CONFLICT, Json(json!({"error": "there is no webhook for it"}))).into_response()
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    state: Option<DeliveryState>,
}

async fn list_deliveries(State(sandbox): Shared, Query(filter): Query<Filter>) -> Json<Vec<Delivery>> {
    Json(sandbox.world().deliveries.listed(filter.state))
}

async fn forget_deliveries(State(sandbox): Shared) -> StatusCode {
    sandbox.world().deliveries.forget_settled();
    StatusCode::NO_CONTENT
}
