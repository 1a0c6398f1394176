//! What it costs to compare a 20 KB customer with her last known state, by the function that the enricher calls.

use std::{hint::black_box, time::Instant};

use serde_json::Value;

use crate::{
    capillary::{customer, in_state},
    failure::Failure,
    library::change::{Volatile, difference},
    running::microseconds,
    statistics::Figures,
};

const TIMES: u32 = 500;
/// The name and the city: see [`in_state`].
const CHANGES: usize = 2;
/// The default of `VOLATILE_FIELDS`.
const VOLATILE: &str = "autoUpdateTime,lastUpdatedOn,attribution/modifiedDate,attributionV2/modifiedDate,warnings";

/// In microseconds.
pub(crate) struct Comparison {
    /// Two parsed states.
    pub(crate) compared: Figures,
    /// Two texts: parsed and compared.
    pub(crate) read_and_compared: Figures,
}

impl Comparison {
    pub(crate) fn measure() -> Result<Self, Failure> {
        let customer = customer()?;
        let (before, after) = (in_state(customer.clone(), 1, 1), in_state(customer, 1, 2));
        let volatile = Volatile::parse(VOLATILE);
        if changes(&before, &after, &volatile) != CHANGES {
            return Err(Failure::new("the comparison found other changes than were made"));
        }
        let texts = (before.to_string(), after.to_string());
        let read = |text: &str| serde_json::from_str(black_box(text)).unwrap_or(Value::Null);
        Ok(Self {
            compared: timed(|| changes(black_box(&before), black_box(&after), &volatile)),
            read_and_compared: timed(|| changes(&read(&texts.0), &read(&texts.1), &volatile)),
        })
    }
}

fn changes(before: &Value, after: &Value, volatile: &Volatile) -> usize {
    difference(before, after, volatile).changes.len()
}

fn timed<T>(work: impl Fn() -> T) -> Figures {
    let once = |_| {
        let began = Instant::now();
        black_box(work());
        microseconds(began.elapsed())
    };
    (0..TIMES).map(once).collect()
}
