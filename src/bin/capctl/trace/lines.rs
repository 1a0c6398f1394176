//! What both functions have logged about an event.

use aws_sdk_cloudwatchlogs::Client;
use serde::Serialize;
use serde_json::Value;

use crate::{aws, output::Failure};

/// Pages of answers that are read: a log group of months would take minutes.
const MAX_PAGES: usize = 50;

/// One line.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    /// In milliseconds since 1970.
    pub(super) at: i64,
    pub(super) function: &'static str,
    pub(super) outcome: Option<String>,
    /// Why.
    pub(super) cause: Option<String>,
    /// What the sender was told.
    pub(super) http_status: Option<u64>,
    /// How often the queue has handed the event out.
    pub(super) receive_count: Option<u64>,
}

/// The lines about an event since a time, the oldest first, and whether these are all.
pub(super) async fn lines(
    client: &Client,
    log_groups: &[(&'static str, &str)],
    event_id: &str,
    since_ms: i64,
) -> Result<(Vec<Line>, bool), Failure> {
    let (mut found, mut is_whole) = (Vec::new(), true);
    for (function, log_group) in log_groups {
        let mut pages = client
            .filter_log_events()
            .log_group_name(*log_group)
            .filter_pattern(format!("{{ $.event_id = \"{}\" }}", event_id.replace(['"', '\\'], "*")))
            .start_time(since_ms)
            .into_paginator()
            .send();
        let mut pages_read = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws::failure("CloudWatchLogs.FilterLogEvents", &error))?;
            let lines = page.events().iter().filter_map(|event| line(function, event.timestamp?, event.message.as_deref()?));
            found.extend(lines.filter(|(id, _)| id == event_id).map(|(_, line)| line));
            pages_read += 1;
            if pages_read >= MAX_PAGES {
                is_whole = false;
                break;
            }
        }
    }
    found.sort_by_key(|line| line.at);
    Ok((found, is_whole))
}

/// A line of ours, and whose it is.
fn line(function: &'static str, at: i64, text: &str) -> Option<(String, Line)> {
    let told: Value = serde_json::from_str(text.trim()).ok()?;
    let word = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| told.get(name).and_then(Value::as_u64);
    let line = Line {
        at,
        function,
        outcome: word("outcome"),
        cause: word("cause"),
        http_status: number("status"),
        receive_count: number("receive_count"),
    };
    Some((word("event_id")?, line))
}
