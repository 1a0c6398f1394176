//! What must be true after the turmoil.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::happenings::{ENTITIES, Place};
use crate::remains::Remains;
use crate::support::events::ORG;
use crate::support::history::{History, lasting};
use crate::turmoil::Turmoil;

impl Turmoil {
    /// What is promised (README, "What changed" and "For consumers").
    pub(crate) async fn nothing_is_lost_and_nothing_told_twice(&self) {
        let seed = self.seed;
        let ids: BTreeSet<&str> = self.happenings.ids.iter().map(String::as_str).collect();
        assert_eq!(self.bus.ids(), ids, "seed {seed}: these went through the bus, and those happened");
        self.the_sender_was_told_nothing_else_in_the_end().await;
        let remains = Remains::of(&self.aws, &self.stack);
        let rows = remains.rows().await;
        assert!(rows.keys().map(String::as_str).eq(ids), "seed {seed}: the ledger has other events");
        for (id, row) in rows {
            assert!(row.status() == "PUBLISHED" && !row.has("detail"), "seed {seed}: {id} is {}", row.status());
        }
        assert_eq!(remains.dead_letters().await, 0, "seed {seed}: {:?}", remains.reasons().await);
        for detail in self.bus.details() {
            let detail: Value = serde_json::from_str(&detail).expect("JSON");
            // Whatever failed was no final answer.
            assert_eq!(detail["data"]["enrichment"]["status"], "complete", "seed {seed}: {}", detail["id"]);
        }
        let history = History::of_details(self.bus.details());
        let snapshots = remains.snapshots().await;
        for entity in ENTITIES {
            let Place { kind, id, path } = Place::of(entity);
            let subject = format!("{kind}/{id}");
            let snapshot = &snapshots[&format!("{ORG}#{kind}#{id}")];
            let body = snapshot.body();
            assert_eq!(history.replay(&subject), (snapshot.version(), lasting(&body)), "seed {seed}: {subject}");
            // No state ever comes back, so that a value which is told twice was told under two ids.
            let values = history.values_told(&subject, path);
            assert!(values.windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}: {subject} is told twice: {values:?}");
            assert_eq!(
                body.pointer(path),
                Some(&json!(self.happenings.last[&subject])),
                "seed {seed}: {subject} is known as it is"
            );
        }
    }

    /// Nothing but 200 was final, and all else is sent again by Capillary. A gateway on this machine gives 502 where the real one is set to
    /// 429.
    async fn the_sender_was_told_nothing_else_in_the_end(&self) {
        for delivery in self.sandbox.deliveries(None).await {
            let attempts = delivery["attempts"].as_array().expect("attempts");
            let (last, before) = attempts.split_last().expect("an attempt");
            assert_eq!(last["status"], 200, "seed {}: {delivery}", self.seed);
            let passes = |attempt: &Value| {
                attempt["error"].is_string() || [429, 502, 504].iter().any(|status| attempt["status"] == *status)
            };
            assert!(before.iter().all(passes), "seed {}: {delivery}", self.seed);
        }
    }
}
