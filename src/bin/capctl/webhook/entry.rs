//! A webhook, as Capillary lists it.

use reqwest::Url;
use serde_json::{Map, Value};

/// Members that Capillary gives a webhook itself: they are not among those that a request for a change has in the documentation.
const GIVEN: [&str; 3] = ["attribution", "webHookId", "consumerGroupId"];

/// All members as they were read. It does not print: values of headers come in clear.
#[derive(Clone)]
pub(super) struct Entry(Map<String, Value>);

impl Entry {
    /// None for what is no object.
    pub(super) fn read(value: Value) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self(members)),
            _ => None,
        }
    }

    /// The id by which it is changed.
    pub(super) fn id(&self) -> &str {
        self.text("webHookId")
    }

    pub(super) fn name(&self) -> &str {
        self.text("name")
    }

    pub(super) fn url(&self) -> &str {
        self.text("webHookUrl")
    }

    /// The URL as it may be printed: what could be a secret in it (a user, a query) is left out.
    pub(super) fn shown_url(&self) -> String {
        let Ok(mut url) = Url::parse(self.url()) else { return String::new() };
        let is_whole = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if is_whole {
            return self.url().to_owned();
        }
        // Both fail only for URLs that have no host.
        let _ = (url.set_username(""), url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        format!("{url}?…")
    }

    pub(super) fn kind(&self) -> &str {
        self.text("webHookType")
    }

    pub(super) fn method(&self) -> &str {
        self.text("methodType")
    }

    pub(super) fn is_http(&self) -> bool {
        self.kind() == "HTTP"
    }

    pub(super) fn is_active(&self) -> bool {
        self.0.get("active").and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn consumer_group_id(&self) -> &str {
        self.text("consumerGroupId")
    }

    pub(super) fn connections(&self) -> Option<u64> {
        self.0.get("maxAllowedConnections")?.as_u64()
    }

    pub(super) fn event_names(&self) -> Vec<String> {
        let names = self.0.get("eventNames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Headers by their names, with the values as they were read. None where they come in a form that is not known: the reference calls
    /// it an array, and every sample is an object (facts 3.1).
    pub(super) fn headers(&self) -> Option<Map<String, Value>> {
        match self.0.get("webHookHeaders") {
            None | Some(Value::Null) => Some(Map::new()),
            Some(Value::Array(rows)) if rows.is_empty() => Some(Map::new()),
            Some(Value::Object(headers)) => Some(headers.clone()),
            Some(_) => None,
        }
    }

    pub(super) fn set(&mut self, member: &str, value: Value) {
        self.0.insert(member.to_owned(), value);
    }

    /// What to send to have it so: all but what Capillary gives it.
    pub(super) fn to_send(&self) -> Value {
        let members = self.0.iter().filter(|(name, _)| !GIVEN.contains(&name.as_str()));
        Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn text(&self, member: &str) -> &str {
        self.0.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(url: &str) -> Entry {
        Entry::read(json!({"webHookUrl": url})).unwrap()
    }

    #[test]
    fn what_could_be_a_secret_in_a_url_is_not_shown() {
        assert_eq!(at("https://hooks.example.net/capillary").shown_url(), "https://hooks.example.net/capillary");
        for url in [
            "https://me:secret@hooks.example.net/a",
            "https://hooks.example.net/a?key=secret",
            "https://hooks.example.net/a#secret",
        ] {
            assert_eq!(at(url).shown_url(), "https://hooks.example.net/a?…");
        }
        assert_eq!(at(" ").shown_url(), "");
    }

    #[test]
    fn what_capillary_gives_is_not_sent_back_and_the_rest_is() {
        let read =
            json!({"webHookId": "1", "consumerGroupId": "2", "attribution": {}, "name": "a", "neoEnrichment": {"label": "x"}});
        assert_eq!(Entry::read(read).unwrap().to_send(), json!({"name": "a", "neoEnrichment": {"label": "x"}}));
    }
}
