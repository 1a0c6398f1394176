//! Pages of the audit log (facts 4.7): who changed which field of a customer, by the API call that did it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{LATER, UNAUTHORIZED, retry_after_s};
use crate::{
    entity::{FetchFailure, Kind, Scope, Status},
    told::{FieldKind, Origin, Told, value_told},
};

/// Rows asked for at once.
pub(super) const ROWS_A_PAGE: u32 = 50;
/// Pages read at most: the rows of a call stand near the top, since the newest come first.
pub(super) const MAX_PAGES: u32 = 5;
/// Rows that are older than the event by so much are none of its call's, in milliseconds (10 min).
const OLDER_BY_MS: i64 = 10 * 60 * 1000;

/// How long a log that is closed is left alone, in milliseconds (10 min).
const CLOSED_FOR_MS: i64 = 10 * 60 * 1000;

/// `entityType` of rows about a card; all others are about a customer.
const CARD: &str = "CARD";

/// One page. It does not print, as the rows in it do not: they hold somebody's data.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Page {
    data: Vec<Value>,
    pagination: Pagination,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Pagination {
    total_pages: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Row {
    request_id: Option<String>,
    created_on: Option<i64>,
    entity_type: Option<String>,
    source: Option<String>,
    events: Vec<AuditEvent>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AuditEvent {
    event_type: Option<String>,
    updated_field: Option<String>,
    additional_fields: Option<Fields>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    previous_value: Option<Value>,
    current_value: Option<Value>,
    /// Of a subscription; the one member that is spelled so.
    #[serde(rename = "communication_channel_type")]
    channel: Option<String>,
}

/// What an answer to a call for a page means.
pub enum Answer {
    /// The page.
    Page(Page),
    /// There is nothing about this entity.
    Nothing,
    /// There is no audit log for these credentials, or none at all.
    Closed,
    /// The token is not good (any more).
    Unauthorized,
    /// It may be different later.
    Later(FetchFailure),
}

impl Answer {
    /// The word for it in metrics, those of answers about entities.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Page(_) => Status::Found.as_str(),
            Self::Nothing => Status::NotFound.as_str(),
            Self::Closed => Status::Forbidden.as_str(),
            Self::Unauthorized => UNAUTHORIZED,
            Self::Later(_) => LATER,
        }
    }
}

/// Judges an answer. No trouble here says anything of the API as a whole: it is a service of its own behind the same host.
pub fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Answer {
    let later = |cause: String| {
        Answer::Later(FetchFailure { scope: Scope::Entity, retry_after_s: retry_after_s(headers, now_ms), cause })
    };
    match status.as_u16() {
        401 => Answer::Unauthorized,
        code @ (408 | 425 | 429 | 461 | 500..) => later(format!("audits: {code}")),
        200..=299 => match serde_json::from_slice::<Page>(body) {
            Ok(page) => Answer::Page(page),
            Err(_) if body.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<Value>(body).is_ok() => {
                Answer::Nothing
            }
            Err(_) => later("audits: unreadable answer".to_owned()),
        },
        403 | 404 => Answer::Closed,
        _ => Answer::Nothing,
    }
}

/// Which orgs have no audit log that the credentials reach: it is not asked for again with every event.
#[derive(Default)]
pub(super) struct Closed(Mutex<HashMap<Option<i64>, i64>>);

impl Closed {
    /// Whether an org's log was found closed a short while ago.
    pub(super) fn knows(&self, org_id: Option<i64>, now_ms: i64) -> bool {
        self.orgs().get(&org_id).is_some_and(|until_ms| now_ms < *until_ms)
    }

    /// An org's log is closed; the access may be granted any time.
    pub(super) fn learn(&self, org_id: Option<i64>, now_ms: i64) {
        self.orgs().insert(org_id, now_ms.saturating_add(CLOSED_FOR_MS));
    }

    fn orgs(&self) -> MutexGuard<'_, HashMap<Option<i64>, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// What the rows of an API call tell.
    pub fn told(&self, request_id: &str) -> Vec<Told> {
        let rows = self.rows().filter(|row| row.request_id.as_deref() == Some(request_id));
        let told = rows.flat_map(|row| row.events.iter().filter_map(|event| told(&row, event)).collect::<Vec<_>>());
        told.filter(Told::is_change).collect()
    }

    /// Rows of the documented form; an odd one takes no other along.
    fn rows(&self) -> impl Iterator<Item = Row> {
        self.data.iter().filter_map(|row| Row::deserialize(row).ok())
    }

    /// Whether further pages can hold rows of an event of this time (milliseconds since 1970).
    pub fn is_last(&self, page_number: u32, at_ms: i64) -> bool {
        let oldest = self.rows().filter_map(|row| row.created_on).min();
        page_number + 1 >= self.pagination.total_pages
            || self.data.is_empty()
            || oldest.is_some_and(|created_on| created_on < at_ms.saturating_sub(OLDER_BY_MS))
    }
}

fn told(row: &Row, event: &AuditEvent) -> Option<Told> {
    let kind = FieldKind::of(event.event_type.as_deref().unwrap_or_default());
    let fields = event.additional_fields.as_ref()?;
    Some(Told {
        about: if row.entity_type.as_deref() == Some(CARD) { Kind::Card } else { Kind::Customer },
        field: match kind {
            FieldKind::Status => "status".to_owned(),
            FieldKind::Subscription => fields.channel.clone()?,
            _ => event.updated_field.clone()?,
        },
        kind,
        source: row.source.clone(),
        account_id: None,
        element: Vec::new(),
        previous: value_told(fields.previous_value.clone()),
        current: value_told(fields.current_value.clone()),
        origin: Origin::Audit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"{"data": [
        {"requestId": "r1", "createdOn": 1693164549791, "source": "INSTORE", "entityId": 1, "events": [
            {"eventType": "Standard Fields", "updatedField": "LastName", "additionalFields": {"previousValue": "V", "currentValue": "W"}},
            {"eventType": "Identifiers", "updatedField": "mobile", "additionalFields": {"previousValue": "NA", "currentValue": "911"}}]},
        {"requestId": "r2", "createdOn": 1693164549000, "events": [{"eventType": "Card Status", "additionalFields": null}, {"eventType":
            "Customer Status", "updatedField": "CustomerStatus", "additionalFields": {"previousValue": "ACTIVE", "currentValue": "ACTIVE"}}]},
        {"requestId": "r1", "events": null}, 7],
        "pagination": {"totalElements": 12, "totalPages": 2, "numberOfElements": 10, "number": 0}}"#;

    fn of(status: u16, body: &str) -> Answer {
        judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), 0)
    }

    #[test]
    fn the_rows_of_one_call_are_what_counts() {
        let Answer::Page(page) = of(200, PAGE) else { panic!("no page") };
        let told = page.told("r1");
        assert_eq!(told.iter().map(|told| told.field.as_str()).collect::<Vec<_>>(), ["LastName", "mobile"]);
        assert_eq!((&told[1].previous, told[1].origin, told[1].source.as_deref()), (&None, Origin::Audit, Some("INSTORE")));
        assert!(page.told("r2").is_empty() && page.told("r3").is_empty());
    }

    #[test]
    fn a_row_says_what_it_is_about() {
        let row = r#"{"data": [{"requestId": "r", "entityType": "CARD", "events": [{"eventType": "Card Status", "updatedField": "CardStatus",
            "additionalFields": {"previousLabelId": "26", "previousValue": "NOT_ISSUED", "currentValue": "ACTIVE", "currentLabelId": "15"}}]}]}"#;
        for (row, kind) in [(row.to_owned(), Kind::Card), (row.replace("CARD", "CUSTOMER"), Kind::Customer)] {
            let Answer::Page(page) = of(200, &row) else { panic!("no page") };
            let told = page.told("r").remove(0);
            assert_eq!((told.about, told.kind, told.field.as_str()), (kind, FieldKind::Status, "status"));
        }
    }

    #[test]
    fn pages_are_turned_until_the_rows_are_older_than_the_event() {
        let Answer::Page(page) = of(200, PAGE) else { panic!("no page") };
        assert!(!page.is_last(0, 1_693_164_549_791));
        assert!(page.is_last(1, 1_693_164_549_791));
        assert!(page.is_last(0, 1_693_164_549_000 + OLDER_BY_MS + 1));
        assert!(Page::default().is_last(0, 0));
    }

    #[test]
    fn only_trouble_that_passes_is_worth_another_attempt() {
        for (status, body) in [(429, ""), (500, "{}"), (503, "<html>"), (200, "<html>"), (200, "{\"data\":[")] {
            assert!(matches!(of(status, body), Answer::Later(failure) if failure.scope == Scope::Entity), "{status} {body}");
        }
        for (status, body) in [(400, "{}"), (200, r#"{"data":7}"#)] {
            assert!(matches!(of(status, body), Answer::Nothing), "{status} {body}");
        }
        for (status, body) in [(403, "{}"), (404, "")] {
            assert!(matches!(of(status, body), Answer::Closed), "{status} {body}");
        }
        assert!(matches!(of(401, ""), Answer::Unauthorized));
        assert!(matches!(of(200, r#"{"errors":[{"code":1}]}"#), Answer::Page(page) if page.told("r").is_empty()));
    }

    #[test]
    fn a_closed_log_is_left_alone_for_a_while_and_only_that_orgs() {
        let closed = Closed::default();
        closed.learn(Some(1), 0);
        assert!(closed.knows(Some(1), CLOSED_FOR_MS - 1) && !closed.knows(Some(1), CLOSED_FOR_MS));
        assert!(!closed.knows(Some(2), 0) && !closed.knows(None, 0));
    }
}
