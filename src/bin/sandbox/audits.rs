//! The audit API: what was changed through the sandbox, by whom, and with which request.
//!
//! A change has one row for each kind of field, all with its request id. Custom and extended fields are always audited,
//! while at Capillary that has to be switched on for each of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::answers::{v2_error, with_status};
use crate::api::Parameters;
use crate::difference::{Difference, Kind, identifiers};
use crate::events::Occasion;
use crate::state::Sandbox;

/// What a value is told as where there is none.
const NO_VALUE: &str = "NA";
const DEFAULT_LIMIT: usize = 10;

/// One row of the answer, and which customer it is about.
pub(crate) struct Row {
    customer: u64,
    body: Value,
}

impl Row {
    /// Fields that were changed.
    pub(crate) fn of_differences(org: u64, customer: u64, occasion: &Occasion, differences: &[Difference]) -> Vec<Self> {
        let of_kind = |kind| differences.iter().filter(move |difference| difference.kind == kind);
        let row = |kind| {
            let events: Vec<Value> = of_kind(kind).map(event).collect();
            let source = of_kind(kind).next().map(|difference| difference.source.as_str());
            (!events.is_empty()).then(|| Self::new(org, customer, occasion, source, &events))
        };
        Kind::ALL.into_iter().filter_map(row).collect()
    }

    /// A customer whose personal data were deleted. The sample's labels are numbers of the org's own.
    pub(crate) fn of_deletion(org: u64, customer: u64, occasion: &Occasion) -> Self {
        let labels =
            json!({"previousLabelId": "54", "previousValue": "ACTIVE", "currentValue": "DELETED", "currentLabelId": "55"});
        let event = audit_event("Customer Status", "CustomerStatus", &labels);
        Self::new(org, customer, occasion, None, &[event])
    }

    /// A survivor, with the identifiers that she took over.
    pub(crate) fn of_merge(org: u64, customer: u64, occasion: &Occasion, people: [&Value; 2], taken: &[Difference]) -> Self {
        let event = |taken: &Difference| {
            // Here, and only here, the sample has null for no value.
            let values = json!({"previousValue": taken.previous, "currentValue": taken.current});
            audit_event("Identifiers", &taken.field, &values)
        };
        let events: Vec<Value> = taken.iter().map(event).collect();
        let mut row = Self::new(org, customer, occasion, Some("instore"), &events);
        let [victim, survivor] = people.map(user_details);
        if let Some(members) = row.body.as_object_mut() {
            members.insert("victimUserDetails".to_owned(), victim);
            members.insert("survivorUserDetails".to_owned(), survivor);
        }
        row
    }

    fn new(org: u64, customer: u64, occasion: &Occasion, source: Option<&str>, events: &[Value]) -> Self {
        let body = json!({
            "updatedByUser": null,
            "updatedBy": 60_143_414,
            "orgId": org,
            "entityType": "CUSTOMER",
            "entityId": customer,
            "createdOn": occasion.at,
            "requestId": occasion.request_id,
            "till": null,
            "store": null,
            "userContextDetails": null,
            "victimUserDetails": null,
            "survivorUserDetails": null,
            "source": source,
            "updatedByMode": "API",
            "autoUpdateTime": occasion.at,
            "events": events,
        });
        Self { customer, body }
    }
}

fn event(difference: &Difference) -> Value {
    let (event_type, field) = match difference.kind {
        Kind::StandardField => ("Standard Fields", capitalised(&difference.field)),
        Kind::Identifier => ("Identifiers", difference.field.clone()),
        Kind::CustomField => ("Custom Fields", difference.field.clone()),
        Kind::ExtendedField => ("Extended Fields", difference.field.clone()),
    };
    let value = |text: &Option<String>| text.clone().unwrap_or_else(|| NO_VALUE.to_owned());
    let values = json!({"previousValue": value(&difference.previous), "currentValue": value(&difference.current)});
    audit_event(event_type, &field, &values)
}

fn audit_event(event_type: &str, field: &str, values: &Value) -> Value {
    json!({"eventType": event_type, "updatedField": field, "additionalFields": values, "associateEntities": null})
}

/// `lastName` is audited as `LastName`.
fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn user_details(customer: &Value) -> Value {
    let profile = customer.pointer("/profiles/0").unwrap_or(&Value::Null);
    let identifier = |name| identifiers(profile).find(|(found, _)| *found == name).map(|(_, value)| value);
    json!({
        "firstName": profile.get("firstName"),
        "lastName": profile.get("lastName"),
        "email": identifier("email"),
        "mobile": identifier("mobile"),
        "externalId": identifier("externalId"),
    })
}

/// Which rows are asked for. The other documented parameters (dates, reference, user context) change nothing here.
struct Asked {
    /// None for a kind of entity that the sandbox changes nothing of.
    customer: Option<u64>,
    limit: usize,
    page: usize,
    is_oldest_first: bool,
}

impl Asked {
    /// None where something is missing or no value of its parameter.
    fn from(parameters: &Parameters) -> Option<Self> {
        let parameter = |name: &str| parameters.get(name).map(String::as_str);
        let id: u64 = parameter("entityId")?.parse().ok()?;
        let customer = match parameter("entityType")? {
            "CUSTOMER" => Some(id),
            "CARD" => None,
            _ => return None,
        };
        let number = |name, default| parameter(name).map_or(Some(default), |text| text.parse().ok());
        let is_oldest_first = match parameter("sortOrder") {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("DESC") => false,
            Some(order) if order.eq_ignore_ascii_case("ASC") => true,
            Some(_) => return None,
        };
        let limit = number("limit", DEFAULT_LIMIT).filter(|limit| *limit > 0)?;
        Some(Self { customer, limit, page: number("pageNo", 0)?, is_oldest_first })
    }
}

pub(crate) async fn audits(State(sandbox): State<Arc<Sandbox>>, parameters: Parameters) -> Response {
    // Neither the status nor the code of a bad request is documented for this API.
    let Some(asked) = Asked::from(&parameters) else {
        return with_status(400, v2_error(400, "Invalid request: entityType and entityId are required"));
    };
    let world = sandbox.world();
    let mut found: Vec<&Value> =
        world.audits.iter().filter(|row| Some(row.customer) == asked.customer).map(|row| &row.body).collect();
    if !asked.is_oldest_first {
        found.reverse();
    }
    let total = found.len();
    let page: Vec<&Value> = found.into_iter().skip(asked.page.saturating_mul(asked.limit)).take(asked.limit).collect();
    let pagination = json!({
        "totalElements": total,
        "totalPages": total.div_ceil(asked.limit),
        "numberOfElements": page.len(),
        "number": asked.page,
    });
    Json(json!({"data": page, "pagination": pagination})).into_response()
}
