//! What the functions count for CloudWatch: lines of JSON on standard output, and no calls.
//!
//! Use cases and the Capillary client share one [`Metrics`], which collects while an invocation runs. At its end, or shortly before
//! Lambda would end it, what was collected is written in the embedded metric format: one line, unless a metric met several words.
//! These lines don't go through `tracing`, whose formatter would nest them, and bear only words and numbers of this crate.

mod embedded;

use std::{
    collections::BTreeMap,
    io::Write,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{clock::SystemClock, ports::Clock};

/// What was collected so far is written when no more than this is left of an invocation: whoever is killed writes nothing.
const LAST_WORDS_BEFORE_END: Duration = Duration::from_millis(500);

/// What is counted or measured. The words are the dimension's values: never an id, a name or anything else from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Deliveries, by what the sender is told.
    Deliveries {
        /// One of [`crate::disposition::Disposition::outcome`].
        answer: &'static str,
    },
    /// Deliveries of an event that was handed over before.
    Duplicates,
    /// Events whose id is another event's.
    IdCollisions,
    /// Deliveries of an event that another delivery is at work on.
    LeaseConflicts,
    /// Deliveries without the configured headers, whatever they are answered.
    AuthFailures,
    /// Events worked on, by how that ended.
    Events {
        /// One of the outcomes in the log.
        outcome: &'static str,
    },
    /// Published events, by how complete they are.
    Enrichments {
        /// As in the output.
        status: &'static str,
    },
    /// Calls for entities and audits, by what the answer means.
    ApiCalls {
        /// One of [`crate::capillary::answer::Answer::word`].
        answer: &'static str,
    },
    /// Credentials or tokens that Capillary does not take, and token calls that fail.
    TokenFailures,
    /// From the event's `createdAt` until it is published.
    PublishLatency,
    /// From the queue until an enricher has it.
    ProcessingAge,
}

/// How CloudWatch shall understand a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How many; summed up within an invocation.
    Count,
    /// How long; each value is kept.
    Milliseconds,
}

/// A row of the table of metrics.
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// Beside the function: the dimension's name and the value of it here.
    pub(crate) dimension: Option<(&'static str, &'static str)>,
}

impl Metric {
    /// Names, units and dimensions, in one place; the README has the same table.
    pub(crate) const fn definition(self) -> Definition {
        use Unit::{Count, Milliseconds};
        let (name, unit, dimension) = match self {
            Self::Deliveries { answer } => ("Deliveries", Count, Some(("Answer", answer))),
            Self::Duplicates => ("Duplicates", Count, None),
            Self::IdCollisions => ("IdCollisions", Count, None),
            Self::LeaseConflicts => ("LeaseConflicts", Count, None),
            Self::AuthFailures => ("AuthFailures", Count, None),
            Self::Events { outcome } => ("Events", Count, Some(("Outcome", outcome))),
            Self::Enrichments { status } => ("Enrichments", Count, Some(("Status", status))),
            Self::ApiCalls { answer } => ("ApiCalls", Count, Some(("Answer", answer))),
            Self::TokenFailures => ("TokenFailures", Count, None),
            Self::PublishLatency => ("PublishLatency", Milliseconds, None),
            Self::ProcessingAge => ("ProcessingAge", Milliseconds, None),
        };
        Definition { name, unit, dimension }
    }
}

impl Unit {
    /// CloudWatch's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// Collects what happens in an invocation; clones collect into the same.
#[derive(Clone)]
pub struct Metrics(Arc<Recorder>);

struct Recorder {
    function: String,
    collected: Mutex<Collected>,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

/// The values of each metric: one sum, or every time that was measured.
type Collected = BTreeMap<Metric, Vec<u64>>;

impl Metrics {
    /// Writes to standard output, as the function of this name.
    pub fn on_stdout(function: String) -> Self {
        Self::new(function, |lines| {
            // In one piece, as the log's lines are. Nobody is left to be told that it failed.
            let _ = std::io::stdout().lock().write_all(lines.as_bytes());
        })
    }

    fn new(function: String, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Recorder { function, collected: Mutex::default(), write: Box::new(write) }))
    }

    /// It happened once more.
    pub fn count(&self, metric: Metric) {
        let mut collected = self.collected();
        let values = collected.entry(metric).or_default();
        match values.first_mut() {
            Some(sum) => *sum = sum.saturating_add(1),
            None => values.push(1),
        }
    }

    /// It took from then until now, both in milliseconds since 1970; clocks that disagree make that zero.
    pub fn measure(&self, metric: Metric, since_ms: i64, now_ms: i64) {
        let took_ms = u64::try_from(now_ms.saturating_sub(since_ms)).unwrap_or_default();
        self.collected().entry(metric).or_default().push(took_ms);
    }

    /// Does the work of an invocation, and writes what was collected: at the end, also that of a panic, and once before when the
    /// time is nearly up.
    pub async fn written_after<T>(&self, time_left: Duration, work: impl Future<Output = T>) -> T {
        let _at_the_end = WrittenWhenDropped(self);
        let mut work = pin!(work);
        if let Ok(done) = tokio::time::timeout(time_left.saturating_sub(LAST_WORDS_BEFORE_END), &mut work).await {
            return done;
        }
        self.write();
        work.await
    }

    fn write(&self) {
        let lines = self.take_lines(SystemClock.now_ms());
        if !lines.is_empty() {
            (self.0.write)(&lines);
        }
    }

    /// The lines of what was collected since they were last taken; empty if that is nothing.
    pub(crate) fn take_lines(&self, now_ms: i64) -> String {
        let collected = std::mem::take(&mut *self.collected());
        embedded::lines(&self.0.function, &collected, now_ms)
    }

    fn collected(&self) -> MutexGuard<'_, Collected> {
        self.0.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct WrittenWhenDropped<'a>(&'a Metrics);

impl Drop for WrittenWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.write();
    }
}

#[cfg(test)]
pub(crate) mod tests;
