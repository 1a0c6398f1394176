//! What is not as this deployment needs it.

use serde::Serialize;

use super::{
    entry::Entry,
    names::spelled,
    place::Place,
    secret::{Headers, Match},
};

/// What this deployment wants of a webhook.
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) headers: Headers,
}

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

const SET_HEADERS: &str = "`capctl webhook update --headers` sends those of the webhook secret";

/// All that keeps the events of this webhook from coming through.
pub(super) fn findings(entry: &Entry, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |what: String, remedy| findings.push(Finding { what, remedy });
    if !entry.is_active() {
        find("it is switched off: Capillary sends nothing".to_owned(), "`capctl webhook update --resume`");
    }
    if !entry.method().eq_ignore_ascii_case("POST") {
        find(format!("it sends with {}; the receiver takes POST only", entry.method()), "`capctl webhook update` makes it POST");
    }
    let headers = entry.headers();
    for (name, fit) in wanted.headers.compare(&headers) {
        match fit {
            Match::Present => {}
            Match::Older => find(
                format!("{name} has an older value of the webhook secret: it is accepted until that is taken out"),
                SET_HEADERS,
            ),
            Match::Different => find(format!("{name} has a value that the receiver refuses: it answers 401"), SET_HEADERS),
            Match::Missing => find(format!("{name} is not sent: the receiver answers 401"), SET_HEADERS),
            Match::Several => find(format!("{name} stands there more than once: the receiver answers 401"), SET_HEADERS),
        }
    }
    if headers.iter().any(|(name, _)| name.trim().is_empty()) {
        find(
            "a header row is empty: Capillary sends a header without a name, to which a gateway may answer 400, and then the event is lost"
                .to_owned(),
            "`capctl webhook update --headers` leaves the row out",
        );
    }
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

/// What is wrong with an org's webhooks as a whole.
pub(super) fn overall(all: &[Entry], wanted: &Wanted) -> Vec<Finding> {
    let mut found = Vec::new();
    if all.iter().filter(|entry| wanted.place.is_sent_to_by(entry) && entry.is_active()).count() > 1 {
        let remedy = "switch all but one off: `capctl webhook pause --id …`";
        found.push(Finding::new("several webhooks send here: each event comes more than once, and counts once", remedy));
    }
    if !all.iter().any(|entry| wanted.place.is_sent_to_by(entry)) {
        found.push(Finding::new("no webhook sends to this deployment", "`capctl webhook register`"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wanted() -> Wanted {
        let headers: Headers = serde_json::from_value(json!({"headers": {"authorization": ["Basic new", "Basic old"]}})).unwrap();
        Wanted { place: Place::new("https://hooks.example.net/v1/events"), headers }
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
        assert_eq!(findings(&entry("slaInSeconds", json!(0)), &wanted()), []);
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
            ("webHookHeaders", json!({"authorization": "Basic new", "Authorization": "Basic new"}), "more than once"),
            ("eventNames", json!([]), "no events"),
            ("eventNames", json!(["customeradded"]), "customerAdded"),
        ] {
            let [found] = <[Finding; 1]>::try_from(findings(&entry(member, value), &wanted())).unwrap();
            assert!(found.what.contains(words), "{member}: {}", found.what);
            assert!(!found.what.contains("Basic"), "a value is told: {}", found.what);
        }
    }
}
