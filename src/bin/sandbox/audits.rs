//! The audit API: what was changed through the sandbox, by whom, and with which request.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::answers::{v2_error, with_status};
use crate::api::Parameters;
use crate::audit_rows::Subject;
use crate::state::Sandbox;

const DEFAULT_LIMIT: usize = 10;

/// Which rows are asked for. The other documented parameters (dates, reference, user context) change nothing here.
struct Asked {
    subject: Subject,
    limit: usize,
    page: usize,
    is_oldest_first: bool,
}

impl Asked {
    /// None where something is missing or no value of its parameter.
    fn from(parameters: &Parameters) -> Option<Self> {
        let parameter = |name: &str| parameters.get(name).map(String::as_str);
        let id: u64 = parameter("entityId")?.parse().ok()?;
        let subject = match parameter("entityType")? {
            "CUSTOMER" => Subject::Customer(id),
            "CARD" => Subject::Card(id),
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
        Some(Self { subject, limit, page: number("pageNo", 0)?, is_oldest_first })
    }
}

pub(crate) async fn audits(State(sandbox): State<Arc<Sandbox>>, parameters: Parameters) -> Response {
    // Neither the status nor the code of a bad request is documented for this API.
    let Some(asked) = Asked::from(&parameters) else {
        return with_status(400, v2_error(400, "Invalid request: entityType and entityId are required"));
    };
    let world = sandbox.world();
    let mut found: Vec<&Value> = world.audits.iter().filter(|row| row.subject == asked.subject).map(|row| &row.body).collect();
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
