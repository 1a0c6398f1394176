//! All that the sandbox knows, behind one lock that is never held across an await.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::watch;

use crate::answers::Answers;
use crate::audit_rows::Row;
use crate::clock::now_ms;
use crate::conduct::Conduct;
use crate::deliveries::Deliveries;
use crate::entities::{Entities, EntityState};
use crate::events::Event;
use crate::faults::Fault;
use crate::forms::Forms;
use crate::keys::Key;
use crate::settings::Settings;
use crate::webhooks::Webhooks;

/// What every handler shares.
pub(crate) struct Sandbox {
    pub(crate) settings: Settings,
    pub(crate) answers: Answers,
    world: Mutex<World>,
    /// Tells the sender's lanes to look again at what there is to do.
    news: watch::Sender<()>,
}

/// The part that changes.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) entities: Entities,
    pub(crate) forms: Forms,
    /// How far Capillary's reads are behind the changes.
    pub(crate) replica_lag: Duration,
    /// Oldest first.
    pub(crate) audits: Vec<Row>,
    /// How events are told and sent, whichever webhook they are for.
    pub(crate) conduct: Conduct,
    pub(crate) webhooks: Webhooks,
    pub(crate) deliveries: Deliveries,
    pub(crate) faults: Vec<Fault>,
    pub(crate) calls: Vec<Call>,
    calls_begun: u64,
    /// Live tokens, with the instant at which each one ends.
    pub(crate) tokens: HashMap<String, Instant>,
}

/// One request to Capillary's paths.
#[derive(Clone, Serialize)]
pub(crate) struct Call {
    #[serde(skip)]
    number: u64,
    method: String,
    path: String,
    query: String,
    /// None as long as there is no answer, and for ever where there is none.
    status: Option<u16>,
    /// When it came, in milliseconds since 1970.
    at: u64,
}

/// Marks a response that never reaches the caller.
#[derive(Clone)]
pub(crate) struct NeverSent;

impl Sandbox {
    pub(crate) fn new(settings: Settings) -> serde_json::Result<Self> {
        let mut world = World::default();
        settings.webhook.clone().give_to(world.webhooks.own_mut());
        Ok(Self { settings, answers: Answers::load()?, world: Mutex::new(world), news: watch::Sender::default() })
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something that concerns the sender.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let changed = change(&mut self.world());
        self.tell_news();
        changed
    }

    pub(crate) fn tell_news(&self) {
        self.news.send_replace(());
    }

    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}

impl World {
    /// Forgets all but the tokens, which end in their own time as they do at Capillary's. The webhook is that of the start, and the only one.
    pub(crate) fn reset(&mut self, settings: &Settings) {
        self.entities = Entities::default();
        self.forms = Forms::default();
        self.replica_lag = Duration::ZERO;
        self.audits.clear();
        self.conduct = Conduct::default();
        self.webhooks.reset();
        settings.webhook.clone().give_to(self.webhooks.own_mut());
        self.deliveries.forget();
        self.faults.clear();
        self.calls.clear();
    }

    /// How an entity is at present.
    pub(crate) fn now(&self, sandbox: &Sandbox, key: &Key) -> EntityState {
        self.entities.now(key).unwrap_or_else(|| EntityState::untouched(sandbox.answers.templates.of(key)))
    }

    /// What Capillary's API knows of an entity.
    pub(crate) fn seen(&mut self, sandbox: &Sandbox, key: &Key) -> EntityState {
        let seen = self.entities.seen(key, self.replica_lag);
        seen.unwrap_or_else(|| EntityState::untouched(sandbox.answers.templates.of(key)))
    }

    /// What Capillary's API knows of a transaction. One that nobody touched is of whichever type it is asked for under.
    pub(crate) fn seen_transaction(&mut self, sandbox: &Sandbox, id: u64, asked_type: &str) -> EntityState {
        let seen = self.entities.seen(&Key::Transaction(id), self.replica_lag);
        seen.unwrap_or_else(|| EntityState::untouched(sandbox.answers.templates.transaction(id, asked_type)))
    }

    /// Queues an event for each webhook that takes it; whether there was one. What nobody takes is told to nobody, neither now nor later.
    pub(crate) fn send(&mut self, event: &Event) -> bool {
        let takers = self.webhooks.takers(event.name.as_deref());
        let is_taken = !takers.is_empty();
        for web_hook_id in takers {
            self.deliveries.enqueue(event.clone(), web_hook_id);
        }
        is_taken
    }

    fn begin_call(&mut self, request: &Request) -> u64 {
        self.calls_begun += 1;
        self.calls.push(Call {
            number: self.calls_begun,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            status: None,
            at: now_ms(),
        });
        self.calls_begun
    }

    /// The list may have been cleared since the call began, so it is looked up by its number.
    fn end_call(&mut self, number: u64, status: u16) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.number == number) {
            call.status = Some(status);
        }
    }
}

/// Middleware: puts each request on the list when it comes, and its status when it is answered; but for the root, where there is no API
/// and which is asked for only to open a connection.
pub(crate) async fn record_call(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/" {
        return next.run(request).await;
    }
    let number = sandbox.world().begin_call(&request);
    let response = next.run(request).await;
    if response.extensions().get::<NeverSent>().is_none() {
        sandbox.world().end_call(number, response.status().as_u16());
    }
    response
}
