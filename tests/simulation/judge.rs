//! What must hold at the end of every story.

use std::collections::{BTreeMap, BTreeSet};

use capillary_events::{
    ledger::Status,
    snapshot::{Gone, Key, State},
};
use serde_json::Value;

use crate::{capillary::CUSTOMER_OF, sender::Outcome, world::World};

/// Who told that an entity moved: the event's id, from which state to which, and the state that it shows.
type Step<'a> = (&'a str, Option<(u64, u64)>, u64);

/// What an event was told as.
struct Told {
    id: String,
    detail: Value,
}

/// Checks a story that has come to rest, and whose dead letters were redriven after all was mended.
pub(crate) fn judge(world: &World, bodies: &BTreeMap<usize, Vec<u8>>, outcomes: &[(usize, Outcome)]) {
    let told = all_copies_are_equal(world);
    every_answered_event_was_told(world, bodies, outcomes, &told);
    the_ledger_says_what_is_so(world, &told);
    nothing_older_overwrote_anything_newer(world);
    changes_lead_to_what_is_remembered(world, &told);
}

/// For each id all published copies are equal.
fn all_copies_are_equal(world: &World) -> Vec<Told> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for entry in world.bus.published() {
        let detail: Value = serde_json::from_str(&entry.detail).expect("Detail is JSON");
        let id = detail["id"].as_str().expect("an id").to_owned();
        let first = texts.entry(id.clone()).or_insert_with(|| entry.detail.clone());
        assert_eq!(*first, entry.detail, "{id} was told with two contents");
    }
    let told = texts.into_iter().map(|(id, text)| Told { id, detail: serde_json::from_str(&text).expect("JSON") });
    told.collect()
}

/// Each event that the sender saw answered with 200 is on the bus, under one id; what was answered with 400 lies in the dead-letter queue with a
/// reason. And each one gets a final answer.
fn every_answered_event_was_told(world: &World, bodies: &BTreeMap<usize, Vec<u8>>, outcomes: &[(usize, Outcome)], told: &[Told]) {
    let mut ids: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for told in told {
        let mark =
            told.detail["data"]["event"]["data"]["mark"].as_u64().and_then(|mark| usize::try_from(mark).ok()).expect("a mark");
        ids.entry(mark).or_default().insert(&told.id);
    }
    for (number, body) in bodies {
        let mine: Vec<_> = outcomes.iter().filter(|(of, _)| of == number).map(|(_, outcome)| *outcome).collect();
        assert!(!mine.is_empty(), "event {number} never got a final answer");
        let ids = ids.get(number).map(BTreeSet::len).unwrap_or_default();
        match serde_json::from_slice(body) {
            Ok(Value::Object(_)) => {
                assert!(
                    mine.iter().all(|outcome| matches!(outcome, Outcome::Answered(200) | Outcome::GivenUp)),
                    "event {number}: {mine:?}"
                );
                if mine.contains(&Outcome::Answered(200)) {
                    assert_eq!(ids, 1, "event {number} was answered with 200 and told under {ids} ids");
                }
            }
            _ => {
                assert!(mine.iter().all(|outcome| matches!(outcome, Outcome::Answered(400) | Outcome::GivenUp)), "{mine:?}");
                if mine.contains(&Outcome::Answered(400)) {
                    let letters = world.dead_letters.all();
                    let kept = letters
                        .iter()
                        .any(|letter| letter.incoming.body.as_bytes() == *body && letter.reason.as_deref() == Some("not_json"));
                    assert!(kept, "what is no event is not kept, or without a reason");
                }
            }
        }
    }
}

/// At rest each row is PUBLISHED, keeps nothing of the event and will be forgotten; what is told has a row, and the queue is empty.
fn the_ledger_says_what_is_so(world: &World, told: &[Told]) {
    let ids: BTreeSet<&str> = told.iter().map(|told| told.id.as_str()).collect();
    let state = world.tables.state();
    for (key, stored) in &state.rows {
        assert_eq!(stored.row.status, Some(Status::Published), "{key} at rest");
        assert!(stored.row.detail.is_none() && stored.row.expires_at_s.is_some(), "{key} is kept for ever");
        assert!(ids.contains(key.as_str()), "{key} is PUBLISHED and was never told");
    }
    let left: Vec<_> =
        world.dead_letters.all().into_iter().filter(|letter| letter.reason.as_deref() != Some("not_json")).collect();
    assert!(left.is_empty(), "in the dead-letter queue after everything was mended: {left:?}");
    assert_eq!(world.events.len(), 0);
}

/// The state that a body shows.
fn number(body: &Value) -> u64 {
    body["number"].as_u64().expect("a state's number")
}

/// No older state overwrote a newer one, nobody came back from the dead, and no version was used twice.
fn nothing_older_overwrote_anything_newer(world: &World) {
    let mut last: BTreeMap<&Key, (i64, Option<u64>)> = BTreeMap::new();
    let state = world.tables.state();
    for (key, snapshot) in &state.moved {
        let Some(snapshot) = snapshot else {
            // Forgotten with its customer: it begins anew.
            last.remove(key);
            continue;
        };
        let shown = snapshot.state.body().map(|body| number(&serde_json::from_str(body.get()).expect("JSON")));
        if let Some((version, before)) = last.insert(key, (snapshot.version, shown)) {
            assert!(version < snapshot.version, "version {} of {} was used twice", snapshot.version, key.as_str());
            match (before, shown) {
                (Some(before), Some(shown)) => {
                    assert!(before <= shown, "{}: state {shown} overwrote {before}", key.as_str());
                }
                (None, Some(_)) => panic!("{} came back from the dead", key.as_str()),
                (_, None) => {}
            }
        }
    }
}

/// No change is told under two ids, and replaying all of an entity's changes in their order gives its last snapshot.
fn changes_lead_to_what_is_remembered(world: &World, told: &[Told]) {
    // Of each entity by version: what told it, and how.
    let mut steps: BTreeMap<(String, u64), Vec<Step<'_>>> = BTreeMap::new();
    for told in told {
        let data = &told.detail["data"];
        let changes = data["changes"].as_array().expect("changes");
        let mut unplaced = changes.len();
        for view in data["entities"].as_array().expect("entities").iter().filter(|view| view["status"] == "found") {
            let subject = format!("{}/{}", view["type"].as_str().expect("a type"), view["id"].as_str().expect("an id"));
            let mine: Vec<_> = changes.iter().filter(|change| change["entity"] == subject.as_str()).collect();
            unplaced -= mine.len();
            let change = match mine.as_slice() {
                [] => None,
                [change] => {
                    assert_eq!((change["op"].as_str(), change["path"].as_str()), (Some("replace"), Some("/number")));
                    let part = |name: &str| change[name].as_u64().expect("a state's number");
                    Some((part("before"), part("after")))
                }
                more => panic!("{} tells more than one change of {subject}: {}", told.id, more.len()),
            };
            let moves = change.is_some() || view["baseline"] == true;
            if moves {
                let version = view["version"].as_u64().expect("a version");
                steps.entry((subject, version)).or_default().push((&told.id, change, number(&view["body"])));
            }
        }
        assert_eq!(unplaced, 0, "{} tells changes of entities that it does not show", told.id);
    }
    // What was forgotten with its customer begins anew, and what is told of it later may not be remembered.
    let state = world.tables.state();
    let subject = |key: &Key| {
        let (_, subject) = key.as_str().split_once('#').expect("an org");
        subject.replacen('#', "/", 1)
    };
    let deleted: BTreeSet<&Key> = state
        .snapshots
        .iter()
        .filter(|(_, snapshot)| matches!(snapshot.state, State::Gone(Gone::Deleted)))
        .map(|(key, _)| key)
        .collect();
    let forgotten: BTreeSet<String> = CUSTOMER_OF
        .iter()
        .filter(|(_, _, customer)| deleted.iter().any(|key| subject(key) == format!("customer/{customer}")))
        .map(|(kind, id, _)| format!("{}/{id}", kind.as_str()))
        .collect();
    for key in state.snapshots.keys() {
        assert!(!forgotten.contains(&subject(key)), "{} outlives its customer", key.as_str());
    }
    let ever_forgotten = state.moved.iter().filter(|(_, snapshot)| snapshot.is_none()).map(|(key, _)| subject(key));
    let forgotten: BTreeSet<String> = forgotten.into_iter().chain(ever_forgotten).collect();
    steps.retain(|(subject, _), _| !forgotten.contains(subject));
    let mut reached: BTreeMap<String, u64> = BTreeMap::new();
    for ((subject, version), tellers) in steps {
        let [(id, change, shown)] = tellers[..] else { panic!("{subject} moved to {version} under several ids: {tellers:?}") };
        let before = reached.insert(subject.clone(), shown);
        match (before, change) {
            (None, None) => {}
            (Some(before), Some((from, to))) => {
                assert_eq!((before, shown), (from, to), "{id} tells a change of {subject} that does not follow, to {version}");
            }
            (None, Some(_)) => panic!("{id} tells a change of {subject}, whose first sight nobody told"),
            (Some(_), None) => panic!("{id} sees {subject} for the first time again"),
        }
    }
    for (key, snapshot) in state.snapshots.iter().filter(|(key, _)| !forgotten.contains(&subject(key))) {
        let subject = subject(key);
        match &snapshot.state {
            State::Body(body) => {
                let remembered = number(&serde_json::from_str(body.get()).expect("JSON"));
                assert_eq!(reached.remove(&subject), Some(remembered), "what was told of {subject} ends elsewhere");
            }
            State::Gone(Gone::Deleted | Gone::Merged) => {
                reached.remove(&subject);
            }
            State::TooLarge => panic!("{subject} is small"),
        }
    }
    assert!(reached.is_empty(), "told and not remembered: {reached:?}");
}
