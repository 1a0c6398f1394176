//! One entity at a time: customers, transactions, cards, groups.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Parameters;
use crate::answers::{as_survivor, complaint, only_embedded, v2_error, with_status};
use crate::entities::{EntityState, StandingName};
use crate::keys::Key;
use crate::state::Sandbox;
use crate::templates::USUAL_TYPE;

const SOURCES: [&str; 12] =
    ["INSTORE", "WECHAT", "WEB_ENGAGE", "FACEBOOK", "MARTJACK", "TMALL", "TAOBAO", "JD", "ECOMMERCE", "WEBSITE", "LINE", "ALL"];

pub(super) async fn customer(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>, parameters: Parameters) -> Response {
    let Ok(id) = id.parse::<u64>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match parameters.get("source").map(|source| source.to_uppercase()) {
        None => return with_status(400, v2_error(8016, "Source is missing")),
        Some(source) if !SOURCES.contains(&source.as_str()) => return with_status(400, v2_error(8012, "Invalid source")),
        Some(_) => {}
    }
    let embed = parameters.get("embed").map(String::as_str).unwrap_or_default();
    let answers = &sandbox.answers;
    let mut world = sandbox.world();
    let EntityState { body, standing } = world.seen(&sandbox, &Key::Customer(id));
    let refused_with = standing.refused_with();
    match standing.state {
        StandingName::Found => Json(only_embedded(body, embed)).into_response(),
        StandingName::Missing | StandingName::Pending => with_status(refused_with, answers.customer_not_found()),
        StandingName::Deleted => with_status(refused_with, answers.customer_deleted()),
        StandingName::Merged => with_status(refused_with, answers.customer_merged(id)),
        StandingName::Survivor => {
            let survivor = world.seen(&sandbox, &Key::Customer(standing.survivor.unwrap_or(id))).body;
            Json(as_survivor(&only_embedded(survivor, embed))).into_response()
        }
    }
}

pub(super) async fn transaction(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>, parameters: Parameters) -> Response {
    let Ok(id) = id.parse::<u64>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let asked_type = parameters.get("type").map_or(USUAL_TYPE, String::as_str);
    let seen = sandbox.world().seen_transaction(&sandbox, id, asked_type);
    let refused_with = seen.standing.refused_with();
    match seen.found().filter(|body| body.get("type").and_then(Value::as_str) == Some(asked_type)) {
        Some(body) => Json(body).into_response(),
        None => with_status(refused_with, sandbox.answers.transaction_not_found()),
    }
}

pub(super) async fn card(State(sandbox): State<Arc<Sandbox>>, parameters: Parameters) -> Response {
    let Some(number) = parameters.get("number").filter(|number| !number.is_empty()) else {
        return with_status(400, v2_error(400, "Card number is missing"));
    };
    let seen = sandbox.world().seen(&sandbox, &Key::Card(number.clone()));
    let refused_with = seen.standing.refused_with();
    match seen.found() {
        Some(body) => Json(body).into_response(),
        None => with_status(refused_with, v2_error(3010, "Card number does not exists")),
    }
}

pub(super) async fn group(State(sandbox): State<Arc<Sandbox>>, parameters: Parameters) -> Response {
    let Some(id) = parameters.get("id").and_then(|id| id.parse::<u64>().ok()) else {
        return with_status(400, v2_error(91052, "Invalid or missing search parameters"));
    };
    let mut world = sandbox.world();
    let seen = world.seen(&sandbox, &Key::Group(id));
    let refused_with = seen.standing.refused_with();
    match seen.found() {
        Some(body) => Json(world.forms.group(body, &sandbox.answers.group_object)).into_response(),
        None => {
            let error = complaint(1632, "Fleet group ID/externalID/primary userID passed is not valid");
            with_status(refused_with, world.forms.no_group(error))
        }
    }
}
