//! What consumers are promised about changes: each id has one content, each change is told once, and replaying all changes from
//! the first known state gives the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::wait;
use super::world::World;

/// Everything that was told, once for each id.
pub(crate) struct History(BTreeMap<String, Value>);

/// An event's id, what it shows of an entity, and which changes of it it tells.
type Teller<'a> = (&'a str, &'a Value, Vec<&'a Value>);

/// The `Detail` of an id; all copies of it must be equal to the letter.
#[track_caller]
pub(crate) fn told(world: &World, id: &str) -> Value {
    History::of(world).0.remove(id).unwrap_or_else(|| panic!("{id} was never told"))
}

/// The entity of a kind in a `Detail`.
#[track_caller]
pub(crate) fn entity<'a>(detail: &'a Value, kind: &str) -> &'a Value {
    let entities = detail["data"]["entities"].as_array().expect("entities");
    entities.iter().find(|entity| entity["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {detail}"))
}

/// The entities in a `Detail`, each as `type/id status`.
pub(crate) fn entities(detail: &Value) -> Vec<String> {
    let word = |entity: &Value, name: &str| entity[name].as_str().unwrap_or_else(|| panic!("no {name}: {entity}")).to_owned();
    let told = |entity: &Value| format!("{}/{} {}", word(entity, "type"), word(entity, "id"), word(entity, "status"));
    detail["data"]["entities"].as_array().expect("entities").iter().map(told).collect()
}

/// The changes in a `Detail`, each as its entity with the path, and its origin; sorted.
pub(crate) fn origins(detail: &Value) -> Vec<(String, &str)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let told = |change: &'_ Value| text(&change["entity"]) + &text(&change["path"]);
    let mut origins: Vec<_> =
        changes(detail).iter().map(|change| (told(change), change["origin"].as_str().expect("an origin"))).collect();
    origins.sort_unstable();
    origins
}

/// The changes in a `Detail`.
pub(crate) fn changes(detail: &Value) -> &[Value] {
    detail["data"]["changes"].as_array().expect("changes")
}

impl History {
    /// Of all that a world's enrichers ever sent to the bus.
    #[track_caller]
    pub(crate) fn of(world: &World) -> Self {
        Self::of_details(world.sent_details())
    }

    /// Of these, in which an id may stand more than once.
    #[track_caller]
    pub(crate) fn of_details(details: impl IntoIterator<Item = String>) -> Self {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        for text in details {
            let detail: Value = serde_json::from_str(&text).expect("Detail is JSON");
            let id = detail["id"].as_str().expect("an id").to_owned();
            let first = texts.entry(id.clone()).or_insert_with(|| text.clone());
            assert_eq!(*first, text, "{id} was sent with two contents");
        }
        Self(texts.into_iter().map(|(id, text)| (id, serde_json::from_str(&text).expect("JSON"))).collect())
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The values that a place of an entity was ever told to have changed to, sorted.
    pub(crate) fn values_told(&self, subject: &str, path: &str) -> Vec<String> {
        let all = self.0.values().flat_map(changes);
        let here = all.filter(|change| change["entity"] == subject && change["path"] == path);
        let mut values: Vec<String> = here.map(|change| change["after"].to_string()).collect();
        values.sort();
        values
    }

    /// Replays all changes of an entity (`customer/5`) in the order of versions; the last version and the state
    /// that they lead to, without what changes by itself.
    #[track_caller]
    pub(crate) fn replay(&self, subject: &str) -> (u64, Value) {
        let (kind, id) = subject.split_once('/').expect("kind/id");
        let mut versions: BTreeMap<u64, Vec<Teller<'_>>> = BTreeMap::new();
        for (event, detail) in &self.0 {
            let views = detail["data"]["entities"].as_array().expect("entities").iter();
            let changes: Vec<&Value> = changes(detail).iter().filter(|change| change["entity"] == subject).collect();
            let mut views = views.filter(|view| view["type"] == kind && view["id"] == id && view["status"] == "found");
            if let Some(view) = views.next() {
                let version = view["version"].as_u64().unwrap_or_else(|| panic!("{event} has no version of {subject}: {view}"));
                versions.entry(version).or_default().push((event, view, changes));
            } else {
                assert!(changes.is_empty(), "{event} tells changes of somebody who is not in it: {changes:?}");
            }
        }
        let mut state: Option<(u64, Value)> = None;
        for (version, tellers) in versions {
            let moving: Vec<_> =
                tellers.iter().filter(|(_, view, changes)| view["baseline"] == true || !changes.is_empty()).collect();
            let ids: Vec<&str> = moving.iter().map(|(event, ..)| *event).collect();
            assert!(ids.len() <= 1, "{subject} moved to {version} under several ids: {ids:?}");
            let now = match (moving.first(), state) {
                (Some((_, view, _)), None) if view["baseline"] == true => view["body"].clone(),
                (Some((event, view, _)), Some(_)) if view["baseline"] == true => {
                    panic!("{event} sees {subject} for the first time again")
                }
                (_, None) => panic!("{subject} has no baseline before {version}"),
                (moving, Some((last, mut state))) => {
                    assert_eq!(version, last + 1, "{subject} skips versions, so somebody's changes were never told");
                    for change in moving.iter().flat_map(|(_, _, changes)| changes) {
                        apply(&mut state, change);
                    }
                    state
                }
            };
            for (event, view, _) in &tellers {
                assert_eq!(
                    lasting(&view["body"]),
                    lasting(&now),
                    "{event} shows another {subject} than the changes up to {version}"
                );
            }
            state = Some((version, now));
        }
        let (version, state) = state.unwrap_or_else(|| panic!("{subject} was never found"));
        (version, lasting(&state))
    }
}

/// Does what a change says (RFC 6902), and insists on the value before.
#[track_caller]
fn apply(state: &mut Value, change: &Value) {
    let path = change["path"].as_str().expect("a path");
    let (parent, last) = path.rsplit_once('/').unwrap_or_else(|| panic!("no place for {change}"));
    let last = last.replace("~1", "/").replace("~0", "~");
    let parent = state.pointer_mut(parent).unwrap_or_else(|| panic!("nothing is there for {change}"));
    let (before, after) = (&change["before"], &change["after"]);
    match (change["op"].as_str(), parent) {
        (Some("add"), Value::Array(elements)) => elements.insert(last.parse().expect("an index"), after.clone()),
        (Some("add"), Value::Object(members)) => assert_eq!(members.insert(last, after.clone()), None, "{change}"),
        (Some("remove"), Value::Array(elements)) => {
            assert_eq!(lasting(&elements.remove(last.parse().expect("an index"))), lasting(before), "{change}");
        }
        (Some("remove"), Value::Object(members)) => {
            let removed = members.remove(&last).unwrap_or_else(|| panic!("nothing to remove: {change}"));
            assert_eq!(lasting(&removed), lasting(before), "{change}");
        }
        (Some("replace"), parent) => {
            let place = parent.pointer_mut(&format!("/{}", last.replace('~', "~0").replace('/', "~1")));
            let place = place.unwrap_or_else(|| panic!("nothing to replace: {change}"));
            assert_eq!(lasting(place), lasting(before), "{change}");
            *place = after.clone();
        }
        _ => panic!("no operation of RFC 6902: {change}"),
    }
}

/// A value without what changes by itself.
pub(crate) fn lasting(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let volatile = ["autoUpdateTime", "lastUpdatedOn", "warnings", "modifiedDate"];
            let kept = members.iter().filter(|(name, _)| !volatile.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), lasting(value))).collect())
        }
        Value::Array(elements) => json!(elements.iter().map(lasting).collect::<Vec<_>>()),
        scalar => scalar.clone(),
    }
}

impl World {
    /// Each of these came through the bus, with the content that every copy has; the ledger has nothing else to do, and nothing
    /// was given up.
    pub(crate) async fn all_are_published(&self, ids: &[String]) {
        let history = History::of(self);
        let mut missing: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        wait::poll(Duration::from_secs(10), async || {
            for detail in self.published(0).await {
                let id = detail["id"].as_str().expect("an id");
                missing.remove(id);
                assert!(history.0.contains_key(id), "{id} came through the bus and was never sent");
            }
            missing.is_empty().then_some(())
        })
        .await
        .unwrap_or_else(|| panic!("never published: {missing:?}"));
        let rows = self.ledger_rows().await;
        assert_eq!(rows.len(), ids.len());
        for row in rows {
            assert!(row.status() == "PUBLISHED" && !row.has("detail"), "{row:?}");
        }
        assert!(self.dead_letters().await.is_empty());
    }
}
