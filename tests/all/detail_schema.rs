//! The JSON Schema of `Detail` tells right from wrong. That all that is published fits it, every test with a world sees to.

use serde_json::{Map, Value, json};

use crate::support::detail_schema::{assert_valid, faults};
use crate::support::examples;

/// What to do to a member of a good detail.
enum Edit {
    Without,
    With(Value),
}
use Edit::{With, Without};

/// The object at a pointer, to be changed.
fn object<'a>(detail: &'a mut Value, pointer: &str) -> &'a mut Map<String, Value> {
    detail.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap_or_else(|| panic!("no object at {pointer}"))
}

fn edited(name: &str, pointer: &str, member: &str, edit: &Edit) -> Value {
    let mut detail = examples::detail(name);
    let members = object(&mut detail, pointer);
    match edit {
        Without => assert!(members.remove(member).is_some(), "{name} has no {pointer}/{member}"),
        With(value) => assert_ne!(members.insert(member.to_owned(), value.clone()).as_ref(), Some(value), "{name}: no change"),
    }
    detail
}

#[test]
fn the_details_that_consumers_are_shown_are_valid() {
    for (name, detail) in examples::details() {
        assert_eq!(faults(&detail), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn each_broken_detail_is_refused_where_it_is_broken() {
    let (updated, deleted, truncated) = ("customer-updated", "customer-deleted", "customer-truncated");
    let (entity, first, second) = ("/data/entities/0", "/data/changes/0", "/data/changes/1");
    let broken = [
        // The CloudEvent.
        (updated, "", "specversion", With(json!("0.3")), "/specversion", "const"),
        (updated, "", "id", Without, "(the detail)", "required: id"),
        (updated, "", "id", With(json!("")), "/id", "pattern"),
        (updated, "", "source", With(json!("capillary.events")), "/source", "pattern"),
        (updated, "", "type", With(json!("customerUpdated")), "/type", "pattern"),
        (updated, "", "time", With(json!("2025-08-15T02:41:58Z")), "/time", "pattern"),
        (updated, "", "time", With(json!("2025-13-15T02:41:58.242Z")), "/time", "format"),
        (updated, "", "subject", With(json!("728942858")), "/subject", "pattern"),
        (updated, "", "subject", Without, "(the detail)", "required: subject"),
        ("unknown-name", "", "subject", With(json!("customer/1")), "/subject", "subject"),
        (updated, "", "dataschema", With(json!("urn:x")), "(the detail)", ": dataschema"),
        // Its data.
        (updated, "/data", "event", With(json!("text")), "/data/event", "type"),
        (updated, "/data", "changes", Without, "/data", "required: changes"),
        (updated, "/data", "entities", With(json!([])), "/data/entities", "minItems"),
        ("unknown-name", "/data/enrichment", "status", With(json!("complete")), "/data/entities", "minItems"),
        (updated, "/data/enrichment", "status", With(json!("none")), "/data/entities", "maxItems"),
        (updated, "/data/enrichment", "status", With(json!("partial")), "/data/entities/0/status", "not"),
        (deleted, "/data/enrichment", "status", With(json!("complete")), "/data/entities/0/status", "const"),
        (updated, "/data/enrichment", "late", With(json!("no")), "/data/enrichment/late", "type"),
        (truncated, "/data/enrichment", "truncated", With(json!(false)), entity, "required: body"),
        // Entities.
        (updated, entity, "id", With(json!(728_942_858)), "/data/entities/0/id", "type"),
        (updated, entity, "type", With(json!("customer/1")), "/data/entities/0/type", "pattern"),
        (updated, entity, "status", With(json!("lost")), "/data/entities/0/status", "enum"),
        (updated, entity, "body", Without, entity, "required: body"),
        (updated, entity, "version", Without, entity, "required: version"),
        (updated, entity, "version", With(json!("1")), "/data/entities/0/version", "type"),
        (updated, entity, "baseline", Without, entity, "required: baseline"),
        (updated, entity, "fetchedAt", Without, entity, "required: fetchedAt"),
        (updated, entity, "note", With(json!(1)), entity, ": note"),
        (deleted, entity, "body", With(json!({"id": 728_942_858})), "/data/entities/0/body", "body"),
        (deleted, entity, "baseline", With(json!(true)), "/data/entities/0/baseline", "baseline"),
        (deleted, entity, "fetchedAt", Without, entity, "required: fetchedAt"),
        (deleted, entity, "status", With(json!("skipped")), "/data/entities/0/fetchedAt", "fetchedAt"),
        (updated, entity, "status", With(json!("not_found")), "/data/entities/0/version", "version"),
        (updated, entity, "status", With(json!("forbidden")), "/data/entities/0/body", "body"),
        // Changes.
        (updated, first, "entity", With(json!("728942858")), "/data/changes/0/entity", "pattern"),
        (updated, first, "op", With(json!("move")), "/data/changes/0/op", "enum"),
        (updated, first, "op", With(json!("add")), "/data/changes/0/before", "before"),
        (updated, first, "op", With(json!("remove")), "/data/changes/0/after", "after"),
        (updated, first, "path", With(json!("profiles.0.firstName")), "/data/changes/0/path", "pattern"),
        (updated, first, "before", Without, first, "required: before"),
        (updated, first, "after", Without, first, "required: after"),
        (updated, second, "after", Without, second, "required: after"),
        (updated, first, "origin", With(json!("rumour")), "/data/changes/0/origin", "enum"),
    ];
    for (name, pointer, member, edit, place, keyword) in broken {
        let faults = faults(&edited(name, pointer, member, &edit));
        let told = faults.iter().any(|fault| fault.starts_with(&format!("{place} against ")) && fault.ends_with(keyword));
        assert!(told, "{name} with another {pointer}/{member} should fail at {place} by {keyword}, but: {faults:#?}");
    }
}

#[test]
fn a_subject_or_a_change_of_an_entity_that_is_not_there_is_refused() {
    for (pointer, member, place) in [("", "subject", "/subject"), ("/data/changes/1", "entity", "/data/changes/1/entity")] {
        let faults = faults(&edited("customer-updated", pointer, member, &With(json!("customer/5"))));
        assert!(matches!(faults.as_slice(), [one] if one.starts_with(&format!("{place} is "))), "{faults:#?}");
    }
}

#[test]
fn what_is_missing_is_told_once_and_nothing_else_with_it() {
    for (pointer, member) in [
        ("", "id"),
        ("", "data"),
        ("/data", "enrichment"),
        ("/data/enrichment", "status"),
        ("/data/enrichment", "truncated"),
        ("/data/entities/0", "status"),
        ("/data/changes/0", "op"),
    ] {
        let faults = faults(&edited("customer-updated", pointer, member, &Without));
        assert!(matches!(faults.as_slice(), [one] if one.ends_with(&format!("required: {member}"))), "{member}: {faults:#?}");
    }
}

#[test]
fn what_a_detail_may_leave_out_or_add_is_allowed() {
    let (updated, deleted, truncated) = ("customer-updated", "customer-deleted", "customer-truncated");
    for (name, pointer, member, edit) in [
        (deleted, "/data/entities/0", "version", With(json!(1_756_713_602_010_u64))),
        (deleted, "/data/entities/0", "status", With(json!("merged"))),
        (updated, "/data/changes/0", "before", With(Value::Null)),
        (updated, "/data/changes/0", "path", With(json!(""))),
        (updated, "/data/event", "anything", With(json!([1.10]))),
        (updated, "/data/entities/0/body", "anything", With(json!({"at": "all"}))),
        (truncated, "/data/changes/0", "after", With(json!("small"))),
        (truncated, "/data", "changes", With(json!([]))),
        (truncated, "/data/entities/0", "body", With(json!({"id": 728_942_858}))),
    ] {
        assert_valid(&edited(name, pointer, member, &edit));
    }
    let mut other = examples::detail("customer-deleted");
    object(&mut other, "").insert("subject".into(), json!("points_ledger/a/1"));
    object(&mut other, "/data/entities/0").extend([("type".into(), json!("points_ledger")), ("id".into(), json!("a/1"))]);
    assert_valid(&other);
}

#[test]
fn a_fault_tells_no_value_that_stands_in_the_detail() {
    let mut detail = examples::detail("customer-updated");
    object(&mut detail, "").insert("time".into(), json!("Ana Novak"));
    object(&mut detail, "/data/entities/0").insert("id".into(), json!(["Ana Novak"]));
    object(&mut detail, "/data/changes/0").insert("op".into(), json!("Ana Novak"));
    object(&mut detail, "/data/changes/0").insert("path".into(), json!("Ana Novak"));
    let told = faults(&detail).join("\n");
    assert!(told.contains("/data/changes/0/path"), "{told}");
    assert!(!told.contains("Novak"), "{told}");
}
