//! What the functions can read: nothing else is ever written.

use capillary_events::{auth::WebhookSecret, capillary::credentials::CredentialBook, redact::HashKey, secret::Meaning};
use http::HeaderValue;
use serde_json::Value;

use crate::output::Failure;

/// A webhook secret that the receiver reads, and whose values a delivery can bear.
pub(super) fn check_webhook(text: &str) -> Result<Value, Failure> {
    WebhookSecret::parse(text).map_err(usage)?;
    let secret = value(text)?;
    let headers = secret.get("headers").and_then(Value::as_object).into_iter().flatten();
    for (name, values) in headers {
        if values.as_array().into_iter().flatten().filter_map(Value::as_str).any(|value| !is_header_value(value)) {
            return Err(Failure::Usage(format!("no delivery could bear a value of the header {name}: it must be visible ASCII")));
        }
    }
    Ok(secret)
}

/// Whether HTTP leaves a value as it is.
pub(super) fn is_header_value(value: &str) -> bool {
    HeaderValue::from_str(value).is_ok_and(|value| value.to_str().is_ok()) && value.trim() == value && !value.is_empty()
}

/// A Capillary secret that the enricher reads, with its key of pseudonyms if it has one.
pub(super) fn check_capillary(text: &str) -> Result<Value, Failure> {
    CredentialBook::parse(text).map_err(usage)?;
    let secret = value(text)?;
    if secret.get("hashKey").is_some_and(|key| !key.is_null()) {
        HashKey::parse(text).map_err(usage)?;
    }
    Ok(secret)
}

/// An error that repeats nothing of the text.
fn usage(error: &str) -> Failure {
    Failure::Usage(error.to_owned())
}

fn value(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|_| usage("the secret is no JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_delivery_could_bear_is_refused_untold() {
        for value in ["ä secret", " secret", "secret ", "sec\\u000aret", "sec\\u0000ret"] {
            let told = check_webhook(&format!(r#"{{"headers":{{"a":["fine","{value}"]}}}}"#)).unwrap_err().to_string();
            assert_eq!(told, "no delivery could bear a value of the header a: it must be visible ASCII", "{value}");
        }
        assert!(check_webhook(r#"{"headers":{"a":["two words, and a comma"]}}"#).is_ok());
    }
}
