//! The calls of one batch: none more after the API has failed.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Turnstile;
use crate::{
    entity::{EntityRef, FetchFailure, Fetched, Scope},
    ports::{Clock, Entities},
    told::Told,
};

/// An entity as it was answered, and when it was asked for.
#[derive(Clone)]
pub(super) struct Sighting {
    pub(super) fetched: Fetched,
    /// In milliseconds since 1970.
    pub(super) began_at_ms: i64,
}

/// The way to Capillary for one batch.
pub(super) struct Calls<'a, E, K> {
    entities: &'a E,
    clock: &'a K,
    turnstile: &'a Turnstile,
    api_failed: AtomicBool,
}

impl<'a, E: Entities, K: Clock> Calls<'a, E, K> {
    pub(super) fn new(entities: &'a E, clock: &'a K, turnstile: &'a Turnstile) -> Self {
        Self { entities, clock, turnstile, api_failed: AtomicBool::new(false) }
    }

    /// The entity's present state.
    pub(super) async fn fetch(&self, org_id: Option<i64>, entity: &EntityRef) -> Result<Sighting, FetchFailure> {
        let _turn = self.turnstile.enter().await;
        self.unless_the_api_failed()?;
        let began_at_ms = self.clock.now_ms();
        let outcome = self.entities.fetch(org_id, entity).await;
        match &outcome {
            Err(FetchFailure { scope: Scope::Api, .. }) => {
                self.api_failed.store(true, Ordering::Relaxed);
                self.turnstile.doubt();
            }
            _ => self.turnstile.trust(),
        }
        outcome.map(|fetched| Sighting { fetched, began_at_ms })
    }

    /// What the audit log tells.
    pub(super) async fn audits(
        &self,
        org_id: Option<i64>,
        entity: &EntityRef,
        request_id: &str,
        at_ms: i64,
    ) -> Result<Vec<Told>, FetchFailure> {
        let _turn = self.turnstile.enter_beside().await;
        self.unless_the_api_failed()?;
        self.entities.audits(org_id, entity, request_id, at_ms).await
    }

    fn unless_the_api_failed(&self) -> Result<(), FetchFailure> {
        if self.api_failed.load(Ordering::Relaxed) {
            let cause = "not asked, since the API failed for another event".to_owned();
            return Err(FetchFailure { scope: Scope::Api, retry_after_s: None, cause });
        }
        Ok(())
    }
}
