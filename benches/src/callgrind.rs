//! Instructions by valgrind's callgrind: the figures that a busy machine does not change.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::{
    batches::{self, ONE, SCENARIOS, TEN},
    calls::ratio,
    deliveries::{self, Which},
    events::Events,
    failure::Failure,
    running::World,
    target::{Kind, Target},
};

/// Invocations before those that are counted.
const FIRST: u32 = 10;
/// Batches of ten before those that are counted: one sees the customers for the first time.
const FIRST_BATCHES: u32 = 1;

/// In thousands of instructions.
#[derive(Default)]
pub(crate) struct Instructions {
    /// Until the first poll.
    pub(crate) start: f64,
    /// For an event, by sort of delivery or for the batch of ten.
    pub(crate) per_event: Vec<f64>,
}

/// Whether there is a valgrind.
pub(crate) fn is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

impl Instructions {
    /// Counts a program's; `count` invocations of each sort.
    pub(crate) async fn count(world: &World, target: &Target, events: &Events, count: u32) -> Result<Self, Failure> {
        let start = total(world, target, events, None, 0).await?;
        let mut per_event = Vec::new();
        let sorts: Vec<Option<Which>> = match target.kind {
            Kind::Enricher => vec![None],
            kind => Which::for_kind(kind).iter().copied().map(Some).collect(),
        };
        for sort in sorts {
            let first = if sort.is_some() { FIRST } else { FIRST_BATCHES };
            let few = total(world, target, events, sort, first).await?;
            let many = total(world, target, events, sort, first + count).await?;
            let each = if sort.is_some() { 1 } else { SCENARIOS[TEN].size() };
            per_event.push(ratio(many.saturating_sub(few), u64::from(count) * each * 1000));
        }
        Ok(Self { start: ratio(start, 1000), per_event })
    }
}

/// Instructions of a process from its start to the poll after so many invocations.
async fn total(world: &World, target: &Target, events: &Events, sort: Option<Which>, count: u32) -> Result<u64, Failure> {
    let out = world.folder.join(format!("{}.callgrind", target.name));
    let option = format!("--callgrind-out-file={}", out.display());
    world.capillary.set_latency(Duration::ZERO);
    let mut running = world.run_by(&["valgrind", "--tool=callgrind", &option], target).await?;
    match sort {
        Some(which) => drop(deliveries::send(&mut running, which, events, count).await?),
        None if count > 0 => {
            batches::send(&mut running, &SCENARIOS[ONE], events, 1).await?;
            batches::send(&mut running, &SCENARIOS[TEN], events, count).await?;
        }
        None => {}
    }
    running.process.end()?;
    read(&out)
}

/// The total in what callgrind wrote.
fn read(out: &Path) -> Result<u64, Failure> {
    let text = fs::read_to_string(out)?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    Ok(totals.ok_or_else(|| Failure::new("callgrind wrote no total"))?.trim().parse()?)
}
