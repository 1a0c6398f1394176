//! The protocol by which no event is lost and no change is told twice, searched for whatever could go wrong.
//!
//! The sender gives an event until it gets a final answer. What happens then, with the one place where each step is decided:
//!
//! | | Step | Allowed by |
//! | --- | --- | --- |
//! | W1 | a receiver claims the event's row in the ledger | `CLAIM`; if refused, `judge_refusal` says what that means |
//! | W2 | it puts the event into the queue, and only then answers 200 | |
//! | | an enricher gets the message, and looks at the row and the snapshot | `next_step` says what is left to do |
//! | | it fetches the entity, *after* it looked | `judge_seen`, `judge_gone`: which of the two states is newer |
//! | X1 | it stores all that it will publish | `STORE` |
//! | X2 | in the same transaction the snapshot moves | `may_move` |
//! | P1 | it publishes what is stored | |
//! | P2 | it marks the row as published, and only then deletes the message | `MARK_PUBLISHED`, `MARK_PUBLISHED_UNSTORED` |
//! | D1 | where the work fails by itself: it dead-letters the event | |
//! | D2 | it marks the row as failed, and only then deletes the message | `MARK_FAILED_STORED`, `MARK_FAILED_UNSTORED` |
//!
//! Between any two steps an invocation may die, or sleep while others overtake it; answers are lost, messages come more than once,
//! replicas answer with what was, rows and snapshots are forgotten, dead letters are redriven. The model here knows all that
//! (`world`, `model`, `receiver`, `enricher`) and leaves every decision to the product itself (`product`). A scenario bounds what may
//! happen; a search tries all of it, breadth first, and checks what must hold (`invariants`) in every state, and in addition that
//! everything ends well from there once the faults are over (`calm`). What is found is printed as the shortest way there.
//!
//! `mutations` takes the conditions apart, clause by clause, and `orders` makes the mistakes that are easily made: for each there
//! must be something that goes wrong.
//!
//! Not in the model: batches, the queue's retention, the read of row and snapshot as two reads, several entities of an event.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails, and its worlds are invented"
)]

mod calm;
mod enricher;
mod invariants;
mod model;
mod mutations;
mod orders;
mod product;
mod receiver;
mod rules;
mod scenario;
mod search;
mod trace;
mod world;

use model::Model;
use rules::Rules;
use scenario::Scenario;
use search::{Found, search};

/// All promises hold in a scenario, which is no smaller than it should be.
fn holds(scenario: Scenario, least_states: usize) {
    match search(&Model::new(scenario, Rules::default())) {
        Found::Nothing { states } => assert!(states >= least_states, "{}: only {states} states", scenario.name),
        Found::Broken(finding) => panic!("{}\n{finding}", scenario.name),
    }
}

#[test]
fn a_delivery_is_taken_in_whatever_happens_to_receivers() {
    holds(scenario::DELIVERY, 10_000);
    holds(scenario::PROMPT_RECEIVERS, 1_000);
}

#[test]
fn a_ledger_whose_first_answers_never_come_still_takes_events_in() {
    holds(scenario::SLOW_LEDGER, 10_000);
}

#[test]
fn two_events_that_bear_one_id_are_both_told() {
    holds(scenario::ONE_ID, 30_000);
    holds(scenario::ONE_ID_TWINS, 40_000);
}

#[test]
fn an_event_redriven_after_its_rows_end_leaves_another_ones_claim_alone() {
    holds(scenario::ONE_ID_REDRIVEN, 400);
}

#[test]
fn an_event_without_entities_is_told_alike_beyond_its_rows_end() {
    holds(scenario::UNSTORED, 30_000);
}

#[test]
fn an_event_with_an_entity_is_told_once_while_its_row_lives() {
    holds(scenario::STORED, 20_000);
}

#[test]
fn an_event_without_a_row_is_worked_out_once() {
    holds(scenario::WITHOUT_ROW, 300);
    holds(scenario::WITHOUT_ROW_AND_ENTITY, 50);
}

#[test]
fn what_fails_by_itself_is_dead_lettered_and_can_be_redriven() {
    holds(scenario::FAILURES, 5_000);
    holds(scenario::FAILURES_AND_TIME, 2_000);
    holds(scenario::FAILED_AND_OLD, 10_000);
    holds(scenario::KNOWN_CUSTOMER, 5_000);
}

#[test]
fn changes_are_told_once_and_in_order_with_strict_stamps() {
    holds(scenario::CHANGES_STRICT, 100_000);
}

#[test]
fn changes_are_told_once_and_in_order_with_ties() {
    holds(scenario::CHANGES_TIES, 80_000);
}

#[test]
fn changes_are_told_once_and_in_order_without_stamps() {
    holds(scenario::CHANGES_ABSENT, 80_000);
    holds(scenario::CHANGES_AT_ONCE, 20_000);
}

#[test]
fn who_was_deleted_stays_so() {
    holds(scenario::DELETION, 50_000);
}

#[test]
fn a_snapshot_made_anew_is_not_taken_for_the_forgotten_one() {
    holds(scenario::FORGOTTEN_SNAPSHOT, 50_000);
}
