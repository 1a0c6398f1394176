//! What became of events: the event log, a row for each event and each webhook that takes it, and the counts of a webhook.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Parameters;
use crate::answers::{v3_data, v3_error, with_status};
use crate::clock::{log_time, now_ms};
use crate::deliveries::{Attempt, Delivery, DeliveryState, Outcome};
use crate::forms::LogForm;
use crate::state::{Sandbox, World};

/// As far back as counts go where nothing else is asked for: 30 days.
const USUAL_SPAN_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Not documented: what is answered where there is nothing. Here it is no rows where rows are asked for, and an error where one is.
pub(super) async fn of_request(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    let rows = rows(&sandbox.world(), |delivery| delivery.request_id.as_deref() == Some(&id));
    Json(v3_data(&rows.into())).into_response()
}

pub(super) async fn of_reference(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    let world = sandbox.world();
    let rows = rows(&world, |delivery| delivery.ref_id.as_deref() == Some(&id));
    match world.forms.ref_id_log() {
        LogForm::Array => Json(v3_data(&rows.into())).into_response(),
        LogForm::Object => newest(rows),
    }
}

pub(super) async fn of_event(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    newest(rows(&sandbox.world(), |delivery| delivery.event_id.as_deref() == Some(&id)))
}

/// Which one is meant where there are several is not documented.
fn newest(mut rows: Vec<Value>) -> Response {
    match rows.pop() {
        Some(row) => Json(v3_data(&row)).into_response(),
        None => with_status(400, v3_error(400, "no event found")),
    }
}

fn rows(world: &World, is_meant: impl Fn(&&Delivery) -> bool) -> Vec<Value> {
    world.deliveries.all().iter().filter(is_meant).map(|delivery| row(world, delivery)).collect()
}

fn row(world: &World, delivery: &Delivery) -> Value {
    let group = world.webhooks.get(&delivery.web_hook_id).map(|webhook| webhook.consumer_group_id.clone());
    let last = delivery.attempts.last().filter(|_| delivery.state == DeliveryState::Delivered);
    json!({
        "refId": delivery.ref_id,
        "requestId": delivery.request_id,
        "eventName": delivery.event_name,
        "eventId": delivery.event_id,
        "consumerGroupId": group,
        "eventIngestionTimestamp": log_time(delivery.ingested_at),
        "eventStartTimestamp": delivery.begun_at.map(log_time),
        // Null until delivered, as documented. Whether it stays so when an event is given up is not; here it does.
        "eventEndTimestamp": last.map(|attempt| log_time(attempt.at.saturating_add(attempt.took_ms))),
        "slaBreachTimestamp": null,
        "consumerResponse": delivery.attempts.last().and_then(response),
    })
}

/// The receiver's last answer; none where it did not answer. Both numbers are fractions in the samples.
fn response(attempt: &Attempt) -> Option<Value> {
    let Outcome::Status(status) = attempt.outcome else { return None };
    let took_ms = u32::try_from(attempt.took_ms).unwrap_or(u32::MAX);
    Some(json!({"webhookHttpStatus": f64::from(status), "time_taken": f64::from(took_ms)}))
}

pub(super) async fn metrics(State(sandbox): State<Arc<Sandbox>>, Path(group): Path<String>, parameters: Parameters) -> Response {
    let world = sandbox.world();
    let date = |name: &str, usual: u64| parameters.get(name).map_or(Some(usual), |text| text.parse().ok());
    let end = date("endDate", now_ms());
    let start = date("startDate", end.unwrap_or_default().saturating_sub(USUAL_SPAN_MS));
    let webhook = world.webhooks.registered().find(|webhook| webhook.consumer_group_id == group);
    // That there is a 400 is documented, but not for what.
    let (Some(webhook), Some(start), Some(end)) = (webhook, start, end) else {
        return with_status(400, v3_error(400, "Invalid request: consumerGroupId, startDate or endDate"));
    };
    let of_webhook = |delivery: &&Delivery| delivery.web_hook_id == webhook.id && (start..=end).contains(&delivery.ingested_at);
    let standings: Vec<Standing> = world.deliveries.all().iter().filter(of_webhook).map(Standing::of).collect();
    let count = |standing: Standing| standings.iter().filter(|found| **found == standing).count();
    Json(v3_data(&json!({
        "totalEvents": standings.len(),
        "deliveredEvents": count(Standing::Delivered),
        "failedEvents": count(Standing::Failed),
        "retryingEvents": count(Standing::Retrying),
        "pendingEvents": count(Standing::Pending),
        "startDate": start,
        "endDate": end,
    })))
    .into_response()
}

/// What an event counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Delivered,
    /// For good.
    Failed,
    /// Tried at least once.
    Retrying,
    Pending,
}

impl Standing {
    fn of(delivery: &Delivery) -> Self {
        match delivery.state {
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Refused | DeliveryState::Lost => Self::Failed,
            DeliveryState::Waiting | DeliveryState::Sending if delivery.attempts.is_empty() => Self::Pending,
            DeliveryState::Waiting | DeliveryState::Sending => Self::Retrying,
        }
    }
}
