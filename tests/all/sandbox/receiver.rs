//! Somebody to send events to, who answers as the test says and remembers what came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use reqwest::header::{LOCATION, RETRY_AFTER};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use super::running::PATIENCE;
use crate::support::wait::poll;

/// How an event is answered.
pub(super) enum Answer {
    Status(u16),
    /// 429, and please not before an hour is over.
    Later,
    /// 302 to another path of the same receiver.
    Elsewhere,
    Never,
    /// 200, once so many requests are open as the barrier is made for.
    Together(Arc<Barrier>),
}

/// What came, in the order in which it came.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) path: String,
}

/// Answers an event by its id and by how often it came before.
type Script = dyn Fn(&str, usize) -> Answer + Send + Sync;

struct Desk {
    script: Box<Script>,
    received: Mutex<Vec<Received>>,
    times: Mutex<HashMap<String, usize>>,
    open: Mutex<(usize, usize)>,
}

/// A receiver on a free port; it ends with the test.
pub(super) struct Receiver {
    desk: Arc<Desk>,
    url: String,
    server: JoinHandle<()>,
}

impl Received {
    pub(super) fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn id(&self) -> String {
        self.event()["eventId"].as_str().unwrap_or_default().to_owned()
    }
}

impl Receiver {
    pub(super) async fn start(script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_on(0, script).await
    }

    pub(super) async fn content() -> Self {
        Self::start(|_, _| Answer::Status(200)).await
    }

    pub(super) async fn start_on(port: u16, script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let desk = Desk { script: Box::new(script), received: Mutex::default(), times: Mutex::default(), open: Mutex::default() };
        let desk = Arc::new(desk);
        let application = Router::new().fallback(answer).with_state(Arc::clone(&desk));
        let server = tokio::spawn(async move { axum::serve(listener, application).await.unwrap() });
        Self { desk, url, server }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.desk.received.lock().unwrap().clone()
    }

    /// The ids of the events, in the order in which they came.
    pub(super) fn ids(&self) -> Vec<String> {
        self.received().iter().map(Received::id).collect()
    }

    /// How many requests were open at the same time, at most.
    pub(super) fn most_at_once(&self) -> usize {
        self.desk.open.lock().unwrap().1
    }

    pub(super) async fn until_received(&self, count: usize) -> Vec<Received> {
        let come = poll(PATIENCE, async || Some(self.received()).filter(|received| received.len() >= count)).await;
        come.unwrap_or_else(|| panic!("{count} events did not come: {:?}", self.ids()))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let received = Received { headers, body, path: uri.path().to_owned() };
    let id = received.id();
    desk.received.lock().unwrap().push(received);
    let before = {
        let mut times = desk.times.lock().unwrap();
        let before = times.entry(id.clone()).or_default();
        *before += 1;
        *before - 1
    };
    {
        let mut open = desk.open.lock().unwrap();
        open.0 += 1;
        open.1 = open.1.max(open.0);
    }
    let response = match (desk.script)(&id, before) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Later => (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "3600")]).into_response(),
        Answer::Elsewhere => (StatusCode::FOUND, [(LOCATION, "/elsewhere")]).into_response(),
        Answer::Never => std::future::pending().await,
        Answer::Together(barrier) => {
            barrier.wait().await;
            StatusCode::OK.into_response()
        }
    };
    desk.open.lock().unwrap().0 -= 1;
    response
}
