//! HTTP to Capillary: one client, within the calls a minute that one process may make.

use std::{
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::their_clock::TheirClock;
use crate::{
    config::CapillaryConfig,
    entity::{FetchFailure, Scope},
    ports::Clock,
};

/// For a connection to be there.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// For a whole answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// An HTTP answer read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The way to Capillary.
pub(super) struct Http<K> {
    base_url: String,
    trusts_the_system: bool,
    /// Made when first used.
    client: OnceLock<Option<Client>>,
    per_minute: DefaultDirectRateLimiter,
    clock: K,
    their_clock: TheirClock,
}

impl<K: Clock> Http<K> {
    /// To where the settings say, as often as they allow.
    pub(super) fn new(config: &CapillaryConfig, clock: K) -> Self {
        let burst = u32::try_from(config.max_concurrency).unwrap_or(u32::MAX).min(config.requests_per_minute);
        let per_minute = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute(config.requests_per_minute)).allow_burst(per_minute(burst));
        Self {
            base_url: config.base_url.clone(),
            trusts_the_system: config.trusts_the_system,
            client: OnceLock::new(),
            per_minute: RateLimiter::direct(quota),
            clock,
            their_clock: TheirClock::default(),
        }
    }

    /// The present time by Capillary's clock where ours is wrong.
    pub(super) fn their_time(&self, our_ms: i64) -> i64 {
        self.their_clock.at(our_ms)
    }

    /// Opens a connection ahead of the first call. A failure shows when that is made.
    pub(super) async fn open_connection(&self) {
        if let Some(client) = self.client()
            && let Ok(answer) = client.head(&self.base_url).send().await
        {
            let _ = answer.bytes().await;
        }
    }

    /// An address below the base.
    pub(super) fn url(&self, path: &[&str]) -> Result<Url, FetchFailure> {
        let mut url = Url::parse(&self.base_url).map_err(|_| FetchFailure::of_api("base URL"))?;
        url.path_segments_mut().map_err(|()| FetchFailure::of_api("base URL"))?.pop_if_empty().extend(path);
        Ok(url)
    }

    pub(super) fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, FetchFailure> {
        let client = self.client().ok_or_else(|| FetchFailure::of_api("HTTP client"))?;
        // Without a content type the APIs answer 415, also to GET (facts 4.2).
        let json = "application/json";
        Ok(client.request(method, url.clone()).header(header::ACCEPT, json).header(header::CONTENT_TYPE, json))
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Reply, FetchFailure> {
        self.per_minute.until_ready().await;
        // An error's own text has the URL in it.
        let failure = |error: reqwest::Error| {
            FetchFailure::of_api(if error.is_timeout() {
                "timeout"
            } else if error.is_connect() {
                "connection"
            } else {
                "torn answer"
            })
        };
        let asked_at_ms = self.clock.now_ms();
        let mut response = request.send().await.map_err(failure)?;
        let (status, headers) = (response.status(), response.headers().clone());
        self.their_clock.learn(&headers, asked_at_ms, self.clock.now_ms());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                // It won't get smaller.
                return Err(FetchFailure { scope: Scope::NotReady, retry_after_s: None, cause: "answer too large".to_owned() });
            }
        }
        Ok(Reply { status, headers, body })
    }

    fn client(&self) -> Option<&Client> {
        self.client.get_or_init(|| build(self.trusts_the_system)).as_ref()
    }
}

/// Redirects are not followed: the token would go along.
fn build(trusts_the_system: bool) -> Option<Client> {
    let builder = Client::builder().connect_timeout(CONNECT_WITHIN).timeout(ANSWER_WITHIN).redirect(redirect::Policy::none());
    let built = if trusts_the_system {
        // Another part of the process may have installed it already.
        let _ = ring::default_provider().install_default();
        builder.build()
    } else {
        builder.tls_backend_preconfigured(public_roots()?).build()
    };
    built.inspect_err(|_| tracing::error!(outcome = "no_http_client", "capillary")).ok()
}

/// TLS that trusts whom browsers trust. The roots are in the program: to read the system's takes longer than all else in a start.
fn public_roots() -> Option<ClientConfig> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let mut config = versions.ok()?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Some(config)
}
