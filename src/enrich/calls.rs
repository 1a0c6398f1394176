//! The calls of one batch: each entity once, and none more after the API has failed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::OnceCell;

use super::Turnstile;
use crate::{
    entity::{EntityRef, FetchFailure, Fetched, Scope},
    ports::Entities,
};

type Outcome = Result<Fetched, FetchFailure>;
/// By org and entity; whoever comes first makes the call, the others wait for its outcome.
type Outcomes = HashMap<(Option<i64>, EntityRef), Arc<OnceCell<Outcome>>>;

/// What was fetched for a batch so far.
pub(super) struct Calls<'a, E> {
    entities: &'a E,
    turnstile: &'a Turnstile,
    outcomes: Mutex<Outcomes>,
    api_failed: AtomicBool,
}

impl<'a, E: Entities> Calls<'a, E> {
    pub(super) fn new(entities: &'a E, turnstile: &'a Turnstile) -> Self {
        Self { entities, turnstile, outcomes: Mutex::new(HashMap::new()), api_failed: AtomicBool::new(false) }
    }

    /// The entity's present state; the same answer for all events of the batch that need it.
    pub(super) async fn fetch(&self, org_id: Option<i64>, entity: &EntityRef) -> Outcome {
        let cell = {
            let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(outcomes.entry((org_id, entity.clone())).or_default())
        };
        cell.get_or_init(|| self.call(org_id, entity)).await.clone()
    }

    async fn call(&self, org_id: Option<i64>, entity: &EntityRef) -> Outcome {
        let _turn = self.turnstile.enter().await;
        if self.api_failed.load(Ordering::Relaxed) {
            let cause = "not asked, since the API failed for another event".to_owned();
            return Err(FetchFailure { scope: Scope::Api, retry_after_s: None, cause });
        }
        let outcome = self.entities.fetch(org_id, entity).await;
        match &outcome {
            Err(FetchFailure { scope: Scope::Api, .. }) => {
                self.api_failed.store(true, Ordering::Relaxed);
                self.turnstile.doubt();
            }
            _ => self.turnstile.trust(),
        }
        outcome
    }
}
