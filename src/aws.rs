//! The adapters to AWS. One HTTP client for all, bounded times for every call, and errors brought down to their codes: an
//! error's message may repeat what was sent.

pub mod bus;
mod condition;
mod forget;
pub mod ledger;
pub mod queue;
pub mod secrets;
mod snapshots;
pub mod tables;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;

use crate::ports::PortError;

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

/// What all AWS clients share: region, credentials and endpoint from the environment.
pub async fn config(limits: CallLimits) -> SdkConfig {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits.attempt)
        .operation_attempt_timeout(limits.attempt)
        .operation_timeout(limits.call)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(50));
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
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
