//! What Capillary's event log says of a delivery (facts 5.1).

use capillary_events::moment::instant_ms;
use http::Method;
use serde::Serialize;
use serde_json::Value;

use crate::{capillary::Capillary, output::Failure};

/// A row of the log: one event to one webhook.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogRow {
    pub(super) event_id: Option<String>,
    pub(super) event_name: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) ref_id: Option<String>,
    pub(super) consumer_group_id: Option<String>,
    /// When Capillary had the event, in milliseconds since 1970.
    pub(super) ingested_at: Option<i64>,
    /// When its delivery began, in milliseconds since 1970.
    pub(super) started_at: Option<i64>,
    /// When its delivery ended; none until then.
    pub(super) ended_at: Option<i64>,
    /// What the webhook answered.
    pub(super) http_status: Option<i64>,
    /// How long the answer took.
    pub(super) took_ms: Option<i64>,
}

/// By what the log is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Event,
    Request,
    Reference,
}

/// The rows that the log has under an id; it answers with one or with a list, by the kind of id and by the age of the documentation.
pub(super) async fn rows(capillary: &Capillary, org_id: Option<i64>, key: Key, id: &str) -> Result<Vec<LogRow>, Failure> {
    let path: &[&str] = match key {
        Key::Event => &["v3", "webHooks", "eventLog", id],
        Key::Request => &["v3", "webHooks", "eventLog", "requestId", id],
        Key::Reference => &["v3", "webHooks", "eventLog", "refId", id],
    };
    let answered = capillary.call(org_id, Method::GET, path, &[], None).await?;
    // What an id that is not there is answered with is not documented: none of these says more than that.
    if matches!(answered.status.as_u16(), 200 | 400 | 404 | 405 | 410) && answered.body.get("data").is_none_or(Value::is_null) {
        return Ok(Vec::new());
    }
    Ok(match answered.data("Capillary's event log")? {
        Value::Array(rows) => rows.iter().map(row).collect(),
        Value::Object(one) => vec![row(&Value::Object(one))],
        _ => Vec::new(),
    })
}

fn row(value: &Value) -> LogRow {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned).filter(|text| !text.is_empty());
    let time = |name: &str| text(name).and_then(|text| instant_ms(&text));
    // Whole numbers come as 200.0.
    let response = |name: &str| value.get("consumerResponse")?.get(name)?.to_string().split('.').next()?.parse().ok();
    LogRow {
        event_id: text("eventId"),
        event_name: text("eventName"),
        request_id: text("requestId"),
        ref_id: text("refId"),
        consumer_group_id: text("consumerGroupId"),
        ingested_at: time("eventIngestionTimestamp"),
        started_at: time("eventStartTimestamp"),
        ended_at: time("eventEndTimestamp"),
        http_status: response("webhookHttpStatus"),
        took_ms: response("time_taken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_read_as_capillary_writes_it() {
        let read = row(&json!({
            "refId": "25656_13707979", "requestId": "0921e14d", "eventName": "transactionAdded", "eventId": "3912184d",
            "consumerGroupId": "d9dfa545", "eventIngestionTimestamp": "2020-09-13T10:53:13.240+0530",
            "eventStartTimestamp": "2020-09-13T10:53:13.262+0530", "eventEndTimestamp": "2020-09-13T10:53:13.312+0530",
            "slaBreachTimestamp": null, "consumerResponse": {"webhookHttpStatus": 200.0, "time_taken": 3370.0}}));
        assert_eq!((read.ingested_at, read.ended_at), (Some(1_599_974_593_240), Some(1_599_974_593_312)));
        assert_eq!((read.http_status, read.took_ms), (Some(200), Some(3370)));
        let pending = row(&json!({"eventEndTimestamp": null, "consumerResponse": null}));
        assert_eq!((pending.ended_at, pending.http_status, pending.event_id), (None, None, None));
    }
}
