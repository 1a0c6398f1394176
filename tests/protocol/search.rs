//! Everything that can happen, breadth first, so that what goes wrong is found by a shortest way.

use std::{collections::HashSet, fmt, fmt::Write as _, rc::Rc};

use crate::{
    calm,
    invariants::Violation,
    model::{Model, Step},
    trace,
    world::World,
};

/// What a search came to.
pub(crate) enum Found {
    /// All promises hold in so many states.
    Nothing { states: usize },
    /// One is broken.
    Broken(Finding),
}

/// A broken promise and the way there.
pub(crate) struct Finding {
    pub(crate) violation: Violation,
    pub(crate) trace: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.violation, self.trace)
    }
}

/// A world that was reached, and how.
struct Reached {
    world: Rc<World>,
    from: Option<(usize, Step)>,
}

/// More than this is no small scenario.
const MOST_STATES: usize = 300_000;

/// Tries everything.
pub(crate) fn search(model: &Model) -> Found {
    let beginning = Rc::new(model.beginning());
    let mut seen: HashSet<Rc<World>, ahash::RandomState> = HashSet::default();
    seen.insert(Rc::clone(&beginning));
    let mut reached = vec![Reached { world: beginning, from: None }];
    let mut calmed = calm::Calmed::default();
    let mut next = 0;
    while next < reached.len() {
        let world = Rc::clone(&reached[next].world);
        let broken = |violation, last: &[Step]| Found::Broken(Finding { violation, trace: told(model, &reached, next, last) });
        if let Err((violation, steps)) = calm::ends_well(model, &world, &mut calmed) {
            return broken(violation, &steps);
        }
        let mut found = Vec::new();
        for step in model.choices(&world) {
            match model.take(&world, step) {
                Err(violation) => return broken(violation, &[step]),
                Ok(world) => found.push((world, step)),
            }
        }
        for (world, step) in found {
            let known = Rc::new(world.in_order().into_owned());
            if seen.insert(known) {
                reached.push(Reached { world: Rc::new(world), from: Some((next, step)) });
            }
        }
        assert!(reached.len() < MOST_STATES, "{}: too large a scenario", model.scenario.name);
        next += 1;
    }
    Found::Nothing { states: reached.len() }
}

/// The way to a world and on from there, a line a step.
fn told(model: &Model, reached: &[Reached], last: usize, on: &[Step]) -> String {
    let mut way = Vec::new();
    let mut at = last;
    while let Some((from, step)) = reached[at].from {
        way.push((Rc::clone(&reached[from].world), step));
        at = from;
    }
    let mut text = String::new();
    for (number, (world, step)) in (1..).zip(way.iter().rev()) {
        writeln!(text, "{number:4}. {}", trace::line(model, world, *step)).unwrap();
    }
    let mut world = World::clone(&reached[last].world);
    for step in on {
        writeln!(text, "      {}", trace::line(model, &world, *step)).unwrap();
        match model.take(&world, *step) {
            Ok(next) => world = next,
            Err(_) => break,
        }
    }
    text
}
