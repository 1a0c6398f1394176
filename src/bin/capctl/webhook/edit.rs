//! What `update` changes of a webhook, and whether Capillary has taken it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    check::{Finding, Wanted},
    entry::Entry,
    names::Selection,
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

    /// The webhook as it is to be. Without anything asked for, its headers are mended. It sends with POST in any case: the receiver
    /// takes nothing else.
    pub(super) fn of(&self, entry: &Entry, wanted: &Wanted) -> Result<Entry, Failure> {
        let mut edited = entry.clone();
        edited.set("methodType", json!("POST"));
        if let Some(url) = self.url {
            edited.set("webHookUrl", json!(if url.is_empty() { wanted.place.url() } else { url }));
        }
        if self.headers || self.is_nothing() {
            if !wanted.place.is_sent_to_by(&edited) {
                let what = "this webhook sends to another place, which must not learn this deployment's headers; --url lets it send here";
                return Err(Failure::Usage(what.to_owned()));
            }
            edited.set("webHookHeaders", json!(headers(entry, wanted)));
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

/// The webhook's own headers, but for empty rows, with those of the secret in the place of what it has under their names.
fn headers(entry: &Entry, wanted: &Wanted) -> BTreeMap<String, String> {
    let is_wanted = |name: &str| wanted.headers.names().any(|wanted| wanted.eq_ignore_ascii_case(name.trim()));
    let present = entry.headers();
    let mut headers: BTreeMap<String, String> =
        present.iter().filter(|(name, _)| !name.trim().is_empty() && !is_wanted(name)).cloned().collect();
    for (name, value) in wanted.headers.to_send() {
        // As it is spelled there already, so that nothing is changed for its case alone.
        let spelled =
            present.iter().find(|(present, _)| present.trim().eq_ignore_ascii_case(name)).map(|(name, _)| name.as_str());
        headers.insert(spelled.unwrap_or(name).to_owned(), value.to_owned());
    }
    headers
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
    let [headers_before, headers_after] = [before, after].map(|entry| BTreeMap::from_iter(entry.headers()));
    if headers_before != headers_after {
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
pub(super) fn registration(name: &str, events: &Selection, connections: u32, wanted: &Wanted) -> Value {
    let headers: BTreeMap<&str, &str> = wanted.headers.to_send().collect();
    json!({
        "name": name,
        "eventNames": events.0,
        "webHookUrl": wanted.place.url(),
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
    use crate::webhook::{place::Place, secret::Headers};

    const HERE: &str = "https://hooks.example.net/v1/events";

    fn wanted() -> Wanted {
        let headers: Headers = serde_json::from_value(json!({"headers": {"authorization": ["Basic new", "Basic old"]}})).unwrap();
        Wanted { place: Place::new(HERE), headers }
    }

    fn entry() -> Entry {
        Entry::read(json!({
            "webHookUrl": HERE, "webHookType": "HTTP", "methodType": "POST", "eventNames": ["customerAdded", "pointsIssued"], "active": true,
            "maxAllowedConnections": 10, "webHookHeaders": {"": "", "Authorization": "Basic old", "Content-Type": "text"},
        }))
        .unwrap()
    }

    fn changed(edit: &Edit) -> Vec<Change> {
        let Ok(after) = edit.of(&entry(), &wanted()) else { panic!("refused") };
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
        assert!(Edit { remove: Some(&everything), ..Edit::default() }.of(&entry(), &wanted()).is_err());
    }

    #[test]
    fn headers_take_the_first_value_and_lose_the_empty_row_and_the_others_stay() {
        let expected = [Change::WebHookHeaders { set: vec!["Authorization".to_owned()], removed: vec![String::new()] }];
        assert_eq!(changed(&Edit { headers: true, ..Edit::default() }), expected);
        assert_eq!(changed(&Edit::default()), expected, "that is what is mended where nothing is asked for");
        assert_eq!(changed(&Edit { resume: true, ..Edit::default() }), [], "and only there");
        let Ok(after) = (Edit { headers: true, ..Edit::default() }).of(&entry(), &wanted()) else { panic!("refused") };
        let sent = after.headers();
        assert!(sent.contains(&("Authorization".to_owned(), "Basic new".to_owned())));
        assert!(sent.contains(&("Content-Type".to_owned(), "text".to_owned())));
    }

    #[test]
    fn another_place_does_not_learn_the_headers() {
        let away = Edit { headers: true, url: Some("https://elsewhere.example.net"), ..Edit::default() };
        assert!(away.of(&entry(), &wanted()).is_err());
        let mut elsewhere = entry();
        elsewhere.set("webHookUrl", json!("https://elsewhere.example.net"));
        assert!(Edit::default().of(&elsewhere, &wanted()).is_err());
        assert!(Edit { headers: true, url: Some(""), ..Edit::default() }.of(&elsewhere, &wanted()).is_ok());
    }

    #[test]
    fn what_capillary_left_as_it_was_is_found() {
        let mut told = entry();
        told.set("eventNames", json!(["customerAdded"]));
        let [found] = <[Finding; 1]>::try_from(not_taken(&told, &entry())).unwrap();
        assert!(found.what.contains("events"));
    }
}
