//! A standard queue of SQS.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use capillary_events::{
    enrich::Incoming,
    ledger::Identity,
    message::{DeadLetter, Encoded, Message, TraceHeader, decode},
    ports::{DeadLetterQueue, EventsQueue, PortError, Redelivery},
};

use super::ServiceClock;
use crate::contract::Taken;

/// A queue; clones are the same one.
#[derive(Clone)]
pub(crate) struct Queue {
    state: Arc<Mutex<State>>,
    clock: ServiceClock,
}

#[derive(Default)]
struct State {
    messages: Vec<Held>,
    /// The bytes of every body that was ever in it.
    ever: BTreeSet<Vec<u8>>,
    numbers: u64,
}

/// A message in the queue.
#[derive(Clone)]
struct Held {
    id: String,
    content: Content,
    sent_at_ms: i64,
    visible_at_ms: i64,
    receive_count: u32,
    /// Of the last receive; an older one counts for nothing.
    receipt_handle: String,
}

/// What was sent.
#[derive(Clone)]
struct Content {
    body: Encoded,
    identity: Option<Identity>,
    received_at_ms: i64,
    trace: Option<TraceHeader>,
    reason: Option<String>,
    detail: Option<String>,
}

impl Queue {
    pub(crate) fn new(clock: ServiceClock) -> Self {
        Self { state: Arc::default(), clock }
    }

    pub(crate) fn send_now(&self, message: &Message) {
        self.put(Content {
            body: message.body.clone(),
            identity: Some(message.identity.clone()),
            received_at_ms: message.identity.received_at_ms,
            trace: message.trace.clone(),
            reason: None,
            detail: None,
        });
    }

    pub(crate) fn bury_now(&self, letter: &DeadLetter) {
        self.put(Content {
            body: letter.body.clone(),
            identity: letter.identity.clone(),
            received_at_ms: letter.received_at_ms,
            trace: None,
            reason: Some(letter.reason.as_str().to_owned()),
            detail: Some(letter.detail.clone()),
        });
    }

    /// Up to so many visible messages, which stay invisible for a while; `choose` says which of so many comes next.
    pub(crate) fn take(&self, most: usize, invisible_ms: i64, mut choose: impl FnMut(usize) -> usize) -> Vec<Taken> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let mut visible: Vec<usize> =
            (0..state.messages.len()).filter(|at| state.messages[*at].visible_at_ms <= now_ms).collect();
        let mut taken = Vec::new();
        while taken.len() < most && !visible.is_empty() {
            let at = visible.swap_remove(choose(visible.len()));
            state.numbers += 1;
            let receipt_handle = format!("receipt-{}", state.numbers);
            let held = &mut state.messages[at];
            held.receive_count += 1;
            held.visible_at_ms = now_ms + invisible_ms;
            held.receipt_handle = receipt_handle;
            taken.push(held.taken());
        }
        taken
    }

    pub(crate) fn delete(&self, receipt_handle: &str) {
        self.state().messages.retain(|held| held.receipt_handle != receipt_handle);
    }

    pub(crate) fn delay_now(&self, receipt_handle: &str, seconds: u32) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        for held in state.messages.iter_mut().filter(|held| held.receipt_handle == receipt_handle) {
            held.visible_at_ms = now_ms + i64::from(seconds) * 1000;
        }
    }

    /// Makes a message visible at once, though somebody works on it: standard queues deliver at least once.
    pub(crate) fn show_again(&self, receipt_handle: &str) {
        self.delay_now(receipt_handle, 0);
    }

    /// When a message will be visible next, if there is one.
    pub(crate) fn next_visible_at_ms(&self) -> Option<i64> {
        self.state().messages.iter().map(|held| held.visible_at_ms).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.state().messages.len()
    }

    /// Whether a body with these bytes was ever here.
    pub(crate) fn ever_held(&self, body: &[u8]) -> bool {
        self.state().ever.contains(body)
    }

    /// Whether an event with this `data.mark` was ever here.
    pub(crate) fn ever_held_mark(&self, mark: usize) -> bool {
        let is_it = |body: &Vec<u8>| {
            let event: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            event["data"]["mark"].as_u64() == u64::try_from(mark).ok()
        };
        self.state().ever.iter().any(is_it)
    }

    /// All that is here.
    pub(crate) fn all(&self) -> Vec<Taken> {
        self.state().messages.iter().map(Held::taken).collect()
    }

    /// Moves everything into another queue, as an operator's redrive does.
    pub(crate) fn redrive_to(&self, other: &Self) {
        for held in std::mem::take(&mut self.state().messages) {
            other.put(held.content);
        }
    }

    /// Moves what came this often to the dead-letter queue, as the redrive policy does: without a word.
    pub(crate) fn move_after(&self, max_receive_count: u32, dead_letters: &Self) {
        let (moved, kept) = std::mem::take(&mut self.state().messages)
            .into_iter()
            .partition::<Vec<_>, _>(|held| held.receive_count >= max_receive_count);
        self.state().messages = kept;
        for held in moved {
            dead_letters.put(held.content);
        }
    }

    /// Drops what was sent before, as the queue does at the end of its retention period; how many.
    pub(crate) fn drop_sent_before(&self, time_ms: i64) -> usize {
        let mut state = self.state();
        let before = state.messages.len();
        state.messages.retain(|held| held.sent_at_ms >= time_ms);
        before - state.messages.len()
    }

    fn put(&self, content: Content) {
        let now_ms = self.now_ms();
        let bytes = decode(&content.body.text, content.body.encoding.as_str()).expect("what was sent can be read");
        let mut state = self.state();
        state.numbers += 1;
        let id = format!("message-{}", state.numbers);
        state.ever.insert(bytes);
        state.messages.push(Held {
            id,
            content,
            sent_at_ms: now_ms,
            visible_at_ms: now_ms,
            receive_count: 0,
            receipt_handle: String::new(),
        });
    }

    fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the queue")
    }
}

impl Held {
    fn taken(&self) -> Taken {
        let Content { body, identity, received_at_ms, trace, reason, detail } = &self.content;
        Taken {
            incoming: Incoming {
                message_id: self.id.clone(),
                receipt_handle: self.receipt_handle.clone(),
                body: body.text.clone(),
                content_encoding: body.encoding.as_str().map(str::to_owned),
                key: identity.as_ref().map(|identity| identity.key.clone()),
                received_at_ms: Some(*received_at_ms),
                receive_count: self.receive_count,
                sent_at_ms: Some(self.sent_at_ms),
                trace: trace.clone(),
            },
            event_name: identity.as_ref().and_then(|identity| identity.event_name.clone()),
            org_id: identity.as_ref().and_then(|identity| identity.org_id),
            reason: reason.clone(),
            detail: detail.clone(),
        }
    }
}

impl EventsQueue for Queue {
    async fn send(&self, message: &Message) -> Result<(), PortError> {
        self.send_now(message);
        Ok(())
    }
}

impl DeadLetterQueue for Queue {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        self.bury_now(letter);
        Ok(())
    }
}

impl Redelivery for Queue {
    async fn delay(&self, messages: &[(String, u32)]) -> Result<(), PortError> {
        for (receipt_handle, seconds) in messages {
            self.delay_now(receipt_handle, *seconds);
        }
        Ok(())
    }
}
