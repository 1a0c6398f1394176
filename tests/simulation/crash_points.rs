//! The process dies at every await of both functions; or it hangs there, past the lease, past the visibility timeout, and goes on.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::json;

use crate::{
    many::{in_parallel, number_from},
    processes::Function,
    story::{
        Deed, Script, Told, customer_changes, customer_event, customer_is_deleted, customers_merge, event, group_changes, play,
        transaction_changes,
    },
    time::{HOUR_MS, SECOND_MS},
    weather::Fate,
};

/// Beyond the lease of 15 s.
const PAST_THE_LEASE_MS: i64 = 20 * SECOND_MS;
/// Beyond the visibility timeout of 390 s.
const PAST_THE_VISIBILITY_TIMEOUT_MS: i64 = 400 * SECOND_MS;

/// A calm story with something of everything, first in one batch, then in another.
fn calm(fates: BTreeMap<(Function, u32), Fate>) -> Script {
    let deeds = [
        customer_changes(1),
        customer_changes(2),
        customer_changes(1),
        transaction_changes(11, 1),
        group_changes(21, 1),
        Deed::Send(event("rewardCreated", &json!({"rewardId": 5}))),
        Deed::Noise("no event"),
    ];
    let later = [customer_changes(1), customers_merge(3, 1), group_changes(21, 2), customer_is_deleted(2)];
    // What was stored of hers while she was being deleted goes with the next event about her.
    let last = (HOUR_MS, Deed::Send(customer_event("tierRenewed", 2)));
    let at = |from_ms: i64| move |(place, deed): (usize, Deed)| (from_ms + 10 * i64::try_from(place).unwrap(), deed);
    let deeds = deeds.into_iter().enumerate().map(at(1)).chain(later.into_iter().enumerate().map(at(30 * SECOND_MS)));
    Script { seed: 1, deeds: deeds.chain([last]).collect(), lanes: 3, fates, ..Script::default() }
}

/// Every await of every invocation of the calm story.
fn points() -> Vec<(Function, u32, u32)> {
    let Told { suspensions, .. } = play(calm(BTreeMap::new()));
    let points: Vec<_> = suspensions
        .into_iter()
        .flat_map(|((function, invocation), awaits)| (1..=awaits).map(move |at| (function, invocation, at)))
        .collect();
    for function in [Function::Receiver, Function::Enricher] {
        let of = points.iter().filter(|(of, ..)| *of == function).count();
        assert!(of > 40, "only {of} awaits of the {function:?}");
    }
    points
}

#[test]
fn whoever_dies_at_any_await_loses_nothing_and_tells_nothing_twice() {
    in_parallel(&points(), |(function, invocation, at)| calm(BTreeMap::from([((function, invocation), Fate::Dies { at })])));
}

#[test]
fn whoever_hangs_at_any_await_and_goes_on_does_no_harm() {
    let points = points().into_iter().flat_map(|point| [PAST_THE_LEASE_MS, PAST_THE_VISIBILITY_TIMEOUT_MS].map(|ms| (point, ms)));
    in_parallel(&points.collect::<Vec<_>>(), |((function, invocation, at), ms)| {
        calm(BTreeMap::from([((function, invocation), Fate::Freezes { at, ms })]))
    });
}

#[test]
fn two_that_die_or_hang_in_one_story_do_no_harm_together() {
    let seed = number_from("CAPILLARY_EVENTS_SEED", 1);
    let count = number_from("CAPILLARY_EVENTS_PAIRS", 1_000);
    let points = points();
    let mut random = Rng::with_seed(seed);
    let mut strike = || {
        let (function, invocation, at) = points[random.usize(0..points.len())];
        let fate = match random.u32(0..3) {
            0 => Fate::Dies { at },
            1 => Fate::Freezes { at, ms: PAST_THE_LEASE_MS },
            _ => Fate::Freezes { at, ms: PAST_THE_VISIBILITY_TIMEOUT_MS },
        };
        // The second may strike one that there is only because of the first.
        ((function, invocation + random.u32(0..=2)), fate)
    };
    println!("seed {seed}");
    let pairs: Vec<_> = (0..count).map(|_| BTreeMap::from([strike(), strike()])).collect();
    in_parallel(&pairs, calm);
}
