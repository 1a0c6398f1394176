//! Counts of calls by what they are.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Calls since the start, by name.
#[derive(Default)]
pub(crate) struct Calls(Mutex<BTreeMap<String, u64>>);

/// Those counts at one time.
#[derive(Clone, Default)]
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Calls {
    pub(crate) fn count(&self, name: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(counts.insert(name.to_owned(), 1)),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Counts {
    /// What came after an earlier time.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let grown = self.0.iter().map(|(name, count)| (name.clone(), count - earlier.of(name)));
        Self(grown.filter(|(_, count)| *count > 0).collect())
    }

    /// These and those.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// `1 PutItem + 1 SendMessage`, each divided by a number of events.
    pub(crate) fn per(&self, events: u64) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        let parts = self.0.iter().map(|(name, count)| {
            if count % events == 0 {
                format!("{} {name}", count / events)
            } else {
                format!("{:.1} {name}", ratio(*count, events))
            }
        });
        parts.collect::<Vec<_>>().join(" + ")
    }
}

/// Counts here are far below the 2⁵³ that a float holds.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of as f64
}
