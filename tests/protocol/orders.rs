//! Mistakes that an implementer easily makes, each named after what it leads to: the search must find all of them.

use capillary_events::ledger::writes::{Clause, Condition};

use crate::{
    invariants::Broken,
    mutations::goes_wrong,
    rules::{Rules, Slip},
    scenario::{self as scenarios, Scenario},
};

/// Making these mistakes breaks this promise.
fn leads_to(slips: &[Slip], scenario: Scenario, broken: Broken) {
    let found = goes_wrong(&Rules::with(slips), &[scenario]).map(|finding| finding.violation.broken);
    assert_eq!(found, Some(broken), "{slips:?}");
}

#[test]
fn snapshots_that_move_unasked_tell_changes_twice_or_go_back_in_time() {
    leads_to(&[Slip::FoundSnapshotUnchecked], scenarios::FORGOTTEN_SNAPSHOT, Broken::ToldTwice);
    leads_to(&[Slip::MissingSnapshotUnchecked], scenarios::CHANGES_AT_ONCE, Broken::OlderOverNewer);
}

#[test]
fn an_event_is_refused_for_ever_if_nobody_knows_his_own_claim() {
    leads_to(&[Slip::ClaimIdUnread], scenarios::SLOW_LEDGER, Broken::Stuck);
}

/// F2.
#[test]
fn copies_differ_if_only_what_changed_is_stored() {
    leads_to(&[Slip::OnlyTheChangeStored], scenarios::CHANGES_AT_ONCE, Broken::ToldDifferently);
}

/// F3.
#[test]
fn an_older_state_wins_if_entities_are_fetched_before_snapshots_are_read() {
    leads_to(&[Slip::FetchBeforeLook], scenarios::CHANGES_AT_ONCE, Broken::OlderOverNewer);
}

/// F3, the second part.
#[test]
fn an_older_state_wins_if_nobody_waits_for_replicas() {
    leads_to(&[Slip::NoWaitForReplicas], scenarios::CHANGES_ABSENT, Broken::OlderOverNewer);
}

/// F4.
#[test]
fn changes_are_missing_if_events_are_believed() {
    leads_to(&[Slip::EventBelieved], scenarios::CHANGES_AT_ONCE, Broken::ChangeMissing);
}

/// F5.
#[test]
fn a_redriven_event_is_lost_if_failed_is_read_as_done() {
    leads_to(&[Slip::FailedReadAsDone], scenarios::FAILURES, Broken::Lost);
}

#[test]
fn a_row_lies_if_failed_is_marked_before_the_dead_letter_is_sent() {
    leads_to(&[Slip::MarkFailedBeforeDeadLetter], scenarios::FAILURES, Broken::UntrueRow);
}

/// F6.
#[test]
fn a_change_is_missing_if_failed_forgets_what_was_stored() {
    leads_to(&[Slip::FailedForgetsDetail], scenarios::FAILURES, Broken::ChangeMissing);
}

/// F7.
#[test]
fn an_event_is_lost_if_another_one_bears_its_id_and_nobody_compares() {
    leads_to(&[Slip::FingerprintUnread], scenarios::ONE_ID, Broken::Lost);
}

/// F8. The claim asks for the status, too, though nobody else leaves a lease in a row: this is what it guards against.
#[test]
fn a_stored_event_is_processed_again_if_the_lease_stays_and_alone_decides() {
    const BY_LEASE_ALONE: Condition<'_> =
        Condition(&[&[Clause::NoRow], &[Clause::Expired], &[Clause::LeaseOver, Clause::SameEvent]]);
    let rules = Rules { claim: BY_LEASE_ALONE, ..Rules::with(&[Slip::LeaseKept]) };
    assert!(goes_wrong(&rules, &[scenarios::STORED]).is_some());
    let asked = Rules::with(&[Slip::LeaseKept]);
    assert!(goes_wrong(&asked, &[scenarios::STORED]).is_none());
}

/// F11.
#[test]
fn what_was_stored_is_worked_out_anew_if_rows_expire_early() {
    leads_to(&[Slip::StoredRowsExpire], scenarios::STORED, Broken::ChangeMissing);
    leads_to(&[Slip::FailedRowsExpireEarly], scenarios::FAILED_AND_OLD, Broken::ChangeMissing);
    leads_to(&[Slip::ExpiryNeverMoved], scenarios::UNSTORED, Broken::ProcessedTwice);
}

/// F12.
#[test]
fn the_deleted_come_back_if_tombstones_can_be_overwritten() {
    leads_to(&[Slip::TombstoneOverwritable], scenarios::DELETION, Broken::OlderOverNewer);
}

/// F13.
#[test]
fn a_snapshot_made_anew_is_taken_for_the_old_one_if_versions_begin_at_one() {
    leads_to(&[Slip::VersionFromOne], scenarios::FORGOTTEN_SNAPSHOT, Broken::OlderOverNewer);
}

#[test]
fn copies_differ_if_events_are_published_before_they_are_stored() {
    leads_to(&[Slip::PublishBeforeStore], scenarios::FAILURES, Broken::ToldDifferently);
}

#[test]
fn a_row_lies_if_it_is_marked_before_the_event_is_published() {
    leads_to(&[Slip::MarkBeforePublish], scenarios::FAILURES, Broken::UntrueRow);
}

#[test]
fn an_event_is_processed_again_if_its_message_is_deleted_before_the_row_is_marked() {
    leads_to(&[Slip::DeleteBeforeMark], scenarios::UNSTORED, Broken::ProcessedTwice);
}
