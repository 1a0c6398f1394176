//! From API Gateway's event to a delivery, and from a disposition to API Gateway's answer: payload 1.0 (REST APIs) and 2.0 (HTTP
//! APIs, `cargo lambda watch`).
//!
//! The request is read here and not by `lambda_http`'s conversion, since that one keeps only the last of a header sent twice,
//! refuses a whole delivery for a header without a name (which Capillary's webhooks may have, facts 3.1), and panics on some Host
//! headers and on broken base64.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use lambda_http::{
    Body,
    aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse},
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::panic::AssertUnwindSafe;

use crate::{
    disposition::Disposition,
    message::TraceHeader,
    metrics::{Metric, Metrics},
    ports::{Claims, Clock, DeadLetterQueue, EventsQueue, SecretStore},
    receive::{Delivery, Receipt, Receiver},
};

/// The only path, below the stage.
const PATH: &str = "/events";
/// The only method.
const METHOD: &str = "POST";

/// The members of an API Gateway event that count here. Each may be missing or of another kind: whatever is sent gets an answer.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    #[serde(deserialize_with = "lenient")]
    http_method: Option<String>,
    #[serde(deserialize_with = "lenient")]
    path: Option<String>,
    #[serde(deserialize_with = "lenient")]
    raw_path: Option<String>,
    #[serde(deserialize_with = "lenient")]
    resource: Option<String>,
    #[serde(deserialize_with = "lenient")]
    headers: BTreeMap<String, Value>,
    #[serde(deserialize_with = "lenient")]
    multi_value_headers: BTreeMap<String, Value>,
    #[serde(deserialize_with = "lenient")]
    body: Option<String>,
    #[serde(deserialize_with = "lenient")]
    is_base64_encoded: bool,
    #[serde(deserialize_with = "lenient")]
    request_context: RequestContext,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RequestContext {
    #[serde(deserialize_with = "lenient")]
    stage: Option<String>,
    #[serde(deserialize_with = "lenient")]
    http: Option<HttpContext>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HttpContext {
    #[serde(deserialize_with = "lenient")]
    method: Option<String>,
}

/// A member of another kind than expected counts as missing; an error would repeat it.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// The texts in a header's value: one, or several in a list.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

impl Request {
    /// Payload 2.0 has it in the context; `cargo lambda watch` puts a wrong one where payload 1.0 has it.
    fn method(&self) -> &str {
        let http_api = self.request_context.http.as_ref().and_then(|http| http.method.as_deref());
        http_api.or(self.http_method.as_deref()).unwrap_or_default()
    }

    /// Whether the path is ours. A custom domain may put anything before it; then the resource tells that the gateway matched it.
    fn is_for_events(&self) -> bool {
        let path = self.raw_path.as_deref().or(self.path.as_deref()).unwrap_or_default();
        let stage = self.request_context.stage.as_deref().unwrap_or_default();
        let below_stage = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)).filter(|rest| rest.starts_with('/'));
        let matched_below_base_path = self.resource.as_deref() == Some(PATH) && path.ends_with(PATH);
        path == PATH || below_stage == Some(PATH) || matched_below_base_path
    }

    /// Every value of every header; a header whose name or value can be none is left out.
    fn headers(&mut self) -> HeaderMap {
        let multiple = std::mem::take(&mut self.multi_value_headers);
        let mut all = std::mem::take(&mut self.headers);
        // In payload 1.0 `headers` repeats the last value of each header of `multiValueHeaders`.
        all.retain(|name, _| !multiple.keys().any(|known| known.eq_ignore_ascii_case(name)));
        let all = multiple
            .into_iter()
            .chain(all)
            .flat_map(|(name, value)| texts(value).into_iter().map(move |value| (name.clone(), value)));
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        headers
    }

    /// The bytes that were sent. Broken base64 is the gateway's doing, not the sender's; its text is at least kept.
    fn body(&mut self) -> Vec<u8> {
        let text = self.body.take().unwrap_or_default();
        if self.is_base64_encoded
            && let Ok(bytes) = BASE64_STANDARD.decode(&text)
        {
            return bytes;
        }
        text.into_bytes()
    }
}

/// API Gateway's form of an answer, by the payload of the request: a REST API refuses members that it does not know, and
/// `cargo lambda watch` misses them.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To payload 1.0.
    RestApi(ApiGatewayProxyResponse),
    /// To payload 2.0.
    HttpApi(ApiGatewayV2httpResponse),
}

/// Answers one request: routes it, takes the delivery in, and writes the line of it in the log.
pub async fn answer<C, Q, D, S, K>(receiver: &Receiver<C, Q, D, S, K>, mut request: Request, trace: Option<&str>) -> Response
where
    C: Claims,
    Q: EventsQueue,
    D: DeadLetterQueue,
    S: SecretStore,
    K: Clock + Clone,
{
    let started = std::time::Instant::now();
    let is_http_api = request.request_context.http.is_some();
    let receipt = if !request.is_for_events() {
        Receipt { disposition: Disposition::NotFound, identity: None }
    } else if request.method() != METHOD {
        Receipt { disposition: Disposition::MethodNotAllowed, identity: None }
    } else {
        let delivery = Delivery { headers: request.headers(), body: request.body(), trace: trace.and_then(TraceHeader::parse) };
        // A panic would become a 502, which the sender may not resend.
        AssertUnwindSafe(receiver.receive(delivery))
            .catch_unwind()
            .await
            .unwrap_or(Receipt { disposition: Disposition::Unavailable, identity: None })
    };
    log(&receipt, started.elapsed());
    count(&receiver.metrics, &receipt.disposition);
    response(&receipt.disposition, is_http_api)
}

fn response(disposition: &Disposition, is_http_api: bool) -> Response {
    let (content_type, body) = disposition.body();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(seconds) = disposition.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if *disposition == Disposition::MethodNotAllowed {
        headers.insert(header::ALLOW, HeaderValue::from_static(METHOD));
    }
    let status_code = i64::from(disposition.status().as_u16());
    let body = Some(Body::Text(body.to_string()));
    if is_http_api {
        let mut response = ApiGatewayV2httpResponse::default();
        (response.status_code, response.headers, response.body) = (status_code, headers, body);
        return Response::HttpApi(response);
    }
    let mut response = ApiGatewayProxyResponse::default();
    (response.status_code, response.headers, response.body) = (status_code, headers, body);
    Response::RestApi(response)
}

fn log(receipt: &Receipt, duration: std::time::Duration) {
    let identity = receipt.identity.as_ref();
    tracing::info!(
        event_id = identity.map(|identity| identity.key.as_str()),
        event_name = identity.and_then(|identity| identity.event_name.as_deref()),
        org_id = identity.and_then(|identity| identity.org_id),
        request_id = identity.and_then(|identity| identity.request_id.as_deref()),
        outcome = receipt.disposition.outcome(),
        status = receipt.disposition.status().as_u16(),
        duration_ms = crate::logging::milliseconds(duration),
        "delivery"
    );
}

fn count(metrics: &Metrics, disposition: &Disposition) {
    metrics.count(Metric::Deliveries { answer: disposition.outcome() });
    match disposition {
        Disposition::Duplicate { .. } => metrics.count(Metric::Duplicates),
        Disposition::InProgress { .. } => metrics.count(Metric::LeaseConflicts),
        Disposition::Stranger | Disposition::Held => metrics.count(Metric::AuthFailures),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(event: serde_json::Value) -> Request {
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_header_sent_twice_stays_two_values() {
        let headers = request(json!({
            "headers": {"Authorization": "b", "accept": "x", "": ":", "bad name": "x", "null": null},
            "multiValueHeaders": {"authorization": ["a", "b"], "": [":"], "none": null}
        }))
        .headers();
        assert_eq!(headers.get_all("authorization").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn our_path_is_found_below_a_stage_and_behind_a_custom_domain() {
        for event in [
            json!({"path": "/events"}),
            json!({"path": "/prod/events", "requestContext": {"stage": "prod"}}),
            json!({"rawPath": "/prod/events", "requestContext": {"stage": "prod"}}),
            json!({"rawPath": "/events", "requestContext": {"stage": "$default"}}),
            json!({"path": "/hooks/events", "resource": "/events", "requestContext": {"stage": "prod"}}),
        ] {
            assert!(request(event.clone()).is_for_events(), "{event}");
        }
        for event in [
            json!({}),
            json!({"path": "/"}),
            json!({"path": "/events/"}),
            json!({"path": "/other/events", "requestContext": {"stage": "prod"}}),
            json!({"path": "/prodevents", "requestContext": {"stage": "prod"}}),
            json!({"path": "/other", "resource": "/events"}),
        ] {
            assert!(!request(event.clone()).is_for_events(), "{event}");
        }
    }

    #[test]
    fn the_method_is_that_of_the_request() {
        assert_eq!(request(json!({"httpMethod": "POST"})).method(), "POST");
        assert_eq!(request(json!({"httpMethod": "GET", "requestContext": {"http": {"method": "POST"}}})).method(), "POST");
        assert_eq!(request(json!({})).method(), "");
    }

    #[test]
    fn members_of_another_kind_count_as_missing() {
        let mut odd = request(json!({
            "path": "/events", "httpMethod": 7, "headers": ["x"], "multiValueHeaders": {"a": "b", "c": [1, "d"]},
            "body": {"a": 1}, "isBase64Encoded": null, "requestContext": null
        }));
        assert!(odd.is_for_events());
        assert_eq!(odd.method(), "");
        assert_eq!((odd.headers().len(), odd.body().len()), (2, 0));
    }

    #[test]
    fn bodies_come_as_bytes() {
        assert_eq!(request(json!({"body": "e30=", "isBase64Encoded": true})).body(), b"{}");
        assert_eq!(request(json!({"body": "{}"})).body(), b"{}");
        assert_eq!(request(json!({"body": "*", "isBase64Encoded": true})).body(), b"*");
        assert_eq!(request(json!({"body": null})).body(), b"");
    }
}
