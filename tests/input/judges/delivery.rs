//! An API Gateway event, of which all may be odd.

use base64::{Engine, prelude::BASE64_STANDARD};
use capillary_events::gateway::Request;
use serde_json::Value;

use super::receiver::{answered, is_kept};

/// Judges what becomes of the JSON text of an API Gateway event.
pub fn delivery(event: &[u8]) {
    // What is no JSON never leaves the gateway.
    let Ok(value) = serde_json::from_slice::<Value>(event) else { return };
    let Ok(request) = serde_json::from_slice::<Request>(event) else {
        assert!(!value.is_object() || names_a_member_twice(event), "an event that the gateway may send gets no answer");
        return;
    };
    let (status, kept) = answered(request);
    is_kept(&delivered(&value), status, &kept);
}

/// No gateway does that, and the reader refuses it.
fn names_a_member_twice(event: &[u8]) -> bool {
    let text = String::from_utf8_lossy(event);
    let members = ["headers", "body", "path", "httpMethod", "requestContext", "stage", "http", "method"];
    let others = ["rawPath", "resource", "multiValueHeaders", "isBase64Encoded"];
    members.iter().chain(&others).any(|name| text.matches(&format!("\"{name}\"")).count() > 1) || text.contains("\\u")
}

/// The bytes that were sent, as far as the gateway tells them.
fn delivered(event: &Value) -> Vec<u8> {
    let text = event["body"].as_str().unwrap_or_default();
    let decoded = (event["isBase64Encoded"] == true).then(|| BASE64_STANDARD.decode(text).ok()).flatten();
    decoded.unwrap_or_else(|| text.as_bytes().to_vec())
}
