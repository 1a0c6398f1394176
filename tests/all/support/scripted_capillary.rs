//! A Capillary inside the test: it answers each call with whichever state the test wants, old ones too, and counts the calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// The path of the audit log; its states are its pages.
const AUDITS: &str = "/api_gateway/v2/audits";

/// What one call is answered with.
#[derive(Clone)]
pub(crate) enum Reply {
    /// The entity as it was at first (0), then (1), and so on.
    State(usize),
    /// This status with this text.
    Answer(u16, String),
    /// The state that is the latest when the call comes, answered once the gate has a permit.
    Held(Arc<Semaphore>),
}

impl Reply {
    /// An answer with one of Capillary's codes among its errors.
    pub(crate) fn error(code: u32) -> Self {
        let body = json!({"entity": null, "warnings": [], "errors": [{"status": false, "code": code, "message": "as wanted"}]});
        Self::Answer(200, body.to_string())
    }
}

/// The running server.
pub(crate) struct ScriptedCapillary {
    url: String,
    script: Arc<Script>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    entities: Mutex<HashMap<String, Entity>>,
    /// Path and query of every call for an entity or for audits.
    calls: Mutex<Vec<String>>,
    unruly: Mutex<Option<Unruly>>,
}

#[derive(Default)]
struct Entity {
    /// Each with the time since when it is the latest.
    states: Vec<(Instant, String)>,
    next: VecDeque<Reply>,
    always: Option<Reply>,
}

struct Unruly {
    random: fastrand::Rng,
    lag: Duration,
}

impl ScriptedCapillary {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let script = Arc::<Script>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("the server") });
        Self { url, script, server }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on the customer is so.
    pub(crate) fn customer(&self, id: u64, state: &Value) {
        self.customer_text(id, &state.to_string());
    }

    /// The same to the letter.
    pub(crate) fn customer_text(&self, id: u64, state: &str) {
        self.with(&customer_path(id), |entity| entity.states.push((Instant::now(), state.to_owned())));
    }

    /// From now on the transaction is so.
    pub(crate) fn transaction(&self, id: u64, state: &Value) {
        self.with(&transaction_path(id), |entity| entity.states.push((Instant::now(), state.to_string())));
    }

    /// One more call for the customer is answered so, after those for which this was said before.
    pub(crate) fn next(&self, customer: u64, reply: Reply) {
        self.with(&customer_path(customer), |entity| entity.next.push_back(reply));
    }

    /// Calls for the customer are answered so, but for those with a reply of their own.
    pub(crate) fn always(&self, customer: u64, reply: Reply) {
        self.with(&customer_path(customer), |entity| entity.always = Some(reply));
    }

    /// What was said with `next` holds no more.
    pub(crate) fn forget_replies(&self, customer: u64) {
        self.with(&customer_path(customer), |entity| entity.next.clear());
    }

    /// The customer as she is now.
    pub(crate) fn latest_customer(&self, id: u64) -> Value {
        let entities = self.script.entities.lock().expect("the entities");
        let (_, text) = entities[&customer_path(id)].states.last().expect("a state");
        serde_json::from_str(text).expect("JSON")
    }

    /// Rows of the audit log, page by page.
    pub(crate) fn audit_pages(&self, pages: &[Value]) {
        let page = |(number, rows): (usize, &Value)| {
            let pagination = json!({"totalPages": pages.len(), "number": number});
            (Instant::now(), json!({"data": rows, "pagination": pagination}).to_string())
        };
        let states = pages.iter().enumerate().map(page).collect();
        self.with(AUDITS, |audits| audits.states = states);
    }

    /// Every call for audits is answered so.
    pub(crate) fn audits_always(&self, reply: Reply) {
        self.with(AUDITS, |audits| audits.always = Some(reply));
    }

    /// Until `calm`: answers as of some time within the lag, slow ones, failing ones.
    pub(crate) fn be_unruly(&self, seed: u64, lag: Duration) {
        *self.script.unruly.lock().expect("the mood") = Some(Unruly { random: fastrand::Rng::with_seed(seed), lag });
    }

    pub(crate) fn calm(&self) {
        *self.script.unruly.lock().expect("the mood") = None;
    }

    /// How often the customer was asked for.
    pub(crate) fn customer_calls(&self, id: u64) -> usize {
        self.calls_of(&customer_path(id)).len()
    }

    /// Path and query of all calls for audits, in their order.
    pub(crate) fn audit_calls(&self) -> Vec<String> {
        self.calls_of(AUDITS)
    }

    fn calls_of(&self, path: &str) -> Vec<String> {
        let calls = self.script.calls.lock().expect("the calls");
        calls.iter().filter(|call| call.split('?').next() == Some(path)).cloned().collect()
    }

    fn with(&self, path: &str, change: impl FnOnce(&mut Entity)) {
        change(self.script.entities.lock().expect("the entities").entry(path.to_owned()).or_default());
    }
}

impl Drop for ScriptedCapillary {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn customer_path(id: u64) -> String {
    format!("/v2/customers/{id}")
}

fn transaction_path(id: u64) -> String {
    format!("/v2/transactions/{id}")
}

async fn answer(State(script): State<Arc<Script>>, uri: Uri) -> Response {
    if uri.path() == "/v3/oauth/token/generate" {
        let token = json!({"data": {"accessToken": "token", "ttlSeconds": 3600}, "errors": null});
        return (StatusCode::OK, token.to_string()).into_response();
    }
    let call = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    script.calls.lock().expect("the calls").push(call);
    let page: usize =
        uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("pageNo="))?.parse().ok()).unwrap_or(0);
    let mood = script.mood();
    let (status, text, gate) = script.reply(uri.path(), page, mood.asked_at);
    if let Some(gate) = gate {
        // Bounded by the caller, who does not wait for ever.
        gate.acquire().await.expect("the gate is never closed").forget();
    }
    tokio::time::sleep(mood.delay).await;
    let (status, text) = mood.trouble.unwrap_or((status, text));
    (StatusCode::from_u16(status).expect("a status"), text).into_response()
}

/// How a call is treated: as if it had come at this time, slowly, and perhaps not well.
struct Mood {
    asked_at: Instant,
    delay: Duration,
    trouble: Option<(u16, String)>,
}

impl Script {
    fn mood(&self) -> Mood {
        let now = Instant::now();
        let mut unruly = self.unruly.lock().expect("the mood");
        let Some(Unruly { random, lag }) = unruly.as_mut() else {
            return Mood { asked_at: now, delay: Duration::ZERO, trouble: None };
        };
        let behind = if random.u8(..3) == 0 { lag.mul_f64(random.f64()) } else { Duration::ZERO };
        let troubles = [(503, String::new()), (200, "{\"id\":".to_owned()), (429, "{}".to_owned())];
        Mood {
            asked_at: now.checked_sub(behind).unwrap_or(now),
            delay: Duration::from_millis(if random.bool() { random.u64(..80) } else { 0 }),
            trouble: (random.u8(..12) == 0).then(|| random.choice(troubles).expect("one of them")),
        }
    }

    fn reply(&self, path: &str, page: usize, asked_at: Instant) -> (u16, String, Option<Arc<Semaphore>>) {
        let mut entities = self.entities.lock().expect("the entities");
        let entity = entities.entry(path.to_owned()).or_default();
        let state = |number: Option<usize>| match number.and_then(|number| entity.states.get(number)) {
            Some((_, text)) => (200, text.clone()),
            None if path == AUDITS => (200, json!({"data": [], "pagination": {"totalPages": 0}}).to_string()),
            None => {
                (200, json!({"warnings": [], "errors": [{"status": false, "code": 8015, "message": "not found"}]}).to_string())
            }
        };
        let latest = if path == AUDITS {
            Some(page)
        } else {
            // Nobody is so far behind that an entity is not there yet.
            Some(entity.states.partition_point(|(since, _)| *since <= asked_at).max(1) - 1)
        };
        let reply = entity.next.front().or(entity.always.as_ref()).cloned();
        let (status, text) = match &reply {
            None | Some(Reply::Held(_)) => state(latest),
            Some(Reply::State(number)) => state(Some(*number)),
            Some(Reply::Answer(status, text)) => (*status, text.clone()),
        };
        entity.next.pop_front();
        let gate = match reply {
            Some(Reply::Held(gate)) => Some(gate),
            _ => None,
        };
        (status, text, gate)
    }
}
