//! The webhook's secret, and its changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::forms::check_webhook;
use crate::output::Failure;

/// The secret as it is written. It does not print.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookForm {
    headers: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hold_until: Option<String>,
}

/// What can be told of a header.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct HeaderForm {
    pub(super) name: String,
    /// How many values are accepted.
    pub(super) values: usize,
}

impl WebhookForm {
    /// From the secret's text, if the receiver can read it.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let secret = check_webhook(text)?;
        serde_json::from_value(secret).map_err(|_| Failure::Usage("the webhook secret has another form".to_owned()))
    }

    /// What can be told of it.
    pub(super) fn headers(&self) -> Vec<HeaderForm> {
        self.headers.iter().map(|(name, values)| HeaderForm { name: name.clone(), values: values.len() }).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    pub(super) fn has(&self, header: &str) -> bool {
        self.headers.keys().any(|name| is(name, header))
    }

    /// Puts a value first; those that were accepted before still are. Answers how many are.
    pub(super) fn put_first(&mut self, header: &str, value: String) -> usize {
        let known = self.headers.keys().find(|name| is(name, header)).cloned();
        let values = self.headers.entry(known.unwrap_or_else(|| header.to_owned())).or_default();
        values.retain(|old| *old != value);
        values.insert(0, value);
        values.len()
    }

    /// Leaves of each of these headers, or of all, the first value; answers how many values go.
    pub(super) fn drop_old(&mut self, header: Option<&str>) -> usize {
        let meant = self.headers.iter_mut().filter(|(name, _)| header.is_none_or(|header| is(name, header)));
        meant.map(|(_, values)| values.drain(values.len().min(1)..).count()).sum()
    }

    /// Takes a header out.
    pub(super) fn remove(&mut self, header: &str) {
        self.headers.retain(|name, _| !is(name, header));
    }

    /// Whether every delivery that this lets in the other one lets in, too.
    pub(super) fn is_kept_by(&self, other: &Self) -> bool {
        let asks_for_no_more = other.headers.keys().all(|name| self.has(name));
        asks_for_no_more
            && self.headers.iter().all(|(header, values)| {
                let kept = other.headers.iter().find(|(name, _)| is(name, header)).map(|(_, values)| values);
                kept.is_none_or(|kept| values.iter().all(|value| kept.contains(value)))
            })
    }
}

/// Names of headers have no case.
fn is(name: &str, header: &str) -> bool {
    name.trim().eq_ignore_ascii_case(header.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn form(headers: &Value) -> WebhookForm {
        WebhookForm::parse(&json!({ "headers": headers }).to_string()).map_err(|error| error.to_string()).unwrap()
    }

    fn written(form: &WebhookForm) -> Value {
        serde_json::to_value(form).unwrap()
    }

    #[test]
    fn a_rotation_accepts_both_until_the_old_one_is_dropped() {
        let mut secret = form(&json!({"Authorization": ["old"], "x-key": ["k"]}));
        secret.put_first("authorization", "new".to_owned());
        assert_eq!(written(&secret), json!({"headers": {"Authorization": ["new", "old"], "x-key": ["k"]}}));
        secret.put_first("authorization", "old".to_owned());
        assert_eq!(written(&secret)["headers"]["Authorization"], json!(["old", "new"]), "the same value is never there twice");
        assert_eq!(secret.drop_old(Some("AUTHORIZATION")), 1);
        assert_eq!(secret.drop_old(None), 0);
        assert_eq!(written(&secret), json!({"headers": {"Authorization": ["old"], "x-key": ["k"]}}));
    }

    #[test]
    fn old_values_of_other_headers_stay_unless_all_are_meant() {
        let mut secret = form(&json!({"a": ["1", "2"], "b": ["3", "4", "5"]}));
        assert_eq!(secret.drop_old(Some("a")), 1);
        assert_eq!(secret.drop_old(None), 2);
        secret.remove("B");
        assert_eq!(written(&secret), json!({"headers": {"a": ["1"]}}));
    }

    #[test]
    fn it_is_known_when_a_delivery_would_no_longer_be_let_in() {
        let before = form(&json!({"a": ["1"], "b": ["2"]}));
        assert!(before.is_kept_by(&form(&json!({"A": ["0", "1"]}))));
        assert!(!before.is_kept_by(&form(&json!({"a": ["0"], "b": ["2"]}))));
        assert!(!before.is_kept_by(&form(&json!({"a": ["1"], "b": ["2"], "c": ["3"]}))));
    }
}
