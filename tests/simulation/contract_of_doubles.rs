//! The doubles, held to what the local AWS is held to.

use std::sync::Arc;

use crate::{
    contract::{SECRET, Services, Taken},
    doubles::{Bus, Queue, SecretText, Tables},
};

struct Doubles {
    tables: Tables,
    events: Queue,
    dead_letters: Queue,
    bus: Bus,
    secret: SecretText,
}

fn doubles() -> Doubles {
    let queue = || Queue::new(Arc::new(|| 0));
    let secret = SecretText::default();
    secret.fill(SECRET);
    Doubles { tables: Tables::default(), events: queue(), dead_letters: queue(), bus: Bus::default(), secret }
}

impl Services for Doubles {
    type Claims = Tables;
    type Ledger = Tables;
    type Events = Queue;
    type DeadLetters = Queue;
    type Bus = Bus;
    type Secret = SecretText;

    fn claims(&self) -> &Tables {
        &self.tables
    }

    fn ledger(&self) -> &Tables {
        &self.tables
    }

    fn events(&self) -> &Queue {
        &self.events
    }

    fn dead_letters(&self) -> &Queue {
        &self.dead_letters
    }

    fn bus(&self) -> &Bus {
        &self.bus
    }

    fn secret(&self) -> &SecretText {
        &self.secret
    }

    async fn take(&self, least: usize) -> Vec<Taken> {
        self.events.take(least, 60_000, |_| 0)
    }

    async fn take_dead(&self, least: usize) -> Vec<Taken> {
        self.dead_letters.take(least, 60_000, |_| 0)
    }

    async fn ids_published(&self, _least: usize) -> Vec<String> {
        let id =
            |detail: &str| serde_json::from_str::<serde_json::Value>(detail).expect("JSON")["id"].as_str().map(str::to_owned);
        self.bus.published().iter().filter_map(|entry| id(&entry.detail)).collect()
    }
}

crate::contract::hold_all!(doubles());
