//! Where the promises end today, and what would carry them further.

use capillary_events::ledger::{
    Status,
    writes::{Clause, Condition},
};

use crate::{mutations::goes_wrong, rules::Rules, scenario::ONE_ID_REDRIVEN};

const PENDING: Clause = Clause::StatusIn(&[Status::Received, Status::Failed]);
/// X1, where the row must be the same event's.
const STORE_OF_THE_SAME_EVENT: Condition<'_> =
    Condition(&[&[Clause::NoRow], &[Clause::Expired], &[PENDING, Clause::NothingStored, Clause::SameEvent]]);
/// An event that is redriven after its row's time has no row, so another event that bears its id can claim it meanwhile. X1 writes over
/// that claim, since it does not ask whose it is (nor does D2); who looked in between goes on under the second key.
#[test]
fn an_event_redriven_after_its_time_may_be_told_under_two_ids_if_another_one_bears_its_id() {
    assert!(goes_wrong(&Rules::default(), &[ONE_ID_REDRIVEN]).is_some(), "it no longer is: remove this test");
}

#[test]
fn it_would_not_be_if_the_enricher_stored_only_over_rows_of_the_same_event() {
    let rules = Rules { store: STORE_OF_THE_SAME_EVENT, ..Rules::default() };
    if let Some(finding) = goes_wrong(&rules, &[ONE_ID_REDRIVEN]) {
        panic!("{finding}");
    }
}
