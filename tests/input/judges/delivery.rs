//! An API Gateway event, of which all may be odd.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, value::RawValue};

use super::receiver::{answered, is_kept};

/// Judges what becomes of the JSON text of an API Gateway event.
pub fn delivery(event: &[u8]) {
    // What is no JSON never leaves the gateway.
    let Ok(value) = serde_json::from_slice::<Value>(event) else { return };
    let raw: Box<RawValue> = serde_json::from_slice(event).expect("what is JSON is JSON");
    let (status, kept) = answered(&raw);
    if status == 429 {
        assert!(!value.is_object() || names_a_member_twice(event), "an event that the gateway may send is not taken in");
        assert!(kept.sent.is_empty() && kept.dead.is_empty());
        return;
    }
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
