//! A webhook: where events are sent, which ones, and what Capillary's API says of it.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::catalogue;
use crate::clock::{attribution_time, now_ms};
use crate::patches::merge;

/// Lanes of one webhook: Capillary's samples have 5 to 220, but more than this tells nothing more about a receiver.
pub(crate) const MOST_LANES: usize = 20;

/// One webhook of the org.
#[derive(Clone)]
pub(crate) struct Webhook {
    /// 24 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) consumer_group_id: String,
    /// Milliseconds since 1970.
    created_at: u64,
    updated_at: u64,
    pub(crate) registration: Registration,
    /// Whether it takes events that are not among its names, too.
    takes_everything: bool,
}

/// What is registered of a webhook: the members that a caller of the API sets.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registration {
    pub(crate) name: String,
    pub(crate) event_names: Vec<String>,
    pub(crate) web_hook_url: String,
    web_hook_type: Type,
    method_type: MethodType,
    pub(crate) web_hook_headers: BTreeMap<String, String>,
    #[serde(default)]
    no_of_retry_attempts: u64,
    /// Lanes: deliveries at the same time. Each one sends its event until that is settled.
    pub(crate) max_allowed_connections: u64,
    /// False: events are kept and sent later. What Capillary does with them is not documented.
    pub(crate) active: bool,
    #[serde(default)]
    sla_in_seconds: u64,
    #[serde(default)]
    till_details_enrichment_enabled: bool,
    #[serde(default)]
    store_details_enrichment_enabled: bool,
    customer_identifiers_to_be_enriched: Vec<String>,
    #[serde(default)]
    awarded_reference_enrichment_enabled: bool,
    #[serde(default)]
    available_points_balance_enrichment_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    neo_enrichment: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen_to_child_events: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Type {
    Http,
    /// A queue within Capillary: nothing is sent over HTTP.
    QueueInt,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum MethodType {
    Post,
    Put,
    Get,
    Delete,
}

/// Why a registration is refused: a code of Capillary's and its meaning.
pub(crate) struct Refusal {
    pub(crate) code: u32,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Webhook {
    pub(crate) fn new(registration: Registration) -> Self {
        let id = Uuid::new_v4().simple().to_string().chars().take(24).collect();
        let now = now_ms();
        Self {
            id,
            consumer_group_id: Uuid::new_v4().to_string(),
            created_at: now,
            updated_at: now,
            registration,
            takes_everything: false,
        }
    }

    /// One for whatever happens, as tests want it; without a URL it takes nothing and nobody hears of it.
    pub(crate) fn for_everything() -> Self {
        Self { takes_everything: true, ..Self::new(Registration::of_everything()) }
    }

    /// The same webhook as it was in the beginning. It keeps its id, by which its lanes know it.
    pub(crate) fn reset(&mut self) {
        self.registration = Registration::of_everything();
        self.takes_everything = true;
    }

    /// Whether Capillary's API knows of it.
    pub(crate) fn is_registered(&self) -> bool {
        self.registration.web_hook_type == Type::QueueInt || self.has_url()
    }

    /// Whether an event of this name is for it.
    pub(crate) fn takes(&self, event_name: Option<&str>) -> bool {
        let names = &self.registration.event_names;
        let is_named = event_name.is_some_and(|name| names.iter().any(|subscribed| subscribed == name));
        self.sends() && (self.takes_everything || is_named)
    }

    /// Whether this lane sends at present.
    pub(crate) fn opens(&self, lane: usize) -> bool {
        let lanes = usize::try_from(self.registration.max_allowed_connections).unwrap_or(usize::MAX);
        self.sends() && self.registration.active && lane < lanes
    }

    pub(crate) fn method(&self) -> Method {
        match self.registration.method_type {
            MethodType::Post => Method::POST,
            MethodType::Put => Method::PUT,
            MethodType::Get => Method::GET,
            MethodType::Delete => Method::DELETE,
        }
    }

    /// Replaces what is registered. Who names other events than before gets those and no others.
    pub(crate) fn register(&mut self, registration: Registration) {
        self.takes_everything = self.takes_everything && registration.event_names == self.registration.event_names;
        self.registration = registration;
        self.updated_at = now_ms();
    }

    pub(crate) fn switch_off(&mut self) {
        self.registration.active = false;
        self.updated_at = now_ms();
    }

    /// Its entry, header values included, as Capillary shows it.
    pub(crate) fn shown(&self) -> Value {
        let till = json!({"id": 22_945_580, "code": "sandbox.till", "description": "", "name": "sandbox.till", "type": "TILL"});
        let mut shown = json!({
            "attribution": {
                "createdOn": attribution_time(self.created_at),
                "lastUpdatedOn": attribution_time(self.updated_at),
                "lastUpdatedBy": till,
                "createdBy": till,
            },
            "webHookId": self.id,
            "consumerGroupId": self.consumer_group_id,
        });
        merge(&mut shown, &json!(self.registration));
        shown
    }

    fn sends(&self) -> bool {
        self.registration.web_hook_type == Type::Http && self.has_url()
    }

    fn has_url(&self) -> bool {
        !self.registration.web_hook_url.trim().is_empty()
    }
}

impl Registration {
    fn of_everything() -> Self {
        Self {
            name: "sandbox".to_owned(),
            event_names: catalogue::NAMES.map(str::to_owned).to_vec(),
            web_hook_url: String::new(),
            web_hook_type: Type::Http,
            method_type: MethodType::Post,
            web_hook_headers: BTreeMap::new(),
            no_of_retry_attempts: 0,
            max_allowed_connections: 10,
            active: true,
            sla_in_seconds: 0,
            till_details_enrichment_enabled: false,
            store_details_enrichment_enabled: false,
            customer_identifiers_to_be_enriched: Vec::new(),
            awarded_reference_enrichment_enabled: false,
            available_points_balance_enrichment_enabled: false,
            neo_enrichment: None,
            listen_to_child_events: None,
        }
    }

    /// Reads what a caller of the API sent. The codes above 400 are documented; which one goes before which is not, nor what the other
    /// mistakes are answered. No message repeats a value, since some are secret.
    pub(crate) fn read(sent: &Value) -> Result<Self, Refusal> {
        const REQUIRED: [&str; 7] =
            ["name", "webHookUrl", "webHookType", "methodType", "webHookHeaders", "active", "customerIdentifiersToBeEnriched"];
        let member = |name: &str| sent.get(name).filter(|value| !value.is_null());
        if member("eventNames").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return Err(Refusal::new(51_003, "eventNames can not be null"));
        }
        match member("maxAllowedConnections").map(Value::as_i64) {
            None => return Err(Refusal::new(300_004, "maxAllowedConnections is missing")),
            Some(Some(count)) if count > 0 => {}
            Some(_) => return Err(Refusal::new(51_007, "maxAllowedConnections must be greater than zero")),
        }
        if let Some(missing) = REQUIRED.into_iter().find(|name| member(name).is_none()) {
            return Err(Refusal::new(400, format!("{missing} is missing")));
        }
        let mut present = sent.clone();
        if let Some(members) = present.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        serde_json::from_value::<Self>(present).map_err(|_| Refusal::new(400, "a member is not of its type"))?.checked()
    }

    /// This registration with the members that are named replaced. Whether one that is absent stays or goes is not documented.
    pub(crate) fn with(&self, sent: &Value) -> Result<Self, Refusal> {
        let mut whole = json!(self);
        if let (Some(members), Some(replacements)) = (whole.as_object_mut(), sent.as_object()) {
            members.extend(replacements.clone());
        }
        Self::read(&whole)
    }

    fn checked(self) -> Result<Self, Refusal> {
        if self.web_hook_type == Type::Http && !is_web_address(&self.web_hook_url) {
            return Err(Refusal::new(400, "webHookUrl is not an http(s) URL"));
        }
        if let Some(known) = self.event_names.iter().find_map(|name| catalogue::misspelled(name)) {
            return Err(Refusal::new(400, format!("there is no such event name; {known} is one")));
        }
        Ok(self)
    }

    /// The headers to send. A name or a value that HTTP has no form for (a row of empty texts is one, and Capillary lists such) is left
    /// out: Capillary sends such a name, but no client that keeps to the standard can.
    pub(crate) fn header_map(&self) -> HeaderMap {
        let sendable = self.web_hook_headers.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        });
        sendable.collect()
    }
}

/// Names and values from an object of texts; of a list of texts, as in the receiver's secret, the first is taken.
pub(crate) fn header_texts(found: &Value) -> Option<BTreeMap<String, String>> {
    let text = |value: &Value| value.as_str().or_else(|| value.get(0)?.as_str()).map(str::to_owned);
    found.as_object()?.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

pub(crate) fn is_web_address(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
