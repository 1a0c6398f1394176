//! The goals, beside what was measured.
//!
//! Goals in time were set on a machine on which the lean floor takes 190 µs of CPU for an event; what is measured here is brought to that
//! machine by what lean takes here, in the same rounds.

use crate::{
    batches::{ONE, TEN, TEN_SLOW},
    report::Report,
    table::{Table, number},
};

/// No more than this is wanted.
struct Goal {
    what: &'static str,
    most: f64,
    measured: f64,
    unit: &'static str,
    /// Whether another machine would take another time for it.
    is_time: bool,
}

/// CPU of an event in the lean floor where the goals were set, in µs.
const LEAN_US: f64 = 190.0;

/// Times a floor's.
const TIMES: &str = "× lean";

fn goals(report: &Report) -> Vec<Goal> {
    let (receiver, lean, enricher) = (&report.receiver, &report.lean, &report.enricher);
    let goal =
        |what, most, measured, unit: &'static str| Goal { what, most, measured, unit, is_time: matches!(unit, "µs" | "ms") };
    let mut goals = Vec::new();
    if let Ok(counts) = &report.instructions {
        goals.push(goal("receiver: start, instructions", 1.3, counts.receiver.start / counts.lean.start, TIMES));
    }
    goals.extend([
        goal("receiver: start, CPU", 1.3, receiver.starts.cpu_ms.median() / lean.starts.cpu_ms.median(), TIMES),
        goal("receiver: CPU of a new event", 1.3, receiver.new.cpu_us.median() / lean.new.cpu_us.median(), TIMES),
        goal("receiver: CPU of a stranger", 40.0, receiver.strange.cpu_us.median(), "µs"),
        goal("receiver: calls for a stranger", 0.0, receiver.strange.calls.most(), "calls"),
        goal("receiver: calls for a new event", 2.0, receiver.new.calls.most(), "calls"),
        goal("receiver: calls for a duplicate", 1.0, receiver.known.calls.most(), "calls"),
        goal("receiver: peak memory", 10.0, receiver.peak_mib.median(), "MiB"),
        goal("receiver: artefact, zipped", 3.0, report.zipped_mb[0], "MB"),
        goal("enricher: artefact, zipped", 3.0, report.zipped_mb[3], "MB"),
    ]);
    if let Ok(counts) = &report.instructions {
        goals.push(goal("enricher: start, instructions", 1.5, counts.enricher.start / counts.lean.start, TIMES));
    }
    let milliseconds =
        |scenario: usize| enricher.scenarios.get(scenario).map_or(f64::NAN, |batches| batches.cpu_us.median() / 1e3);
    let slow = enricher.scenarios.get(TEN_SLOW).map_or(f64::NAN, |batches| batches.batch_ms.median());
    goals.extend([
        goal("enricher: start, CPU", 1.5, enricher.starts.cpu_ms.median() / lean.starts.cpu_ms.median(), TIMES),
        goal("enricher: ten customers, calls of 100 ms", 1.3, slow / 100.0, "× a call"),
        goal("enricher: CPU per event, alone", 1.5, milliseconds(ONE), "ms"),
        goal("enricher: CPU per event, ten at once", 1.5, milliseconds(TEN), "ms"),
        goal("enricher: a 20 KB entity compared", 200.0, report.comparison.read_and_compared.median(), "µs"),
    ]);
    goals
}

/// Prints all of them.
pub(crate) fn print(report: &Report) {
    let lean_us = report.lean.new.cpu_us.median();
    println!("Lean takes {} µs of CPU for an event here, and {LEAN_US} µs where the goals were set.\n", number(lean_us));
    let mut table = Table::new(&["goal", "at most", "measured", "", "brought there", "held?"]);
    for Goal { what, most, measured, unit, is_time } in goals(report) {
        let there = if is_time { measured * LEAN_US / lean_us } else { measured };
        let held = if there <= most { "yes" } else { "NO" };
        let brought = if is_time { number(there) } else { String::new() };
        table.row(vec![what.to_owned(), number(most), number(measured), unit.to_owned(), brought, held.to_owned()]);
    }
    table.print();
}
