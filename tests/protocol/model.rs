//! What can happen next in a world, and what comes of it.

use std::borrow::Cow;

use capillary_events::ledger::Status;

use crate::{
    invariants::{Violation, at_any_time},
    product::Product,
    receiver,
    rules::{Rules, Slip},
    scenario::{Begin, Scenario},
    world::{EnricherAt, Entity, GONE, History, Key, ReceiverAt, Remembered, Row, Sender, Tick, World, ms},
};

/// A scenario under some rules.
pub(crate) struct Model {
    pub(crate) scenario: Scenario,
    pub(crate) rules: Rules,
    pub(crate) product: Product,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Tick,
    EntityChanges,
    EntityIsDeleted,
    RowVanishes { key: usize },
    SnapshotVanishes,
    Deliver { slot: usize, event: usize },
    Receiver { slot: usize, way: Way },
    TakeUp { slot: usize, event: usize, second_key: bool },
    Enricher { slot: usize, way: Way },
    MovedBySqs { event: usize, second_key: bool },
    Redrive { event: usize, second_key: bool },
}

/// How an invocation's step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    On,
    /// It is done, but whoever did it does not learn so.
    AnswerLost,
    /// Capillary answers with the state before the present one, or one before that.
    OldAnswer(u8),
    /// The work itself fails, once too often.
    Fails,
    Dies,
}

impl Model {
    pub(crate) fn new(scenario: Scenario, rules: Rules) -> Self {
        Self { scenario, rules, product: Product::new(&scenario) }
    }

    /// How it begins.
    pub(crate) fn beginning(&self) -> World {
        let mut world = World {
            now: 0,
            sender: [Sender { is_answered: true, again: 0 }; 2],
            receivers: [None; 2],
            queue: [[0; 2]; 2],
            dead: [[false; 2]; 2],
            rows: [None; 4],
            enrichers: [None; 2],
            entity: Entity { state: 0, before: [None; 3] },
            snapshot: None,
            told: Vec::new(),
            history: History::default(),
        };
        if self.scenario.snapshot_vanishes {
            let version = if self.rules.slip(Slip::VersionFromOne) { 1 } else { ms(0) };
            world.snapshot = Some(Remembered { version, state: 0, observed: 0 });
        }
        for (event, given) in self.scenario.events.iter().enumerate() {
            world.sender[event] = Sender { is_answered: given.begins != Begin::AtTheSender, again: given.given_again };
            world.history.acknowledged[event] = world.sender[event].is_answered;
            match given.begins {
                Begin::AtTheSender => {}
                Begin::WithoutRow(messages) => world.queue[event][0] = messages,
                Begin::Received => {
                    world.queue[event][0] = 1;
                    let (lease_until, expires) = (Some(1), Some(self.scenario.ttl));
                    let row = Row { status: Status::Received, event, claim: None, lease_until, expires, detail: None };
                    *world.row_mut(self.key(event, false)) = Some(row);
                }
            }
        }
        world
    }

    /// Everything that can happen.
    pub(crate) fn choices(&self, world: &World) -> Vec<Step> {
        let scenario = &self.scenario;
        let mut steps = Vec::new();
        let mut add = |condition: bool, step: Step| {
            if condition {
                steps.push(step);
            }
        };
        for slot in 0..scenario.enrichers {
            if let Some(enricher) = world.enrichers[slot] {
                let way = |way| Step::Enricher { slot, way };
                add(true, way(Way::On));
                let asks = match enricher.at {
                    EnricherAt::Fetching { .. } => true,
                    EnricherAt::Looking { fetched: None } => self.rules.slip(Slip::FetchBeforeLook),
                    _ => false,
                };
                for (back, (_, until)) in (0..).zip(world.entity.before.iter().flatten()) {
                    add(asks && world.now < until + scenario.lag, way(Way::OldAnswer(back)));
                }
                let may_fail = matches!(
                    enricher.at,
                    EnricherAt::Fetching { .. }
                        | EnricherAt::Publishing { .. }
                        | EnricherAt::Marking { .. }
                        | EnricherAt::Looking { .. }
                );
                add(scenario.failures && may_fail, way(Way::Fails));
                // Before it has done anything, its death is as if it had not begun.
                let is_anew = matches!(enricher.at, EnricherAt::Looking { .. } | EnricherAt::Fetching { .. });
                add(scenario.deaths && !is_anew, way(Way::Dies));
            }
        }
        for slot in 0..scenario.receivers {
            if let Some(at) = world.receivers[slot].map(|receiver| receiver.at) {
                let way = |way| Step::Receiver { slot, way };
                let never_comes = scenario.first_answers_never_come && at == ReceiverAt::Claiming;
                add(!never_comes, way(Way::On));
                add(scenario.lost_answers && at != ReceiverAt::ClaimingAgain || never_comes, way(Way::AnswerLost));
                add(scenario.deaths && at != ReceiverAt::Claiming, way(Way::Dies));
            }
        }
        for event in 0..scenario.events.len() {
            let sender = world.sender[event];
            if let Some(slot) = (0..scenario.receivers).find(|slot| world.receivers[*slot].is_none()) {
                add(!sender.is_answered || sender.again > 0, Step::Deliver { slot, event });
            }
            for second_key in [false, true] {
                let messages = world.queue[event][usize::from(second_key)];
                if let Some(slot) = (0..scenario.enrichers).find(|slot| world.enrichers[*slot].is_none()) {
                    add(messages > 0, Step::TakeUp { slot, event, second_key });
                }
                add(scenario.redrives && messages > 0, Step::MovedBySqs { event, second_key });
                let is_dead = world.dead[event][usize::from(second_key)];
                add((scenario.redrives || scenario.failures) && is_dead, Step::Redrive { event, second_key });
            }
        }
        let state = world.entity.state;
        add(state < scenario.changes, Step::EntityChanges);
        add(scenario.deletion && state != GONE, Step::EntityIsDeleted);
        for key in 0..world.rows.len() {
            let is_over = world.rows[key].is_some_and(|row| row.expires.is_some_and(|end| end <= world.now));
            add(scenario.rows_vanish && is_over, Step::RowVanishes { key });
        }
        let is_old = world.snapshot.is_some_and(|snapshot| snapshot.observed < world.now);
        add(scenario.snapshot_vanishes && is_old && !world.history.snapshot_vanished, Step::SnapshotVanishes);
        add(world.now < scenario.ticks, Step::Tick);
        steps
    }

    /// What comes of a step.
    pub(crate) fn take(&self, world: &World, step: Step) -> Result<World, Violation> {
        let mut world = world.clone();
        match step {
            Step::Tick => self.tick(&mut world),
            Step::EntityChanges => world.entity_becomes(world.entity.state + 1),
            Step::EntityIsDeleted => world.entity_becomes(GONE),
            Step::RowVanishes { key } => world.rows[key] = None,
            Step::SnapshotVanishes => {
                world.snapshot = None;
                world.history.snapshot_vanished = true;
            }
            Step::Deliver { slot, event } => self.deliver(&mut world, slot, event),
            Step::Receiver { slot, way } => self.receive(&mut world, slot, way)?,
            Step::TakeUp { slot, event, second_key } => self.take_up(&mut world, slot, event, second_key),
            Step::Enricher { slot, way } => self.enrich(&mut world, slot, way)?,
            Step::MovedBySqs { event, second_key } => {
                world.queue[event][usize::from(second_key)] -= 1;
                world.dead[event][usize::from(second_key)] = true;
                world.history.buried[event] = true;
                world.forget_receipts(event, second_key);
            }
            Step::Redrive { event, second_key } => {
                world.dead[event][usize::from(second_key)] = false;
                self.enqueue(&mut world, event, second_key);
            }
        }
        at_any_time(&world, self)?;
        Ok(world)
    }

    fn tick(&self, world: &mut World) {
        world.now += 1;
        let longest = self.scenario.longest_invocation;
        let is_over = |began: Tick| began + longest < world.now;
        for enricher in &mut world.enrichers {
            *enricher = enricher.filter(|enricher| !is_over(enricher.began));
        }
        for slot in 0..world.receivers.len() {
            if world.receivers[slot].is_some_and(|receiver| receiver.began + longest < world.now) {
                receiver::end(world, slot);
            }
        }
    }

    /// The ledger key of an event.
    pub(crate) fn key(&self, event: usize, second: bool) -> Key {
        let event_key = u8::try_from(event).unwrap();
        match second {
            true => Key(2 + event_key),
            false if self.scenario.same_id => Key(0),
            false => Key(event_key),
        }
    }

    /// When an invocation began, where it matters.
    pub(crate) fn birth(&self, world: &World) -> Tick {
        if self.scenario.longest_invocation > self.scenario.ticks { 0 } else { world.now }
    }

    /// One more message than two makes no difference.
    pub(crate) fn enqueue(&self, world: &mut World, event: usize, second_key: bool) {
        let messages = &mut world.queue[event][usize::from(second_key)];
        *messages = (*messages + 1).min(2);
    }
}

impl World {
    pub(crate) fn row(&self, key: Key) -> Option<&Row> {
        self.rows[usize::from(key.0)].as_ref()
    }

    pub(crate) fn row_mut(&mut self, key: Key) -> &mut Option<Row> {
        &mut self.rows[usize::from(key.0)]
    }

    /// A message is gone: who had received it, too, can't delete it any more.
    pub(crate) fn forget_receipts(&mut self, event: usize, second_key: bool) {
        for enricher in self.enrichers.iter_mut().flatten() {
            if (enricher.event, enricher.message_names_second_key) == (event, second_key) {
                enricher.message_is_there = false;
            }
        }
    }

    fn entity_becomes(&mut self, state: u8) {
        let [last, before, _] = self.entity.before;
        self.entity = Entity { state, before: [Some((self.entity.state, self.now)), last, before] };
    }

    /// One world for all that differ only in which invocation is called the first.
    pub(crate) fn in_order(&self) -> Cow<'_, Self> {
        if self.enrichers[0] <= self.enrichers[1] {
            return Cow::Borrowed(self);
        }
        let mut world = self.clone();
        world.enrichers.swap(0, 1);
        Cow::Owned(world)
    }
}
