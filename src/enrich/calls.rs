//! The calls of one batch: each entity once, and none more after the API has failed.

use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    pin::pin,
    rc::Rc,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{Either, LocalBoxFuture, Shared, join_all, select},
};

use super::{Turnstile, settle::Ending};
use crate::{
    entity::{By, EntityRef, FetchFailure, Fetched, Scope, Status},
    ports::Entities,
    snapshot::Key,
    told::Told,
};

/// What came of asking for an entity.
pub(super) type Sighted = Result<Fetched, FetchFailure>;

/// The way to Capillary for one batch.
pub(super) struct Calls<'a, E> {
    entities: &'a E,
    turnstile: &'a Turnstile,
    failed: Mutex<Failed>,
}

/// What nobody is asked any more, and how long it shall be left alone, in seconds, if that was told.
#[derive(Default)]
struct Failed {
    api: Option<Option<u32>>,
    orgs: BTreeMap<Option<i64>, Option<u32>>,
}

impl<'a, E: Entities> Calls<'a, E> {
    pub(super) fn new(entities: &'a E, turnstile: &'a Turnstile) -> Self {
        Self { entities, turnstile, failed: Mutex::default() }
    }

    /// The present states of entities of one kind, by one call.
    pub(super) async fn fetch(&self, org_id: Option<i64>, entities: &[EntityRef]) -> Vec<Sighted> {
        let _turn = self.turnstile.enter(org_id).await;
        if let Err(failure) = self.unless_it_failed_before(org_id) {
            return vec![Err(failure); entities.len()];
        }
        let outcomes = self.entities.fetch(org_id, entities).await;
        let failures = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        match failures.max_by_key(|failure| failure.scope) {
            Some(FetchFailure { scope: Scope::Api, retry_after_s, .. }) => {
                self.failed().api = Some(*retry_after_s);
                self.turnstile.doubt();
            }
            Some(FetchFailure { scope: Scope::Org, retry_after_s, .. }) => {
                self.failed().orgs.insert(org_id, *retry_after_s);
                self.turnstile.doubt_org(org_id);
            }
            // Who has no credentials is forbidden everything without a call.
            None if outcomes.iter().flatten().all(|fetched| fetched.status == Status::Forbidden) => {}
            Some(_) | None => self.turnstile.trust(org_id),
        }
        outcomes
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
        self.unless_it_failed_before(org_id)?;
        self.entities.audits(org_id, entity, request_id, at_ms).await
    }

    fn unless_it_failed_before(&self, org_id: Option<i64>) -> Result<(), FetchFailure> {
        let failed = self.failed();
        let before = |scope, retry_after_s: &Option<u32>, cause: &str| {
            Err(FetchFailure { scope, retry_after_s: *retry_after_s, cause: cause.to_owned() })
        };
        match (&failed.api, failed.orgs.get(&org_id)) {
            (Some(wait), _) => before(Scope::Api, wait, "not asked, since the API failed for another event"),
            (None, Some(wait)) => before(Scope::Org, wait, "not asked, since the org's credentials failed for another event"),
            (None, None) => Ok(()),
        }
    }

    fn failed(&self) -> MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entity that an event asks for.
pub(super) struct Asked {
    pub(super) org_id: Option<i64>,
    pub(super) entity: EntityRef,
}

impl Asked {
    pub(super) fn key(&self) -> Key {
        Key::of(self.org_id, &self.entity)
    }
}

/// Calls that bring several, so that whoever waits for one of them makes it for all.
type Call<'a> = Shared<LocalBoxFuture<'a, Rc<Vec<Sighted>>>>;

/// The first sight of each entity of a batch: whoever needs one waits for the same call, and a call brings as many as it can.
#[derive(Default)]
pub(super) struct FirstSights<'a>(BTreeMap<Key, (Call<'a>, usize)>);

impl<'a> FirstSights<'a> {
    /// Of the entities that a batch asks for. No call begins before somebody waits for it.
    pub(super) fn new<E: Entities>(calls: &'a Calls<'_, E>, wanted: impl Iterator<Item = Asked>) -> Self {
        let mut sights = Self::default();
        sights.ask(calls, wanted);
        sights
    }

    /// Of further entities: those that nobody asked for yet.
    pub(super) fn ask<E: Entities>(&mut self, calls: &'a Calls<'_, E>, wanted: impl Iterator<Item = Asked>) {
        let mut asked: Vec<Asked> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        for wanted in wanted.filter(|wanted| !self.0.contains_key(&wanted.key())).collect::<Vec<_>>() {
            match places.get(&wanted.key()).and_then(|place| asked.get_mut(*place)) {
                Some(known) => known.entity.learn(wanted.entity),
                None => {
                    places.insert(wanted.key(), asked.len());
                    asked.push(wanted);
                }
            }
        }
        for together in together(asked) {
            let keys: Vec<Key> = together.iter().map(Asked::key).collect();
            let org_id = together.first().and_then(|first| first.org_id);
            let entities: Vec<EntityRef> = together.into_iter().map(|asked| asked.entity).collect();
            let call = async move { Rc::new(calls.fetch(org_id, &entities).await) }.boxed_local().shared();
            self.0.extend(keys.into_iter().enumerate().map(|(place, key)| (key, (call.clone(), place))));
        }
    }

    /// Makes the calls that are known while something else is waited for, and no longer.
    pub(super) async fn meanwhile<T>(&self, other: impl Future<Output = T>) -> T {
        let calls = join_all(self.0.values().map(|(call, _)| AssertUnwindSafe(call.clone()).catch_unwind()));
        match select(pin!(other), calls).await {
            Either::Left((done, _)) => done,
            Either::Right((_, other)) => other.await,
        }
    }

    /// What is known without a call.
    pub(super) fn add(&mut self, key: Key, sighted: Sighted) {
        self.0.insert(key, (async { Rc::new(vec![sighted]) }.boxed_local().shared(), 0));
    }

    /// What came of asking for an entity.
    pub(super) async fn get(&self, key: &Key) -> Result<Sighted, Ending> {
        let (call, place) = self.0.get(key).cloned().ok_or_else(|| Ending::back("not fetched"))?;
        call.await.get(place).cloned().ok_or_else(|| Ending::back("not fetched"))
    }
}

/// What one call can bring, each in the order in which it was asked for.
fn together(asked: Vec<Asked>) -> Vec<Vec<Asked>> {
    let mut calls: Vec<Vec<Asked>> = Vec::new();
    let mut open: HashMap<_, usize> = HashMap::new();
    for asked in asked {
        let limit = asked.entity.kind.per_call();
        if limit == 1 {
            calls.push(vec![asked]);
            continue;
        }
        let owner = match &asked.entity.by {
            By::Owner(kind, id) => Some((*kind, id.clone())),
            _ => None,
        };
        let like = (asked.org_id, asked.entity.kind, owner);
        match open.get(&like).and_then(|place| calls.get_mut(*place)).filter(|call| call.len() < limit) {
            Some(call) => call.push(asked),
            None => {
                open.insert(like, calls.len());
                calls.push(vec![asked]);
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Kind;

    fn asked(kind: Kind, id: u32, by: By) -> Asked {
        Asked { org_id: Some(1), entity: EntityRef { kind, id: id.to_string(), by } }
    }

    fn ids(calls: &[Vec<Asked>]) -> Vec<Vec<&str>> {
        calls.iter().map(|call| call.iter().map(|asked| asked.entity.id.as_str()).collect()).collect()
    }

    #[test]
    fn a_call_brings_as_many_as_it_can_of_one_owner() {
        let owned = |id, owner: &str| asked(Kind::PointsLedger, id, By::Owner(Kind::Customer, owner.to_owned()));
        let mut all = vec![owned(1, "a"), owned(2, "b"), asked(Kind::Customer, 3, By::Id), owned(4, "a")];
        all.push(Asked { org_id: Some(2), ..owned(6, "a") });
        all.extend((10..19).map(|id| owned(id, "a")));
        let calls = together(all);
        let mut first = vec!["1", "4"];
        let more: Vec<String> = (10..18).map(|id| id.to_string()).collect();
        first.extend(more.iter().map(String::as_str));
        assert_eq!(ids(&calls), [first, vec!["2"], vec!["3"], vec!["6"], vec!["18"]]);
    }

    #[test]
    fn what_two_events_know_of_an_entity_goes_into_one_call() {
        use crate::entity::TransactionType::{NotInterested, Regular, Return};
        let mut entity = asked(Kind::Transaction, 1, By::Types(vec![NotInterested])).entity;
        entity.learn(asked(Kind::Transaction, 1, By::Types(vec![Regular, NotInterested, Return])).entity);
        assert!(entity.by == By::Types(vec![NotInterested, Regular, Return]));
    }
}
