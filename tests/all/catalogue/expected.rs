//! `deliveries.txt`: what is expected of the enricher for each delivery.

use std::mem::take;

/// Deliveries that the enricher gets at once, and the calls that it makes for all of them, in the order of the alphabet.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) name: String,
    pub(super) deliveries: Vec<Expected>,
    pub(super) calls: Vec<String>,
}

/// What goes out for a delivery.
pub(super) struct Expected {
    /// Its file in `events/receiver`, without ending.
    pub(super) file: String,
    /// `enrichment.status`.
    pub(super) status: String,
    /// Each as `type/id status`.
    pub(super) entities: Vec<String>,
}

/// All batches.
pub(super) fn batches() -> Vec<Batch> {
    let (mut batches, mut batch) = (Vec::new(), Batch::default());
    for line in include_str!("deliveries.txt").lines().filter(|line| !line.starts_with('#')).chain([""]) {
        match line.strip_prefix("  ") {
            None if line.is_empty() => batches.extend(Some(take(&mut batch)).filter(|batch| !batch.name.is_empty())),
            None => line.clone_into(&mut batch.name),
            Some(line) => match line.strip_prefix("GET ") {
                Some(call) => batch.calls.push(call.to_owned()),
                None => batch.deliveries.push(Expected::read(line)),
            },
        }
    }
    for batch in &mut batches {
        batch.calls.sort();
        assert!((1..=10).contains(&batch.deliveries.len()), "{}: that is no batch", batch.name);
    }
    batches
}

impl Expected {
    fn read(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap_or_else(|| panic!("file, status, entities: {line}")).to_owned();
        let (file, status) = (word(), word());
        let rest = words.collect::<Vec<_>>().join(" ");
        let entities = rest
            .split(", ")
            .filter(|entity| !entity.is_empty())
            .map(|entity| if entity.contains(' ') { entity.to_owned() } else { format!("{entity} found") });
        Self { entities: entities.collect(), file, status }
    }

    /// The kinds of its entities.
    pub(super) fn kinds(&self) -> Vec<&str> {
        self.entities.iter().map(|entity| entity.split('/').next().unwrap_or_default()).collect()
    }
}
