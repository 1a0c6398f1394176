//! A card that changes: `cardUpdated` and the audit log.

use super::*;

/// As the card API answers, but for members that play no part.
fn card() -> Value {
    json!({
        "cardId": 328_623, "issuedDate": "2025-11-03T08:19:33Z", "customerId": 339_310_865, "customFields": {}, "type": "DIGITAL",
        "cardNumber": "yief6r0y1745008021264nrg",
        "statusInfo": {"reason": "", "createdBy": 328_623, "actions": [], "createdOn": "2025-11-03T08:19:33Z", "entityId": 328_623,
                       "id": 72_236_031, "isActive": true, "labelId": 542, "label": "ACTIVE", "status": "ACTIVE"},
        "id": 328_623, "activeAndDigital": true
    })
}

/// The same, lost and blocked.
fn blocked(label: &str) -> Value {
    with(
        &card(),
        &[
            (
                "/statusInfo",
                json!({"reason": "lost", "createdBy": 5, "actions": [], "createdOn": "2026-01-02T10:00:00Z",
                                   "entityId": 328_623, "id": 72_236_099, "isActive": false, "labelId": 543, "label": label, "status": "SUSPENDED"}),
            ),
            ("/activeAndDigital", json!(false)),
        ],
    )
}

fn told_of_card(data: &Value) -> Vec<Told> {
    told_by("cardUpdated", data)
}

const ALL_OF_STATUS: [&str; 8] = [
    "/statusInfo/createdBy",
    "/statusInfo/createdOn",
    "/statusInfo/id",
    "/statusInfo/isActive",
    "/statusInfo/label",
    "/statusInfo/labelId",
    "/statusInfo/reason",
    "/statusInfo/status",
];

#[test]
fn a_new_status_takes_all_of_the_status_info_along_and_nothing_else() {
    let told = told_of_card(&json!({"cardNumber": "C1", "previousStatusLabel": "ACTIVE", "currentStatusLabel": "BLOCKED"}));
    assert_eq!(by_events(&told, Kind::Card, &card(), &blocked("BLOCKED")), ALL_OF_STATUS);
    assert!(by_events(&told, Kind::Card, &card(), &blocked("STOLEN")).is_empty(), "it changed again since");
    let before = blocked("BLOCKED");
    let only_the_author = with(&before, &[("/statusInfo/createdBy", json!(6))]);
    assert!(by_events(&told, Kind::Card, &before, &only_the_author).is_empty(), "the status was known before");
    assert!(by_events(&told, Kind::Customer, &card(), &blocked("BLOCKED")).is_empty());
}

#[test]
fn a_status_info_that_was_not_there_comes_as_a_whole() {
    let told = told_of_card(&json!({"currentStatusLabel": "BLOCKED"}));
    let mut before = card();
    before.as_object_mut().unwrap().remove("statusInfo");
    assert_eq!(by_events(&told, Kind::Card, &before, &blocked("BLOCKED")), ["/statusInfo"]);
    assert!(by_events(&told, Kind::Card, &before, &blocked("STOLEN")).is_empty());
}

#[test]
fn a_reason_brings_no_status_along() {
    let told = told_of_card(&json!({
        "previousStatusLabel": "ACTIVE", "currentStatusLabel": "ACTIVE", "previousStatusChangeReason": "", "currentStatusChangeReason": "lost"}));
    let after = with(&card(), &[("/statusInfo/reason", json!("lost")), ("/statusInfo/id", json!(7))]);
    assert_eq!(by_events(&told, Kind::Card, &card(), &after), ["/statusInfo/id", "/statusInfo/reason"]);
    let expected = ["/statusInfo/createdBy", "/statusInfo/createdOn", "/statusInfo/id", "/statusInfo/reason"];
    assert_eq!(by_events(&told, Kind::Card, &card(), &blocked("BLOCKED")), expected, "the label is somebody else's change");
}

#[test]
fn fields_are_told_by_name_where_they_differ() {
    // Cut from the documented sample.
    let told = told_of_card(&json!({
        "currentExtendedFields": [{"name": "year_of_registration", "value": "36"}, {"name": "limit_set_by", "value": "vfg"}, {"name": "same", "value": "1"}],
        "previousExtendedFields": [{"name": "year_of_registration", "value": "12"}, {"name": "card_balance", "value": "1696.0"}, {"name": "same", "value": "1"}],
        "currentCustomFields": [{"name": "hs12.till2", "value": "aifais"}, {"name": "bloodgroup", "value": "b-"}],
        "previousCustomFields": [{"name": "state", "value": "Kerala"}, {"name": "bloodgroup", "value": "0+"}]}));
    let mut names: Vec<&str> = told.iter().map(|told| told.field.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["bloodgroup", "card_balance", "hs12.till2", "limit_set_by", "state", "year_of_registration"]);

    let fields = |extended: Value, custom: Value| with(&card(), &[("/extendedFields", extended), ("/customFields", custom)]);
    let before = fields(
        json!({"year_of_registration": 12, "card_balance": 1696.0, "same": 1}),
        json!({"bloodgroup": "0+", "state": "Kerala"}),
    );
    let after = fields(
        json!({"year_of_registration": 36, "limit_set_by": "somebody", "same": 2}),
        json!({"bloodgroup": "b-", "hs12.till2": "aifais"}),
    );
    let origin = |path: &str, origin| (path.to_owned(), origin);
    let expected = [
        origin("/customFields/bloodgroup", Origin::Event),
        origin("/customFields/hs12.till2", Origin::Event),
        origin("/customFields/state", Origin::Event),
        origin("/extendedFields/card_balance", Origin::Event),
        origin("/extendedFields/limit_set_by", Origin::Snapshot),
        origin("/extendedFields/same", Origin::Snapshot),
        origin("/extendedFields/year_of_registration", Origin::Event),
    ];
    assert_eq!(origins(&told, Kind::Card, &before, &after), expected);
}

#[test]
fn the_first_field_of_a_card_comes_with_its_map() {
    let told = told_of_card(&json!({"previousExtendedFields": [], "currentExtendedFields": [{"name": "limit", "value": "5"}]}));
    assert_eq!(
        by_events(&told, Kind::Card, &card(), &with(&card(), &[("/extendedFields", json!({"limit": 5}))])),
        ["/extendedFields"]
    );
}

#[test]
fn at_first_sight_a_card_shows_what_is_told() {
    let told = told_of_card(&json!({
        "previousStatusLabel": "new", "currentStatusLabel": "ACTIVE", "previousCustomFields": [{"name": "state", "value": "Kerala"}],
        "currentCustomFields": [{"name": "state", "value": "Goa"}, {"name": "pin", "value": "1"}]}));
    let shown = with(&card(), &[("/customFields", json!({"state": "Goa", "pin": "2"}))]);
    let expected = [json!(["/statusInfo/label", "new", "ACTIVE"]), json!(["/customFields/state", "Kerala", "Goa"])];
    assert_eq!(at_first_sight(&told, Kind::Card, &shown), expected);
    assert!(at_first_sight(&told, Kind::Card, &blocked("BLOCKED")).is_empty());
}

#[test]
fn the_audit_log_tells_a_cards_status_and_fields() {
    let audited = |kind: &str, field: &str, previous: Value, current: Value| Told {
        origin: Origin::Audit,
        ..Told::by_event(Kind::Card, FieldKind::of(kind), field, Some(previous), Some(current))
    };
    let kinds = ["CardStatus", "Card Custom Fields", "CardExtendedField"].map(FieldKind::of);
    assert_eq!(kinds, [FieldKind::Status, FieldKind::Custom, FieldKind::Extended]);
    let told = [
        audited("Card Status", "status", json!("ACTIVE"), json!("SUSPENDED")),
        audited("CardCustomField", "state", json!("NA"), json!("Goa")),
        audited("CardExtendedField", "limit", json!("4"), json!("5")),
    ];
    let before = with(&card(), &[("/extendedFields", json!({"limit": 4}))]);
    let after =
        with(&blocked("BLOCKED"), &[("/extendedFields", json!({"limit": 5})), ("/customFields", json!({"state": "Goa"}))]);
    let unexplained = origins(&told, Kind::Card, &before, &after).into_iter().filter(|(_, origin)| *origin != Origin::Audit);
    assert_eq!(unexplained.map(|(path, _)| path).collect::<Vec<_>>(), ["/activeAndDigital"]);
}
