//! What `make up` has started, as `.local/stack.json` tells it, and clients for the local AWS.

use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use serde_json::Value;

/// The local AWS with the deployed stack.
#[derive(Clone)]
pub(crate) struct Stack {
    document: Value,
}

/// SDK clients for one endpoint. Each test makes its own: connections must not outlive a test's runtime.
pub(crate) struct Aws {
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) events: aws_sdk_eventbridge::Client,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
}

impl Stack {
    /// Reads the file that `make up` writes.
    pub(crate) fn load() -> Self {
        let path = std::env::var("CAPILLARY_EVENTS_STACK").unwrap_or_else(|_| ".local/stack.json".into());
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{path} cannot be read ({error}): start the local AWS with `make up` first"));
        let document = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} is no JSON: {error}"));
        Self { document }
    }

    /// A text of the file, by JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.document
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("the stack file has no text at {pointer}: run `make up` again"))
            .to_owned()
    }

    /// Headers that the deployed webhook's secret accepts.
    pub(crate) fn webhook_headers(&self) -> Vec<(String, String)> {
        let headers = self.document["webhookHeaders"].as_object().expect("webhookHeaders in the stack file");
        headers.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }

    pub(crate) fn endpoint(&self) -> String {
        self.text("/endpoint")
    }

    pub(crate) fn region(&self) -> String {
        self.text("/region")
    }

    /// The receiver that `sam build` made, unless `CAPILLARY_EVENTS_RECEIVER` names another.
    pub(crate) fn receiver(&self) -> PathBuf {
        self.executable("CAPILLARY_EVENTS_RECEIVER", "/executables/receiver")
    }

    /// The enricher that `sam build` made, unless `CAPILLARY_EVENTS_ENRICHER` names another.
    pub(crate) fn enricher(&self) -> PathBuf {
        self.executable("CAPILLARY_EVENTS_ENRICHER", "/executables/enricher")
    }

    fn executable(&self, variable: &str, pointer: &str) -> PathBuf {
        let path = std::env::var_os(variable).map_or_else(|| PathBuf::from(self.text(pointer)), PathBuf::from);
        assert!(path.is_file(), "{} is not there: run `make build`", path.display());
        path
    }
}

impl Aws {
    /// Clients for the local endpoint; plain HTTP, dummy credentials.
    pub(crate) async fn connect(stack: &Stack) -> Self {
        let config = configuration(stack).await;
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
        }
    }
}

async fn configuration(stack: &Stack) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(stack.region()))
        .endpoint_url(stack.endpoint())
        .credentials_provider(aws_sdk_sqs::config::Credentials::new("test", "test", None, None, "tests"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}
