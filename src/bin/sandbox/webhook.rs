//! The webhook: where events are sent, in which form, and by which of the rules that the documentation leaves open.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::patches::merge;

/// Capillary's samples have 5 to 220; more than this tells nothing more about a receiver.
pub(crate) const MOST_LANES: usize = 20;
/// Far beyond what is useful; they keep the arithmetic of waiting within its limits.
const SLOWEST_SCALE: f64 = 0.001;
const FASTEST_SCALE: f64 = 1e9;

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Webhook {
    /// None: nothing is sent, and events that happen meanwhile are nobody's.
    pub(crate) url: Option<String>,
    #[serde(deserialize_with = "texts")]
    headers: BTreeMap<String, String>,
    pub(crate) form: Form,
    pub(crate) tells: Tells,
    /// Lanes: deliveries at the same time. Each one sends its event until that is settled.
    max_allowed_connections: usize,
    /// Sandbox seconds per real second, for the time between attempts only.
    pub(crate) time_scale: f64,
    /// How long an answer may take, in real milliseconds.
    timeout_ms: u64,
    pub(crate) resend_5xx: bool,
    pub(crate) resend_4xx: bool,
    pub(crate) org_id: u64,
    /// False: events are kept and sent later.
    active: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    Flat,
    Envelope,
}

/// Whether `customerUpdated` says what was updated.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Tells {
    /// `updatedFields: []`, as in the captured deliveries.
    Nothing,
    /// As in the schema.
    UpdatedFields,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: None,
            headers: BTreeMap::new(),
            form: Form::Flat,
            tells: Tells::Nothing,
            max_allowed_connections: 10,
            time_scale: 1.0,
            timeout_ms: 30_000,
            resend_5xx: true,
            resend_4xx: false,
            org_id: 100_737,
            active: true,
        }
    }
}

impl Webhook {
    /// A webhook as it is known at the start.
    pub(crate) fn new(url: Option<String>, headers: BTreeMap<String, String>) -> Result<Self, String> {
        Self { url, headers, ..Self::default() }.checked()
    }

    /// This webhook with a JSON merge patch applied: what is not named stays, null is the default.
    pub(crate) fn patched(&self, patch: &Value) -> Result<Self, String> {
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        merge(&mut whole, patch);
        serde_json::from_value::<Self>(whole).map_err(|error| error.to_string())?.checked()
    }

    fn checked(self) -> Result<Self, String> {
        if let Some(url) = &self.url {
            let known = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let url = known.ok_or("url: not an http(s) URL")?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err("url: credentials belong into a header, where they are not shown".to_owned());
            }
        }
        self.header_map()?;
        if !(1..=MOST_LANES).contains(&self.max_allowed_connections) {
            return Err(format!("maxAllowedConnections: 1 to {MOST_LANES}"));
        }
        if !(SLOWEST_SCALE..=FASTEST_SCALE).contains(&self.time_scale) {
            return Err(format!("timeScale: {SLOWEST_SCALE} to {FASTEST_SCALE}"));
        }
        if self.timeout_ms == 0 {
            return Err("timeoutMs: at least 1".to_owned());
        }
        Ok(self)
    }

    /// The configured headers. An error names the header, never its value.
    pub(crate) fn header_map(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: {name:?} is no header name"))?;
            let value = HeaderValue::from_str(value).map_err(|_| format!("headers: the value of {name:?} is none"))?;
            headers.insert(key, value);
        }
        Ok(headers)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Whether this lane sends at present.
    pub(crate) fn opens(&self, lane: usize) -> bool {
        self.url.is_some() && self.active && lane < self.max_allowed_connections
    }

    /// The settings as they are shown: of the headers only the names.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = json!(self);
        if let Some(members) = shown.as_object_mut() {
            members.remove("headers");
            members.insert("headerNames".to_owned(), self.headers.keys().cloned().collect());
        }
        shown
    }
}

/// Header values are secrets, so that an error must not repeat what it found.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let found = Value::deserialize(deserializer)?;
    header_texts(&found).ok_or_else(|| serde::de::Error::custom("headers: an object of texts"))
}

/// Names and values from an object of texts; of a list of texts, as in the receiver's secret, the first is taken.
pub(crate) fn header_texts(found: &Value) -> Option<BTreeMap<String, String>> {
    let text = |value: &Value| value.as_str().or_else(|| value.get(0)?.as_str()).map(str::to_owned);
    found.as_object()?.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}
