//! A message as it comes out of the queue, and what is found in it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::{
    event::{Event, NotAnObject},
    filter::{Action, Filter},
    ledger::{self, Identity},
    message::TraceHeader,
    routes::{self, Behind},
    untold::Untold,
};

/// A message from the events queue. Its body does not print.
#[derive(Clone, Default)]
pub struct Incoming {
    /// SQS's id of it, by which a failure is reported.
    pub message_id: String,
    /// What it is put back by.
    pub receipt_handle: String,
    /// The body as it stands in the queue.
    pub body: String,
    /// The attribute `contentEncoding`.
    pub content_encoding: Option<String>,
    /// The attribute `eventId`: the ledger key.
    pub key: Option<String>,
    /// The attribute `receivedAt`, in milliseconds since 1970.
    pub received_at_ms: Option<i64>,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was put into the queue, in milliseconds since 1970.
    pub sent_at_ms: Option<i64>,
    /// The trace that it belongs to.
    pub trace: Option<TraceHeader>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Incoming")
            .field("message_id", &self.message_id)
            .field("body", &Untold::text(&self.body))
            .field("key", &self.key)
            .field("receive_count", &self.receive_count)
            .finish_non_exhaustive()
    }
}

/// A message whose body is an event.
pub(super) struct Opened {
    pub(super) incoming: Incoming,
    pub(super) body: Vec<u8>,
    /// What stands behind it, unless it is to be published as it came.
    pub(super) behind: Behind,
    /// Whether it names nothing that could be fetched, whatever the settings say.
    pub(super) names_nothing: bool,
    /// Whether it is not to be published.
    pub(super) is_ignored: bool,
    /// When it happened, as far as known, in milliseconds since 1970.
    pub(super) happened_at_ms: i64,
    /// When it says that it happened, in milliseconds since 1970.
    pub(super) created_at_ms: Option<i64>,
    identity: Mutex<Identity>,
    pub(super) started: Instant,
}

impl Opened {
    /// A message with the event in its body; the key that it bears goes before the event's own id, if it can be one.
    pub(super) fn new(
        incoming: Incoming,
        body: Vec<u8>,
        received_at_ms: i64,
        filter: &Filter,
        started: Instant,
    ) -> Result<Self, (NotAnObject, Vec<u8>)> {
        let (identity, behind, created_at_ms) = match Event::parse(&body) {
            Ok(event) => (Identity::of(&event, received_at_ms), routes::behind(&event), event.created_at_ms()),
            Err(error) => return Err((error, body)),
        };
        let key = incoming.key.clone().filter(|key| ledger::is_key(key));
        let identity = Identity { key: key.unwrap_or_else(|| identity.key.clone()), ..identity };
        let happened_at_ms = created_at_ms.unwrap_or(received_at_ms);
        let names_nothing = behind == Behind::default();
        let action = filter.action(identity.event_name.as_deref(), identity.org_id);
        let behind = if action == Action::Enrich { behind } else { Behind::default() };
        let is_ignored = action == Action::Ignore;
        Ok(Self {
            incoming,
            body,
            behind,
            names_nothing,
            is_ignored,
            happened_at_ms,
            created_at_ms,
            identity: Mutex::new(identity),
            started,
        })
    }

    /// Since when it waits, in milliseconds.
    pub(super) fn waited_ms(&self, now_ms: i64) -> i64 {
        self.incoming.sent_at_ms.map_or(0, |sent_at_ms| now_ms.saturating_sub(sent_at_ms))
    }

    /// Whose it is; the key moves on when its id turns out to be another event's.
    pub(super) fn identity(&self) -> Identity {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_identity(&self, identity: Identity) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }
}

/// What SQS knows a message by.
pub(super) struct Handle {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
    pub(super) receive_count: u32,
}

impl Handle {
    pub(super) fn of(incoming: &Incoming) -> Self {
        Self {
            message_id: incoming.message_id.clone(),
            receipt_handle: incoming.receipt_handle.clone(),
            receive_count: incoming.receive_count,
        }
    }
}

/// What a message turned out to be.
pub(super) enum Opening {
    /// An event.
    Event(Box<Opened>),
    /// None; it is safe in the dead-letter queue.
    Buried,
    /// Nothing can be done about it just now.
    Back,
}

/// For each message the position of the first one of the same event.
pub(super) fn leaders(opened: &[Opened]) -> Vec<usize> {
    let mut first = HashMap::new();
    opened
        .iter()
        .enumerate()
        .map(|(position, message)| {
            let identity = message.identity();
            *first.entry((identity.key, identity.fingerprint.as_str().to_owned())).or_insert(position)
        })
        .collect()
}
