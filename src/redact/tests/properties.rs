//! Random JSON and random patterns: what no pattern means stays to the letter, and what one means is nowhere in the detail.
//!
//! Which places a pattern means is worked out here in the plainest way, from the places' names written as lists of words.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, value::RawValue};

use super::{key, redaction};
use crate::{
    change::{Volatile, difference},
    cloud_event::{Enriched, EntityChange, View, detail},
    entity::{Kind, Status},
    event::Event,
    ledger::Identity,
    redact::{HashKey, Redactor},
    told::Origin,
};

/// A JSON text to be. Its marks are told apart only when it is written.
#[derive(Debug, Clone)]
enum Tree {
    /// A text that occurs only once.
    Mark,
    /// A number that occurs only once.
    NumberMark,
    /// Something that may occur everywhere.
    Plain(&'static str),
    Array(Vec<Tree>),
    Object(Vec<(&'static str, Tree)>),
}

/// A mark and where it stands.
#[derive(Debug)]
struct Planted {
    mark: String,
    place: Vec<String>,
}

/// A text that is to be, as the patterns make it.
struct Expected {
    text: Option<String>,
    is_touched: bool,
}

/// Names as they stand in the text: some are the same, written in another way.
const NAMES: [&str; 6] = [r#""a""#, r#""\u0061""#, r#""b""#, r#""id""#, r#""0""#, r#""c~d""#];
const PLAIN: [&str; 6] = ["1", "2", "null", r#""""#, "true", "1.50"];

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        3 => Just(Tree::Mark),
        1 => Just(Tree::NumberMark),
        2 => proptest::sample::select(&PLAIN[..]).prop_map(Tree::Plain),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Tree::Array),
            proptest::collection::vec((proptest::sample::select(&NAMES[..]), inner), 0..5).prop_map(Tree::Object),
        ]
    })
}

fn object() -> impl Strategy<Value = Tree> {
    proptest::collection::vec((proptest::sample::select(&NAMES[..]), tree()), 0..5).prop_map(Tree::Object)
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    let roots = ["", "", "/event/data/", "/event/", "/*/*/", "/entities/*/body/", "/entities/0/body/"];
    let names = proptest::collection::vec(proptest::sample::select(vec!["a", "b", "id", "0", "1", "c~0d", "*"]), 1..4);
    let pattern = (proptest::sample::select(roots.to_vec()), names).prop_map(|(root, names)| match root {
        "" => names.join("/").replace('*', "a"),
        root => format!("{root}{}", names.join("/")),
    });
    proptest::collection::vec(pattern, 0..3)
}

impl Tree {
    /// The text, and the marks in it with their places.
    fn write(&self, place: &[&str], name: &str) -> (String, Vec<Planted>) {
        let mut planted = Vec::new();
        let place: Vec<String> = place.iter().map(|step| (*step).to_owned()).collect();
        let text = self.written(&place, name, &mut planted);
        (text, planted)
    }

    fn written(&self, place: &[String], name: &str, planted: &mut Vec<Planted>) -> String {
        let mut plant = |mark: String, text: String| {
            planted.push(Planted { mark, place: place.to_vec() });
            text
        };
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Mark => {
                let mark = mark(place, name);
                plant(mark.clone(), format!("\"{mark}\""))
            }
            Self::NumberMark => {
                let mark = number_mark(place, name);
                plant(mark.clone(), mark)
            }
            Self::Array(elements) => {
                let element = |(index, tree): (usize, &Self)| tree.written(&at(place, &format!("#{index}")), name, planted);
                format!("[ {} ]", elements.iter().enumerate().map(element).collect::<Vec<_>>().join(" , "))
            }
            Self::Object(members) => {
                let member = |(written, tree): &(&str, Self)| {
                    format!("{written} : {}", tree.written(&at(place, &said(written)), name, planted))
                };
                format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(" , "))
            }
        }
    }

    fn expected(&self, place: &[String], name: &str, drop: &[String], hash: &[String], key: &HashKey) -> Expected {
        let text = self.written(place, name, &mut Vec::new());
        if meant(drop, place) {
            return Expected { text: None, is_touched: true };
        }
        let texts = |children: Vec<(String, Expected)>, [open, close]: [&str; 2], gone: Option<&str>| {
            if children.iter().all(|(_, child)| !child.is_touched) {
                return Expected { text: Some(text.clone()), is_touched: false };
            }
            let child = |(name, child): (String, Expected)| Some(format!("{name}{}", child.text.or(gone.map(str::to_owned))?));
            let children: Vec<String> = children.into_iter().filter_map(child).collect();
            Expected { text: Some(format!("{open}{}{close}", children.join(","))), is_touched: true }
        };
        match self {
            Self::Array(elements) => {
                let child = |(index, tree): (usize, &Self)| {
                    (String::new(), tree.expected(&at(place, &format!("#{index}")), name, drop, hash, key))
                };
                texts(elements.iter().enumerate().map(child).collect(), ["[", "]"], Some("null"))
            }
            Self::Object(members) => {
                let child = |(written, tree): &(&str, Self)| {
                    (format!("{written}:"), tree.expected(&at(place, &said(written)), name, drop, hash, key))
                };
                texts(members.iter().map(child).collect(), ["{", "}"], None)
            }
            Self::Plain("null" | r#""""#) => Expected { text: Some(text), is_touched: false },
            _ if meant(hash, place) => {
                let pseudonym = key.pseudonym(text.trim_matches('"'));
                Expected { text: Some(format!("\"{pseudonym}\"")), is_touched: true }
            }
            _ => Expected { text: Some(text), is_touched: false },
        }
    }
}

fn mark(place: &[String], name: &str) -> String {
    format!("mark-{name}-{}.", place.join("-"))
}

/// A place in digits that hold no other: each step ends with a 9, and none has a 9 in it.
fn number_mark(place: &[String], name: &str) -> String {
    let word = |word: &str| word.bytes().map(|byte| format!("{byte:o}8")).collect::<String>() + "9";
    format!("7{}{}.50", word(name), place.iter().map(|step| word(step)).collect::<String>())
}

fn at(place: &[String], step: &str) -> Vec<String> {
    place.iter().cloned().chain([step.to_owned()]).collect()
}

fn said(written: &str) -> String {
    serde_json::from_str(written).unwrap()
}

/// Whether one of the patterns means this place or one around it. Steps that are an index begin with `#`.
fn meant(patterns: &[String], place: &[String]) -> bool {
    let fits = |wanted: &[&str], steps: &[&str]| {
        wanted.len() == steps.len()
            && wanted.iter().zip(steps).all(|(wanted, step)| *wanted == "*" || wanted.replace("~0", "~") == *step)
    };
    (1..=place.len()).any(|steps| {
        let place = &place[..steps];
        let names: Vec<&str> = place.iter().map(String::as_str).filter(|step| !step.starts_with('#')).collect();
        let all: Vec<&str> = place.iter().map(|step| step.trim_start_matches('#')).collect();
        patterns.iter().any(|pattern| match pattern.strip_prefix('/') {
            Some(anchored) => fits(&anchored.split('/').collect::<Vec<_>>(), &all),
            None => {
                let wanted: Vec<&str> = pattern.split('/').collect();
                names.len() >= wanted.len() && fits(&wanted, &names[names.len() - wanted.len()..])
            }
        })
    })
}

fn customer(body: &str) -> View {
    View {
        kind: Kind::Customer,
        id: "1".to_owned(),
        status: Status::Found,
        fetched_at_ms: Some(1_755_225_718_242),
        baseline: Some(false),
        version: Some(7),
        body: Some(Arc::from(RawValue::from_string(body.to_owned()).unwrap())),
        by_number: false,
    }
}

/// What changed from one text to another, as the enricher finds it.
fn changes(before: &str, after: &str) -> Vec<EntityChange> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let found = difference(&parsed(before), &parsed(after), &Volatile::default()).changes;
    let of_the_customer = |change| EntityChange { entity: "customer/1".to_owned(), change, origin: Origin::Snapshot };
    found.into_iter().map(of_the_customer).collect()
}

proptest! {
    #[test]
    fn what_no_pattern_means_is_the_same_text_and_what_one_means_is_not_there(
        data in tree(), before in object(), after in object(), drop in patterns(), hash in patterns()
    ) {
        let (data_text, in_event) = data.write(&["event", "data"], "e");
        let (before_text, in_before) = before.write(&["entities", "#0", "body"], "b");
        let (after_text, in_after) = after.write(&["entities", "#0", "body"], "f");
        let text = format!(r#"{{"eventId":"x","eventName":"customerUpdated","data":{data_text}}}"#);
        let event = Event::parse(text.as_bytes()).unwrap();
        let enriched = Enriched {
            entities: vec![customer(&after_text)],
            changes: changes(&before_text, &after_text),
            ..Enriched::default()
        };

        let (redaction, key) = (redaction(&drop.join(","), &hash.join(",")), key());
        let redactor = Redactor::new(&redaction, Some(&key));
        let detail = detail(&event, &Identity::of(&event, 1), &enriched, &redactor, usize::MAX).unwrap();

        for planted in in_event.iter().chain(&in_before).chain(&in_after) {
            if meant(&drop, &planted.place) || meant(&hash, &planted.place) {
                prop_assert!(!detail.contains(&planted.mark), "{} in {detail}", planted.mark);
            }
        }
        for planted in in_event.iter().chain(&in_after) {
            if !meant(&drop, &planted.place) && !meant(&hash, &planted.place) {
                prop_assert!(detail.contains(&planted.mark), "no {} in {detail}", planted.mark);
            }
        }
        let path = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>();
        if let Some(body) = after.expected(&path(&["entities", "#0", "body"]), "f", &drop, &hash, &key).text {
            prop_assert!(detail.contains(&format!(r#""body":{body}}}"#)), "{body} in {detail}");
        }
        let is_whole = !["eventId", "eventName"].iter().any(|name| {
            let place = path(&["event", name]);
            meant(&drop, &place) || meant(&hash, &place)
        });
        if is_whole {
            let data = data.expected(&path(&["event", "data"]), "e", &drop, &hash, &key).text.map(|text| format!(r#","data":{text}"#));
            let event = format!(r#""event":{{"eventId":"x","eventName":"customerUpdated"{}}}"#, data.unwrap_or_default());
            prop_assert!(detail.contains(&event), "{event} in {detail}");
        }
    }
}
