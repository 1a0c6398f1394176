//! Calls for entities, within the calls a minute that one process may make.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use std::num::NonZeroU32;

use super::{
    answer::{Answer, LATER, judge, retry_after_s},
    audits,
    credentials::{CredentialBook, Credentials},
    token::{NoToken, Tokens},
};
use crate::{
    config::CapillaryConfig,
    entity::{EntityRef, FetchFailure, Fetched, Kind, Scope, Status, TransactionType},
    metrics::{Metric, Metrics},
    ports::{Clock, Entities, SecretStore},
    secret::{CachedSecret, Reread},
    told::Told,
};

/// For a connection to be there.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// For a whole answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Not `Authorization`, and no `Bearer` before it (facts 4.2).
const TOKEN_HEADER: &str = "x-cap-api-oauth-token";

/// Capillary, over HTTP.
pub struct CapillaryClient<S, K> {
    config: CapillaryConfig,
    secret: CachedSecret<S, K, CredentialBook>,
    tokens: Tokens,
    clock: K,
    /// Made when first used: it loads the system's root certificates.
    http: OnceLock<Option<Client>>,
    per_minute: DefaultDirectRateLimiter,
    closed_audits: audits::Closed,
    metrics: Metrics,
}

/// An HTTP answer read to its end.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl<S: SecretStore, K: Clock + Clone> CapillaryClient<S, K> {
    /// A client that has called nobody yet.
    pub fn new(config: CapillaryConfig, secret: S, clock: K, metrics: Metrics) -> Self {
        let burst = u32::try_from(config.max_concurrency).unwrap_or(u32::MAX).min(config.requests_per_minute);
        let per_minute = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute(config.requests_per_minute)).allow_burst(per_minute(burst));
        Self {
            config,
            secret: CachedSecret::new(secret, clock.clone()),
            tokens: Tokens::default(),
            clock,
            http: OnceLock::new(),
            per_minute: RateLimiter::direct(quota),
            closed_audits: audits::Closed::default(),
            metrics,
        }
    }

    /// Makes a call, with a second token if the first is refused. `judge` says what an answer means; none: the token is not good.
    async fn ask<A>(&self, credentials: &Credentials, url: &Url, judge: impl Fn(&Reply) -> Option<A>) -> Result<A, FetchFailure> {
        let mut rejected = None;
        loop {
            let request = self.request(Method::GET, url)?;
            let (request, token) = match credentials {
                Credentials::Basic(value) => (request.header(header::AUTHORIZATION, value), None),
                Credentials::OAuth { key, secret } => {
                    let token = self.token(key, secret, rejected.as_deref()).await?;
                    (request.header(TOKEN_HEADER, &*token), Some(token))
                }
            };
            let reply = self.send(request).await.inspect_err(|_| self.metrics.count(Metric::ApiCalls { answer: LATER }))?;
            match (judge(&reply), token) {
                (Some(answer), _) => return Ok(answer),
                (None, Some(token)) if rejected.is_none() => rejected = Some(token),
                (None, _) => return Err(self.refused("401").await),
            }
        }
    }

    /// The credentials for an org; none if there are none.
    async fn credentials(&self, org_id: Option<i64>) -> Result<Option<Arc<Credentials>>, FetchFailure> {
        let book = self.secret.current().await.ok_or_else(|| api_failure("no credentials: fill the secret"))?;
        if let Some(credentials) = book.for_org(org_id) {
            return Ok(Some(credentials));
        }
        // They may have been added since the secret was read.
        match self.secret.reread().await {
            Reread::Current(book) => Ok(book.for_org(org_id)),
            Reread::Unknown => Err(api_failure("credentials can't be read")),
        }
    }

    async fn token(&self, key: &str, secret: &str, rejected: Option<&str>) -> Result<Arc<str>, FetchFailure> {
        let issue = async || {
            let url = self.url(&["v3", "oauth", "token", "generate"])?;
            let body = serde_json::json!({"key": key, "secret": secret});
            let reply = self.send(self.request(Method::POST, &url)?.json(&body)).await?;
            if reply.status.is_success() {
                return Ok(reply.body);
            }
            Err(TokenFailure::Failed(FetchFailure {
                scope: Scope::Api,
                retry_after_s: retry_after_s(&reply.headers, self.clock.now_ms()),
                cause: format!("token call: {}", reply.status.as_u16()),
            }))
        };
        match self.tokens.get((key, secret), rejected, self.clock.now_ms(), issue).await {
            Ok(token) => Ok(token),
            Err(TokenFailure::Failed(failure)) => {
                tracing::error!(outcome = "token_failure", cause = failure.cause, "capillary");
                self.metrics.count(Metric::TokenFailures);
                // The credentials may have been rotated since they were read.
                self.secret.reread().await;
                Err(failure)
            }
            Err(TokenFailure::NoToken) => Err(self.refused("token call: no token").await),
        }
    }

    /// Wrong credentials: never final, since a wrong key must not publish a week of thin events.
    async fn refused(&self, cause: &str) -> FetchFailure {
        tracing::error!(outcome = "token_failure", cause, "capillary");
        self.metrics.count(Metric::TokenFailures);
        self.secret.reread().await;
        FetchFailure { scope: Scope::Api, retry_after_s: None, cause: cause.to_owned() }
    }

    fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, FetchFailure> {
        let client = self.http.get_or_init(build_http).as_ref().ok_or_else(|| api_failure("HTTP client"))?;
        // Without a content type the APIs answer 415, also to GET (facts 4.2).
        let json = "application/json";
        Ok(client.request(method, url.clone()).header(header::ACCEPT, json).header(header::CONTENT_TYPE, json))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, FetchFailure> {
        self.per_minute.until_ready().await;
        // An error's own text has the URL in it.
        let failure = |error: reqwest::Error| {
            api_failure(if error.is_timeout() {
                "timeout"
            } else if error.is_connect() {
                "connection"
            } else {
                "torn answer"
            })
        };
        let mut response = request.send().await.map_err(failure)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(FetchFailure { scope: Scope::Entity, retry_after_s: None, cause: "answer too large".to_owned() });
            }
        }
        Ok(Reply { status, headers, body })
    }

    fn url(&self, path: &[&str]) -> Result<Url, FetchFailure> {
        let mut url = Url::parse(&self.config.base_url).map_err(|_| api_failure("base URL"))?;
        url.path_segments_mut().map_err(|()| api_failure("base URL"))?.pop_if_empty().extend(path);
        Ok(url)
    }

    fn entity_url(&self, entity: &EntityRef, transaction_type: Option<TransactionType>) -> Result<Url, FetchFailure> {
        let mut url = match entity.kind {
            Kind::Customer => self.url(&["v2", "customers", &entity.id])?,
            Kind::Transaction => self.url(&["v2", "transactions", &entity.id])?,
            // No route leads to the others yet.
            Kind::Card | Kind::Group | Kind::Coupon | Kind::PointsLedger => return Err(api_failure("no such call")),
        };
        if entity.kind == Kind::Customer {
            url.query_pairs_mut().append_pair("source", &self.config.customer_source);
            if !self.config.customer_embed.is_empty() {
                url.query_pairs_mut().append_pair("embed", &self.config.customer_embed);
            }
        }
        if let Some(transaction_type) = transaction_type {
            url.query_pairs_mut().append_pair("type", transaction_type.as_str());
        }
        Ok(url)
    }
}

impl<S: SecretStore, K: Clock + Clone> Entities for CapillaryClient<S, K> {
    async fn fetch(&self, org_id: Option<i64>, entity: &EntityRef) -> Result<Fetched, FetchFailure> {
        let fetched = |status, survivor_id, body| Fetched { status, survivor_id, body, fetched_at_ms: self.clock.now_ms() };
        let Some(credentials) = self.credentials(org_id).await? else {
            return Ok(fetched(Status::Forbidden, None, None));
        };
        let mut types: Vec<Option<TransactionType>> = entity.types.iter().copied().map(Some).collect();
        if types.is_empty() {
            types.push(None);
        }
        let judged = |reply: &Reply| judge(entity, reply.status, &reply.headers, &reply.body, self.clock.now_ms());
        let counted = |answer: &Answer| self.metrics.count(Metric::ApiCalls { answer: answer.word() });
        let answered =
            |reply: &Reply| Some(judged(reply)).inspect(counted).filter(|answer| !matches!(answer, Answer::Unauthorized));
        let mut outcome = Status::NotFound;
        for transaction_type in types {
            let url = self.entity_url(entity, transaction_type)?;
            match self.ask(&credentials, &url, answered).await? {
                Answer::Found { survivor_id, body } => return Ok(fetched(Status::Found, survivor_id, Some(Arc::from(body)))),
                Answer::Final(Status::NotFound) => {}
                Answer::Final(status) => {
                    outcome = status;
                    break;
                }
                Answer::Later(failure) => return Err(failure),
                Answer::Unauthorized => return Err(api_failure("401")),
            }
        }
        Ok(fetched(outcome, None, None))
    }

    async fn audits(
        &self,
        org_id: Option<i64>,
        entity: &EntityRef,
        request_id: &str,
        at_ms: i64,
    ) -> Result<Vec<Told>, FetchFailure> {
        let mut told = Vec::new();
        let (Kind::Customer, Some(credentials)) = (entity.kind, self.credentials(org_id).await?) else {
            return Ok(told);
        };
        if self.closed_audits.knows(org_id, self.clock.now_ms()) {
            return Ok(told);
        }
        for page_number in 0..audits::MAX_PAGES {
            let mut url = self.url(&["api_gateway", "v2", "audits"])?;
            url.query_pairs_mut()
                .append_pair("entityType", "CUSTOMER")
                .append_pair("entityId", &entity.id)
                .append_pair("sortBy", "autoUpdateTime")
                .append_pair("sortOrder", "DESC")
                .append_pair("limit", &audits::ROWS_A_PAGE.to_string())
                .append_pair("pageNo", &page_number.to_string());
            let judged = |reply: &Reply| audits::judge(reply.status, &reply.headers, &reply.body, self.clock.now_ms());
            let counted = |answer: &audits::Answer| self.metrics.count(Metric::ApiCalls { answer: answer.word() });
            let answered = |reply: &Reply| {
                Some(judged(reply)).inspect(counted).filter(|answer| !matches!(answer, audits::Answer::Unauthorized))
            };
            match self.ask(&credentials, &url, answered).await? {
                audits::Answer::Page(page) => {
                    told.extend(page.told(request_id));
                    if page.is_last(page_number, at_ms) {
                        break;
                    }
                }
                audits::Answer::Later(failure) => return Err(failure),
                audits::Answer::Closed => {
                    self.closed_audits.learn(org_id, self.clock.now_ms());
                    break;
                }
                audits::Answer::Nothing | audits::Answer::Unauthorized => break,
            }
        }
        Ok(told)
    }
}

enum TokenFailure {
    Failed(FetchFailure),
    NoToken,
}

impl From<NoToken> for TokenFailure {
    fn from(_: NoToken) -> Self {
        Self::NoToken
    }
}

impl From<FetchFailure> for TokenFailure {
    fn from(failure: FetchFailure) -> Self {
        Self::Failed(failure)
    }
}

fn api_failure(cause: &str) -> FetchFailure {
    FetchFailure { scope: Scope::Api, retry_after_s: None, cause: cause.to_owned() }
}

/// Redirects are not followed: the token would go along.
fn build_http() -> Option<Client> {
    // Another part of the process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built =
        Client::builder().connect_timeout(CONNECT_WITHIN).timeout(ANSWER_WITHIN).redirect(redirect::Policy::none()).build();
    built.inspect_err(|_| tracing::error!(outcome = "no_http_client", "capillary")).ok()
}
