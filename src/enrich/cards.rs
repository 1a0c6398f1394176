//! Cards are known by their numbers only: they are asked for before all else, since only the answer tells which card it is, and whose.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    Enricher,
    assemble::Snapshots,
    calls::Calls,
    settle::Ending,
    work::{Job, remembered, within},
};
use crate::{
    entity::{By, EntityRef, Fetched},
    ports::{Ledger, Parts},
    routes,
    snapshot::Key,
};

/// How long cards may take, since the rest of the batch waits for them. It is less than the client gives an answer: there a time-out
/// says that the API is in trouble, and sends all others back.
const CARDS_WITHIN: Duration = Duration::from_secs(8);

/// What came of asking for the cards of a batch.
#[derive(Default)]
pub(super) struct Cards<'a> {
    /// All events that can go on.
    pub(super) jobs: Vec<Job<'a>>,
    /// Those that can't.
    pub(super) ended: Vec<(usize, Ending)>,
    /// The cards. What is remembered of them was read only after these answers had come.
    pub(super) sighted: BTreeMap<Key, Fetched>,
    /// What is remembered of the cards and their customers.
    pub(super) snapshots: Snapshots,
}

impl<P: Parts> Enricher<P> {
    /// Finds the cards that events name, adds them and their customers to the entities of these events, and reads what is remembered of
    /// them. Without cards it does nothing.
    pub(super) async fn find_cards<'a>(
        &self,
        jobs: Vec<Job<'a>>,
        known: &Snapshots,
        calls: &Calls<'_, P::Entities>,
        until: Instant,
    ) -> Cards<'a> {
        let mut cards = Cards::default();
        let asked: BTreeMap<Key, (Option<i64>, EntityRef)> = jobs
            .iter()
            .filter_map(|job| {
                job.message.behind.card.as_ref().map(|card| (Key::of(job.org_id, card), (job.org_id, card.clone())))
            })
            .collect();
        let answered_by = until.min(Instant::now() + CARDS_WITHIN);
        let answers = asked.into_iter().map(async |(key, (org_id, card))| {
            let answer = within(answered_by, calls.fetch(org_id, &[card])).await;
            (key, answer.and_then(|mut answer| Ok(answer.pop().ok_or_else(|| Ending::back("not fetched"))??)))
        });
        let answers: BTreeMap<Key, Result<Fetched, Ending>> = join_all(answers).await.into_iter().collect();
        for mut job in jobs {
            let Some(card) = &job.message.behind.card else {
                cards.jobs.push(job);
                continue;
            };
            match answers.get(&Key::of(job.org_id, card)) {
                Some(Ok(sighting)) => {
                    let (card, sighting) = identified(card, sighting);
                    let customer = sighting.body.as_deref().and_then(|body| routes::leads_to(card.kind, body));
                    job.begin_with(std::iter::once(card.clone()).chain(customer), self.limits.max_entities);
                    cards.sighted.insert(Key::of(job.org_id, &card), sighting);
                    cards.jobs.push(job);
                }
                Some(Err(ending)) => cards.ended.push((job.position, ending.clone())),
                None => cards.ended.push((job.position, Ending::back("not fetched"))),
            }
        }
        let keys: BTreeSet<Key> = cards.jobs.iter().flat_map(Job::keys).filter(|key| !known.contains_key(key)).collect();
        if keys.is_empty() {
            return cards;
        }
        match self.ledger.look(&[], &Vec::from_iter(keys.clone())).await {
            Ok(read) => cards.snapshots = remembered(keys, read.snapshots),
            Err(error) => {
                let jobs = std::mem::take(&mut cards.jobs).into_iter();
                let (with_cards, others): (Vec<_>, Vec<_>) = jobs.partition(|job| job.message.behind.card.is_some());
                cards.jobs = others;
                cards.ended.extend(with_cards.into_iter().map(|job| (job.position, error.clone().into())));
            }
        }
        cards
    }
}

/// Which card it is: from here on it goes by its id, if it is there.
fn identified(card: &EntityRef, sighting: &Fetched) -> (EntityRef, Fetched) {
    let mut sighting = sighting.clone();
    let card = match (sighting.answered_id.take(), &card.by) {
        (Some(id), By::NumberOnly(number)) => EntityRef { kind: card.kind, id, by: By::Number(number.clone()) },
        _ => card.clone(),
    };
    (card, sighting)
}
