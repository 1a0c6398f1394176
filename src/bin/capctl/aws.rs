//! AWS as the AWS CLI finds it: variables, profiles, single sign-on, roles. Errors in a line.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::{arguments::Common, output::Failure};

/// One call with all its attempts: nobody waits longer before a terminal.
const CALL_WITHIN: Duration = Duration::from_secs(30);

/// What clients are made from.
pub(crate) async fn configuration(common: &Common) -> Result<SdkConfig, Failure> {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_timeout(CALL_WITHIN).build());
    if let Some(profile) = &common.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &common.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let found = loader.load().await;
    if found.region().is_none() {
        return Err(Failure::Usage(match &common.profile {
            Some(profile) => format!("there is no profile {profile}, or it has no region: give --region, too"),
            None => "no AWS region: give --region or --profile, or set AWS_REGION".to_owned(),
        }));
    }
    Ok(found)
}

/// An error of a service in a line: its code and its words. No call whose error could repeat a secret is told by this.
pub(crate) fn failure<E, R>(call: &'static str, error: &SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    Failure::of(call, cause(error))
}

/// The same by its code alone, of a call whose error could repeat what was sent: a body, a secret.
pub(crate) fn coded_failure<E, R>(call: &'static str, error: &SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    Failure::of(call, error.code().map_or_else(|| cause(error), str::to_owned))
}

/// What went wrong with a call.
pub(crate) fn cause<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => match error {
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_io() => "no connection".to_owned(),
            SdkError::DispatchFailure(failure) => {
                failure.as_connector_error().map_or_else(|| "not sent".to_owned(), |error| DisplayErrorContext(error).to_string())
            }
            _ => "an answer that can't be read".to_owned(),
        },
    }
}
