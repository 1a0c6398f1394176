//! Calls for entities.

pub mod operator;

use std::{sync::Arc, time::Duration};

use http::header;
use reqwest::{Method, RequestBuilder, Url};

use super::{
    answer::{Answer, LATER, judge, retry_after_s},
    audits,
    credentials::{CredentialBook, Credentials},
    http::{Http, Reply},
    token::Tokens,
};
use crate::{
    config::CapillaryConfig,
    entity::{By, EntityRef, FetchFailure, Fetched, Kind, Scope, Status, TransactionType},
    metrics::{Metric, Metrics},
    ports::{Clock, Entities, SecretStore},
    secret::{CachedSecret, Reread},
    told::Told,
};

/// Not `Authorization`, and no `Bearer` before it (facts 4.2).
const TOKEN_HEADER: &str = "x-cap-api-oauth-token";

/// Capillary, over HTTP.
pub struct CapillaryClient<S, K> {
    config: CapillaryConfig,
    secret: CachedSecret<S, K, CredentialBook>,
    tokens: Tokens,
    clock: K,
    http: Http<K>,
    closed_audits: audits::Closed,
    metrics: Metrics,
}

impl<S: SecretStore, K: Clock + Clone> CapillaryClient<S, K> {
    /// A client that has called nobody yet.
    pub fn new(config: CapillaryConfig, secret: S, clock: K, metrics: Metrics) -> Self {
        Self {
            http: Http::new(&config, clock.clone()),
            config,
            secret: CachedSecret::new(secret, clock.clone()),
            tokens: Tokens::default(),
            clock,
            closed_audits: audits::Closed::default(),
            metrics,
        }
    }

    /// Reads the secret and opens a connection ahead of the first call, within that time; a failure shows when that is made.
    pub async fn prepare(&self, within: Duration) {
        let _ = tokio::time::timeout(within, async { tokio::join!(self.secret.current(), self.http.open_connection()) }).await;
    }

    /// Asks for something.
    async fn ask<A>(&self, credentials: &Credentials, url: &Url, judge: impl Fn(Reply) -> Option<A>) -> Result<A, FetchFailure> {
        self.send(credentials, || self.http.request(Method::GET, url), judge).await
    }

    /// Makes a call, with a second token if the first is refused. `judge` says what an answer means; none: the token is not good.
    async fn send<A>(
        &self,
        credentials: &Credentials,
        request: impl Fn() -> Result<RequestBuilder, FetchFailure>,
        judge: impl Fn(Reply) -> Option<A>,
    ) -> Result<A, FetchFailure> {
        let mut rejected = None;
        loop {
            let request = request()?;
            let (request, token) = match credentials {
                Credentials::Basic(value) => (request.header(header::AUTHORIZATION, value), None),
                Credentials::OAuth { key, secret } => {
                    let token = self.token(key, secret, rejected.as_deref()).await?;
                    (request.header(TOKEN_HEADER, &*token), Some(token))
                }
            };
            let reply = self.http.send(request).await.inspect_err(|_| self.metrics.count(Metric::ApiCalls { answer: LATER }))?;
            match (judge(reply), token) {
                (Some(answer), _) => return Ok(answer),
                (None, Some(token)) if rejected.is_none() => rejected = Some(token),
                (None, _) => return Err(self.token_failure(FetchFailure::of_org("401")).await),
            }
        }
    }

    /// The credentials for an org; none if there are none.
    async fn credentials(&self, org_id: Option<i64>) -> Result<Option<Arc<Credentials>>, FetchFailure> {
        let book = self.secret.current().await.ok_or_else(|| FetchFailure::of_api("no credentials: fill the secret"))?;
        if let Some(credentials) = book.for_org(org_id) {
            return Ok(Some(credentials));
        }
        // They may have been added since the secret was read.
        match self.secret.reread().await {
            Reread::Current(book) => Ok(book.for_org(org_id)),
            Reread::Unknown => Err(FetchFailure::of_api("credentials can't be read")),
        }
    }

    async fn token(&self, key: &str, secret: &str, rejected: Option<&str>) -> Result<Arc<str>, FetchFailure> {
        let issue = async || {
            let url = self.http.url(&["v3", "oauth", "token", "generate"])?;
            let body = serde_json::json!({"key": key, "secret": secret});
            let reply = self.http.send(self.http.request(Method::POST, &url)?.json(&body)).await?;
            if reply.status.is_success() {
                return Ok(reply.body);
            }
            let status = reply.status.as_u16();
            Err(FetchFailure {
                // What is wrong with the credentials is nothing to other orgs.
                scope: if is_refusal(status) { Scope::Org } else { Scope::Api },
                retry_after_s: retry_after_s(&reply.headers, self.clock.now_ms()),
                cause: format!("token call: {status}"),
            })
        };
        let issue = async || match issue().await {
            Err(failure) => Err(self.token_failure(failure).await),
            issued => issued,
        };
        let no_token = async || self.token_failure(FetchFailure::of_org("token call: no token")).await;
        self.tokens.get((key, secret), rejected, self.clock.now_ms(), issue, no_token).await
    }

    /// Wrong credentials, or none to be had: never final, since a wrong key must not publish a week of thin events.
    async fn token_failure(&self, failure: FetchFailure) -> FetchFailure {
        tracing::error!(outcome = "token_failure", cause = failure.cause, "capillary");
        self.metrics.count(Metric::TokenFailures);
        // The credentials may have been rotated since they were read.
        self.secret.reread().await;
        failure
    }

    /// The call for some entities of one kind, of which one call brings that many.
    fn entities_url(&self, entities: &[EntityRef], transaction_type: Option<TransactionType>) -> Result<Url, FetchFailure> {
        let Some(first) = entities.first() else { return Err(FetchFailure::of_api("nothing to ask for")) };
        let mut url = match first.kind {
            Kind::Customer => self.http.url(&["v2", "customers", &first.id])?,
            Kind::Transaction => self.http.url(&["v2", "transactions", &first.id])?,
            Kind::Card => self.http.url(&["v2", "card"])?,
            Kind::Group => self.http.url(&["v2", "userGroup2"])?,
            Kind::Coupon => self.http.url(&["v2", "coupon"])?,
            Kind::PointsLedger => self.http.url(&["v2", "pointsLedger", "getLedgerExplodeInfo"])?,
        };
        match (first.kind, &first.by) {
            (Kind::Customer, _) => {
                url.query_pairs_mut().append_pair("source", &self.config.customer_source);
                if !self.config.customer_embed.is_empty() {
                    url.query_pairs_mut().append_pair("embed", &self.config.customer_embed);
                }
            }
            (Kind::Transaction, _) => {
                if let Some(transaction_type) = transaction_type {
                    url.query_pairs_mut().append_pair("type", transaction_type.as_str());
                }
            }
            (Kind::Card, By::Number(number) | By::NumberOnly(number)) => {
                url.query_pairs_mut().append_pair("number", number);
            }
            (Kind::Card, _) => return Err(FetchFailure::of_api("a card without a number")),
            (Kind::Group, _) => {
                url.query_pairs_mut().append_pair("id", &first.id);
            }
            // Several are asked for by saying the parameter again.
            (Kind::Coupon, _) => {
                url.query_pairs_mut().extend_pairs(entities.iter().map(|coupon| ("couponIds", &coupon.id)));
            }
            (Kind::PointsLedger, by) => {
                url.query_pairs_mut().append_pair("identifierName", "id");
                if let By::Owner(kind, id) = by {
                    let owner_type = if *kind == Kind::Group { "USERGROUP2" } else { "CUSTOMER" };
                    url.query_pairs_mut()
                        .append_pair("identifierValue", id)
                        .append_pair("source", &self.config.customer_source)
                        .append_pair("type", owner_type);
                }
                let ids: Vec<&str> = entities.iter().map(|entry| entry.id.as_str()).collect();
                url.query_pairs_mut().append_pair("eventIds", &ids.join(","));
            }
        }
        Ok(url)
    }

    /// What one call for entities means for each.
    async fn ask_for(
        &self,
        credentials: &Credentials,
        entities: &[EntityRef],
        transaction_type: Option<TransactionType>,
    ) -> Result<Vec<Answer>, FetchFailure> {
        let url = self.entities_url(entities, transaction_type)?;
        let judged = |reply: Reply| {
            let answers = judge(entities, reply.status, &reply.headers, &reply.body, self.clock.now_ms());
            // One call counts once: as the best that it brought.
            if let Some(answer) = answers.iter().min_by_key(|answer| !matches!(answer, Answer::Found { .. })) {
                self.metrics.count(Metric::ApiCalls { answer: answer.word() });
            }
            (!answers.iter().any(|answer| matches!(answer, Answer::Unauthorized))).then_some(answers)
        };
        self.ask(credentials, &url, judged).await
    }

    /// A transaction under the first type that has it.
    async fn ask_by_type(
        &self,
        credentials: &Credentials,
        transaction: &EntityRef,
        types: &[TransactionType],
    ) -> Result<Answer, FetchFailure> {
        for transaction_type in types {
            let answer = self.ask_for(credentials, std::slice::from_ref(transaction), Some(*transaction_type)).await?.pop();
            if let Some(answer) = answer.filter(|answer| !matches!(answer, Answer::Final(Status::NotFound))) {
                return Ok(answer);
            }
        }
        Ok(Answer::Final(Status::NotFound))
    }

    async fn answers(&self, org_id: Option<i64>, entities: &[EntityRef]) -> Result<Vec<Answer>, FetchFailure> {
        let Some(credentials) = self.credentials(org_id).await? else {
            return Ok(vec![Answer::Final(Status::Forbidden); entities.len()]);
        };
        match entities {
            [transaction @ EntityRef { by: By::Types(types), .. }] => {
                Ok(vec![self.ask_by_type(&credentials, transaction, types).await?])
            }
            [customer @ EntityRef { kind: Kind::Customer, .. }] => Ok(vec![self.ask_for_customer(&credentials, customer).await?]),
            [_] => self.ask_for(&credentials, entities, None).await,
            entities => self.ask_for_several(&credentials, entities).await,
        }
    }

    /// A customer, or the one into whom she was merged: where the answer tells only who that is, he is asked for.
    async fn ask_for_customer(&self, credentials: &Credentials, customer: &EntityRef) -> Result<Answer, FetchFailure> {
        let answer = self.ask_for(credentials, std::slice::from_ref(customer), None).await?.pop();
        let survivor_id = match answer {
            Some(Answer::Elsewhere(id)) => id,
            answer => return Ok(answer.unwrap_or(Answer::Final(Status::NotFound))),
        };
        let survivor = EntityRef { id: survivor_id.clone(), ..customer.clone() };
        Ok(match self.ask_for(credentials, std::slice::from_ref(&survivor), None).await?.pop() {
            Some(Answer::Found { answered_id: None, body }) => Answer::Found { answered_id: Some(survivor_id), body },
            Some(Answer::Later(failure)) => Answer::Later(failure),
            _ => Answer::Final(Status::Merged),
        })
    }

    /// Several by one call; where it brings none of them, something may be wrong with the call, or one of them is not ready, and each
    /// is asked for by itself.
    async fn ask_for_several(&self, credentials: &Credentials, entities: &[EntityRef]) -> Result<Vec<Answer>, FetchFailure> {
        let mut answers = self.ask_for(credentials, entities, None).await?;
        let is_none = |answer: &Answer| match answer {
            Answer::Final(status) => *status == Status::NotFound,
            Answer::Later(failure) => failure.scope == Scope::NotReady,
            _ => false,
        };
        if answers.iter().all(is_none) {
            answers.clear();
            for entity in entities {
                answers.extend(self.ask_for(credentials, std::slice::from_ref(entity), None).await?);
            }
        }
        Ok(answers)
    }
}

impl<S: SecretStore, K: Clock + Clone> Entities for CapillaryClient<S, K> {
    async fn fetch(&self, org_id: Option<i64>, entities: &[EntityRef]) -> Vec<Result<Fetched, FetchFailure>> {
        let began_at_ms = self.clock.now_ms();
        let answers = match self.answers(org_id, entities).await {
            Ok(answers) => answers,
            Err(failure) => return vec![Err(failure); entities.len()],
        };
        let began_at_ms = self.http.their_time(began_at_ms);
        let fetched_at_ms = self.http.their_time(self.clock.now_ms());
        let fetched = |status, answered_id, body| Fetched { status, answered_id, body, began_at_ms, fetched_at_ms };
        let answers = answers.into_iter().map(|answer| match answer {
            Answer::Found { answered_id, body } => Ok(fetched(Status::Found, answered_id, Some(Arc::from(body)))),
            Answer::Elsewhere(_) => Ok(fetched(Status::Merged, None, None)),
            Answer::Final(status) => Ok(fetched(status, None, None)),
            Answer::Later(failure) => Err(failure),
            Answer::Unauthorized => Err(FetchFailure::of_api("401")),
        });
        answers.collect()
    }

    async fn audits(
        &self,
        org_id: Option<i64>,
        entity: &EntityRef,
        request_id: &str,
        at_ms: i64,
    ) -> Result<Vec<Told>, FetchFailure> {
        let mut told = Vec::new();
        let entity_type = match entity.kind {
            Kind::Customer => "CUSTOMER",
            Kind::Card => "CARD",
            Kind::Transaction | Kind::Group | Kind::Coupon | Kind::PointsLedger => return Ok(told),
        };
        let Some(credentials) = self.credentials(org_id).await? else { return Ok(told) };
        if self.closed_audits.knows(org_id, self.clock.now_ms()) {
            return Ok(told);
        }
        for page_number in 0..audits::MAX_PAGES {
            let mut url = self.http.url(&["api_gateway", "v2", "audits"])?;
            url.query_pairs_mut()
                .append_pair("entityType", entity_type)
                .append_pair("entityId", &entity.id)
                .append_pair("sortBy", "autoUpdateTime")
                .append_pair("sortOrder", "DESC")
                .append_pair("limit", &audits::ROWS_A_PAGE.to_string())
                .append_pair("pageNo", &page_number.to_string());
            let judged = |reply: Reply| {
                let answer = audits::judge(reply.status, &reply.headers, &reply.body, self.clock.now_ms());
                self.metrics.count(Metric::ApiCalls { answer: answer.word() });
                (!matches!(answer, audits::Answer::Unauthorized)).then_some(answer)
            };
            match self.ask(&credentials, &url, judged).await? {
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

/// Whether a status says that the request is refused as it is, rather than that there is trouble.
const fn is_refusal(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 404 | 408 | 425 | 429 | 461)
}
