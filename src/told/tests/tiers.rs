//! A customer's tier: `tierUpgraded`, `tierDowngraded`, `tierRenewed`.

use super::*;

/// As `embed=points` brings it.
fn summary(number: u32, name: &str, expiry: &str, next: (&str, i32)) -> Value {
    json!({"adjusted": 0.0, "currentSlab": name, "lifetimePoints": 100.0, "loyaltyId": 72_614_717, "nextSlab": next.0, "nextSlabDescription": next.0,
           "nextSlabSerialNumber": next.1, "slabExpiryDate": expiry, "slabSNo": number})
}

fn in_summary(summary: &Value) -> Value {
    json!({"id": 1, "pointsSummary": summary})
}

fn jasper() -> Value {
    summary(1, "Jasper", "2117-04-29T23:59:59+05:30", ("Indigo", 2))
}

fn indigo() -> Value {
    summary(2, "Indigo", "2125-01-09T23:59:59+05:30", ("Marigold", 3))
}

/// As `embed=mlp` brings them: of this programme and another one.
fn in_programs(of_1383: Value, of_282: Value) -> Value {
    let program = |id: u32, mut program: Value| {
        program["programId"] = json!(id);
        program
    };
    json!({"id": 1, "loyaltyProgramDetails": [program(1383, of_1383), program(282, of_282)]})
}

/// Cut from the documented sample.
fn upgrade() -> Value {
    json!({
        "loyaltyProgramDetails": {"id": 282, "name": "OrchardDefaultProgram", "isDefault": true, "pointsToCurrencyRatio": 1, "tiers": [
            {"tierNumber": 1, "tierName": "Jasper"}, {"tierNumber": 2, "tierName": "Indigo"}, {"tierNumber": 3, "tierName": "Marigold"}]},
        "loyaltyProgramId": 282, "previousTierNumber": 1, "upgradedTierNumber": 2, "tierExpiryDate": "2125-01-09",
        "upgradeType": "STRATEGY"
    })
}

/// The event from before programmes were told, with numbers as floats.
fn plain_upgrade() -> Value {
    json!({"loyaltyProgramDetails": {"id": 2277.0, "isDefault": null, "tiers": null}, "loyaltyProgramId": 2277.0, "previousTierNumber": 1.0,
           "upgradedTierNumber": 2.0, "tierExpiryDate": "2125-01-09"})
}

const TIER: [&str; 6] = [
    "/pointsSummary/currentSlab",
    "/pointsSummary/nextSlab",
    "/pointsSummary/nextSlabDescription",
    "/pointsSummary/nextSlabSerialNumber",
    "/pointsSummary/slabExpiryDate",
    "/pointsSummary/slabSNo",
];

#[test]
fn an_upgrade_takes_name_expiry_and_next_tier_along() {
    let (before, after) =
        (in_summary(&jasper()), with(&in_summary(&indigo()), &[("/pointsSummary/lifetimePoints", json!(200.0))]));
    for event in [upgrade(), plain_upgrade()] {
        assert_eq!(by_events(&told_by("tierUpgraded", &event), Kind::Customer, &before, &after), TIER, "all but the points");
    }
}

#[test]
fn a_downgrade_is_told_like_an_upgrade() {
    let mut event = upgrade();
    event["downgradedTierNumber"] = json!(1);
    event["previousTierNumber"] = json!(2.0);
    event["tierExpiryDate"] = json!("2117-04-29 00:00:00.0");
    let told = told_by("tierDowngraded", &event);
    assert_eq!(by_events(&told, Kind::Customer, &in_summary(&indigo()), &in_summary(&jasper())), TIER);
}

#[test]
fn another_tier_than_the_one_told_is_somebody_elses_change() {
    let told = told_by("tierUpgraded", &upgrade());
    let marigold = summary(3, "Marigold", "2126-01-09T23:59:59+05:30", ("", -1));
    assert!(by_events(&told, Kind::Customer, &in_summary(&jasper()), &in_summary(&marigold)).is_empty());
    let next_renamed = with(&in_summary(&indigo()), &[("/pointsSummary/nextSlab", json!("Ruby"))]);
    assert!(by_events(&told, Kind::Customer, &in_summary(&indigo()), &next_renamed).is_empty(), "the tier was known before");
}

#[test]
fn the_programme_must_be_the_one_told() {
    let told = told_by("tierUpgraded", &upgrade());
    let (before, after) = (in_programs(jasper(), jasper()), in_programs(indigo(), indigo()));
    let paths = by_events(&told, Kind::Customer, &before, &after);
    assert_eq!(paths.len(), TIER.len());
    assert!(paths.iter().all(|path| path.starts_with("/loyaltyProgramDetails/1/")), "{paths:?}");
    // Known by the id, not by the place.
    let mut reordered = after;
    reordered["loyaltyProgramDetails"].as_array_mut().unwrap().reverse();
    assert_eq!(by_events(&told, Kind::Customer, &before, &reordered), paths);
}

#[test]
fn the_summary_is_that_of_the_default_programme() {
    let of_another = with(&upgrade(), &[("/loyaltyProgramDetails/isDefault", json!(false))]);
    let told = told_by("tierUpgraded", &of_another);
    assert!(by_events(&told, Kind::Customer, &in_summary(&jasper()), &in_summary(&indigo())).is_empty());
    assert!(at_first_sight(&told, Kind::Customer, &in_summary(&indigo())).is_empty());
    assert!(!at_first_sight(&told, Kind::Customer, &in_programs(jasper(), indigo())).is_empty());
}

#[test]
fn an_expiry_is_compared_by_day() {
    let before = in_summary(&jasper());
    let shown = |expiry: &str| with(&before, &[("/pointsSummary/slabExpiryDate", json!(expiry))]);
    let expiry = |date: Value, member: &str| told_by("tierRenewed", &json!({"currentTierNumber": 1, member: date}));
    for (date, member, is_it) in [
        (json!("2025-03-11"), "tierExpiryDate", true),
        (json!("2025-03-11 00:00:00.0"), "tierExpiryDate", true),
        (json!("2025-03-11T18:29:59.000+0000"), "tierExpiryDate", true),
        (json!(1_741_717_799_000_i64), "tierExpiryDateInMillis", true),
        (json!("2025-03-12"), "tierExpiryDate", false),
        (json!("idhbSxqfkkCmue"), "tierExpiryDate", false),
        (json!(1_741_717_800_000_i64), "tierExpiryDateInMillis", false),
    ] {
        let told = expiry(date.clone(), member);
        let paths = by_events(&told, Kind::Customer, &before, &shown("2025-03-11T23:59:59+05:30"));
        assert_eq!(paths.len(), usize::from(is_it), "{date}");
    }
}

#[test]
fn a_renewal_tells_no_other_tier() {
    let told = told_by("tierRenewed", &with(&upgrade(), &[("/currentTierNumber", json!(2))]));
    let paths = by_events(&told, Kind::Customer, &in_summary(&jasper()), &in_summary(&indigo()));
    assert_eq!(paths, ["/pointsSummary/slabExpiryDate"]);
    assert!(at_first_sight(&told, Kind::Customer, &in_summary(&indigo())).is_empty(), "nobody knows what it was before");
}

#[test]
fn at_first_sight_the_tier_is_told_by_number_and_by_name() {
    let expected = [json!(["/pointsSummary/currentSlab", "Jasper", "Indigo"]), json!(["/pointsSummary/slabSNo", 1, 2])];
    assert_eq!(at_first_sight(&told_by("tierUpgraded", &upgrade()), Kind::Customer, &in_summary(&indigo())), expected);
    let of_summary = at_first_sight(&told_by("tierUpgraded", &plain_upgrade()), Kind::Customer, &in_summary(&indigo()));
    assert_eq!(of_summary, [json!(["/pointsSummary/slabSNo", 1.0, 2])], "names are not told");
    let one_name = with(&upgrade(), &[("/loyaltyProgramDetails/tiers", json!([{"tierNumber": 2.0, "tierName": "Indigo"}]))]);
    let of_summary = at_first_sight(&told_by("tierUpgraded", &one_name), Kind::Customer, &in_summary(&indigo()));
    assert_eq!(of_summary, [json!(["/pointsSummary/slabSNo", 1, 2])], "it had another name, and not none");
    assert!(at_first_sight(&told_by("tierUpgraded", &upgrade()), Kind::Customer, &in_summary(&jasper())).is_empty());
}
