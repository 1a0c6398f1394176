//! Each piece of the protocol taken away: the search must find what it is for.

use capillary_events::ledger::writes::{
    CLAIM, Clause, Condition, MARK_FAILED_STORED, MARK_FAILED_UNSTORED, MARK_PUBLISHED, MARK_PUBLISHED_UNSTORED, STORE,
};

use crate::{
    model::Model,
    rules::Rules,
    scenario::{self as scenarios, Scenario},
    search::{Finding, Found, search},
};

/// The first scenario in which something goes wrong.
pub(crate) fn goes_wrong(rules: &Rules, scenarios: &[Scenario]) -> Option<Finding> {
    scenarios.iter().find_map(|scenario| match search(&Model::new(*scenario, rules.clone())) {
        Found::Nothing { .. } => None,
        Found::Broken(finding) => Some(finding),
    })
}

/// A condition without one of its pieces.
struct Maimed {
    missing: String,
    condition: Condition<'static>,
}

/// A condition without each of its alternatives, and without each clause of each.
fn maimed(condition: Condition<'static>) -> Vec<Maimed> {
    let mut all = Vec::new();
    for (position, alternative) in condition.0.iter().enumerate() {
        let others = |instead: Option<Vec<Clause>>| {
            let mut alternatives: Vec<&'static [Clause]> = condition.0.to_vec();
            match instead {
                Some(clauses) => alternatives[position] = clauses.leak(),
                None => drop(alternatives.remove(position)),
            }
            Condition(alternatives.leak())
        };
        all.push(Maimed { missing: format!("the alternative {alternative:?}"), condition: others(None) });
        // Without its only clause, an alternative would always hold.
        for clause in alternative.iter() {
            let rest = alternative.iter().copied().filter(|other| other != clause).collect();
            all.push(Maimed { missing: format!("{clause:?} in {alternative:?}"), condition: others(Some(rest)) });
        }
    }
    all
}

/// Takes a condition apart. What is missed by nobody must be named, with a reason; all else must be missed.
fn every_piece_is_needed(
    condition: Condition<'static>,
    scenarios: &[Scenario],
    missed_by_nobody: &[&str],
    rules: impl Fn(Condition<'static>) -> Rules,
) {
    let is_known = |missing: &str| missed_by_nobody.contains(&missing);
    let pieces = maimed(condition);
    for known in missed_by_nobody {
        assert!(pieces.iter().any(|maimed| maimed.missing == *known), "there is no {known}");
    }
    let unneeded: Vec<String> = pieces
        .into_iter()
        .filter(|maimed| !is_known(&maimed.missing) && goes_wrong(&rules(maimed.condition), scenarios).is_none())
        .map(|maimed| maimed.missing)
        .collect();
    assert!(unneeded.is_empty(), "nothing goes wrong without {}", unneeded.join(", or without "));
}

#[test]
fn the_claim_needs_every_clause() {
    // Nobody but the receiver leaves a lease in a row: see the test of that below.
    let spared = ["StatusIn([Received]) in [StatusIn([Received]), LeaseOver, SameEvent]"];
    let scenarios =
        [scenarios::PROMPT_RECEIVERS, scenarios::DELIVERY, scenarios::ONE_ID, scenarios::UNSTORED, scenarios::ONE_ID_TWINS];
    every_piece_is_needed(CLAIM, &scenarios, &spared, |claim| Rules { claim, ..Rules::default() });
}

#[test]
fn the_store_needs_every_clause() {
    let scenarios = [
        scenarios::WITHOUT_ROW,
        scenarios::WITHOUT_ROW_AND_ENTITY,
        scenarios::KNOWN_CUSTOMER,
        scenarios::UNSTORED,
        scenarios::ONE_ID_REDRIVEN,
    ];
    every_piece_is_needed(STORE, &scenarios, &[], |store| Rules { store, ..Rules::default() });
}

#[test]
fn the_mark_of_what_was_published_needs_every_clause() {
    let scenarios = [scenarios::WITHOUT_ROW, scenarios::FAILURES];
    // What is stored has no expiry and is PUBLISHED for the whole TTL afterwards: only an invocation that outlives the TTL could
    // meet a row that stores nothing and is not published.
    let spared = ["Stored in [Stored]"];
    every_piece_is_needed(MARK_PUBLISHED, &scenarios, &spared, |mark_published| Rules { mark_published, ..Rules::default() });
}

#[test]
fn the_mark_of_what_was_published_unstored_needs_every_clause() {
    let scenarios = [scenarios::DELIVERY, scenarios::UNSTORED];
    // No row that counts as a claim ends while somebody is at work. To mark a row of the same event that is ENRICHED or PUBLISHED does no
    // harm, since all its copies are equal; not to do it saves a write.
    let spared =
        ["the alternative [NoRow]", "NoRow in [NoRow]", "StatusIn([Received, Failed]) in [StatusIn([Received, Failed])]"];
    every_piece_is_needed(MARK_PUBLISHED_UNSTORED, &scenarios, &spared, |mark_published_unstored| Rules {
        mark_published_unstored,
        ..Rules::default()
    });
}

#[test]
fn the_mark_of_what_failed_needs_every_clause() {
    let scenarios = [scenarios::FAILURES, scenarios::FAILURES_AND_TIME];
    // FAILED tells operators; the event is as safe if the row says ENRICHED.
    let spared = ["the alternative [Stored]"];
    every_piece_is_needed(MARK_FAILED_STORED, &scenarios, &spared, |mark_failed_stored| Rules {
        mark_failed_stored,
        ..Rules::default()
    });
}

#[test]
fn the_mark_of_what_failed_unstored_needs_every_clause() {
    let scenarios = [scenarios::FAILURES, scenarios::FAILURES_AND_TIME, scenarios::ONE_ID_FAILING];
    // FAILED tells operators; the event is as safe if the row says RECEIVED, or is not there.
    let spared = ["the alternative [NoRow]", "the alternative [StatusIn([Received, Failed]), NothingStored, NotAnothers]"];
    every_piece_is_needed(MARK_FAILED_UNSTORED, &scenarios, &spared, |mark_failed_unstored| Rules {
        mark_failed_unstored,
        ..Rules::default()
    });
}
