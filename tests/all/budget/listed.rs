//! The budget as it is written down, and how a run differs from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::meter::{Counted, Taken};
use crate::support::examples;

/// Bytes of logs and items may differ by so many per cent: times and numbers in them have more or fewer digits.
const TOLERANCE_PERCENT: u64 = 10;

/// `local/cost/budget.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Budget {
    #[serde(rename = "about")]
    _about: String,
    stories: BTreeMap<String, Story>,
    /// What lies in the tables, in bytes, and for what.
    #[serde(rename = "storedBytes")]
    pub(super) stored_bytes: BTreeMap<String, u64>,
    /// How large the archives of the tests' build are.
    #[serde(rename = "zippedWithoutLtoBytes")]
    pub(super) zipped_without_lto_bytes: BTreeMap<String, u64>,
}

/// What one story may take.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Story {
    events: u64,
    pub(super) aws: Vec<Line>,
    capillary: Vec<Line>,
    log_lines: u64,
    log_bytes: u64,
    metrics: BTreeSet<String>,
}

/// Calls of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) call: String,
    pub(super) times: u64,
    #[serde(default)]
    units: BTreeMap<String, u64>,
    #[serde(rename = "for")]
    purpose: String,
}

/// What a run has taken.
pub(super) struct Run {
    pub(super) stories: BTreeMap<&'static str, Counted>,
    pub(super) stored_bytes: BTreeMap<&'static str, u64>,
}

impl Budget {
    pub(super) fn read() -> Self {
        serde_json::from_str(&examples::text("local/cost/budget.json")).expect("local/cost/budget.json is a budget")
    }

    pub(super) fn story(&self, name: &str) -> &Story {
        self.stories.get(name).unwrap_or_else(|| panic!("the budget has no story «{name}»"))
    }

    /// What a run took more or less than it may, each in a line.
    pub(super) fn differences(&self, run: &Run) -> Vec<String> {
        let mut differences = Vec::new();
        for name in self.stories.keys().filter(|name| !run.stories.contains_key(name.as_str())) {
            differences.push(format!("{name}: nobody has played it"));
        }
        for (name, counted) in &run.stories {
            let told = match self.stories.get(*name) {
                Some(story) => story.differences(counted),
                None => vec![format!("not in the budget: {counted:#?}")],
            };
            differences.extend(told.into_iter().map(|difference| format!("{name}: {difference}")));
        }
        let names: BTreeSet<&str> =
            self.stored_bytes.keys().map(String::as_str).chain(run.stored_bytes.keys().copied()).collect();
        for name in names {
            let (listed, seen) = (self.stored_bytes.get(name).copied(), run.stored_bytes.get(name).copied());
            if !listed.zip(seen).is_some_and(|(listed, seen)| is_near(listed, seen)) {
                differences.push(format!("bytes of {name}: {seen:?}, the budget says {listed:?}"));
            }
        }
        differences
    }
}

impl Story {
    fn differences(&self, counted: &Counted) -> Vec<String> {
        let mut differences = Vec::new();
        differences.extend(between(&self.aws, &counted.aws));
        differences.extend(between(&self.capillary, &counted.capillary));
        if self.events != counted.events {
            differences.push(format!("{} events, the budget says {}", counted.events, self.events));
        }
        if self.log_lines != counted.log_lines {
            differences.push(format!("{} lines of logs, the budget says {}", counted.log_lines, self.log_lines));
        }
        if !is_near(self.log_bytes, counted.log_bytes) {
            differences.push(format!("{} bytes of logs, the budget says {}", counted.log_bytes, self.log_bytes));
        }
        if self.metrics != counted.metrics {
            differences.push(format!("metrics {:?}, the budget says {:?}", counted.metrics, self.metrics));
        }
        differences
    }
}

fn between(listed: &[Line], counted: &BTreeMap<String, Taken>) -> Vec<String> {
    let listed: BTreeMap<&str, Taken> = listed
        .iter()
        .map(|line| {
            assert!(!line.purpose.is_empty(), "{} is for nothing", line.call);
            (line.call.as_str(), Taken { times: line.times, units: line.units.clone() })
        })
        .collect();
    let calls: BTreeSet<&str> = listed.keys().copied().chain(counted.keys().map(String::as_str)).collect();
    let nothing = Taken::default();
    let differing = calls.into_iter().filter_map(|call| {
        let (listed, counted) = (listed.get(call).unwrap_or(&nothing), counted.get(call).unwrap_or(&nothing));
        (listed != counted).then(|| format!("{call}: {counted}, the budget says {listed}"))
    });
    differing.collect()
}

fn is_near(listed: u64, seen: u64) -> bool {
    listed.abs_diff(seen) * 100 <= listed * TOLERANCE_PERCENT
}
