//! Capillary's sender: lanes that bring events to their webhook, each one the same event until that is settled.
//!
//! While an event is sent again and again, its lane takes no other. A lane that is shut meanwhile (the webhook was
//! paused, or has fewer lanes now) gives its event back, and whichever lane is open goes on with it at once.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, redirect};
use tokio::sync::watch;

use crate::clock::now_ms;
use crate::deliveries::Outcome;
use crate::state::{Sandbox, World};
use crate::webhook::MOST_LANES;

/// Built when first used: it loads the system's certificates, and most sandboxes send nothing.
static CLIENT: LazyLock<Option<Client>> = LazyLock::new(build_client);

/// Starts the lanes of the sandbox's own webhook; without a URL all of them stay shut.
pub(crate) fn start(sandbox: &Arc<Sandbox>) {
    let own = sandbox.world().webhooks.own().id.clone();
    start_lanes(sandbox, &own);
}

/// Starts all lanes of a webhook; they end with it.
pub(crate) fn start_lanes(sandbox: &Arc<Sandbox>, web_hook_id: &str) {
    for number in 0..MOST_LANES {
        let lane = Lane { sandbox: Arc::clone(sandbox), news: sandbox.news(), web_hook_id: web_hook_id.to_owned(), number };
        tokio::spawn(lane.run());
    }
}

/// No pool: an attempt that a stale connection fails would say nothing about the receiver. No proxy: the environment does
/// not decide where events go.
fn build_client() -> Option<Client> {
    // The first one wins and the others are told so, which is no error here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().http1_only().pool_max_idle_per_host(0).no_proxy().redirect(redirect::Policy::none()).build().ok()
}

struct Lane {
    sandbox: Arc<Sandbox>,
    news: watch::Receiver<()>,
    web_hook_id: String,
    number: usize,
}

/// All that an attempt needs.
struct Parcel {
    method: Method,
    url: String,
    headers: HeaderMap,
    timeout: Duration,
    body: Bytes,
}

impl Lane {
    async fn run(mut self) {
        loop {
            self.news.borrow_and_update();
            match self.take() {
                Some(event) => self.send_until_settled(event).await,
                None if self.sandbox.world().webhooks.get(&self.web_hook_id).is_none() => return,
                None if self.news.changed().await.is_err() => return,
                None => {}
            }
        }
    }

    fn take(&self) -> Option<u64> {
        let mut world = self.sandbox.world();
        if self.is_open(&world) { world.deliveries.take(&self.web_hook_id, self.number) } else { None }
    }

    fn is_open(&self, world: &World) -> bool {
        world.webhooks.get(&self.web_hook_id).is_some_and(|webhook| webhook.opens(self.number))
    }

    async fn send_until_settled(&mut self, event: u64) {
        while let Some(parcel) = self.begin_attempt(event) {
            let (at, begun) = (now_ms(), Instant::now());
            let request = send(parcel);
            let outcome = tokio::select! {
                outcome = request => outcome,
                () = self.until_forgotten(event) => return,
            };
            let wait = {
                let mut world = self.sandbox.world();
                let world = &mut *world;
                world.deliveries.end_attempt(event, at, begun.elapsed(), outcome, &world.conduct)
            };
            match wait {
                Some(wait) => self.wait(event, wait).await,
                None => return,
            }
        }
    }

    /// What to send, unless this lane is shut or the event forgotten.
    fn begin_attempt(&self, event: u64) -> Option<Parcel> {
        let mut world = self.sandbox.world();
        let webhook = world.webhooks.get(&self.web_hook_id).filter(|webhook| webhook.opens(self.number)).cloned();
        let Some(webhook) = webhook else {
            world.deliveries.give_back(event);
            drop(world);
            self.sandbox.tell_news();
            return None;
        };
        let body = world.deliveries.begin_attempt(event)?;
        let headers = webhook.registration.header_map();
        let timeout = world.conduct.timeout();
        Some(Parcel { method: webhook.method(), url: webhook.registration.web_hook_url, headers, timeout, body })
    }

    async fn until_forgotten(&mut self, event: u64) {
        loop {
            self.news.borrow_and_update();
            if !self.sandbox.world().deliveries.is_held(event) || self.news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Until the time has passed on the sandbox's clock, or there is no more reason to wait.
    async fn wait(&mut self, event: u64, wait: Duration) {
        let begun = Instant::now();
        loop {
            self.news.borrow_and_update();
            let (is_reason, scale) = {
                let world = self.sandbox.world();
                (world.deliveries.is_held(event) && self.is_open(&world), world.conduct.time_scale)
            };
            let left = wait.div_f64(scale).saturating_sub(begun.elapsed());
            if !is_reason || left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                changed = self.news.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn send(parcel: Parcel) -> Outcome {
    let Some(client) = CLIENT.as_ref() else {
        return Outcome::Error("client");
    };
    let request =
        client.request(parcel.method, parcel.url).headers(headers(parcel.headers)).timeout(parcel.timeout).body(parcel.body);
    match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            // Only the status counts, but a connection closed in the middle of an answer would look like a fault to the receiver.
            let _ = response.bytes().await;
            Outcome::Status(status)
        }
        Err(error) if error.is_timeout() => Outcome::Error("timeout"),
        Err(error) if error.is_connect() => Outcome::Error("connection"),
        Err(_) => Outcome::Error("answer"),
    }
}

/// The headers of a captured delivery, and over them the configured ones.
fn headers(configured: HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (ACCEPT, HeaderValue::from_static("text/plain, application/json, application/*+json, */*")),
        (USER_AGENT, HeaderValue::from_static("Java/1.8.0_272")),
    ]);
    headers.extend(configured);
    headers
}
