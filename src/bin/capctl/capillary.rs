//! Capillary's APIs with the deployment's credentials.

use aws_config::SdkConfig;
use capillary_events::{
    capillary::client::CapillaryClient,
    clock::{SystemClock, from_http_date},
    metrics::Metrics,
};
use http::{Method, StatusCode, header};
use serde_json::Value;

use crate::{deployment::Deployment, output::Failure, stored_secret::StoredSecret};

/// Capillary.
pub(crate) struct Capillary(pub(crate) CapillaryClient<StoredSecret, SystemClock>);

/// What Capillary answered.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// When, by Capillary's clock, in seconds since 1970.
    pub(crate) date_s: Option<i64>,
    /// The body, null where it is no JSON. It may hold personal data or header values.
    pub(crate) body: Value,
}

impl Answered {
    /// `data` of an answer that is no error.
    pub(crate) fn data(mut self, call: &str) -> Result<Value, Failure> {
        match self.error() {
            Some(error) => Err(Failure::of(call, error)),
            None => Ok(self.body.get_mut("data").map(Value::take).unwrap_or_default()),
        }
    }

    /// What is wrong with it, by its status and its codes; none where it is no error.
    pub(crate) fn error(&self) -> Option<String> {
        let (status, codes) = (self.status.as_u16(), self.error_codes());
        if !codes.is_empty() {
            return Some(format!("Capillary answers {status} with error {}", codes.join(", ")));
        }
        (!self.status.is_success()).then(|| format!("Capillary answers {status}"))
    }

    /// The codes in `errors[]`; their messages may repeat what was sent.
    pub(crate) fn error_codes(&self) -> Vec<String> {
        let errors = self.body.get("errors").and_then(Value::as_array).into_iter().flatten();
        errors.map(|error| error.get("code").map_or_else(|| "no code".to_owned(), Value::to_string)).collect()
    }
}

impl Capillary {
    /// The Capillary of the deployment.
    pub(crate) fn of(deployment: &Deployment, aws: &SdkConfig) -> Result<Self, Failure> {
        let secret = StoredSecret::new(aws, deployment.name("CAPILLARY_SECRET_ID")?);
        Ok(Self(CapillaryClient::new(deployment.capillary()?, secret, SystemClock, Metrics::on_stdout("capctl".to_owned()))))
    }

    /// Makes a call with the credentials for that org, or those that go for all.
    pub(crate) async fn call(
        &self,
        org_id: Option<i64>,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answered, Failure> {
        let call = format!("{method} /{}", path.join("/"));
        match self.0.call(org_id, method, path, query, body).await {
            Ok(answered) => Ok(Answered {
                status: answered.status,
                date_s: answered.headers.get(header::DATE).and_then(|date| from_http_date(date.to_str().ok()?)),
                body: serde_json::from_slice(&answered.body).unwrap_or_default(),
            }),
            Err(failure) => Err(Failure::of(call, failure.cause)),
        }
    }
}
