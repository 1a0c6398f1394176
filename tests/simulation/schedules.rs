//! Random stories.

use fastrand::Rng;
use serde_json::json;

use crate::{
    many::{in_parallel, number_from},
    story::{
        Deed, Script, customer_changes, customer_event, customer_is_deleted, customers_merge, event, group_changes, play, poison,
        transaction_changes,
    },
    time::{HOUR_MS, MINUTE_MS, SECOND_MS},
    weather::{Outage, Storm, drawn_length_ms},
};

/// A story of some ten events in any weather.
pub(crate) fn drawn(seed: u64) -> Script {
    let mut random = Rng::with_seed(seed);
    let span_ms = [SECOND_MS / 2, 5 * SECOND_MS, 30 * SECOND_MS, 10 * MINUTE_MS, HOUR_MS][random.usize(0..5)];
    let mut deeds: Vec<(i64, Deed)> =
        [(1, 1), (2, 2), (3, 2)].into_iter().map(|(id, at_ms)| (at_ms, customer_changes(id))).collect();
    // Sometimes it is all about one entity without an update time, or about one whose update time is the same second.
    let kinds = if random.u32(0..4) == 0 { 0..70 } else { 0..100 };
    let customers = if kinds.end == 70 { 1 } else { 3 };
    for _ in 0..random.usize(3..=9) {
        let at_ms = random.i64(3..=span_ms);
        let deed = match random.u32(kinds.clone()) {
            0..35 => customer_changes(random.u32(1..=customers)),
            35..70 if kinds.end == 70 => group_changes(21, 1),
            35..55 => transaction_changes(random.u32(11..=12), random.u32(1..=2)),
            55..70 => group_changes(21, random.u32(1..=2)),
            70..75 => Deed::Send(customer_event("tierRenewed", random.u32(1..=3))),
            75..80 => Deed::Send(event("rewardCreated", &json!({"rewardId": 5}))),
            80..83 => Deed::Send(event("somethingNew", &json!({}))),
            // One that bears none.
            83..92 => Deed::Send(
                json!({"eventName": "customerUpdated", "orgId": 1, "data": {"customerIdentifiers": {"customerId": 2}}}),
            ),
            92..94 => Deed::Noise("{\"cut\":"),
            94..96 => poison(),
            96..98 => customer_is_deleted(2),
            _ => customers_merge(3, 1),
        };
        deeds.push((at_ms, deed));
    }
    if random.bool() {
        // Two events that bear one id.
        for name in ["rewardUpdated", "promotionCreated"] {
            let event = json!({"eventName": name, "eventId": "borne-twice", "orgId": 1, "data": {}});
            deeds.push((random.i64(3..=span_ms), Deed::Send(event)));
        }
    }
    deeds.sort_by_key(|(at_ms, _)| *at_ms);
    let calm_from_ms = drawn_length_ms(&mut random, span_ms);
    if deeds.iter().any(|(_, deed)| matches!(deed, Deed::Delete(..))) {
        // What was stored of hers while she was being deleted goes with the next event about her.
        deeds.push((calm_from_ms.max(span_ms) + 6 * HOUR_MS, Deed::Send(customer_event("tierRenewed", 2))));
    }
    let outages = (0..random.usize(0..=2)).map(|_| Outage::drawn(&mut random)).collect();
    let storm = Storm::drawn(&mut random);
    Script { seed, deeds, lanes: random.usize(1..=4), storm, outages, calm_from_ms, ..Script::default() }
}

/// One group, which bears no update time, changes again and again within seconds; processes come and go, their clocks are wrong, and
/// replicas lag.
fn about_a_group(seed: u64) -> Script {
    let storm = Storm { skew_ms: 5 * MINUTE_MS, lag_ms: 4 * SECOND_MS + 500, dies: 300, ..Storm::default() };
    in_seconds(seed, storm, 100, |_| group_changes(21, 1))
}

/// A customer is deleted, and events about her go on, answered by replicas that know her still, for longer than any is thought to. Her update
/// times differ, so that her changes don't rest on that.
fn about_a_deletion(seed: u64) -> Script {
    let storm = Storm { lag_ms: MINUTE_MS, ..Storm::default() };
    let mut script = in_seconds(seed, storm, SECOND_MS + 100, |place| match place {
        0..3 => customer_changes(2),
        3 => customer_is_deleted(2),
        _ => Deed::Send(customer_event("tierRenewed", 2)),
    });
    script.deeds.push((6 * HOUR_MS, Deed::Send(customer_event("tierRenewed", 2))));
    script
}

fn in_seconds(seed: u64, storm: Storm, at_least_ms: i64, deed: impl Fn(usize) -> Deed) -> Script {
    let mut random = Rng::with_seed(seed);
    let mut at_ms = 1;
    let mut next = |place| {
        at_ms += random.i64(at_least_ms..=2 * SECOND_MS);
        (at_ms, deed(place))
    };
    let deeds = (0..8).map(&mut next).collect();
    Script { seed, deeds, lanes: 3, storm, calm_from_ms: MINUTE_MS, ..Script::default() }
}

#[test]
fn by_whatever_clock_no_older_state_overwrites_a_newer_one() {
    in_parallel(&(1..=300).collect::<Vec<_>>(), about_a_group);
}

#[test]
fn nobody_comes_back_by_the_answer_of_a_replica_that_lags() {
    in_parallel(&(1..=300).collect::<Vec<_>>(), about_a_deletion);
}

#[test]
fn whatever_goes_wrong_together_nothing_is_lost_and_nothing_told_twice() {
    let first = number_from("CAPILLARY_EVENTS_SEED", 1);
    let count = number_from("CAPILLARY_EVENTS_STORIES", 10_000);
    println!("seeds {first} to {}", first + count - 1);
    in_parallel(&(first..first + count).collect::<Vec<_>>(), drawn);
}

#[test]
fn the_story_of_the_seed_in_the_environment() {
    let seed = number_from("CAPILLARY_EVENTS_SEED", 1);
    play(Script { is_told: true, ..drawn(seed) });
}

#[test]
fn a_seed_always_tells_the_same_story() {
    for seed in 1..=20 {
        assert_eq!(play(drawn(seed)).text(), play(drawn(seed)).text(), "seed {seed}");
    }
}
