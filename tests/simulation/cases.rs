//! Single stories, each of which once could go wrong, or is easily thought to.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use capillary_events::ledger::Status;
use serde_json::json;

use crate::{
    processes::{EVENT_TTL, Function},
    sender::Outcome,
    story::{Deed, Script, Told, customer_changes, customer_event, event, group_changes, play, poison, transaction_changes},
    time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS},
    weather::{Fate, Outage, Service, Storm},
};

/// An event without entities.
fn plain() -> Deed {
    Deed::Send(event("rewardCreated", &json!({"rewardId": 5})))
}

/// A story in which all goes well.
fn fair(deeds: impl IntoIterator<Item = (i64, Deed)>) -> Script {
    Script { seed: 1, deeds: deeds.into_iter().collect(), lanes: 2, ..Script::default() }
}

/// All answers of the sender's that were final.
fn answers(told: &Told) -> Vec<Outcome> {
    told.outcomes.iter().map(|(_, outcome)| *outcome).collect()
}

#[test]
fn two_identical_deliveries_at_the_same_moment_are_one_event() {
    let told = play(fair([(0, plain()), (0, Deed::Again(0))]));
    assert_eq!(answers(&told), [Outcome::Answered(200); 2]);
    assert_eq!(told.times_published(0), 1);
}

#[test]
fn a_duplicate_within_the_ledgers_memory_is_told_once() {
    for after_ms in [SECOND_MS, 16 * SECOND_MS, 6 * DAY_MS + 23 * HOUR_MS, 7 * DAY_MS, 14 * DAY_MS, 20 * DAY_MS] {
        let deeds =
            [(0, customer_changes(1)), (1, customer_changes(1)), (after_ms, Deed::ForgetRows), (after_ms, Deed::Again(0))];
        let told = play(Script { calm_from_ms: after_ms + MINUTE_MS, ..fair(deeds) });
        assert_eq!(answers(&told), [Outcome::Answered(200); 3], "after {after_ms} ms");
        assert_eq!(told.times_published(0), 1, "after {after_ms} ms");
    }
}

#[test]
fn a_duplicate_after_the_ledgers_memory_is_told_anew_whether_or_not_the_row_was_deleted() {
    let ttl_ms = i64::try_from(EVENT_TTL.as_millis()).unwrap();
    for is_deleted in [true, false] {
        let after_ms = ttl_ms + MINUTE_MS;
        let mut deeds = vec![(0, plain()), (after_ms, Deed::Again(0))];
        if is_deleted {
            deeds.push((after_ms - 1, Deed::ForgetRows));
        }
        let told = play(Script { calm_from_ms: after_ms + HOUR_MS, ..fair(deeds) });
        assert_eq!(answers(&told), [Outcome::Answered(200); 2]);
        // And with the same content, as is judged of every story.
        assert_eq!(told.times_published(0), 2, "deleted: {is_deleted}");
    }
}

#[test]
fn a_claim_whose_receiver_died_is_taken_over_when_its_lease_is_over_and_not_before() {
    // It dies at each of its awaits; where the row was claimed and nothing enqueued, the next attempts are sent away until the lease ends.
    let mut waited = 0;
    for at in 1..=20 {
        let fates = BTreeMap::from([((Function::Receiver, 1), Fate::Dies { at })]);
        let told = play(Script { fates, ..fair([(0, plain())]) });
        assert_eq!((answers(&told), told.times_published(0)), (vec![Outcome::Answered(200)], 1), "await {at}");
        let deliveries = told.suspensions.keys().filter(|(function, _)| *function == Function::Receiver).count();
        waited += usize::from(deliveries > 2);
    }
    assert!(waited > 0, "never did the lease stand in the way");
}

#[test]
fn an_outage_of_a_day_loses_nothing_and_dead_letters_nothing() {
    for service in Service::ALL {
        let outages = vec![Outage { service, during_ms: 0..=DAY_MS }];
        let deeds = [
            (0, customer_changes(1)),
            (HOUR_MS, transaction_changes(11, 1)),
            (2 * HOUR_MS, group_changes(21, 1)),
            (3 * HOUR_MS, plain()),
            (23 * HOUR_MS, customer_changes(1)),
        ];
        let bodies = deeds.len();
        let told = play(Script { outages, calm_from_ms: DAY_MS + HOUR_MS, ..fair(deeds) });
        assert_eq!(answers(&told), vec![Outcome::Answered(200); bodies], "{service:?}");
        for number in 0..bodies {
            assert!(told.times_published(number) > 0);
            assert!(!told.world.dead_letters.ever_held_mark(number), "{service:?} was only down");
        }
    }
}

#[test]
fn what_kills_its_own_processing_is_dead_lettered_with_a_reason_and_a_redrive_of_it_is_not_swallowed() {
    // The end of every story mends the poison and redrives; the judge then finds the event on the bus.
    let told = play(fair([(0, customer_changes(1)), (0, poison()), (0, plain())]));
    assert!(told.world.dead_letters.ever_held_mark(1));
    assert_eq!(told.times_published(1), 1);
    assert!([0, 2].iter().all(|other| !told.world.dead_letters.ever_held_mark(*other)), "the others stand alone");
    assert!(!told.world.poisonous.load(Ordering::Relaxed));
}

#[test]
fn what_was_stored_and_dead_lettered_is_published_to_the_letter_after_a_redrive() {
    // The bus is down for longer than a message waits; meanwhile the customer goes on changing.
    let outages = vec![Outage { service: Service::Bus, during_ms: 0..=13 * DAY_MS }];
    let deeds = [(0, customer_changes(1)), (MINUTE_MS, customer_changes(1)), (12 * DAY_MS + HOUR_MS, customer_changes(1))];
    let told = play(Script { outages, calm_from_ms: 13 * DAY_MS, ..fair(deeds) });
    assert!(told.world.dead_letters.ever_held_mark(0), "too old after twelve days");
    let rows = told.world.tables.state();
    assert!(rows.rows.values().all(|stored| stored.row.status == Some(Status::Published)));
}

#[test]
fn ten_messages_of_which_some_are_hopeless_stand_alone() {
    let told = play(fair([
        (0, customer_changes(1)),
        (0, Deed::Noise("no event")),
        (0, poison()),
        (0, customer_changes(2)),
        (0, transaction_changes(11, 1)),
        (0, group_changes(21, 2)),
        (0, plain()),
        // Without an id, and so told by all that is in it.
        (0, Deed::Send(json!({"eventName": "customerUpdated", "orgId": 1, "data": {"customerIdentifiers": {"customerId": 1}}}))),
        (0, Deed::Send(customer_event("tierRenewed", 1))),
        (0, Deed::Send(event("somethingNew", &json!({})))),
    ]));
    for number in [0, 3, 4, 5, 6, 7, 8, 9] {
        assert_eq!(told.times_published(number), 1, "event {number}");
    }
}

#[test]
fn a_bus_that_refuses_single_entries_gets_them_again_and_no_others() {
    let storm = Storm { entry_refused: 500, ..Storm::default() };
    let deeds = (0..10).map(|_| (0, plain()));
    let told = play(Script { storm, calm_from_ms: HOUR_MS, ..fair(deeds) });
    assert!((0..10).all(|number| told.times_published(number) == 1), "the marks of those that were taken hold");
}
