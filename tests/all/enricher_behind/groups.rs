//! Groups: told without what changed, answered in two forms, and owners of points of their own.

use serde_json::{Value, json};

use super::{AUDITS, customer_call, ledger_call};
use crate::support::capillary::Capillary;
use crate::support::events::{ORG, with_data};
use crate::support::history::{changes, entities, entity, origins};
use crate::support::stage::{LONG_LAG, LONG_LAG_S, NO_LAG, Stage};

const GROUP_CALL: &str = "/v2/userGroup2?id=3";

fn group_key() -> String {
    format!("{ORG}#group#3")
}

/// An event of group 3, whose first member is customer 5.
fn of_group(name: &str, id: &str) -> Value {
    let first = json!({"firstName": "Ana", "role": "PRIMARY", "customerIdentifiers": {"customerId": 5}});
    with_data(name, id, &json!({"groupId": 3, "groupName": "The Bergs", "primaryMember": first}))
}

/// A group in one of the two forms, seen once.
async fn known(form: &str, settings: &[(&str, &str)]) -> Stage<Capillary> {
    let stage = Stage::sandbox(settings).await;
    stage.capillary.forms(json!({"groups": form})).await;
    stage.tell(&of_group("groupCreated", "one")).await;
    stage
}

#[tokio::test]
async fn a_group_in_either_form_changes_by_the_difference_and_nobody_else_tells_of_it() {
    for form in ["page", "object"] {
        let stage = known(form, NO_LAG).await;
        let detail = stage.told("one");
        assert_eq!(entities(&detail), ["group/3 found", "customer/5 found"], "{form}");
        assert_eq!((&detail["subject"], changes(&detail)), (&json!("group/3"), &[] as &[Value]), "{form}");
        stage.capillary.entity("groups/3", json!({"groupName": "The Bergmanns", "extendedFields": {"platinum": null}})).await;
        let detail = stage.tell(&of_group("groupUpdated", "two")).await;
        let expected = ["/extendedFields/platinum", "/groupName"].map(|path| (format!("group/3{path}"), "snapshot"));
        assert_eq!(origins(&detail), expected, "{form}");
        assert_eq!(changes(&detail).iter().find(|change| change["op"] == "replace").unwrap()["after"], "The Bergmanns", "{form}");
        assert_eq!(entity(&detail, "group")["body"]["groupName"], "The Bergmanns", "{form}");
        assert_eq!(changes(&stage.tell(&of_group("groupUpdated", "again")).await), &[] as &[Value], "{form}: told once");
        let calls = stage.capillary.new_calls().await;
        assert!(!calls.iter().any(|call| call.starts_with(AUDITS)), "{form}: {calls:?}");
        assert_eq!(calls.iter().filter(|call| *call == GROUP_CALL).count(), 3, "{form}: {calls:?}");
    }
}

#[tokio::test]
async fn a_group_says_not_when_it_was_updated_so_that_a_change_waits_for_the_replicas() {
    let stage = known("page", LONG_LAG).await;
    stage.capillary.entity("groups/3", json!({"groupName": "The Bergmanns"})).await;
    let batch = stage.attempt(&of_group("groupUpdated", "two")).await;
    batch.all_back();
    stage.world.was_seen_before(&group_key(), LONG_LAG_S).await;
    stage.again(&batch).await.all_done();
    assert_eq!(origins(&stage.told("two")), [("group/3/groupName".to_owned(), "snapshot")]);
}

#[tokio::test]
async fn whoever_comes_or_leaves_is_there_with_the_group() {
    for (name, member) in [("groupMemberAdded", "memberAdded"), ("groupMemberRemoved", "memberRemoved")] {
        let stage = Stage::sandbox(NO_LAG).await;
        let mut event = of_group(name, "one");
        event["data"][member] = json!({"role": "SECONDARY", "customerIdentifiers": {"customerId": 6}});
        let detail = stage.tell(&event).await;
        assert_eq!(entities(&detail), ["group/3 found", "customer/5 found", "customer/6 found"], "{name}");
        assert_eq!(stage.capillary.new_calls().await, [&customer_call(5), &customer_call(6), GROUP_CALL], "{name}");
    }
}

#[tokio::test]
async fn a_group_that_is_nowhere_is_told_so_in_either_form() {
    for form in ["page", "object"] {
        for state in [json!({"state": "missing"}), json!({"state": "missing", "httpStatus": 400})] {
            let stage = Stage::sandbox(NO_LAG).await;
            stage.capillary.forms(json!({"groups": form})).await;
            stage.capillary.entity("groups/3/state", state.clone()).await;
            let detail = stage.tell(&of_group("groupUpdated", "one")).await;
            assert_eq!(entities(&detail), ["group/3 not_found", "customer/5 found"], "{form} {state}");
            assert_eq!(detail["data"]["enrichment"]["status"], "partial", "{form} {state}");
        }
    }
}

#[tokio::test]
async fn points_of_a_group_come_with_the_group_and_its_ledger() {
    let stage = Stage::sandbox(NO_LAG).await;
    let owner = json!({"entityType": "USERGROUP2", "entityId": 3});
    let mut event = with_data("pointsExpired", "one", &json!({"entityInformation": owner, "pointsExpired": 12}));
    event["eventLogId"] = json!(31);
    let detail = stage.tell(&event).await;
    assert_eq!(entities(&detail), ["group/3 found", "pointsLedger/31 found"]);
    assert_eq!((&detail["subject"], &detail["data"]["enrichment"]["status"]), (&json!("group/3"), &json!("complete")));
    assert_eq!(stage.capillary.new_calls().await, [&ledger_call("3", "USERGROUP2", &[31]), GROUP_CALL]);
    assert_eq!(stage.world.snapshot_keys().await, [group_key()]);
}
