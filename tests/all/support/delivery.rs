//! A delivery as the gateway hands it to the receiver, and the receiver's answer.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::runtime_api::{Function, FunctionError};

/// The webhook's password of every world, in the form of its header.
pub(crate) const AUTHORIZATION: &str = "Basic Y2FwaWxsYXJ5OmxvY2Fs";
/// The second header of every world's secret.
pub(crate) const WEBHOOK_KEY: &str = "local-key";

/// One POST, to be changed by its builder methods.
#[derive(Clone)]
pub(crate) struct Delivery {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    as_text: bool,
}

/// What the receiver answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Map<String, Value>,
    pub(crate) text: String,
}

impl Delivery {
    /// A POST with the right headers.
    pub(crate) fn of(body: impl Into<Vec<u8>>) -> Self {
        Self::without_headers(body).header("Authorization", AUTHORIZATION).header("X-Webhook-Key", WEBHOOK_KEY)
    }

    /// The same without the headers of the webhook.
    pub(crate) fn without_headers(body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("User-Agent".to_owned(), "Java/1.8.0_272".to_owned()),
            ("Host".to_owned(), "abc.execute-api.us-east-1.amazonaws.com".to_owned()),
        ];
        Self { method: "POST".into(), path: "/events".into(), headers, body: body.into(), as_text: false }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Not in base64, as the gateway would without a binary media type.
    pub(crate) fn in_text(mut self) -> Self {
        self.as_text = true;
        self
    }

    /// An API Gateway REST proxy event (payload 1.0).
    pub(crate) fn rest_event(&self) -> Value {
        let mut single = Map::new();
        let mut multiple: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            single.insert(name.clone(), json!(value));
            match multiple.entry(name.clone()).or_insert_with(|| json!([])) {
                Value::Array(values) => values.push(json!(value)),
                _ => unreachable!("only arrays are put in"),
            }
        }
        let stage_path = if self.path.starts_with("/Prod/") { self.path.clone() } else { format!("/Prod{}", self.path) };
        json!({
            "resource": self.path, "path": self.path, "httpMethod": self.method,
            "headers": single, "multiValueHeaders": multiple,
            "queryStringParameters": null, "multiValueQueryStringParameters": null,
            "pathParameters": null, "stageVariables": null,
            "requestContext": {
                "accountId": "000000000000", "apiId": "abc", "resourceId": "r", "resourcePath": self.path,
                "path": stage_path, "httpMethod": self.method, "stage": "Prod", "protocol": "HTTP/1.1",
                "requestId": uuid::Uuid::new_v4().to_string(), "extendedRequestId": "x=",
                "requestTime": "22/Nov/2026:00:00:00 +0000", "requestTimeEpoch": 1_795_305_600_000_u64,
                "domainName": "abc.execute-api.us-east-1.amazonaws.com", "domainPrefix": "abc",
                "identity": {"sourceIp": "192.0.2.7", "userAgent": "Java/1.8.0_272"}
            },
            "body": self.body_text(), "isBase64Encoded": !self.as_text
        })
    }

    /// An HTTP API event (payload 2.0) as `cargo lambda watch` 1.9 sends it: with members of other payloads besides, among them
    /// an `httpMethod` that is always GET.
    pub(crate) fn watch_event(&self) -> Value {
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), json!(value))).collect();
        json!({
            "type": null, "methodArn": null, "httpMethod": "GET", "identitySource": null, "authorizationToken": null,
            "resource": null, "version": "2.0", "routeKey": "$default", "rawPath": self.path, "rawQueryString": null,
            "headers": headers, "stageVariables": {},
            "requestContext": {
                "routeKey": "$default", "accountId": null, "stage": "$default", "apiId": null, "domainName": "localhost",
                "requestId": uuid::Uuid::new_v4().to_string(), "domainPrefix": "receiver",
                "time": "22/Nov/2026:00:00:00 +0000", "timeEpoch": 1_795_305_600_u64,
                "http": {"method": self.method, "path": self.path, "protocol": "http", "sourceIp": "127.0.0.1",
                         "userAgent": "cargo-lambda"}
            },
            "body": self.body_text(), "isBase64Encoded": !self.as_text
        })
    }

    fn body_text(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        if self.as_text {
            return json!(String::from_utf8(self.body.clone()).expect("text"));
        }
        json!(STANDARD.encode(&self.body))
    }
}

impl Answer {
    /// What the proxy integration gives back to the gateway.
    pub(crate) fn of(value: &Value) -> Self {
        let text = value["body"].as_str().unwrap_or_default().to_owned();
        let text = if value["isBase64Encoded"] == json!(true) {
            String::from_utf8(STANDARD.decode(text).expect("base64")).expect("text")
        } else {
            text
        };
        let mut headers = Map::new();
        for part in ["headers", "multiValueHeaders"] {
            for (name, value) in value[part].as_object().into_iter().flatten() {
                let value = value.as_array().and_then(|values| values.first()).unwrap_or(value);
                headers.insert(name.to_ascii_lowercase(), value.clone());
            }
        }
        let status = value["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        Self { status: status.unwrap_or_else(|| panic!("no status in {value}")), headers, text }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(Value::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("the answer's body is no JSON ({error}): {self:?}"))
    }

    pub(crate) fn event_id(&self) -> String {
        self.json()["eventId"].as_str().unwrap_or_else(|| panic!("no eventId in {self:?}")).to_owned()
    }

    pub(crate) fn retry_after_seconds(&self) -> u64 {
        let text = self.header("retry-after").unwrap_or_else(|| panic!("no Retry-After in {self:?}"));
        text.parse().unwrap_or_else(|_| panic!("Retry-After is no number of seconds in {self:?}"))
    }

    /// 200 for an event that is now in the ledger and in the queue; its id.
    #[track_caller]
    pub(crate) fn accepted(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.json()["status"], "accepted", "{self:?}");
        self.event_id()
    }

    /// 200 for an event that was known.
    #[track_caller]
    pub(crate) fn duplicate(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.json()["status"], "duplicate", "{self:?}");
        self.event_id()
    }

    /// A problem with this status (RFC 9457).
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        let content_type = self.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert!(problem.is_object(), "{self:?}");
        // RFC 9457: `status`, if it is there, is the status of the answer.
        assert!(problem.get("status").is_none_or(|told| told == status), "{self:?}");
    }

    /// 429, the one status that the sender documents as resent, and the time to wait.
    #[track_caller]
    pub(crate) fn come_again(&self) -> u64 {
        self.problem(429);
        let seconds = self.retry_after_seconds();
        assert!(seconds >= 1, "an immediate retry helps nobody: {self:?}");
        seconds
    }
}

/// A running receiver.
pub(crate) struct Receiver(pub(crate) Function);

impl Receiver {
    /// Delivers a body with the right headers.
    pub(crate) async fn deliver(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.send(&Delivery::of(body)).await
    }

    /// Delivers, as the gateway would.
    pub(crate) async fn send(&self, delivery: &Delivery) -> Answer {
        self.attempt(delivery).await.unwrap_or_else(|error| panic!("no answer ({error:?}); its logs:\n{}", self.0.logs()))
    }

    /// The same where there may be no answer.
    pub(crate) async fn attempt(&self, delivery: &Delivery) -> Result<Answer, FunctionError> {
        self.0.invoke(&delivery.rest_event(), RECEIVER_TIMEOUT).await.map(|value| Answer::of(&value))
    }
}

/// The receiver's timeout in the template.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(12);
