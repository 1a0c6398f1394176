//! The log: one JSON object a line on standard output, of this crate's own words only.
//!
//! What the libraries below would log is left out at every level: at TRACE they write requests and answers, with headers and
//! bodies. A panic's message may hold a piece of a body too, so a panic leaves its place and nothing else.

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Sets up log and panic hook for a binary; the level is `AWS_LAMBDA_LOG_LEVEL` (set by Lambda), else `RUST_LOG`, else INFO.
pub fn start() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .iter()
        .find_map(|name| level(&std::env::var(name).ok()?))
        .unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    tracing_subscriber::registry().with(lines).with(Targets::new().with_target(env!("CARGO_CRATE_NAME"), level)).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
}

/// A level by its name; Lambda's FATAL is no level of `tracing`.
fn level(name: &str) -> Option<LevelFilter> {
    match name.trim() {
        fatal if fatal.eq_ignore_ascii_case("fatal") => Some(LevelFilter::ERROR),
        name => name.parse().ok(),
    }
}

/// Whole milliseconds.
pub fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
