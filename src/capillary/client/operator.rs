//! Calls that an operator makes: any path, answered as it is.

use http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::Value;

use super::CapillaryClient;
use crate::{
    entity::FetchFailure,
    ports::{Clock, SecretStore},
};

/// An answer. It does not print: the body may be somebody's data.
pub struct Answered {
    /// HTTP's.
    pub status: StatusCode,
    /// HTTP's.
    pub headers: HeaderMap,
    /// The bytes, read to their end.
    pub body: Vec<u8>,
}

impl<S: SecretStore, K: Clock + Clone> CapillaryClient<S, K> {
    /// Makes a call with the credentials for an org, or those that go for all: the answer, whatever it is.
    ///
    /// # Errors
    /// There are no credentials, Capillary refuses them, or it could not be reached.
    pub async fn call(
        &self,
        org_id: Option<i64>,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answered, FetchFailure> {
        let no_credentials = || FetchFailure::of_org("no credentials for this org: fill the secret");
        let credentials = self.credentials(org_id).await?.ok_or_else(no_credentials)?;
        let mut url = self.http.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = || {
            let request = self.http.request(method.clone(), &url)?;
            Ok(match body {
                Some(body) => request.json(body),
                None => request,
            })
        };
        let is_taken = |status| status != StatusCode::UNAUTHORIZED;
        self.send(&credentials, request, |reply| {
            is_taken(reply.status).then_some(Answered { status: reply.status, headers: reply.headers, body: reply.body })
        })
        .await
    }
}
