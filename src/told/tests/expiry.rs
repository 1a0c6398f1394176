//! Expiry dates of a customer's points: `singlePointsExpiryUpdated`, `pointsExpiryChange`.

use super::*;

/// As `embed=promotionalPoints` brings them.
fn award(points: f64, issued: &str, expiry: &str) -> Value {
    json!({"points": points, "issuedOn": issued, "expiryDate": expiry, "programId": 1383, "promotionName": "Amber"})
}

fn awarded(awards: &[Value]) -> Value {
    json!({"promotionalPoints": {"customerPromotionType": awards, "transactionPromotionType": [], "lineitemPromotionType": []}})
}

const MAY: &str = "2020-05-03T11:23:03+05:30";
const MARCH: &str = "2020-03-22T14:49:51+05:30";
const OLD: &str = "2026-07-21T23:59:59+05:30";
const NEW: &str = "2026-03-28T23:59:59+05:30";

/// Cut from the documented sample.
fn change(points: f64) -> Vec<Told> {
    told_by(
        "pointsExpiryChange",
        &json!({"loyaltyProgramDetails": {"id": 1383, "isDefault": true}, "updatedPointsExpiryBreakup": [
            {"pointAwardedRefID": 367_358_443, "pointsAwardedRefType": "POINT_AWARDED", "points": points, "pointsPreviousExpiryDate": "2026-07-21",
             "expiryUpdateReasonType": "EARLY_EXPIRY", "newExpiryDate": "2026-03-28"}]}),
    )
}

fn single(program: u32, old: &str, new: &str) -> Vec<Told> {
    let points =
        json!({"programId": program, "points": 2.0, "pointsType": "REGULAR", "oldExpiryDate": old, "newExpiryDate": new});
    told_by("singlePointsExpiryUpdated", &json!({ "updatedPointsExpiry": [points] }))
}

#[test]
fn a_date_that_went_from_the_old_day_to_the_new_one_is_told() {
    let before = awarded(&[award(2.0, MAY, OLD), award(64.0, MARCH, OLD)]);
    let after = |expiry: &str| awarded(&[award(2.0, MAY, expiry), award(64.0, MARCH, OLD)]);
    const FIRST: &str = "/promotionalPoints/customerPromotionType/0/expiryDate";
    for told in
        [change(2.0), single(1383, "2026-07-21", "2026-03-28"), single(1383, "2026-07-21 23:59:59.0", "2026-03-28T00:00:00")]
    {
        assert_eq!(by_events(&told, Kind::Customer, &before, &after(NEW)), [FIRST]);
        assert!(by_events(&told, Kind::Customer, &before, &after("2026-03-29T23:59:59+05:30")).is_empty(), "another day");
        assert!(by_events(&told, Kind::Customer, &after("2026-01-01"), &after(NEW)).is_empty(), "from another day");
        assert!(by_events(&told, Kind::Card, &before, &after(NEW)).is_empty());
    }
    assert!(
        by_events(&single(7, "2026-07-21", "2026-03-28"), Kind::Customer, &before, &after(NEW)).is_empty(),
        "another programme"
    );
}

#[test]
fn milliseconds_stand_in_for_dates_that_are_gone() {
    let points = json!({"points": 2.0, "pointsPreviousExpiryDateInMillis": 1_784_658_599_000_i64, "newExpiryDateInMillis": 1_774_722_599_000_i64});
    let told = told_by("pointsExpiryChange", &json!({ "updatedPointsExpiryBreakup": [points] }));
    let paths = by_events(&told, Kind::Customer, &awarded(&[award(2.0, MAY, OLD)]), &awarded(&[award(2.0, MAY, NEW)]));
    assert_eq!(paths.len(), 1);
}

#[test]
fn a_schedule_has_its_dates_twice_and_comes_and_goes_with_its_points() {
    let schedule = |points: f64, day: &str| json!({"points": points, "expiryDate": day, "expiryDateISO": format!("{day}T00:00:00Z"), "programId": 1383, "pointsType": "customer_promotions", "expiryType": "fixed"});
    let schedules = |schedules: &[Value]| json!({ "expirySchedules": schedules });
    let before = schedules(&[schedule(2.0, "2026-07-21")]);
    let paths = by_events(&change(2.0), Kind::Customer, &before, &schedules(&[schedule(2.0, "2026-03-28")]));
    assert_eq!(paths, ["/expirySchedules/0/expiryDate", "/expirySchedules/0/expiryDateISO"]);

    let (others, moved) = (schedule(9.0, "2027-01-01"), schedule(2.0, "2026-03-28"));
    let (without, with_it) =
        (schedules(&[schedule(9.0, "2027-01-02"), others.clone()]), schedules(&[schedule(9.0, "2027-01-02"), others, moved]));
    assert_eq!(by_events(&change(2.0), Kind::Customer, &without, &with_it), ["/expirySchedules/2"]);
    assert!(by_events(&change(3.0), Kind::Customer, &without, &with_it).is_empty(), "other points");
    assert!(by_events(&change(2.0), Kind::Customer, &with_it, &without).is_empty(), "what goes had the new day");
}

#[test]
fn at_first_sight_a_date_is_told_where_no_other_one_can_be_meant() {
    let body = awarded(&[award(2.0, MAY, NEW), award(64.0, MARCH, NEW)]);
    let expected = [json!(["/promotionalPoints/customerPromotionType/0/expiryDate", "2026-07-21", NEW])];
    assert_eq!(at_first_sight(&change(2.0), Kind::Customer, &body), expected);
    let alike = awarded(&[award(2.0, MAY, NEW), award(2.0, MARCH, NEW)]);
    assert!(at_first_sight(&change(2.0), Kind::Customer, &alike).is_empty(), "one of them may have had it before");
}

#[test]
fn a_customer_without_dates_tells_nothing() {
    assert!(at_first_sight(&change(2.0), Kind::Customer, &json!({"pointsSummary": {"slabExpiryDate": NEW}})).is_empty());
    assert!(single(1383, "2026-03-28", "2026-03-28").is_empty(), "it is as before");
}
