//! What must hold, whatever happens.

use std::fmt;

use capillary_events::ledger::Status;

use crate::{
    model::Model,
    world::{GONE, Tick, Told, World},
};

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// I1: an acknowledged event is published or dead-lettered in the end.
    Lost,
    /// I2: all published copies of an id are equal.
    ToldDifferently,
    /// I3: no change, and no event, is told under two ids.
    ToldTwice,
    /// I4: replaying all changes gives the last snapshot.
    ChangeMissing,
    /// I5: an older state never overwrites a newer one, and nobody comes back from the dead.
    OlderOverNewer,
    /// I6: no event is refused for ever.
    RefusedForEver,
    /// I6 and I7: once the faults end, everything is published, also what was dead-lettered and redriven.
    Stuck,
    /// I8: no second processing while the ledger remembers the event.
    ProcessedTwice,
    /// What the ledger says is so: PUBLISHED is on the bus, FAILED was dead-lettered.
    UntrueRow,
    /// A row past its time counts as absent, also while it is still there.
    RememberedTooLong,
    /// Once all is done, nothing of what was published is kept, and every row will be forgotten.
    NotForgotten,
    /// Costs money, loses nothing: where receivers are faster than a lease, there is one message a lease.
    TwoMessagesInALease,
}

/// A promise that is broken, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Violation {
    pub(crate) broken: Broken,
    what: &'static str,
}

impl Broken {
    pub(crate) const fn with(self, what: &'static str) -> Violation {
        Violation { broken: self, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.broken, self.what)
    }
}

/// I2, and I3 for the event itself. Later than its row lives, an event may be told anew.
pub(crate) fn told_alike(world: &World, told: &Told, ttl: Tick) -> Result<(), Violation> {
    for known in world.told.iter().filter(|known| told.at < known.at + ttl) {
        if known.key == told.key && known.content != told.content {
            return Err(Broken::ToldDifferently.with("two copies under one id differ"));
        }
        if known.key == told.key && known.event != told.event {
            return Err(Broken::ToldDifferently.with("two events are told under one id"));
        }
        if known.event == told.event && known.key != told.key {
            return Err(Broken::ToldTwice.with("an event is told under two ids"));
        }
    }
    Ok(())
}

/// I3 for changes.
pub(crate) fn same_change_told(world: &World, told: &Told) -> Result<(), Violation> {
    let Some((from, to)) = told.content.change else { return Ok(()) };
    let tells_some_of_it = |known: &&Told| known.content.change.is_some_and(|(before, after)| from < after && before < to);
    match world.told.iter().filter(|known| known.key != told.key).find(tells_some_of_it) {
        Some(_) => Err(Broken::ToldTwice.with("a change is told under two ids")),
        None => Ok(()),
    }
}

/// What must hold at any time.
pub(crate) fn at_any_time(world: &World, model: &Model) -> Result<(), Violation> {
    for event in 0..model.scenario.events.len() {
        let is_told = world.told.iter().any(|told| told.event == event);
        let is_kept = world.queue[event] != [0, 0] || world.dead[event] != [false, false];
        if world.history.acknowledged[event] && !is_told && !is_kept {
            return Err(Broken::Lost.with("an acknowledged event is neither published nor in a queue"));
        }
    }
    for row in world.rows.iter().flatten() {
        let is_true = match row.status {
            Status::Published => world.told.iter().any(|told| told.event == row.event),
            Status::Failed => world.history.buried[row.event],
            Status::Received | Status::Enriched => true,
        };
        if !is_true {
            return Err(Broken::UntrueRow.with("a row says PUBLISHED or FAILED, and it is not so"));
        }
    }
    Ok(())
}

/// What must hold once all work is done.
pub(crate) fn in_the_end(world: &World, model: &Model) -> Result<(), Violation> {
    for event in 0..model.scenario.events.len() {
        if !world.told.iter().any(|told| told.event == event) {
            return Err(Broken::Lost.with("an event is never published"));
        }
    }
    // A message that outlives its row may leave another one behind; the queue keeps messages for a shorter time than the ledger rows.
    let rows_outlive_messages = model.scenario.ttl > model.scenario.ticks;
    for row in world.rows.iter().flatten().filter(|_| rows_outlive_messages) {
        if row.detail.is_some() || row.expires.is_none() {
            return Err(Broken::NotForgotten.with("a row keeps what was published, or is kept for ever"));
        }
    }
    // Where a snapshot was forgotten, a new baseline begins.
    if model.scenario.snapshot_vanishes {
        return Ok(());
    }
    let Some(last) = world.history.last_remembered else { return Ok(()) };
    let baseline = world.told.iter().filter(|told| told.content.baseline && told.content.shows != GONE);
    let Some(mut state) = baseline.map(|told| told.content.shows).min() else {
        return Err(Broken::ChangeMissing.with("the first state is told by nobody"));
    };
    let next = |state: u8| world.told.iter().filter_map(|told| told.content.change).find(|(from, _)| *from == state);
    while let Some((_, to)) = next(state).filter(|(from, to)| from < to) {
        state = to;
    }
    if state == last { Ok(()) } else { Err(Broken::ChangeMissing.with("replaying what was told does not give the last state")) }
}
