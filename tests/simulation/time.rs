//! Virtual time: it stands still while anybody works and jumps when everybody waits.

use std::sync::Arc;

use capillary_events::ports::Clock;
use tokio::time::Instant;

use crate::doubles::ServiceClock;

/// When every story begins, in milliseconds since 1970.
pub(crate) const BEGINNING_MS: i64 = 1_800_000_000_000;
pub(crate) const SECOND_MS: i64 = 1_000;
pub(crate) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// The true time of a story.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(Instant);

impl Time {
    /// Begins now.
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Since the beginning, in milliseconds.
    pub(crate) fn passed_ms(self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).expect("a short story")
    }

    /// In milliseconds since 1970.
    pub(crate) fn now_ms(self) -> i64 {
        BEGINNING_MS + self.passed_ms()
    }

    /// For a service, whose clock is right.
    pub(crate) fn service_clock(self) -> ServiceClock {
        Arc::new(move || self.now_ms())
    }

    /// Waits until so many milliseconds after the beginning.
    pub(crate) async fn until_ms(self, passed_ms: i64) {
        pause_ms(passed_ms - self.passed_ms()).await;
    }
}

/// Waits.
pub(crate) async fn pause_ms(ms: i64) {
    tokio::time::sleep(std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default())).await;
}

/// A process's clock, which may be wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SkewedClock {
    pub(crate) time: Time,
    pub(crate) skew_ms: i64,
}

impl Clock for SkewedClock {
    fn now_ms(&self) -> i64 {
        self.time.now_ms() + self.skew_ms
    }
}
