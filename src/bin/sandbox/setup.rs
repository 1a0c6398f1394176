//! What `/sandbox/webhook` sets: how the sandbox behaves as a sender, and its own webhook.

use std::collections::BTreeMap;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::conduct::Conduct;
use crate::patches::merge;
use crate::webhook::{MOST_LANES, Webhook, header_texts, is_web_address};

/// Where events go. Which ones is not set here: all of them.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Destination {
    /// None: nothing is sent, and events that happen meanwhile are nobody's.
    url: Option<String>,
    #[serde(deserialize_with = "texts")]
    headers: BTreeMap<String, String>,
    max_allowed_connections: usize,
    active: bool,
}

impl Default for Destination {
    fn default() -> Self {
        Self { url: None, headers: BTreeMap::new(), max_allowed_connections: 10, active: true }
    }
}

impl Destination {
    /// As it is known at the start.
    pub(crate) fn new(url: Option<String>, headers: BTreeMap<String, String>) -> Result<Self, String> {
        Self { url, headers, ..Self::default() }.with_sendable_headers()?.checked()
    }

    fn of(webhook: &Webhook) -> Self {
        let registered = &webhook.registration;
        Self {
            url: Some(registered.web_hook_url.clone()).filter(|url| !url.is_empty()),
            headers: registered.web_hook_headers.clone(),
            max_allowed_connections: usize::try_from(registered.max_allowed_connections)
                .map_or(MOST_LANES, |lanes| lanes.min(MOST_LANES)),
            active: registered.active,
        }
    }

    pub(crate) fn give_to(self, webhook: &mut Webhook) {
        let mut registration = webhook.registration.clone();
        registration.web_hook_url = self.url.unwrap_or_default();
        registration.web_hook_headers = self.headers;
        registration.max_allowed_connections = self.max_allowed_connections as u64;
        registration.active = self.active;
        webhook.register(registration);
    }

    /// An error names a header, never its value.
    fn with_sendable_headers(self) -> Result<Self, String> {
        for (name, value) in &self.headers {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: {name:?} is no header name"))?;
            HeaderValue::from_str(value).map_err(|_| format!("headers: the value of {name:?} is none"))?;
        }
        Ok(self)
    }

    fn checked(self) -> Result<Self, String> {
        if let Some(url) = &self.url {
            if !is_web_address(url) {
                return Err("url: not an http(s) URL".to_owned());
            }
            if Url::parse(url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
                return Err("url: credentials belong into a header, where they are not shown".to_owned());
            }
        }
        if !(1..=MOST_LANES).contains(&self.max_allowed_connections) {
            return Err(format!("maxAllowedConnections: 1 to {MOST_LANES}"));
        }
        Ok(self)
    }
}

/// Both with a JSON merge patch applied: what is not named stays, null is the default.
pub(crate) fn patched(conduct: &Conduct, webhook: &Webhook, patch: &Value) -> Result<(Conduct, Destination), String> {
    let mut whole = whole(conduct, &Destination::of(webhook));
    if let Some(unknown) = patch.as_object().and_then(|members| members.keys().find(|name| whole.get(name).is_none())) {
        return Err(format!("unknown field `{unknown}`"));
    }
    merge(&mut whole, patch);
    let mut destination: Destination = serde_json::from_value(whole.clone()).map_err(|error| error.to_string())?;
    if patch.get("headers").is_some() {
        // Those that the API left here may be such as cannot be sent, as at Capillary.
        destination = destination.with_sendable_headers()?;
    }
    let conduct: Conduct = serde_json::from_value(whole).map_err(|error| error.to_string())?;
    Ok((conduct.checked()?, destination.checked()?))
}

/// The settings as they are shown: of the headers only the names.
pub(crate) fn shown(conduct: &Conduct, webhook: &Webhook) -> Value {
    let destination = Destination::of(webhook);
    let mut shown = whole(conduct, &destination);
    if let Some(members) = shown.as_object_mut() {
        members.remove("headers");
        members.insert("headerNames".to_owned(), destination.headers.keys().cloned().collect());
    }
    shown
}

fn whole(conduct: &Conduct, destination: &Destination) -> Value {
    let mut whole = json!(destination);
    if let (Some(members), Value::Object(others)) = (whole.as_object_mut(), json!(conduct)) {
        members.extend(others);
    }
    whole
}

/// Header values are secrets, so that an error must not repeat what it found.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let found = Value::deserialize(deserializer)?;
    header_texts(&found).ok_or_else(|| serde::de::Error::custom("headers: an object of texts"))
}
