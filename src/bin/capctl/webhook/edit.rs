//! What `update` changes of a webhook, and whether Capillary has taken it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    check::Finding,
    entry::Entry,
    headers::{with_ours, without_ours},
    names::Selection,
    place::Place,
    secret::Headers,
};
use crate::output::Failure;

/// What is asked for.
#[derive(Default)]
pub(super) struct Edit<'a> {
    pub(super) events: Option<&'a Selection>,
    pub(super) add: Option<&'a Selection>,
    pub(super) remove: Option<&'a Selection>,
    pub(super) headers: bool,
    pub(super) url: Option<&'a str>,
    pub(super) connections: Option<u32>,
    pub(super) resume: bool,
}

/// A difference between what was and what is to be. Of headers only the names are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "member", rename_all = "camelCase")]
pub(super) enum Change {
    EventNames { added: Vec<String>, removed: Vec<String> },
    WebHookHeaders { set: Vec<String>, removed: Vec<String> },
    WebHookUrl { to: String },
    MethodType { from: String, to: String },
    MaxAllowedConnections { from: Option<u64>, to: Option<u64> },
    Active { to: bool },
}

impl Edit<'_> {
    fn is_nothing(&self) -> bool {
        let names = self.events.or(self.add).or(self.remove);
        names.is_none() && !self.headers && self.url.is_none() && self.connections.is_none() && !self.resume
    }

    /// Whether this is about headers of the webhook secret: they are compared with what is sent here, and left out of what is sent
    /// elsewhere.
    pub(super) fn is_about_headers(&self, entry: &Entry, place: &Place) -> bool {
        self.url.is_some() || place.is_sent_to_by(entry)
    }

    /// The webhook as it is to be. Without anything asked for, its headers are mended. What sends here sends with POST in any case, since
    /// the receiver takes nothing else; what sends to another place takes nothing of this deployment's there. `ours` may be left out
    /// where it is not about headers.
    pub(super) fn of(&self, entry: &Entry, place: &Place, ours: Option<&Headers>) -> Result<Entry, Failure> {
        let mut edited = entry.clone();
        if let Some(url) = self.url {
            edited.set("webHookUrl", json!(if url.is_empty() { place.url() } else { url }));
        }
        let is_here = place.is_sent_to_by(&edited);
        if self.url.is_some() && place.is_missed_by_a_slash(&edited) {
            let what = "that is this deployment's URL but for a slash in the end, where the gateway answers 404; --url without a value takes the right one";
            return Err(Failure::Usage(what.to_owned()));
        }
        if is_here {
            edited.set("methodType", json!("POST"));
        }
        if self.headers || self.is_nothing() {
            let Some(ours) = ours.filter(|_| is_here) else {
                let what = "this webhook sends to another place, which must not learn this deployment's headers; --url lets it send here";
                return Err(Failure::Usage(what.to_owned()));
            };
            edited.set("webHookHeaders", Value::Object(with_ours(entry, ours)?));
        } else if let (Some(_), Some(ours), false) = (self.url, ours, is_here) {
            let left = without_ours(entry, place, ours)?;
            if entry.headers().as_ref() != Some(&left) {
                edited.set("webHookHeaders", Value::Object(left));
            }
        }
        let names = self.names(entry);
        if names.is_empty() {
            return Err(Failure::Usage("Capillary wants at least one event; `capctl webhook pause` switches it off".to_owned()));
        }
        edited.set("eventNames", json!(names));
        if let Some(connections) = self.connections {
            edited.set("maxAllowedConnections", json!(connections));
        }
        if self.resume {
            edited.set("active", json!(true));
        }
        Ok(edited)
    }

    fn names(&self, entry: &Entry) -> Vec<String> {
        let mut names = self.events.map_or_else(|| entry.event_names(), |selection| selection.0.clone());
        for name in self.add.into_iter().flat_map(|selection| &selection.0) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let removed = self.remove.map(|selection| selection.0.as_slice()).unwrap_or_default();
        names.retain(|name| !removed.iter().any(|removed| removed.eq_ignore_ascii_case(name)));
        names
    }
}

/// What is different.
pub(super) fn changes(before: &Entry, after: &Entry) -> Vec<Change> {
    let mut changes = Vec::new();
    let [names_before, names_after] = [before, after].map(|entry| BTreeSet::from_iter(entry.event_names()));
    if names_before != names_after {
        changes.push(Change::EventNames {
            added: names_after.difference(&names_before).cloned().collect(),
            removed: names_before.difference(&names_after).cloned().collect(),
        });
    }
    let (known_before, known_after) = (before.headers(), after.headers());
    if known_before != known_after {
        let [headers_before, headers_after] = [known_before, known_after].map(Option::unwrap_or_default);
        let set = headers_after.iter().filter(|(name, value)| headers_before.get(*name) != Some(*value));
        let removed = headers_before.keys().filter(|name| !headers_after.contains_key(*name));
        changes.push(Change::WebHookHeaders {
            set: set.map(|(name, _)| name.clone()).collect(),
            removed: removed.cloned().collect(),
        });
    }
    if before.url() != after.url() {
        changes.push(Change::WebHookUrl { to: after.shown_url() });
    }
    if before.method() != after.method() {
        changes.push(Change::MethodType { from: before.method().to_owned(), to: after.method().to_owned() });
    }
    if before.connections() != after.connections() {
        changes.push(Change::MaxAllowedConnections { from: before.connections(), to: after.connections() });
    }
    if before.is_active() != after.is_active() {
        changes.push(Change::Active { to: after.is_active() });
    }
    changes
}

/// What Capillary has made otherwise than it was told to.
pub(super) fn not_taken(told: &Entry, read: &Entry) -> Vec<Finding> {
    let finding = |change: &Change| match change {
        Change::EventNames { .. } => Finding::new(
            "Capillary did not take the events as they were given",
            "see which names it left out; where it never changes those of a webhook, make another one with other names",
        ),
        Change::WebHookHeaders { .. } => Finding::new(
            "Capillary did not take the headers as they were given",
            "set them in Capillary's own pages: Organization Settings, Event Notifications",
        ),
        _ => Finding::new(
            format!("Capillary did not take {} as it was given", change.member()),
            "see it with `capctl webhook list --all`, and try again or set it in Capillary's own pages",
        ),
    };
    changes(told, read).iter().map(finding).collect()
}

impl Change {
    fn member(&self) -> &'static str {
        match self {
            Self::EventNames { .. } => "eventNames",
            Self::WebHookHeaders { .. } => "webHookHeaders",
            Self::WebHookUrl { .. } => "webHookUrl",
            Self::MethodType { .. } => "methodType",
            Self::MaxAllowedConnections { .. } => "maxAllowedConnections",
            Self::Active { .. } => "active",
        }
    }

    /// In words.
    pub(super) fn text(&self) -> String {
        let number = |count: &Option<u64>| count.map_or_else(|| "nothing".to_owned(), |count| count.to_string());
        match self {
            Self::EventNames { added, removed } => {
                let listed = |word: &str, names: &[String]| {
                    (!names.is_empty()).then(|| format!("{} {word}: {}", names.len(), names.join(", ")))
                };
                let parts: Vec<String> =
                    [listed("events more", added), listed("events less", removed)].into_iter().flatten().collect();
                parts.join("; ")
            }
            Self::WebHookHeaders { set, removed } => {
                let named = |name: &String| if name.trim().is_empty() { "the empty row".to_owned() } else { name.clone() };
                let listed = |word: &str, names: &[String]| {
                    (!names.is_empty()).then(|| format!("{word} {}", names.iter().map(named).collect::<Vec<_>>().join(", ")))
                };
                let parts: Vec<String> = [listed("set", set), listed("leave out", removed)].into_iter().flatten().collect();
                format!("headers: {}", parts.join("; "))
            }
            Self::WebHookUrl { to } => format!("sends to {to}"),
            Self::MethodType { from, to } => format!("sends with {to} instead of {from}"),
            Self::MaxAllowedConnections { from, to } => format!("{} connections instead of {}", number(to), number(from)),
            Self::Active { to: true } => "switched on".to_owned(),
            Self::Active { to: false } => "switched off".to_owned(),
        }
    }
}

/// All that the documentation asks for in a registration.
pub(super) fn registration(name: &str, events: &Selection, connections: u32, place: &Place, ours: &Headers) -> Value {
    let headers: BTreeMap<&str, &str> = ours.to_send().collect();
    json!({
        "name": name,
        "eventNames": events.0,
        "webHookUrl": place.url(),
        "webHookType": "HTTP",
        "methodType": "POST",
        "webHookHeaders": headers,
        "maxAllowedConnections": connections,
        "active": true,
        "customerIdentifiersToBeEnriched": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "https://hooks.example.net/v1/events";
    const ELSEWHERE: &str = "https://elsewhere.example.net/a";

    fn ours() -> Headers {
        serde_json::from_value(json!({"headers": {"authorization": ["Basic new", "Basic old"]}})).unwrap()
    }

    fn edited(edit: &Edit, entry: &Entry) -> Result<Entry, Failure> {
        edit.of(entry, &Place::new(HERE), Some(&ours()))
    }

    fn entry() -> Entry {
        Entry::read(json!({
            "webHookUrl": HERE, "webHookType": "HTTP", "methodType": "POST", "eventNames": ["customerAdded", "pointsIssued"], "active": true,
            "maxAllowedConnections": 10, "webHookHeaders": {"": "", "Authorization": "Basic old", "Content-Type": "text"},
        }))
        .unwrap()
    }

    fn elsewhere() -> Entry {
        let mut entry = entry();
        entry.set("webHookUrl", json!(ELSEWHERE));
        entry.set("methodType", json!("PUT"));
        entry
    }

    fn changed(edit: &Edit) -> Vec<Change> {
        let Ok(after) = edited(edit, &entry()) else { panic!("refused") };
        changes(&entry(), &after)
    }

    fn selection(text: &str) -> Selection {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_replaced_added_and_taken_away() {
        let (events, add, remove) = (selection("customerAdded"), selection("couponissue"), selection("POINTSISSUED,tierRenewed"));
        let names = |added: &[&str], removed: &[&str]| {
            let [added, removed] = [added, removed].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            vec![Change::EventNames { added, removed }]
        };
        assert_eq!(changed(&Edit { events: Some(&events), ..Edit::default() }), names(&[], &["pointsIssued"]));
        assert_eq!(changed(&Edit { add: Some(&add), ..Edit::default() }), names(&["CouponIssue"], &[]));
        assert_eq!(changed(&Edit { remove: Some(&remove), ..Edit::default() }), names(&[], &["pointsIssued"]));
        let everything = selection("all");
        assert!(edited(&Edit { remove: Some(&everything), ..Edit::default() }, &entry()).is_err());
    }

    #[test]
    fn headers_take_the_first_value_and_lose_the_empty_row_and_the_others_stay() {
        let expected = [Change::WebHookHeaders { set: vec!["Authorization".to_owned()], removed: vec![String::new()] }];
        assert_eq!(changed(&Edit { headers: true, ..Edit::default() }), expected);
        assert_eq!(changed(&Edit::default()), expected, "that is what is mended where nothing is asked for");
        assert_eq!(changed(&Edit { resume: true, ..Edit::default() }), [], "and only there");
        let Ok(after) = edited(&Edit { headers: true, ..Edit::default() }, &entry()) else { panic!("refused") };
        let expected = json!({"Authorization": "Basic new", "Content-Type": "text"});
        assert_eq!(after.headers().map(Value::Object), Some(expected));
    }

    #[test]
    fn another_place_does_not_learn_the_headers() {
        let away = Edit { url: Some(ELSEWHERE), ..Edit::default() };
        let Ok(moved) = edited(&away, &entry()) else { panic!("refused") };
        assert_eq!(
            moved.headers().map(Value::Object),
            Some(json!({"": "", "Content-Type": "text"})),
            "those of the secret stay here"
        );
        let told = changes(&entry(), &moved);
        let left_out = Change::WebHookHeaders { set: Vec::new(), removed: vec!["Authorization".to_owned()] };
        assert!(told.contains(&left_out), "{told:?}");
        assert!(edited(&Edit { headers: true, ..away }, &entry()).is_err(), "nor are they sent there when somebody asks for it");
        assert!(edited(&Edit::default(), &elsewhere()).is_err());
        assert!(edited(&Edit { headers: true, url: Some(""), ..Edit::default() }, &elsewhere()).is_ok());
    }

    #[test]
    fn somebody_elses_webhook_keeps_its_method_until_it_sends_here() {
        let tiers = selection("tierUpgraded");
        let add = Edit { add: Some(&tiers), ..Edit::default() };
        let Ok(after) = add.of(&elsewhere(), &Place::new(HERE), None) else { panic!("refused") };
        assert_eq!(after.method(), "PUT");
        let Ok(moved) = edited(&Edit { url: Some(""), ..Edit::default() }, &elsewhere()) else { panic!("refused") };
        assert_eq!(moved.method(), "POST");
    }

    #[test]
    fn nothing_is_sent_where_a_slash_is_too_many() {
        let with_a_slash = format!("{HERE}/");
        let told =
            edited(&Edit { url: Some(&with_a_slash), ..Edit::default() }, &entry()).err().map(|failure| failure.to_string());
        assert!(told.is_some_and(|told| told.contains("slash")));
    }

    #[test]
    fn what_capillary_left_as_it_was_is_found() {
        let mut told = entry();
        told.set("eventNames", json!(["customerAdded"]));
        let [found] = <[Finding; 1]>::try_from(not_taken(&told, &entry())).unwrap();
        assert!(found.what.contains("events"));
    }
}
