//! How the work on a message ended, and what follows.

use super::{Enricher, incoming::Opened};
use crate::{
    backoff,
    entity::FetchFailure,
    ledger::FAILED_STORED_TTL_S,
    logging::milliseconds,
    message::{DeadLetter, Encoded, Reason},
    metrics::Metric,
    ports::{Clock, DeadLetterQueue, FailedKept, Ledger, Parts, PortError},
};

/// A message that waited longer is dead-lettered instead of put back: the queue would drop it after 14 days without a word.
const TOO_OLD_MS: i64 = 12 * 24 * 60 * 60 * 1000;
/// So is one that came this often: the queue itself would move it after 1000 receives, without a reason.
const TOO_OFTEN: u32 = 990;

/// After so many receives also a wait of a known length grows: an entity that changes all the time could use the receives up.
const MAX_EXACT_WAITS: u32 = 20;

/// How the work on a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// The message may be deleted.
    Done(Fate),
    /// The message goes back for a while.
    Back { cause: String, wait: Wait },
    /// The event itself failed; this counts as an attempt.
    Failed { reason: Reason, cause: String },
    /// No attempt can help.
    Dead { reason: Reason, cause: String },
}

/// What became of an event or a message, in a word for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// On the bus, and marked so.
    Published,
    /// Marked so before.
    AlreadyPublished,
    /// Not to be published, and marked so.
    Ignored,
    /// It comes again.
    PutBack,
    /// It comes again, and failed by itself.
    Failed,
    /// In the dead-letter queue.
    DeadLettered,
}

impl Fate {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::AlreadyPublished => "already_published",
            Self::Ignored => "ignored",
            Self::PutBack => "put_back",
            Self::Failed => "failed",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// How long a message stays away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Longer each time, and at least so many seconds.
    Backoff { at_least_s: Option<u32> },
    /// So many seconds.
    Exactly(u32),
}

impl Ending {
    /// Back, with the usual wait.
    pub(super) fn back(cause: &str) -> Self {
        Self::Back { cause: cause.to_owned(), wait: Wait::Backoff { at_least_s: None } }
    }

    /// Back in a moment, to go on with what took too long for one invocation.
    pub(super) fn go_on(cause: &str) -> Self {
        Self::Back { cause: cause.to_owned(), wait: Wait::Exactly(1) }
    }

    /// A panic, whose message could hold anything.
    pub(super) fn panic() -> Self {
        Self::Failed { reason: Reason::Panic, cause: "panic".to_owned() }
    }

    /// The invocation's time is up.
    pub(super) fn out_of_time() -> Self {
        Self::back("out of time")
    }

    /// What the database calls invalid when an event is stored is the event's own row.
    pub(super) fn unstorable(error: PortError) -> Self {
        match error {
            PortError::Invalid { call, cause } => Self::Failed { reason: Reason::Unstorable, cause: format!("{call}: {cause}") },
            error => error.into(),
        }
    }
}

impl From<PortError> for Ending {
    fn from(error: PortError) -> Self {
        Self::back(&error.to_string())
    }
}

impl From<FetchFailure> for Ending {
    fn from(failure: FetchFailure) -> Self {
        Self::Back { cause: format!("capillary: {}", failure.cause), wait: Wait::Backoff { at_least_s: failure.retry_after_s } }
    }
}

impl<P: Parts> Enricher<P> {
    /// Draws the consequence of an ending and logs it; a delay in seconds for what must come again.
    pub(super) async fn settle(&self, message: &Opened, ending: Ending) -> Option<u32> {
        let ending = match ending {
            Ending::Back { cause, .. } if self.is_too_old(message) => {
                Ending::Dead { reason: Reason::TooOld, cause: format!("waited too long; last: {cause}") }
            }
            Ending::Failed { reason, cause } if self.attempts(message).await >= self.limits.max_attempts => {
                Ending::Dead { reason, cause }
            }
            other => other,
        };
        let again = Wait::Backoff { at_least_s: None };
        let (outcome, cause, wait) = match ending {
            Ending::Done(outcome) => (outcome, None, None),
            Ending::Back { cause, wait } => (Fate::PutBack, Some(cause), Some(wait)),
            Ending::Failed { cause, .. } => (Fate::Failed, Some(cause), Some(again)),
            Ending::Dead { reason, cause } => match self.bury(message, reason, &cause).await {
                Ok(()) => (Fate::DeadLettered, Some(format!("{}: {cause}", reason.as_str())), None),
                Err(error) => (Fate::PutBack, Some(error.to_string()), Some(again)),
            },
        };
        self.count(outcome);
        let identity = message.identity();
        tracing::info!(
            event_id = identity.key,
            event_name = identity.event_name,
            org_id = identity.org_id,
            request_id = identity.request_id,
            outcome = outcome.as_str(),
            cause,
            receive_count = message.incoming.receive_count,
            duration_ms = milliseconds(message.started.elapsed()),
            "enrichment"
        );
        wait.map(|wait| match wait {
            Wait::Exactly(seconds) if message.incoming.receive_count <= MAX_EXACT_WAITS => seconds,
            Wait::Exactly(seconds) => backoff::delay_s(message.incoming.receive_count, Some(seconds), &mut fastrand::Rng::new()),
            Wait::Backoff { at_least_s } => {
                backoff::delay_s(message.incoming.receive_count, at_least_s, &mut fastrand::Rng::new())
            }
        })
    }

    pub(super) fn count(&self, outcome: Fate) {
        self.metrics.count(Metric::Events { outcome: outcome.as_str() });
    }

    /// How often the event itself failed; where the ledger has no row to count on, how often the message came.
    async fn attempts(&self, message: &Opened) -> u32 {
        match self.ledger.count_attempt(&message.identity().key).await {
            Ok(Some(attempts)) => attempts,
            Ok(None) => message.incoming.receive_count,
            Err(_) => 0,
        }
    }

    /// Dead letter first, mark second: what the row says is so.
    async fn bury(&self, message: &Opened, reason: Reason, cause: &str) -> Result<(), PortError> {
        let identity = message.identity();
        let letter = DeadLetter {
            body: Encoded::of(&message.body),
            identity: Some(identity.clone()),
            received_at_ms: identity.received_at_ms,
            reason,
            detail: cause.to_owned(),
        };
        self.dead_letters.send(&letter).await?;
        let now_ms = self.clock.now_ms();
        let now_s = now_ms / 1000;
        let kept = FailedKept {
            now_ms,
            stored_until_s: now_s.saturating_add(FAILED_STORED_TTL_S),
            unstored_until_s: self.expires_at_s(now_s),
        };
        if let Err(error) = self.ledger.failed(&identity, reason, &kept).await {
            tracing::warn!(%error, event_id = identity.key, "dead-lettered, but not marked");
        }
        Ok(())
    }

    fn is_too_old(&self, message: &Opened) -> bool {
        message.waited_ms(self.clock.now_ms()) > TOO_OLD_MS || message.incoming.receive_count >= TOO_OFTEN
    }

    pub(super) fn expires_at_s(&self, now_s: i64) -> i64 {
        now_s.saturating_add(i64::try_from(self.limits.event_ttl.as_secs()).unwrap_or(i64::MAX))
    }
}
