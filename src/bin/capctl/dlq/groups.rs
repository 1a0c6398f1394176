//! Letters by reason and event name.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use crate::{
    dead_letters::Label,
    page::{Page, Tone, plain},
    reasons::meaning,
    spans::moment,
};

/// How many there are of each kind.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<Option<String>, BTreeMap<Option<String>, Kind>>);

/// Letters with one reason, of events with one name.
#[derive(Clone, Default, Serialize)]
struct Kind {
    letters: usize,
    /// When the first and the last came here, in milliseconds since 1970.
    oldest: Option<i64>,
    newest: Option<i64>,
}

/// Whether what helps is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedies {
    Told,
    /// It was just done.
    Untold,
}

impl Groups {
    pub(super) fn add(&mut self, label: &Label) {
        let kind = self.0.entry(label.reason.clone()).or_default().entry(label.event_name.clone()).or_default();
        kind.letters += 1;
        if let Some(since) = label.dead_since {
            kind.oldest = Some(kind.oldest.map_or(since, |oldest| oldest.min(since)));
            kind.newest = kind.newest.max(Some(since));
        }
    }

    pub(super) fn letters(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).map(|kind| kind.letters).sum()
    }

    /// Each reason with what it means and what helps, and below it the names.
    pub(super) fn write(&self, page: &mut Page, remedies: Remedies, now_ms: i64) -> io::Result<()> {
        for (reason, kinds) in &self.0 {
            let meaning = meaning(reason.as_deref());
            let letters: usize = kinds.values().map(|kind| kind.letters).sum();
            page.gap()?;
            page.styled(&[
                (reason.as_deref().unwrap_or("none, moved by SQS"), Tone::Bad),
                (&format!("  {}", count(letters)), Tone::Plain),
                (&format!("  {}", meaning.what), Tone::Faint),
            ])?;
            if remedies == Remedies::Told {
                page.styled(&[("  → ", Tone::Strong), (meaning.remedy, Tone::Plain)])?;
            }
            let at = |ms: Option<i64>| plain(ms.map(|ms| moment(ms, now_ms)).unwrap_or_default());
            let row = |(name, kind): (&Option<String>, &Kind)| {
                let name = name.as_deref().unwrap_or("no name");
                vec![plain(format!("  {name}")), plain(kind.letters.to_string()), at(kind.oldest), at(kind.newest)]
            };
            page.table(&["  event", "letters", "oldest", "newest"], &kinds.iter().map(row).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// `1 letter`, `2 letters`.
pub(super) fn count(letters: usize) -> String {
    if letters == 1 { "1 letter".to_owned() } else { format!("{letters} letters") }
}

impl Serialize for Groups {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct OfReason<'a> {
            reason: Option<&'a str>,
            meaning: &'static str,
            remedy: &'static str,
            can_be_redriven: bool,
            events: Vec<OfName<'a>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct OfName<'a> {
            event_name: Option<&'a str>,
            #[serde(flatten)]
            kind: &'a Kind,
        }
        serializer.collect_seq(self.0.iter().map(|(reason, kinds)| {
            let meaning = meaning(reason.as_deref());
            OfReason {
                reason: reason.as_deref(),
                meaning: meaning.what,
                remedy: meaning.remedy,
                can_be_redriven: meaning.can_be_redriven,
                events: kinds.iter().map(|(name, kind)| OfName { event_name: name.as_deref(), kind }).collect(),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_is_counted_with_its_first_and_its_last() {
        let label = |reason: Option<&str>, name: &str, dead_since| Label {
            message_id: "m".to_owned(),
            event_id: None,
            event_name: Some(name.to_owned()),
            org_id: None,
            reason: reason.map(str::to_owned),
            detail: None,
            received_at: None,
            dead_since,
            bytes: 2,
        };
        let mut groups = Groups::default();
        for (name, since) in [("a", Some(5)), ("b", None), ("a", Some(3)), ("a", None), ("a", Some(9))] {
            groups.add(&label(Some("panic"), name, since));
        }
        groups.add(&label(None, "a", Some(1)));
        assert_eq!(groups.letters(), 6);
        let told = serde_json::to_value(&groups).unwrap();
        assert_eq!((&told[0]["reason"], &told[1]["reason"]), (&json!(null), &json!("panic")));
        let kind =
            |name, letters, oldest, newest| json!({"eventName": name, "letters": letters, "oldest": oldest, "newest": newest});
        let none: Option<i64> = None;
        assert_eq!(told[1]["events"], json!([kind("a", 4, Some(3), Some(9)), kind("b", 1, none, none)]));
    }
}
