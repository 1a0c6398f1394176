//! What the sender is told. The only place that knows a status code.
//!
//! The one rule: an authenticated delivery gets a final answer (200 or 400) only once its bytes are safe in the events queue or
//! the dead-letter queue. Every passing trouble of ours is 429, the only status that the sender documents as resent. 413 is the
//! one exception: nothing could keep such a body whole.

use http::StatusCode;
use serde_json::{Value, json};

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// In the ledger and enqueued.
    Accepted {
        /// The ledger key.
        key: String,
    },
    /// Handed over before.
    Duplicate {
        /// The ledger key.
        key: String,
    },
    /// Another delivery of the event is at work, or died at it less than a lease ago.
    InProgress {
        /// What is left of the lease, in milliseconds.
        remaining_ms: i64,
    },
    /// The configured headers are not there.
    Stranger,
    /// The same during a rotation that the secret announces.
    Held,
    /// No JSON object; kept in the dead-letter queue.
    NotJson,
    /// Nothing at all in the body.
    Empty,
    /// Ledger or queue call it invalid; kept in the dead-letter queue.
    Unstorable,
    /// Too large for any queue; its beginning and its hash are kept in the dead-letter queue.
    TooLarge,
    /// A passing trouble of ours.
    Unavailable,
    /// Another path.
    NotFound,
    /// Another method than POST.
    MethodNotAllowed,
}

/// Delays, in seconds, that spread out what comes again.
const RETRY_AFTER_S: std::ops::RangeInclusive<u32> = 1..=5;

impl Disposition {
    /// The answer's status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Accepted { .. } | Self::Duplicate { .. } => StatusCode::OK,
            Self::NotJson | Self::Empty | Self::Unstorable => StatusCode::BAD_REQUEST,
            Self::InProgress { .. } | Self::Held | Self::Unavailable => StatusCode::TOO_MANY_REQUESTS,
            Self::Stranger => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The word for it in logs and metrics.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Duplicate { .. } => "duplicate",
            Self::InProgress { .. } => "in_progress",
            Self::Stranger => "unauthorized",
            Self::Held => "held",
            Self::NotJson => "not_json",
            Self::Empty => "empty",
            Self::Unstorable => "unstorable",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
        }
    }

    /// The value of `Retry-After`, in seconds, where the sender shall come again.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::InProgress { remaining_ms } => Some(u32::try_from((remaining_ms + 999) / 1000).unwrap_or(u32::MAX).max(1)),
            Self::Held | Self::Unavailable => Some(fastrand::u32(RETRY_AFTER_S)),
            _ => None,
        }
    }

    /// The answer's body and its content type. A stranger is not told what was wrong.
    pub fn body(&self) -> (&'static str, Value) {
        match self {
            Self::Accepted { key } => ("application/json", json!({"status": "accepted", "eventId": key})),
            Self::Duplicate { key } => ("application/json", json!({"status": "duplicate", "eventId": key})),
            problem => ("application/problem+json", problem.problem()),
        }
    }

    /// RFC 9457. The type is `about:blank`, so the title is the status's own phrase.
    fn problem(&self) -> Value {
        let status = self.status();
        let mut problem = json!({"type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16()});
        let detail = match self {
            Self::InProgress { .. } => "This event is being taken in by another delivery. Send it again later.",
            Self::Held | Self::Unavailable => "The event could not be taken in just now. Send it again later.",
            Self::NotJson => "The body is not a JSON object. It has been kept for inspection.",
            Self::Empty => "The body is empty.",
            Self::Unstorable => "The event can't be stored. It has been kept for inspection.",
            Self::TooLarge => "The body is too large.",
            Self::MethodNotAllowed => "Events are sent with POST.",
            _ => return problem,
        };
        if let Some(members) = problem.as_object_mut() {
            members.insert("detail".to_owned(), Value::from(detail));
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_shall_come_again_is_told_when_and_nobody_else() {
        let key = || "k".to_owned();
        for disposition in [
            Disposition::Accepted { key: key() },
            Disposition::Duplicate { key: key() },
            Disposition::InProgress { remaining_ms: 0 },
            Disposition::Stranger,
            Disposition::Held,
            Disposition::NotJson,
            Disposition::Empty,
            Disposition::Unstorable,
            Disposition::TooLarge,
            Disposition::Unavailable,
            Disposition::NotFound,
            Disposition::MethodNotAllowed,
        ] {
            assert_eq!(
                disposition.retry_after_s().is_some(),
                disposition.status() == StatusCode::TOO_MANY_REQUESTS,
                "{disposition:?}"
            );
        }
    }

    #[test]
    fn what_is_left_of_a_lease_is_rounded_up() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (15_000, 15)] {
            assert_eq!(Disposition::InProgress { remaining_ms: ms }.retry_after_s(), Some(seconds));
        }
    }
}
