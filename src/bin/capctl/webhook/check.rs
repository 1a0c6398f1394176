//! What is not as this deployment needs it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    entry::Entry,
    names::spelled,
    place::Place,
    secret::{Headers, Match},
};

/// Something that wants mending, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) what: String,
    pub(crate) remedy: &'static str,
}

impl Finding {
    pub(super) fn new(what: impl Into<String>, remedy: &'static str) -> Self {
        Self { what: what.into(), remedy }
    }
}

/// All that keeps the events of this webhook from coming through.
pub(super) fn findings(entry: &Entry, ours: &Headers) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |what: String, remedy| findings.push(Finding { what, remedy });
    if !entry.is_active() {
        find("it is switched off: Capillary sends nothing".to_owned(), "`capctl webhook update --resume`");
    }
    if !entry.method().eq_ignore_ascii_case("POST") {
        find(format!("it sends with {}; the receiver takes POST only", entry.method()), "`capctl webhook update` makes it POST");
    }
    match entry.headers() {
        Some(headers) => findings.extend(of_headers(&headers, ours)),
        None => findings.push(Finding::new(
            "its headers come in a form that is not known here: whether they are right can't be told",
            "look at them in Capillary's own pages: Organization Settings, Event Notifications",
        )),
    }
    let mut find = |what: String, remedy| findings.push(Finding { what, remedy });
    let names = entry.event_names();
    if names.is_empty() {
        find("it names no events".to_owned(), "`capctl webhook update --events all`");
    }
    for name in &names {
        if let Some(right) = spelled(name).filter(|right| right != name) {
            find(format!("the event {name} is spelled {right}"), "`capctl webhook update --events …` with the right spelling");
        }
    }
    findings
}

fn of_headers(headers: &Map<String, Value>, ours: &Headers) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, fit) in ours.compare(headers) {
        let what = match fit {
            Match::Present => continue,
            Match::Older => format!("{name} has an older value of the webhook secret: it is accepted until that is taken out"),
            Match::Different => format!("{name} has a value that the receiver refuses: it answers 401"),
            Match::Missing => format!("{name} is not sent: the receiver answers 401"),
            Match::Several => format!("{name} stands there more than once: the receiver answers 401"),
            Match::NoText => format!("{name} has a value that is no text: what Capillary sends of it is not known"),
        };
        findings.push(Finding::new(what, "`capctl webhook update --headers` sends those of the webhook secret"));
    }
    if headers.keys().any(|name| name.trim().is_empty()) {
        findings.push(Finding::new(
            "a header row is empty: Capillary sends a header without a name, to which a gateway may answer 400, and then the event is lost",
            "`capctl webhook update --headers` leaves the row out",
        ));
    }
    findings
}

/// What is wrong with an org's webhooks as a whole.
pub(super) fn overall(all: &[Entry], place: &Place) -> Vec<Finding> {
    let mut found = Vec::new();
    if all.iter().filter(|entry| place.is_sent_to_by(entry) && entry.is_active()).count() > 1 {
        let remedy = "switch all but one off: `capctl webhook pause --id …`";
        found.push(Finding::new("several webhooks send here: each event comes more than once, and counts once", remedy));
    }
    let nearly: Vec<&Entry> = all.iter().filter(|entry| entry.is_active() && place.is_missed_by_a_slash(entry)).collect();
    for entry in &nearly {
        let id = entry.id();
        let what =
            format!("the webhook {id} has this deployment's URL but for a slash in the end: the gateway answers 404 there");
        found.push(Finding::new(what, "`capctl webhook update --id … --url` takes the slash away"));
    }
    if nearly.is_empty() && !all.iter().any(|entry| place.is_sent_to_by(entry)) {
        found.push(Finding::new("no webhook sends to this deployment", "`capctl webhook register`"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ours() -> Headers {
        serde_json::from_value(json!({"headers": {"authorization": ["Basic new", "Basic old"]}})).unwrap()
    }

    fn entry(member: &str, value: Value) -> Entry {
        let mut entry = Entry::read(json!({
            "webHookUrl": "https://hooks.example.net/v1/events", "webHookType": "HTTP", "methodType": "POST", "active": true,
            "eventNames": ["customerAdded", "cartAbandoned"], "webHookHeaders": {"Authorization": "Basic new", "Content-Type": "text"},
        }))
        .unwrap();
        entry.set(member, value);
        entry
    }

    #[test]
    fn what_is_as_it_should_be_has_no_finding() {
        assert_eq!(findings(&entry("slaInSeconds", json!(0)), &ours()), []);
    }

    #[test]
    fn each_thing_that_keeps_events_away_is_found_in_words_without_a_value() {
        for (member, value, words) in [
            ("active", json!(false), "switched off"),
            ("methodType", json!("PUT"), "POST only"),
            ("webHookHeaders", json!({}), "not sent"),
            ("webHookHeaders", json!({"authorization": "Basic stranger"}), "refuses"),
            ("webHookHeaders", json!({"authorization": "Basic old"}), "older value"),
            ("webHookHeaders", json!({"authorization": "Basic new", "": ""}), "empty"),
            ("webHookHeaders", json!({"authorization": ["Basic new"]}), "no text"),
            ("webHookHeaders", json!([{"key": "authorization", "value": "Basic new"}]), "a form that is not known"),
            ("webHookHeaders", json!({"authorization": "Basic new", "Authorization": "Basic new"}), "more than once"),
            ("eventNames", json!([]), "no events"),
            ("eventNames", json!(["customeradded"]), "customerAdded"),
        ] {
            let [found] = <[Finding; 1]>::try_from(findings(&entry(member, value), &ours())).unwrap();
            assert!(found.what.contains(words), "{member}: {}", found.what);
            assert!(!found.what.contains("Basic"), "a value is told: {}", found.what);
        }
    }

    #[test]
    fn a_url_with_a_slash_too_many_is_found_by_itself() {
        let place = Place::new("https://hooks.example.net/v1/events");
        let but_for_a_slash = entry("webHookUrl", json!("https://hooks.example.net/v1/events/"));
        let found = |all: &[&Entry]| {
            let all: Vec<Entry> = all.iter().map(|entry| (*entry).clone()).collect();
            overall(&all, &place).into_iter().map(|finding| finding.what).collect::<Vec<_>>().join("\n")
        };
        let told = found(&[&but_for_a_slash]);
        assert!(told.contains("slash") && !told.contains("no webhook"), "{told}");
        let right = entry("active", json!(true));
        assert!(found(&[&but_for_a_slash, &right]).contains("slash"));
        assert_eq!(found(&[&right]), "");
        let mut off = but_for_a_slash.clone();
        off.set("active", json!(false));
        assert!(found(&[&off]).contains("no webhook sends to this deployment"), "nobody is sent anything with a slash");
    }
}
