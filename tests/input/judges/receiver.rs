//! A receiver among doubles that lose nothing and fail never, and what it may answer.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
    time::Duration,
};

use capillary_events::{
    auth::Gatekeeper,
    gateway,
    message::{DeadLetter, KEPT_OF_OVERSIZED_BYTES, Message, Reason, decode},
    metrics::Metrics,
    ports::{Clock, DeadLetterQueue, EventsQueue, PortError, SecretStore},
    receive::Receiver,
};
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};

use super::tables::Tables;

/// The webhook's headers, as everything under `events/` has them.
pub(super) const AUTHORIZATION: &str = "Basic Y2FwaWxsYXJ5OmxvY2Fs";
pub(super) const WEBHOOK_KEY: &str = "local-key";

/// What the doubles share, but the tables.
#[derive(Clone, Default)]
pub(super) struct World(Arc<Mutex<Kept>>);

/// What was kept of what was delivered.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) sent: Vec<Message>,
    pub(super) dead: Vec<DeadLetter>,
}

impl EventsQueue for World {
    async fn send(&self, message: &Message) -> Result<(), PortError> {
        assert!(message.body.fits() && !message.body.text.is_empty(), "SQS takes no such message");
        self.0.lock().unwrap().sent.push(message.clone());
        Ok(())
    }
}

impl DeadLetterQueue for World {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        assert!(letter.body.fits() && !letter.body.text.is_empty(), "SQS takes no such message");
        self.0.lock().unwrap().dead.push(letter.clone());
        Ok(())
    }
}

impl SecretStore for World {
    async fn read(&self) -> Result<String, PortError> {
        Ok(json!({"headers": {"authorization": [AUTHORIZATION], "x-webhook-key": [WEBHOOK_KEY]}}).to_string())
    }
}

impl Clock for World {
    fn now_ms(&self) -> i64 {
        super::NOW_MS
    }
}

/// What was answered to a request, and what was kept.
pub(super) fn answered(event: &RawValue) -> (u16, Kept) {
    let world = World::default();
    let receiver = Receiver {
        claims: Tables::default(),
        queue: world.clone(),
        dead_letters: world.clone(),
        gatekeeper: Gatekeeper::new(world.clone(), world.clone()),
        clock: world.clone(),
        event_ttl: Duration::from_secs(21 * 86_400),
        metrics: Metrics::on_stdout(String::new()),
    };
    let response = super::done(gateway::answer(&receiver, event, None));
    let response = serde_json::to_value(response).unwrap();
    let status = u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap();
    is_in_form(status, &response);
    drop(receiver);
    (status, std::mem::take(&mut *world.0.lock().unwrap()))
}

fn is_in_form(status: u16, response: &Value) {
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    if status == 200 {
        assert!(matches!(body["eventId"].as_str(), Some(id) if !id.is_empty()));
        return;
    }
    assert_eq!(body["status"], status);
    thread_local! {
        static TO_STRANGERS: RefCell<Option<Value>> = const { RefCell::new(None) };
    }
    if status == 401 {
        TO_STRANGERS.with_borrow_mut(|known| assert_eq!(known.get_or_insert_with(|| response.clone()), response));
    }
}

/// No final answer to one who is known without all that was sent being kept, and nothing kept of others.
pub(super) fn is_kept(delivered: &[u8], status: u16, kept: &Kept) {
    let bytes = |body: &capillary_events::message::Encoded| decode(&body.text, body.encoding.as_str()).unwrap();
    match (status, kept.sent.as_slice(), kept.dead.as_slice()) {
        (200, [message], []) => assert!(bytes(&message.body) == delivered, "the queue has other bytes"),
        (400, [], [letter]) => {
            assert_eq!(letter.reason, Reason::NotJson);
            assert!(bytes(&letter.body) == delivered, "the dead-letter queue has other bytes");
        }
        (400, [], []) => assert!(delivered.is_empty(), "400, and nothing is kept"),
        (413, [], [letter]) => {
            let digits: String = Sha256::digest(delivered).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(letter.reason, Reason::TooLarge);
            assert!(letter.detail.contains(&digits), "no hash");
            let head = &delivered[..delivered.len().min(KEPT_OF_OVERSIZED_BYTES)];
            assert!(bytes(&letter.body) == head, "not the first of it");
        }
        (401 | 404 | 405, [], []) => {}
        // Nothing is in trouble here, so 429 would come again for ever: somewhere it panicked, or waited.
        (status, sent, dead) => panic!("{status} with {} sent and {} dead-lettered", sent.len(), dead.len()),
    }
}
