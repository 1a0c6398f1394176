//! What happens at Capillary: customers move, bills get another note, and each change is an event.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use serde_json::json;

use crate::sandbox::Sandbox;

/// Those who change, and their bills.
const CUSTOMERS: u64 = 40;
const BILLS: u64 = 20;
/// All of them, by number.
pub(crate) const ENTITIES: Range<u64> = 0..CUSTOMERS + BILLS;

/// What happened at Capillary.
#[derive(Default)]
pub(crate) struct Happenings {
    /// The events that tell of it.
    pub(crate) ids: BTreeSet<String>,
    /// The last change of each entity.
    pub(crate) last: BTreeMap<String, String>,
}

/// Where the changes of an entity are seen.
pub(crate) struct Place {
    pub(crate) kind: &'static str,
    pub(crate) id: u64,
    pub(crate) path: &'static str,
}

impl Place {
    pub(crate) fn of(entity: u64) -> Self {
        if entity < CUSTOMERS {
            Self { kind: "customer", id: 500_000 + entity, path: "/extendedFields/city" }
        } else {
            Self { kind: "transaction", id: 9_000_000 + entity, path: "/billDetails/note" }
        }
    }
}

impl Happenings {
    /// So many changes at once, and then none for a while.
    pub(crate) async fn burst(&mut self, sandbox: &Sandbox, changes: u32, random: &mut Rng) {
        for _ in 0..changes {
            let news = self.ids.len().to_string();
            self.change(sandbox, random.u64(ENTITIES), &news).await;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(200..1_600))).await;
    }

    /// Somebody moves, or a bill gets another note: something that never was so before.
    pub(crate) async fn change(&mut self, sandbox: &Sandbox, entity: u64, news: &str) {
        let Place { kind, id, .. } = Place::of(entity);
        let value = format!("number {news}");
        let patch = match kind {
            "customer" => json!({"extendedFields": {"city": value}}),
            _ => json!({"customerId": 500_000 + id % CUSTOMERS, "billDetails": {"note": value}}),
        };
        self.ids.insert(sandbox.change(&format!("{kind}s/{id}"), &patch).await);
        self.last.insert(format!("{kind}/{id}"), value);
    }
}
