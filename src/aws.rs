//! The adapters to AWS. One HTTP client for all, bounded times for every call, and errors brought down to their codes: an
//! error's message may repeat what was sent.

pub mod bus;
mod condition;
mod connections;
mod endpoints;
mod environment;
mod forget;
pub mod ledger;
pub mod queue;
pub mod secrets;
mod snapshots;
pub mod tables;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    config::{Credentials, SharedCredentialsProvider},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::future::BoxFuture;

use environment::Environment;
use queue::Sqs;
use secrets::SecretsManager;

use crate::{
    config::{ConfigError, Source},
    ports::PortError,
};

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// One attempt.
    pub attempt: Duration,
    /// All attempts of a call together.
    pub call: Duration,
}

/// The receiver's: put, second put and send fit into the time in which an answer is given.
pub const RECEIVER_LIMITS: CallLimits = CallLimits { attempt: Duration::from_millis(1_000), call: Duration::from_millis(2_200) };
/// The enricher's.
pub const ENRICHER_LIMITS: CallLimits = CallLimits { attempt: Duration::from_secs(3), call: Duration::from_secs(8) };

const ATTEMPTS: u32 = 3;
/// Before the second attempt, at random up to that; twice as long before the third.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// What keeps AWS from being called at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The environment does not say where AWS is, or who we are.
    #[error(transparent)]
    Environment(#[from] ConfigError),
    /// The HTTP client can't be built.
    #[error("no HTTP client for AWS")]
    HttpClient,
}

/// A service that is called.
#[derive(Debug, Clone, Copy)]
pub enum Service {
    /// The tables.
    DynamoDb,
    /// The bus.
    EventBridge,
    /// The queues.
    Sqs,
}

/// What all AWS clients share: region, credentials and endpoint, and one HTTP client.
pub struct Aws {
    sdk: SdkConfig,
    credentials: Credentials,
    connector: SharedHttpConnector,
    limits: CallLimits,
}

impl Aws {
    /// AWS as the environment has it, with calls that end in time.
    ///
    /// # Errors
    /// A variable is missing, or the HTTP client can't be built; it is logged.
    pub fn read(source: &impl Source, limits: CallLimits) -> Result<Self, SetupError> {
        let aws = Environment::read(source).map_err(SetupError::from).and_then(|found| Self::new(found, limits));
        aws.inspect_err(|error| tracing::error!(%error, "configuration"))
    }

    fn new(environment: Environment, limits: CallLimits) -> Result<Self, SetupError> {
        let connector = connections::connector(&environment, limits.attempt)?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(limits.attempt)
            .operation_attempt_timeout(limits.attempt)
            .operation_timeout(limits.call)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
        let mut sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(environment.region)
            .credentials_provider(SharedCredentialsProvider::new(environment.credentials.clone()))
            // They are the same as long as the process lives.
            .identity_cache(IdentityCache::no_cache())
            .use_fips(environment.use_fips)
            .use_dual_stack(environment.use_dual_stack)
            .http_client(connections::client(connector.clone()))
            .sleep_impl(TokioSleep::new())
            .timeout_config(timeouts)
            .retry_config(retries);
        sdk.set_endpoint_url(environment.endpoint_url);
        Ok(Self { sdk: sdk.build(), credentials: environment.credentials, connector, limits })
    }

    /// A client of DynamoDB. To make one is a good part of a start: make one, and clone it.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk)
    }

    /// A client of EventBridge.
    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.sdk)
    }

    /// Secrets Manager.
    pub fn secrets_manager(&self) -> SecretsManager {
        SecretsManager::new(&self.sdk, &self.credentials, &self.connector, self.limits)
    }

    /// SQS.
    pub fn sqs(&self) -> Sqs {
        Sqs::new(&self.sdk)
    }

    /// Opens connections to these services, within that time; a failure shows when they are used. A handshake is the most work in a
    /// function's life.
    pub async fn open_connections(&self, services: &[Service], within: Duration) {
        let mut urls = Vec::new();
        for service in services {
            urls.extend(endpoints::url(*service, &self.sdk).await);
        }
        connections::open(&self.connector, urls, within).await;
    }
}

/// A call on the heap: it is some 20 KB, and whoever awaits it in place is copied with it as often as it is handed on.
fn boxed<'a, T>(call: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(call)
}

/// Codes by which a service calls the request itself invalid. All else may pass.
const INVALID: [&str; 12] = [
    "ValidationException",
    "ValidationError",
    "SerializationException",
    "InvalidMessageContents",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "InvalidAttributeValue",
    "InvalidAttributeName",
    "MissingParameter",
    "RequestEntityTooLargeException",
    "BatchRequestTooLong",
    "AWS.SimpleQueueService.BatchRequestTooLong",
];

/// A request that can't even be put together.
fn port_error_invalid(call: &'static str, cause: &str) -> PortError {
    PortError::Invalid { call, cause: cause.to_owned() }
}

/// Brings an error down to what may be said of it and what to do about it.
fn port_error<E, R>(call: &'static str, error: &SdkError<E, R>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let cause = match error {
        SdkError::TimeoutError(_) => "Timeout".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "Timeout".to_owned(),
        SdkError::DispatchFailure(_) => "Connection".to_owned(),
        SdkError::ConstructionFailure(_) => "Construction".to_owned(),
        SdkError::ResponseError(_) => "TornAnswer".to_owned(),
        _ => error.code().unwrap_or("Unknown").to_owned(),
    };
    // Names of errors of the modelled kind come with a namespace or without.
    let code = cause.rsplit('#').next().unwrap_or(&cause);
    if INVALID.contains(&code) { PortError::Invalid { call, cause } } else { PortError::Unavailable { call, cause } }
}
