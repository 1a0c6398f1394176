//! From API Gateway's event to a delivery, and from a disposition to API Gateway's answer: payload 1.0 (REST APIs) and 2.0 (HTTP
//! APIs, `cargo lambda watch`).
//!
//! The request is read here and not by `lambda_http`'s conversion, since that one keeps only the last of a header sent twice,
//! refuses a whole delivery for a header without a name (which Capillary's webhooks may have, facts 3.1), and panics on some Host
//! headers and on broken base64.

use std::{borrow::Cow, fmt, panic::AssertUnwindSafe};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use lambda_http::{
    Body,
    aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, MapAccess, Visitor},
};
use serde_json::value::RawValue;

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
struct Request<'a> {
    #[serde(deserialize_with = "lenient")]
    http_method: Option<String>,
    #[serde(deserialize_with = "lenient")]
    path: Option<String>,
    #[serde(deserialize_with = "lenient")]
    raw_path: Option<String>,
    #[serde(deserialize_with = "lenient")]
    resource: Option<String>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    multi_value_headers: Option<&'a RawValue>,
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

/// A member of another kind than expected counts as missing; an error would repeat it. What is skipped is scanned, and never built.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?.get();
    Ok(serde_json::from_str(text).unwrap_or_default())
}

impl<'a> Request<'a> {
    /// The request in an event; none where it has no members to read, as no gateway's is.
    fn read(event: &'a RawValue) -> Option<Self> {
        serde_json::from_str(event.get()).ok()
    }

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
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // In payload 1.0 `headers` repeats the last value of each header of `multiValueHeaders`.
        for source in [self.multi_value_headers, self.headers] {
            let known = Members { known: &headers };
            let found = source.and_then(|source| known.deserialize(&mut serde_json::Deserializer::from_str(source.get())).ok());
            for (name, value) in found.unwrap_or_default() {
                headers.append(name, value);
            }
        }
        headers
    }

    /// The bytes that were sent. Broken base64 is the gateway's doing, not the sender's; its text is at least kept.
    fn into_body(self) -> Vec<u8> {
        let text = self.body.unwrap_or_default();
        if self.is_base64_encoded
            && let Ok(bytes) = BASE64_STANDARD.decode(&text)
        {
            return bytes;
        }
        text.into_bytes()
    }
}

/// Reads headers as the gateway gives them: to each name one text, or several in a list. Those that are known already are skipped.
struct Members<'a> {
    known: &'a HeaderMap,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Vec<(HeaderName, HeaderValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<(HeaderName, HeaderValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut headers = Vec::with_capacity(32);
        while let Some((name, value)) = members.next_entry::<Text<'_>, &RawValue>()? {
            match HeaderName::try_from(&*name.0) {
                Ok(name) if !self.known.contains_key(&name) => add_values(&mut headers, &name, value.get()),
                _ => {}
            }
        }
        Ok(headers)
    }
}

/// A text without escapes stays where it is.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A header's values from its JSON: one text, or several in a list.
fn add_values(headers: &mut Vec<(HeaderName, HeaderValue)>, name: &HeaderName, json: &str) {
    if json.starts_with('[') {
        for value in serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default() {
            add_values(headers, name, value.get());
        }
    } else if json.starts_with('"')
        && let Ok(Text(text)) = serde_json::from_str(json)
        && let Ok(value) = HeaderValue::try_from(&*text)
    {
        headers.push((name.clone(), value));
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
pub async fn answer<C, Q, D, S, K>(receiver: &Receiver<C, Q, D, S, K>, event: &RawValue, trace: Option<&str>) -> Response
where
    C: Claims,
    Q: EventsQueue,
    D: DeadLetterQueue,
    S: SecretStore,
    K: Clock + Clone,
{
    let started = std::time::Instant::now();
    let request = Request::read(event);
    let is_http_api = request.as_ref().is_some_and(|request| request.request_context.http.is_some());
    let without_delivery = |disposition| Receipt { disposition, identity: None };
    let receipt = match request {
        None => without_delivery(Disposition::Unavailable),
        Some(request) if !request.is_for_events() => without_delivery(Disposition::NotFound),
        Some(request) if request.method() != METHOD => without_delivery(Disposition::MethodNotAllowed),
        Some(request) => {
            let trace = trace.and_then(TraceHeader::parse);
            let delivery = Delivery { headers: request.headers(), body: request.into_body(), trace };
            // A panic would become a 502, which the sender may not resend.
            let received = AssertUnwindSafe(receiver.receive(delivery)).catch_unwind().await;
            received.unwrap_or_else(|_| without_delivery(Disposition::Unavailable))
        }
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

    /// The request of an event. Its text lives as long as the tests do.
    fn request(event: &serde_json::Value) -> Request<'static> {
        let event: Box<RawValue> = serde_json::value::to_raw_value(event).unwrap();
        Request::read(Box::leak(event)).unwrap()
    }

    #[test]
    fn a_header_sent_twice_stays_two_values() {
        let headers = request(&json!({
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
            assert!(request(&event).is_for_events(), "{event}");
        }
        for event in [
            json!({}),
            json!({"path": "/"}),
            json!({"path": "/events/"}),
            json!({"path": "/other/events", "requestContext": {"stage": "prod"}}),
            json!({"path": "/prodevents", "requestContext": {"stage": "prod"}}),
            json!({"path": "/other", "resource": "/events"}),
        ] {
            assert!(!request(&event).is_for_events(), "{event}");
        }
    }

    #[test]
    fn the_method_is_that_of_the_request() {
        assert_eq!(request(&json!({"httpMethod": "POST"})).method(), "POST");
        assert_eq!(request(&json!({"httpMethod": "GET", "requestContext": {"http": {"method": "POST"}}})).method(), "POST");
        assert_eq!(request(&json!({})).method(), "");
    }

    #[test]
    fn members_of_another_kind_count_as_missing() {
        let odd = request(&json!({
            "path": "/events", "httpMethod": 7, "headers": ["x"], "multiValueHeaders": {"a": "b", "c": [1, "d"]},
            "body": {"a": 1}, "isBase64Encoded": null, "requestContext": null
        }));
        assert!(odd.is_for_events());
        assert_eq!(odd.method(), "");
        assert_eq!((odd.headers().len(), odd.into_body().len()), (2, 0));
    }

    #[test]
    fn bodies_come_as_bytes() {
        assert_eq!(request(&json!({"body": "e30=", "isBase64Encoded": true})).into_body(), b"{}");
        assert_eq!(request(&json!({"body": "{}"})).into_body(), b"{}");
        assert_eq!(request(&json!({"body": "*", "isBase64Encoded": true})).into_body(), b"*");
        assert_eq!(request(&json!({"body": null})).into_body(), b"");
    }
}
