//! Webhooks, as they are registered. Header values are answered in clear, as Capillary does it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::answers::{v3_data, v3_error, with_status};
use crate::sender;
use crate::state::{Sandbox, World};
use crate::webhook::{Refusal, Registration, Webhook};

pub(super) async fn list(State(sandbox): State<Arc<Sandbox>>) -> Response {
    let webhooks: Value = sandbox.world().webhooks.registered().map(Webhook::shown).collect();
    Json(v3_data(&webhooks)).into_response()
}

pub(super) async fn register(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let registered = sandbox.change(|world| {
        let registration = unique(world, Registration::read(&read(&body)?)?, None)?;
        Ok(world.webhooks.add(registration))
    });
    if let Ok(webhook) = &registered {
        sender::start_lanes(&sandbox, &webhook.id);
    }
    told(registered)
}

pub(super) async fn update(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>, body: Bytes) -> Response {
    told(sandbox.change(|world| {
        let before = known(world, &id)?.registration.clone();
        let mut registration = unique(world, before.with(&read(&body)?)?, Some(&id))?;
        if world.forms.keeps_event_names() {
            registration.event_names = before.event_names;
        }
        let webhook = known(world, &id)?;
        webhook.register(registration);
        Ok(webhook.clone())
    }))
}

/// It stays listed.
pub(super) async fn switch_off(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    told(sandbox.change(|world| {
        let webhook = known(world, &id)?;
        webhook.switch_off();
        Ok(webhook.clone())
    }))
}

fn read(body: &Bytes) -> Result<Value, Refusal> {
    let sent = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    sent.ok_or_else(|| Refusal::new(400, "the body is no JSON object"))
}

/// The code is not documented, and neither is the one for an unknown id.
fn unique(world: &World, registration: Registration, id: Option<&str>) -> Result<Registration, Refusal> {
    if world.webhooks.is_taken(&registration.name, id) {
        return Err(Refusal::new(400, "the name of a webhook must be unique"));
    }
    Ok(registration)
}

fn known<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Webhook, Refusal> {
    world.webhooks.registered_mut(id).ok_or_else(|| Refusal::new(400, "there is no such webhook"))
}

fn told(outcome: Result<Webhook, Refusal>) -> Response {
    match outcome {
        Ok(webhook) => Json(v3_data(&webhook.shown())).into_response(),
        Err(Refusal { code, message }) => with_status(400, v3_error(code, &message)),
    }
}
