//! The values of the local stack stand in this repository, so they keep nobody out.

use http::Uri;
use serde_json::Value;

use crate::{context::Context, output::Failure};

/// Those of local/secrets/.
const PUBLISHED: [&str; 4] = ["local-key", "Basic Y2FwaWxsYXJ5OmxvY2Fs", "sandbox-secret", "sandbox-hash-key"];

/// Refuses them for any stack but a local one.
pub(super) fn refuse_published(secret: &Value, context: &Context) -> Result<(), Failure> {
    if keeps_nobody_out(secret, context) {
        return Err(Failure::Usage(
            "these are the values of the local stack, which everybody knows: make up your own".to_owned(),
        ));
    }
    Ok(())
}

/// Whether one of them stands in a secret of any stack but a local one.
pub(super) fn keeps_nobody_out(secret: &Value, context: &Context) -> bool {
    is_published(secret) && !context.aws.endpoint_url().is_some_and(is_local)
}

fn is_published(secret: &Value) -> bool {
    match secret {
        Value::String(text) => PUBLISHED.contains(&text.as_str()),
        Value::Array(values) => values.iter().any(is_published),
        Value::Object(members) => members.values().any(is_published),
        _ => false,
    }
}

fn is_local(endpoint: &str) -> bool {
    endpoint.parse::<Uri>().is_ok_and(|uri| matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_local_stacks_values_are_known_wherever_they_stand() {
        let local = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert!(is_published(&local(include_str!("../../../../local/secrets/webhook.json"))));
        assert!(is_published(&local(include_str!("../../../../local/secrets/capillary.json"))));
        assert!(is_published(&json!({"orgs": {"7": {"key": "k", "secret": "sandbox-secret"}}})));
        assert!(!is_published(&json!({"headers": {"local-key": ["my own"]}})));
    }

    #[test]
    fn an_endpoint_is_local_by_its_host() {
        for local in ["http://127.0.0.1:4566", "http://localhost:4566/", "http://[::1]:1"] {
            assert!(is_local(local), "{local}");
        }
        for other in
            ["https://secretsmanager.eu-west-1.amazonaws.com", "http://127.0.0.1.example.com", "http://127.0.0.1@example.com", ""]
        {
            assert!(!is_local(other), "{other}");
        }
    }
}
