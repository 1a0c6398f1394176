//! When an event is sent again, and when it is given up. All durations are sandbox time.

use std::time::Duration;

/// Capillary publishes neither the first interval nor the factor nor a bound; these are this sandbox's choice.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const FACTOR: u32 = 2;
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// "At least 7 days", counted from the first attempt.
const SPAN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long an event has been sent in vain. Its clock runs while it is being sent, as any clock does, and while it waits for
/// the next attempt, as the sandbox's does; so the number of attempts does not depend on the machine.
#[derive(Clone)]
pub(crate) struct Backoff {
    age: Duration,
    next_wait: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { age: Duration::ZERO, next_wait: FIRST_WAIT }
    }
}

impl Backoff {
    /// Since the first attempt.
    pub(crate) fn age(&self) -> Duration {
        self.age
    }

    /// How long to wait after one more attempt in vain; none once the time is up.
    pub(crate) fn after_attempt(&mut self, took: Duration) -> Option<Duration> {
        self.age += took;
        if self.age >= SPAN {
            return None;
        }
        let wait = self.next_wait;
        self.age += wait;
        self.next_wait = (wait * FACTOR).min(LONGEST_WAIT);
        Some(wait)
    }
}
