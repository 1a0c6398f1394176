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
}
