//! The documented bodies, filled in. The files are samples of the public documentation with invented values; where a
//! body's frame is a guess, `answers/README.md` says so.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const FIRST_NAMES: [&str; 8] = ["Aiko", "Bruno", "Chiara", "Dmitri", "Elin", "Farid", "Grace", "Hiro"];
const LAST_NAMES: [&str; 7] = ["Almeida", "Berg", "Costa", "Dietrich", "Evans", "Fontaine", "Goto"];

/// The values of `embed` that are known here, and the member of the customer that each of them adds.
const EMBEDS: [(&str, &str); 4] = [
    ("points", "pointsSummary"),
    ("subscriptions", "subscriptionInfo"),
    ("mlp", "loyaltyProgramDetails"),
    ("promotionalPoints", "promotionalPoints"),
];

/// The bodies, parsed once.
pub(crate) struct Answers {
    customer: Value,
    transaction: Value,
    customer_not_found: Value,
    customer_deleted: Value,
    customer_merged: Value,
    transaction_not_found: Value,
    not_authorized: Value,
    authorization_unavailable: Value,
}

impl Answers {
    pub(crate) fn load() -> serde_json::Result<Self> {
        let mut customer = parse(include_str!("answers/v2_customers_id_get.json"))?;
        for embedded in [
            include_str!("answers/v2_customers_id_get__embed_points.json"),
            include_str!("answers/v2_customers_id_get__embed_subscriptions.json"),
            include_str!("answers/v2_customers_id_get__embed_loyaltyProgramDetails.json"),
            include_str!("answers/v2_customers_id_get__embed_promotionalPoints.json"),
        ] {
            merge(&mut customer, &parse(embedded)?);
        }
        Ok(Self {
            customer,
            transaction: parse(include_str!("answers/v2_transactions_id_get__REGULAR.json"))?,
            customer_not_found: parse(include_str!("answers/error__v2_customer_not_found.json"))?,
            customer_deleted: parse(include_str!("answers/error__v2_customer_pii_deleted.json"))?,
            customer_merged: parse(include_str!("answers/error__v2_customer_merged_warning.json"))?,
            transaction_not_found: parse(include_str!("answers/error__v2_transaction_not_found.json"))?,
            not_authorized: parse(include_str!("answers/error__403_not_authorized.json"))?,
            authorization_unavailable: parse(include_str!("answers/error__503_authorization_unavailable.json"))?,
        })
    }

    /// A customer nobody has told the sandbox about: the same at each request, another for each id. It holds all that
    /// can be embedded; [`only_embedded`] takes away what was not asked for.
    pub(crate) fn customer(&self, id: u64) -> Value {
        let (first_name, last_name) = (pick(&FIRST_NAMES, id), pick(&LAST_NAMES, id / 8));
        let email = format!("{}.{}.{id}@example.com", first_name.to_lowercase(), last_name.to_lowercase());
        let mobile = format!("9190{:08}", id % 100_000_000);
        let mut customer = self.customer.clone();
        set(&mut customer, "/id", json!(id));
        set(&mut customer, "/profiles/0/userId", json!(id));
        set(&mut customer, "/profiles/0/firstName", json!(first_name));
        set(&mut customer, "/profiles/0/lastName", json!(last_name));
        set(&mut customer, "/profiles/0/identifiers/1/value", json!(format!("CARD{id:012}")));
        set(&mut customer, "/profiles/0/identifiers/2/value", json!(email));
        set(&mut customer, "/profiles/0/commChannels/1/value", json!(email));
        set(&mut customer, "/profiles/0/identifiersAll/0/value", json!(mobile));
        set(&mut customer, "/profiles/0/identifiersAll/1/value", json!(email));
        set(&mut customer, "/cardDetails/0/customerId", json!(id));
        set(&mut customer, "/cardDetails/0/cardNumber", json!(format!("CARD{id:012}")));
        customer
    }

    /// A transaction nobody has told the sandbox about; it is of whichever type it is asked for under.
    pub(crate) fn transaction(&self, id: u64, transaction_type: &str) -> Value {
        let mut transaction = self.transaction.clone();
        set(&mut transaction, "/id", json!(id));
        set(&mut transaction, "/type", json!(transaction_type));
        set(&mut transaction, "/customerId", json!(100_000_000 + id % 900_000_000));
        set(&mut transaction, "/billDetails/billNumber", json!(format!("bill-{id}")));
        transaction
    }

    pub(crate) fn customer_not_found(&self) -> Value {
        self.customer_not_found.clone()
    }

    pub(crate) fn customer_deleted(&self) -> Value {
        self.customer_deleted.clone()
    }

    pub(crate) fn customer_merged(&self, id: u64) -> Value {
        let mut merged = self.customer_merged.clone();
        set(&mut merged, "/id", json!(id));
        merged
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
    json!({"warnings": [], "errors": [{"status": false, "code": code, "message": message}]})
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
pub(crate) fn as_survivor(mut survivor: Value) -> Value {
    let warning = json!({"code": 91009, "message": "Customer is merged; details of the survivor are returned"});
    set(&mut survivor, "/warnings", json!([warning]));
    survivor
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

/// JSON merge patch, RFC 7396.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

/// Gives a changed entity its time of change, in whole seconds as Capillary does, where the patch does not bring its own.
pub(crate) fn stamp(entity: &mut Value, patch: &Value) {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let Ok(now) = now.format(&Rfc3339) else { return };
    for (part, place) in [("profiles", "/profiles/0/autoUpdateTime"), ("autoUpdateTime", "/autoUpdateTime")] {
        if patch.get(part).is_none() && entity.pointer(place).is_some() {
            set(entity, place, json!(now));
        }
    }
}

fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

/// Puts a value where the sample has one. The places are those of the samples beside this file.
fn set(target: &mut Value, place: &str, value: Value) {
    if let Some(found) = target.pointer_mut(place) {
        *found = value;
    }
}

fn pick<'a>(names: &[&'a str], number: u64) -> &'a str {
    let count = names.len().max(1) as u64;
    usize::try_from(number % count).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}
