//! The documented bodies, filled in. The files are samples of the public documentation with invented values; where a
//! body's frame is a guess, `answers/README.md` says so.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::templates::{Templates, filled, parse};

/// The values of `embed` that are known here, and the member of the customer that each of them adds.
const EMBEDS: [(&str, &str); 4] = [
    ("points", "pointsSummary"),
    ("subscriptions", "subscriptionInfo"),
    ("mlp", "loyaltyProgramDetails"),
    ("promotionalPoints", "promotionalPoints"),
];

/// The bodies, parsed once.
pub(crate) struct Answers {
    pub(crate) templates: Templates,
    /// The other form of a group.
    pub(crate) group_object: Value,
    customer_not_found: Value,
    customer_deleted: Value,
    customer_merged: Value,
    transaction_not_found: Value,
    not_authorized: Value,
    authorization_unavailable: Value,
}

impl Answers {
    pub(crate) fn load() -> serde_json::Result<Self> {
        Ok(Self {
            templates: Templates::load()?,
            group_object: parse(include_str!("answers/v2_userGroup2_get__object.json"))?,
            customer_not_found: parse(include_str!("answers/error__v2_customer_not_found.json"))?,
            customer_deleted: parse(include_str!("answers/error__v2_customer_pii_deleted.json"))?,
            customer_merged: parse(include_str!("answers/error__v2_customer_merged_warning.json"))?,
            transaction_not_found: parse(include_str!("answers/error__v2_transaction_not_found.json"))?,
            not_authorized: parse(include_str!("answers/error__403_not_authorized.json"))?,
            authorization_unavailable: parse(include_str!("answers/error__503_authorization_unavailable.json"))?,
        })
    }

    pub(crate) fn customer_not_found(&self) -> Value {
        self.customer_not_found.clone()
    }

    pub(crate) fn customer_deleted(&self) -> Value {
        self.customer_deleted.clone()
    }

    pub(crate) fn customer_merged(&self, id: u64) -> Value {
        filled(&self.customer_merged, [("/id", json!(id))])
    }

    pub(crate) fn transaction_not_found(&self) -> Value {
        self.transaction_not_found.clone()
    }

    /// A refusal by HTTP status, in the frame of the API that the path belongs to.
    pub(crate) fn refusal(&self, path: &str, status: u16) -> Response {
        let body = match status {
            _ if path.starts_with("/v3/") => v3_error(status.into(), refusal_message(status)),
            403 => self.not_authorized.clone(),
            503 => self.authorization_unavailable.clone(),
            _ => v2_error(status.into(), refusal_message(status)),
        };
        with_status(status, body)
    }
}

/// A body with a status; a status that is none becomes 500.
pub(crate) fn with_status(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// An error in the frame of the v2 APIs.
pub(crate) fn v2_error(code: u32, message: &str) -> Value {
    json!({"warnings": [], "errors": [complaint(code, message)]})
}

/// One error within a frame of the v2 APIs.
pub(crate) fn complaint(code: u32, message: &str) -> Value {
    json!({"status": false, "code": code, "message": message})
}

/// An answer in the frame of the v3 APIs.
pub(crate) fn v3_data(data: &Value) -> Value {
    json!({"data": data, "errors": null, "warnings": null})
}

/// An error in the frame of the v3 APIs.
pub(crate) fn v3_error(code: u32, message: &str) -> Value {
    json!({"data": null, "errors": [{"code": code, "message": message}], "warnings": null})
}

fn refusal_message(status: u16) -> &'static str {
    match status {
        401 => "Authentication failed",
        404 => "Resource not found",
        415 => "Unsupported media type",
        429 => "Too many requests",
        521 => "Another action on the same customer is in progress, please retry",
        _ => "Internal server error",
    }
}

/// The survivor of a merge, as it is answered to whoever asked for the victim: under its own id, with a warning.
pub(crate) fn as_survivor(survivor: &Value) -> Value {
    let warning = json!({"code": 91009, "message": "Customer is merged; details of the survivor are returned"});
    filled(survivor, [("/warnings", json!([warning]))])
}

/// Takes away each embeddable part that `embed` (comma-separated) does not name.
pub(crate) fn only_embedded(mut customer: Value, embed: &str) -> Value {
    if let Some(members) = customer.as_object_mut() {
        for (name, member) in EMBEDS {
            if !embed.split(',').any(|asked| asked.trim().eq_ignore_ascii_case(name)) {
                members.remove(member);
            }
        }
    }
    customer
}
