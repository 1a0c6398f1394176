//! All that the sandbox knows, behind one lock that is never held across an await.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answers::Answers;
use crate::faults::Fault;
use crate::settings::Settings;

/// What every handler shares.
pub(crate) struct Sandbox {
    pub(crate) settings: Settings,
    pub(crate) answers: Answers,
    world: Mutex<World>,
}

/// The part that changes.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) customers: BTreeMap<u64, Entity>,
    pub(crate) transactions: BTreeMap<u64, Entity>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) calls: Vec<Call>,
    calls_begun: u64,
    /// Live tokens, with the instant at which each one ends.
    pub(crate) tokens: HashMap<String, Instant>,
}

/// A customer or a transaction that was touched through the control paths. All others follow from the templates.
pub(crate) struct Entity {
    pub(crate) body: Value,
    pub(crate) standing: Standing,
}

/// Whether and how an entity is found. It is what `PUT /sandbox/…/{id}/state` takes.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Standing {
    pub(crate) state: StandingName,
    /// Who is answered instead, when the state is `survivor`.
    pub(crate) survivor: Option<u64>,
    /// The status that goes with a refusal. The documentation gives bodies without statuses, so that both ways of
    /// reading it have to work: 200 unless told otherwise.
    pub(crate) http_status: Option<u16>,
}

impl Standing {
    pub(crate) const FOUND: Self = Self { state: StandingName::Found, survivor: None, http_status: None };
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StandingName {
    Found,
    Missing,
    /// Deleted after a request for deletion of personal data (8109).
    Deleted,
    /// Merged away; nobody is answered instead (8069).
    Merged,
    /// Merged away; the survivor is answered (91009).
    Survivor,
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
        Ok(Self { settings, answers: Answers::load()?, world: Mutex::default() })
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Forgets all but the tokens, which end in their own time as they do at Capillary's.
    pub(crate) fn reset(&mut self) {
        self.customers.clear();
        self.transactions.clear();
        self.faults.clear();
        self.calls.clear();
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

/// Middleware: puts each request on the list when it comes, and its status when it is answered.
pub(crate) async fn record_call(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let number = sandbox.world().begin_call(&request);
    let response = next.run(request).await;
    if response.extensions().get::<NeverSent>().is_none() {
        sandbox.world().end_call(number, response.status().as_u16());
    }
    response
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
