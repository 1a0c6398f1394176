//! The end of all faults: whatever happened before, from here on everything that can go on does, nothing fails, the entity stays
//! as it is, answers are up to date, dead letters are redriven and the sender repeats what is not answered. It must end well.

use std::{collections::HashSet, rc::Rc};

use crate::{
    invariants::{Broken, Violation, in_the_end},
    model::{Model, Step, Way},
    world::{ReceiverAt, World},
};

/// More steps than any good end needs.
const MOST_STEPS: usize = 150;

/// No good end waits for longer: a lease, a replica, and then some.
const MOST_TICKS: usize = 5;

/// Worlds that are known to end well.
pub(crate) type Calmed = HashSet<Rc<World>, ahash::RandomState>;

/// Whether a world ends well; if not, the steps to where it does not.
pub(crate) fn ends_well(model: &Model, world: &World, calmed: &mut Calmed) -> Result<(), (Violation, Vec<Step>)> {
    let mut world = world.clone();
    let mut way: Vec<Step> = Vec::new();
    let mut passed = Vec::new();
    let mut turn = Turn::default();
    loop {
        if turn.is_fresh() {
            if calmed.contains(&world) {
                break;
            }
            passed.push(Rc::new(world.clone()));
        }
        let Some(step) = turn.next(model, &world) else {
            in_the_end(&world, model).map_err(|violation| (violation, way.clone()))?;
            break;
        };
        way.push(step);
        let ticks = way.iter().filter(|step| **step == Step::Tick).count();
        if way.len() > MOST_STEPS || ticks > MOST_TICKS {
            return Err((Broken::Stuck.with("the faults are over, and it goes round and round"), way));
        }
        world = model.take(&world, step).map_err(|violation| (violation, way.clone()))?;
    }
    calmed.extend(passed);
    Ok(())
}

/// What was done last that may have come to nothing, so that only time helps.
#[derive(Default)]
struct Turn {
    tried: Option<World>,
}

impl Turn {
    /// Whether what comes next depends on the world alone.
    fn is_fresh(&self) -> bool {
        self.tried.is_none()
    }

    /// The next step; none once all is done.
    fn next(&mut self, model: &Model, world: &World) -> Option<Step> {
        for slot in 0..2 {
            if world.enrichers[slot].is_some() {
                return Some(Step::Enricher { slot, way: Way::On });
            }
            if let Some(receiver) = world.receivers[slot] {
                let is_lost = model.scenario.first_answers_never_come && receiver.at == ReceiverAt::Claiming;
                return Some(Step::Receiver { slot, way: if is_lost { Way::AnswerLost } else { Way::On } });
            }
        }
        // Nobody is at work. If the last try changed nothing, time must pass first.
        if let Some(before) = self.tried.take()
            && before == *world
        {
            return Some(Step::Tick);
        }
        let step = self.begin(model, world)?;
        self.tried = Some(world.clone());
        Some(step)
    }

    fn begin(&self, model: &Model, world: &World) -> Option<Step> {
        let events = 0..model.scenario.events.len();
        for event in events.clone() {
            for second_key in [false, true] {
                if world.queue[event][usize::from(second_key)] > 0 {
                    return Some(Step::TakeUp { slot: 0, event, second_key });
                }
            }
        }
        for event in events.clone() {
            for second_key in [false, true] {
                if world.dead[event][usize::from(second_key)] {
                    return Some(Step::Redrive { event, second_key });
                }
            }
        }
        events.into_iter().find(|event| !world.sender[*event].is_answered).map(|event| Step::Deliver { slot: 0, event })
    }
}
