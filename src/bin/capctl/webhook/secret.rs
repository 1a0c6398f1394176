//! The headers that the receiver wants, from the webhook secret. Nothing in here prints a value.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use capillary_events::{auth::WebhookSecret, secret::Meaning};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{output::Failure, stored_secret::StoredSecret};

/// Header names, each with the values that are accepted: first the present one, then older ones.
#[derive(Deserialize)]
pub(crate) struct Headers {
    headers: BTreeMap<String, Vec<String>>,
}

/// What a webhook sends of a header that the receiver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// The first value of the secret.
    Present,
    /// One of the others: accepted until it is taken out of the secret.
    Older,
    /// None of them.
    Different,
    /// Nothing.
    Missing,
    /// More than one, in different spellings of the name.
    Several,
    /// Something that is no text: a number, a list.
    NoText,
}

/// Reads the secret; none of it is in an error.
pub(super) async fn read(aws: &SdkConfig, id: &str) -> Result<Headers, Failure> {
    const REMEDY: &str = "fill it with `capctl secrets set webhook`";
    let Some(text) = StoredSecret::new(aws, id).text().await? else {
        return Err(Failure::Usage(format!("the webhook secret was never filled: {REMEDY}")));
    };
    Headers::parse(&text).map_err(|problem| Failure::Usage(format!("{problem}: {REMEDY}")))
}

impl Headers {
    /// From the secret's text. What the receiver does not understand is not for a webhook either.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        WebhookSecret::parse(text)?;
        serde_json::from_str(text).map_err(|_| "the webhook secret is not of the right form")
    }

    /// Whether it is one of the headers that the receiver wants.
    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.keys().any(|known| known.trim().eq_ignore_ascii_case(name.trim()))
    }

    /// Whether a value is one of those that are accepted, or has one in it.
    pub(super) fn knows(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.headers.values().flatten().any(|known| known == text),
            Value::Array(values) => values.iter().any(|value| self.knows(value)),
            Value::Object(members) => members.values().any(|value| self.knows(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// What to register: of each header the first value.
    pub(crate) fn to_send(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, values)| Some((name.trim(), values.first()?.as_str())))
    }

    /// How the headers that a webhook sends fit those of the secret.
    pub(super) fn compare<'a>(&'a self, sent: &'a Map<String, Value>) -> impl Iterator<Item = (&'a str, Match)> {
        self.headers.iter().map(|(name, values)| {
            let name = name.trim();
            let mut of_name = sent.iter().filter(move |(sent, _)| sent.trim().eq_ignore_ascii_case(name));
            let fit = match (of_name.next(), of_name.next()) {
                (None, _) => Match::Missing,
                (Some(_), Some(_)) => Match::Several,
                (Some((_, Value::String(value))), None) => match values.iter().position(|known| known == value) {
                    Some(0) => Match::Present,
                    Some(_) => Match::Older,
                    None => Match::Different,
                },
                (Some(_), None) => Match::NoText,
            };
            (name, fit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_compared_by_name_without_case_and_by_value_with() {
        let headers =
            Headers::parse(r#"{"headers": {"authorization": ["Basic new", "Basic old"], "x-key": ["k"]}}"#).ok().unwrap();
        let cases = [
            (vec![("Authorization", "Basic new"), ("X-Key", "k")], [Match::Present, Match::Present]),
            (vec![("AUTHORIZATION", "Basic old"), ("x-key", "K")], [Match::Older, Match::Different]),
            (vec![("", "")], [Match::Missing, Match::Missing]),
            (vec![("x-key", "k"), ("X-Key", "k")], [Match::Missing, Match::Several]),
            (vec![], [Match::Missing, Match::Missing]),
        ];
        for (sent, expected) in cases {
            let sent: Map<String, Value> = sent.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
            let found: Vec<Match> = headers.compare(&sent).map(|(_, fit)| fit).collect();
            assert_eq!(found, expected, "{:?}", sent.keys().collect::<Vec<_>>());
        }
        let listed = Map::from_iter([("x-key".to_owned(), Value::from(vec!["k"]))]);
        assert!(headers.compare(&listed).map(|(_, fit)| fit).eq([Match::Missing, Match::NoText]));
        assert!(headers.to_send().eq([("authorization", "Basic new"), ("x-key", "k")]));
    }

    #[test]
    fn a_secret_that_the_receiver_does_not_understand_is_none() {
        assert!(Headers::parse(r#"{"headers": {}}"#).is_err());
        assert!(Headers::parse(r#"{"headers": {"authorization": "Basic new"}}"#).is_err());
    }
}
