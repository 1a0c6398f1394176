//! Secrets Manager.
//!
//! One small call of it is needed. The SDK's client for it would make a start a third longer and the functions larger (`make bench`), so
//! the call is put together here: signed by the SDK's own signer, over the HTTP client that all services share.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, CallLimits, FIRST_BACKOFF, endpoints};
use crate::ports::{PortError, SecretStore};

const CALL: &str = "SecretsManager.GetSecretValue";
const TARGET: &str = "secretsmanager.GetSecretValue";
/// The service's name in signatures.
const SIGNED_AS: &str = "secretsmanager";

/// The secrets of an account in a region.
#[derive(Clone)]
pub struct SecretsManager(Arc<Client>);

struct Client {
    sdk: SdkConfig,
    credentials: Credentials,
    connector: SharedHttpConnector,
    limits: CallLimits,
}

/// One secret in Secrets Manager.
#[derive(Clone)]
pub struct Secret {
    manager: SecretsManager,
    id: String,
}

/// Why an attempt came to nothing.
struct Failure {
    cause: String,
    may_pass: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    secret_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_string: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    code: String,
}

impl SecretsManager {
    pub(super) fn new(sdk: &SdkConfig, credentials: &Credentials, connector: &SharedHttpConnector, limits: CallLimits) -> Self {
        Self(Arc::new(Client { sdk: sdk.clone(), credentials: credentials.clone(), connector: connector.clone(), limits }))
    }
}

impl Secret {
    /// The secret with this name or ARN.
    pub fn new(manager: SecretsManager, id: String) -> Self {
        Self { manager, id }
    }
}

impl SecretStore for Secret {
    async fn read(&self) -> Result<String, PortError> {
        let Client { limits, .. } = &*self.manager.0;
        let unavailable = |cause: &str| PortError::Unavailable { call: CALL, cause: cause.to_owned() };
        let answer = tokio::time::timeout(limits.call, Box::pin(self.manager.0.ask(&self.id))).await;
        let answer = answer.map_err(|_elapsed| unavailable("Timeout"))?.map_err(|failure| unavailable(&failure.cause))?;
        answer.secret_string.ok_or_else(|| unavailable("NoSecretString"))
    }
}

impl Client {
    /// Asks until there is an answer, or a refusal that will not pass.
    async fn ask(&self, id: &str) -> Result<Answer, Failure> {
        let question = serde_json::to_vec(&Question { secret_id: id }).map_err(|_| Failure::of("Construction"))?;
        let mut wait = FIRST_BACKOFF;
        for _ in 1..ATTEMPTS {
            match self.attempt(&question).await {
                Err(failure) if failure.may_pass => {
                    tokio::time::sleep(wait.mul_f64(fastrand::f64())).await;
                    wait *= 2;
                }
                answer => return answer,
            }
        }
        self.attempt(&question).await
    }

    async fn attempt(&self, question: &[u8]) -> Result<Answer, Failure> {
        let request = self.request(question).await.ok_or_else(|| Failure::of("Construction"))?;
        let asked = async {
            let answer = self.connector.call(request).await.map_err(|_| Failure::passing("Connection"))?;
            let status = answer.status().as_u16();
            let body = ByteStream::new(answer.into_body()).collect().await.map_err(|_| Failure::passing("TornAnswer"))?;
            Ok((status, body.into_bytes()))
        };
        let within: Duration = self.limits.attempt;
        let (status, body) =
            tokio::time::timeout(within, asked).await.unwrap_or_else(|_elapsed| Err(Failure::passing("Timeout")))?;
        if status == StatusCode::OK.as_u16() {
            return serde_json::from_slice(&body).map_err(|_| Failure::passing("TornAnswer"));
        }
        // Names of errors come with a namespace or without.
        let code = serde_json::from_slice::<Refusal>(&body).ok();
        let code = code.as_ref().map_or("Unknown", |refusal| refusal.code.rsplit('#').next().unwrap_or_default());
        let may_pass = status >= 500 || status == 429 || code.contains("Throttl");
        Err(Failure { cause: code.to_owned(), may_pass })
    }

    /// The signed request.
    async fn request(&self, question: &[u8]) -> Option<HttpRequest> {
        let url = endpoints::secrets_manager(&self.sdk).await?;
        let mut request = http::Request::post(&url)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", TARGET)
            .body(SdkBody::from(question))
            .ok()?;
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.sdk.region()?.as_ref())
            .name(SIGNED_AS)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .ok()?;
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(question)).ok()?;
        let (signature, _) = sign(signable, &parameters.into()).ok()?.into_parts();
        signature.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).ok()
    }
}

impl Failure {
    fn of(cause: &str) -> Self {
        Self { cause: cause.to_owned(), may_pass: false }
    }

    fn passing(cause: &str) -> Self {
        Self { cause: cause.to_owned(), may_pass: true }
    }
}
