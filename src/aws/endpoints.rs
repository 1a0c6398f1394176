//! Where a service is, by the SDK's own rules.

use aws_config::SdkConfig;

use super::Service;

/// The endpoint of a service, unless the rules find none.
pub(super) async fn url(service: Service, sdk: &SdkConfig) -> Option<String> {
    macro_rules! resolved {
        ($service:ident) => {{
            use $service::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
            let params = Params::builder()
                .set_region(sdk.region().map(ToString::to_string))
                .set_endpoint(sdk.endpoint_url().map(str::to_owned))
                .set_use_fips(sdk.use_fips())
                .set_use_dual_stack(sdk.use_dual_stack())
                .build();
            DefaultResolver::new().resolve_endpoint(&params.ok()?).await.ok()?.url().to_owned()
        }};
    }
    Some(match service {
        Service::DynamoDb => resolved!(aws_sdk_dynamodb),
        Service::EventBridge => resolved!(aws_sdk_eventbridge),
        Service::Sqs => resolved!(aws_sdk_sqs),
    })
}

/// The endpoint of Secrets Manager, whose names follow one rule in all regions, and which has no other for IPv6; what comes after the
/// region is the same for all services.
pub(super) async fn secrets_manager(sdk: &SdkConfig) -> Option<String> {
    if let Some(url) = sdk.endpoint_url() {
        return Some(url.to_owned());
    }
    let plain = sdk.clone().into_builder().use_fips(false).use_dual_stack(false).build();
    let region = sdk.region()?.as_ref();
    let dynamodb = url(Service::DynamoDb, &plain).await?;
    let suffix = dynamodb.strip_prefix("https://dynamodb.")?.strip_prefix(region)?;
    let fips = if sdk.use_fips() == Some(true) { "-fips" } else { "" };
    Some(format!("https://secretsmanager{fips}.{region}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Aws, Environment, RECEIVER_LIMITS};
    use std::collections::HashMap;

    async fn urls(settings: &[(&'static str, &'static str)]) -> [Option<String>; 3] {
        let mut source = HashMap::from([("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")]);
        source.extend(settings.iter().copied());
        let aws = Aws::new(Environment::read(&source).unwrap(), RECEIVER_LIMITS).unwrap();
        [url(Service::DynamoDb, &aws.sdk).await, url(Service::EventBridge, &aws.sdk).await, url(Service::Sqs, &aws.sdk).await]
    }

    #[tokio::test]
    async fn each_region_and_variant_has_its_own() {
        for (settings, expected) in [
            (
                &[("AWS_REGION", "eu-west-1")][..],
                [
                    "https://dynamodb.eu-west-1.amazonaws.com",
                    "https://events.eu-west-1.amazonaws.com",
                    "https://sqs.eu-west-1.amazonaws.com",
                ],
            ),
            (
                &[("AWS_REGION", "us-east-1"), ("AWS_USE_FIPS_ENDPOINT", "true")],
                [
                    "https://dynamodb-fips.us-east-1.amazonaws.com",
                    "https://events-fips.us-east-1.amazonaws.com",
                    "https://sqs-fips.us-east-1.amazonaws.com",
                ],
            ),
            (&[("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")], ["http://127.0.0.1:4566"; 3]),
        ] {
            assert_eq!(urls(settings).await, expected.map(|url| Some(url.to_owned())));
        }
    }

    #[tokio::test]
    async fn secrets_managers_are_those_that_its_own_client_finds() {
        use aws_sdk_secretsmanager::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
        for region in ["us-east-1", "eu-central-2", "ap-southeast-5", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"] {
            // Elsewhere there are others for IPv6, where its common ones are as good.
            let dual_stack_too = ["us-east-1", "eu-central-2"].contains(&region);
            let variants = [(false, false), (true, false), (false, true)];
            for (fips, dual_stack) in variants.into_iter().filter(|(_, dual_stack)| dual_stack_too || !dual_stack) {
                let sdk = SdkConfig::builder()
                    .region(aws_config::Region::new(region))
                    .use_fips(fips)
                    .use_dual_stack(dual_stack)
                    .build();
                let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack).build().unwrap();
                let Ok(theirs) = DefaultResolver::new().resolve_endpoint(&params).await else { continue };
                assert_eq!(secrets_manager(&sdk).await.as_deref(), Some(theirs.url()), "{region} {fips} {dual_stack}");
            }
        }
    }
}
