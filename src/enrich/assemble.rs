//! What was fetched for an event, judged by what is remembered: what is published, and which snapshots move with it. No calls.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use serde_json::value::RawValue;

use crate::{
    change::Change,
    cloud_event::{Enriched, EntityChange, View},
    entity::{EntityRef, Fetched, Kind, Status},
    ports::Move,
    snapshot::{Compared, Gone, Judgement, Key, Moved, Rules, Seen, Snapshot, State, TOMBSTONE_TTL_S, judge_gone, judge_seen},
    told::{Told, origin, shown},
};

/// What was read of snapshots so far, also that there is none.
pub(super) type Snapshots = HashMap<Key, Option<Snapshot>>;

/// What the judgement of an event's entities came to.
pub(super) enum Assembled {
    /// All are judged.
    Complete(Box<Outcome>),
    /// Answers were about others than those asked for, whose snapshots were not read before.
    Unread(Vec<Key>),
    /// Answers differ from what was remembered lately and read after they had come: which one is older can't be told by them. Under which
    /// keys they were asked for, and whose snapshots these are.
    Stale { asked: Vec<Key>, read: Vec<Key> },
    /// No call that begins within so many milliseconds can tell which state is newer.
    Wait { ms: i64 },
}

/// What an event is published with, but for what changed, and what is remembered with it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) enriched: Enriched,
    pub(super) moves: Vec<Move>,
    pub(super) differences: Vec<Difference>,
    /// Customers who were deleted: nothing of theirs is to be remembered.
    pub(super) deleted: BTreeSet<Key>,
}

/// A state beside the one before.
pub(super) struct Difference {
    pub(super) entity: EntityRef,
    changes: Vec<Change>,
    compared: Compared,
    baseline: bool,
}

/// What all judgements of an event go by.
pub(super) struct Assembly<'a> {
    pub(super) org_id: Option<i64>,
    pub(super) snapshots: &'a Snapshots,
    /// Of which the snapshots were read only after the entities had been asked for.
    pub(super) read_late: &'a HashSet<Key>,
    /// Whether the event says that its customer was deleted.
    pub(super) says_deleted: bool,
    pub(super) rules: &'a Rules,
    pub(super) snapshot_ttl_s: i64,
    pub(super) now_ms: i64,
}

impl Assembly<'_> {
    /// Judges the answers for an event's entities, in their order.
    pub(super) fn assemble(&self, sightings: &[(EntityRef, Fetched)]) -> Assembled {
        let asked: HashSet<Key> = sightings.iter().map(|(entity, _)| Key::of(self.org_id, entity)).collect();
        let mut assembling = Assembling {
            assembly: self,
            deleted: self.deleted(sightings),
            done: HashSet::new(),
            unread: Vec::new(),
            stale: Vec::new(),
            stale_asked: Vec::new(),
            wait: None,
            outcome: Outcome::default(),
        };
        for (entity, sighting) in sightings {
            let is_customer = entity.kind == Kind::Customer;
            let survivor_id = sighting.answered_id.as_ref().filter(|_| is_customer);
            let stale = assembling.stale.len();
            let gone = self.gone(entity, sighting);
            match (gone, &sighting.body) {
                _ if !Key::is_kept(self.org_id, entity) => assembling.unkept(entity, gone, sighting),
                (Some(gone), _) => assembling.gone(entity, gone, sighting),
                (None, Some(body)) => assembling.found(entity, body, sighting),
                (None, None) => assembling.without_body(entity, sighting),
            }
            if let (Some(survivor_id), Some(body)) = (survivor_id, &sighting.body) {
                let survivor = EntityRef { id: survivor_id.clone(), ..entity.clone() };
                // Where the survivor is asked for, too, that answer counts.
                if !asked.contains(&Key::of(self.org_id, &survivor)) {
                    if Key::is_kept(self.org_id, &survivor) {
                        assembling.found(&survivor, body, sighting);
                    } else {
                        assembling.unkept(&survivor, None, sighting);
                    }
                }
            }
            if assembling.stale.len() > stale {
                assembling.stale_asked.push(Key::of(self.org_id, entity));
            }
        }
        match assembling {
            Assembling { unread, .. } if !unread.is_empty() => Assembled::Unread(unread),
            Assembling { stale: read, stale_asked: asked, .. } if !read.is_empty() => Assembled::Stale { asked, read },
            Assembling { wait: Some(ms), .. } => Assembled::Wait { ms },
            Assembling { mut outcome, deleted, .. } => {
                outcome.deleted.extend(deleted);
                // In one order everywhere, so that transactions get less into each other's way.
                outcome.moves.sort_by(|one, other| one.key.cmp(&other.key));
                Assembled::Complete(Box::new(outcome))
            }
        }
    }
}

struct Assembling<'a> {
    assembly: &'a Assembly<'a>,
    deleted: HashSet<Key>,
    done: HashSet<Key>,
    unread: Vec<Key>,
    stale: Vec<Key>,
    stale_asked: Vec<Key>,
    wait: Option<i64>,
    outcome: Outcome,
}

impl Assembling<'_> {
    fn found(&mut self, entity: &EntityRef, body: &Arc<RawValue>, sighting: &Fetched) {
        let Some((key, known)) = self.begin(entity) else { return };
        let customer = self.assembly.customer(entity, body, known.as_ref());
        if let Some(deleted) = customer.clone().filter(|customer| self.is_deleted(customer)) {
            // Told as it is, but it must not outlive her.
            self.outcome.deleted.insert(deleted);
            return self.unkept(entity, None, sighting);
        }
        let began_at_ms = sighting.began_at_ms;
        let seen = Seen { body: Arc::clone(body), began_at_ms, answered_at_ms: sighting.fetched_at_ms };
        let view = View {
            kind: entity.kind,
            id: entity.id.clone(),
            status: Status::Found,
            fetched_at_ms: Some(seen.answered_at_ms),
            baseline: Some(false),
            version: known.as_ref().map(|known| known.version),
            body: None,
            by_number: false,
        };
        let judgement = judge_seen(entity.kind, known.as_ref(), &seen, self.assembly.rules, self.assembly.now_ms);
        if let (Judgement::Moves(_) | Judgement::Wait { .. }, Some(known), true) =
            (&judgement, &known, self.assembly.read_late.contains(&key))
            && !known.is_settled_before(began_at_ms)
        {
            self.stale.push(key);
            return;
        }
        if let (Judgement::Moves(_), Some(customer)) = (&judgement, &customer)
            && !self.assembly.snapshots.contains_key(customer)
        {
            // The event does not name her, so nobody has looked yet whether she is still there.
            return self.read(customer.clone());
        }
        match (judgement, known) {
            (Judgement::Stays { body }, _) => self.tell(View { body, ..view }),
            (Judgement::Wait { until_ms }, _) => {
                self.wait = self.wait.max(Some(until_ms.saturating_sub(seen.answered_at_ms)));
            }
            (Judgement::Moves(moved), known) => {
                let Moved { next, changes, baseline, compared } = moved;
                let body = next.state.body().cloned();
                self.tell(View { baseline: Some(baseline), version: Some(next.version), body, ..view });
                self.outcome.differences.push(Difference { entity: entity.clone(), changes, compared, baseline });
                self.remember(key, known.as_ref(), Snapshot { customer, ..next }, self.assembly.snapshot_ttl_s);
            }
            (Judgement::Late, Some(known)) => {
                self.outcome.enriched.late = true;
                let fetched_at_ms = Some(known.observed_at_ms);
                match known.state {
                    State::Body(body) => self.tell(View { body: Some(body), fetched_at_ms, ..view }),
                    State::TooLarge => {
                        self.outcome.enriched.truncated = true;
                        self.tell(View { fetched_at_ms, ..view });
                    }
                    State::Gone(gone) => {
                        if gone == Gone::Deleted && entity.kind == Kind::Customer {
                            self.outcome.deleted.insert(key);
                        }
                        self.tell(View { status: status_of(gone), baseline: None, fetched_at_ms, ..view });
                    }
                }
            }
            (Judgement::Late, None) => {}
        }
    }

    fn gone(&mut self, entity: &EntityRef, gone: Gone, sighting: &Fetched) {
        let Some((key, known)) = self.begin(entity) else { return };
        let fetched_at_ms = sighting.fetched_at_ms;
        let judgement = judge_gone(known.as_ref(), gone, fetched_at_ms, self.assembly.now_ms);
        let (version, gone) = match (&judgement, &known) {
            (Judgement::Moves(moved), _) => (Some(moved.next.version), gone),
            (_, Some(Snapshot { version, state: State::Gone(known), .. })) => (Some(*version), *known),
            _ => (None, gone),
        };
        self.tell(View {
            kind: entity.kind,
            id: entity.id.clone(),
            status: status_of(gone),
            fetched_at_ms: Some(fetched_at_ms),
            baseline: None,
            version,
            body: None,
            by_number: false,
        });
        if let Judgement::Moves(moved) = judgement {
            self.remember(key, known.as_ref(), moved.next, TOMBSTONE_TTL_S);
        }
    }

    /// What is not remembered is published as it is found: where it has states at all, as the first one.
    fn unkept(&mut self, entity: &EntityRef, gone: Option<Gone>, sighting: &Fetched) {
        let fetched_at_ms = sighting.fetched_at_ms;
        let status = gone.map_or(sighting.status, status_of);
        let is_state = status == Status::Found && entity.kind.has_states();
        self.tell(View {
            kind: entity.kind,
            by_number: !entity.is_identified(),
            id: entity.id.clone(),
            status,
            fetched_at_ms: Some(fetched_at_ms),
            baseline: is_state.then_some(true),
            version: is_state.then_some(fetched_at_ms),
            body: sighting.body.clone().filter(|_| gone.is_none()),
        });
    }

    /// What has no body says nothing of the entity's state; who is known to be gone stays gone.
    fn without_body(&mut self, entity: &EntityRef, sighting: &Fetched) {
        let Some((_, known)) = self.begin(entity) else { return };
        let (status, version) = match (sighting.status, known) {
            (Status::NotFound, Some(Snapshot { version, state: State::Gone(gone), .. })) => (status_of(gone), Some(version)),
            (status, _) => (status, None),
        };
        let fetched_at_ms = (status != Status::Skipped).then_some(sighting.fetched_at_ms);
        self.tell(View {
            kind: entity.kind,
            id: entity.id.clone(),
            status,
            fetched_at_ms,
            baseline: None,
            version,
            body: None,
            by_number: false,
        });
    }

    /// The key and what is remembered under it, once for each.
    fn begin(&mut self, entity: &EntityRef) -> Option<(Key, Option<Snapshot>)> {
        let key = Key::of(self.assembly.org_id, entity);
        match self.assembly.snapshots.get(&key) {
            None => {
                self.read(key);
                None
            }
            Some(known) => self.done.insert(key.clone()).then(|| (key, known.clone())),
        }
    }

    /// Asks for what is remembered under a key, once: two may have been merged into one, and a key that is read twice at once is refused.
    fn read(&mut self, key: Key) {
        if !self.unread.contains(&key) {
            self.unread.push(key);
        }
    }

    fn is_deleted(&self, customer: &Key) -> bool {
        self.deleted.contains(customer) || self.assembly.knows_deleted(customer)
    }

    fn tell(&mut self, view: View) {
        self.outcome.enriched.entities.push(view);
    }

    fn remember(&mut self, key: Key, known: Option<&Snapshot>, next: Snapshot, ttl_s: i64) {
        let expires_at_s = (self.assembly.now_ms / 1000).saturating_add(ttl_s);
        let read_version = known.map(|known| known.version);
        self.outcome.moves.push(Move { key, read_version, next, expires_at_s });
    }
}

impl Outcome {
    /// Whether there is something whose origin could be told.
    pub(super) fn differs(&self) -> impl Iterator<Item = &EntityRef> {
        self.differences
            .iter()
            .filter(|difference| difference.baseline || !difference.changes.is_empty())
            .map(|difference| &difference.entity)
    }

    /// Tells what changed, and who tells it.
    pub(super) fn tell_changes(&mut self, told: &[Told]) {
        for difference in &mut self.differences {
            let subject = difference.entity.subject();
            let kind = difference.entity.kind;
            let Compared { before, after } = &difference.compared;
            let changes = if difference.baseline {
                shown(told, kind, after)
            } else {
                let named = |change: Change| {
                    let origin = origin(&change, told, kind, before, after);
                    (change, origin)
                };
                std::mem::take(&mut difference.changes).into_iter().map(named).collect()
            };
            self.enriched.changes.extend(changes.into_iter().map(|(change, origin)| EntityChange {
                entity: subject.clone(),
                change,
                origin,
            }));
        }
    }
}

fn status_of(gone: Gone) -> Status {
    match gone {
        Gone::Deleted => Status::Deleted,
        Gone::Merged => Status::Merged,
    }
}
