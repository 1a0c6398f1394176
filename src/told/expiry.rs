//! Events about other expiry dates of points (facts 2.4), and where a customer shows these dates: in `expirySchedules` and
//! `promotionalPoints`, if she is asked for with these parts. Without them nothing is told.

use serde_json::Value;

use super::{
    FieldKind, Told, elements,
    events::{list, member, value},
    same::same_day,
};
use crate::{
    change::{Change, Op},
    entity::Kind,
    event::Event,
};

const LISTS: [&str; 4] = [
    "/expirySchedules",
    "/promotionalPoints/customerPromotionType",
    "/promotionalPoints/transactionPromotionType",
    "/promotionalPoints/lineitemPromotionType",
];
/// The second one is the twin that takes the first one's place in newer answers.
const DATES: [&str; 2] = ["expiryDate", "expiryDateISO"];
const PROGRAM_ID: &str = "programId";
const POINTS: &str = "points";

/// What a `singlePointsExpiryUpdated` tells.
pub(super) fn single(event: &Event<'_>) -> Vec<Told> {
    let dates = list(event, "updatedPointsExpiry");
    dates.iter().map(|points| told(points, "oldExpiryDate", member(points, PROGRAM_ID))).collect()
}

/// What a `pointsExpiryChange` tells.
pub(super) fn batch(event: &Event<'_>) -> Vec<Told> {
    let program_id = value(event, "loyaltyProgramDetails").and_then(|program| member(&program, "id"));
    let dates = list(event, "updatedPointsExpiryBreakup");
    dates.iter().map(|points| told(points, "pointsPreviousExpiryDate", program_id.clone())).collect()
}

fn told(points: &Value, previous: &str, program_id: Option<Value>) -> Told {
    // The texts are to go away; their twins in milliseconds stay.
    let date = |name: &str| member(points, name).or_else(|| member(points, &format!("{name}InMillis")));
    let element = [(PROGRAM_ID, program_id), (POINTS, member(points, POINTS))];
    let element = element.into_iter().filter_map(|(member, value)| Some((member, value?))).collect();
    let [field, _] = DATES;
    let (previous, current) = (date(previous), date("newExpiryDate"));
    Told { element, ..Told::by_event(Kind::Customer, FieldKind::PointsExpiry, field, previous, current) }
}

/// The date that is told, where only one element of a list can be meant: others may have had that date before.
pub(super) fn shown_at(told: &Told, body: &Value) -> Vec<String> {
    let shown = |element: &Value, date: &str| is_day(told.current.as_ref(), element.get(date));
    let only = LISTS.iter().filter_map(|list| {
        let meant = elements::of(body, list).iter().enumerate();
        let meant = meant.filter(|(_, element)| told.may_be_in(element) && DATES.iter().any(|date| shown(element, date)));
        elements::only(meant).map(|(index, element)| (format!("{list}/{index}"), element))
    });
    only.flat_map(|(place, element)| {
        let dates = DATES.into_iter().filter(|date| shown(element, date)).collect::<Vec<_>>();
        dates.into_iter().map(move |date| format!("{place}/{date}"))
    })
    .collect()
}

/// Whether a difference is a date that went from the day that is told to the other one, or points that come or go with these days. What
/// points are added up in one element is not told.
pub(super) fn explains(told: &Told, change: &Change, before: &Value) -> bool {
    LISTS.iter().filter_map(|list| elements::touched(change, list, before)).any(|(element, member)| {
        let has = |day: &Option<Value>| DATES.iter().any(|date| is_day(day.as_ref(), element.get(*date)));
        match (member, change.op) {
            (Some(member), Op::Replace) => {
                DATES.contains(&member)
                    && told.may_be(element, PROGRAM_ID)
                    && is_day(told.previous.as_ref(), change.before.as_ref())
                    && is_day(told.current.as_ref(), change.after.as_ref())
            }
            (None, Op::Add) => told.may_be_in(element) && has(&told.current),
            (None, Op::Remove) => told.may_be_in(element) && has(&told.previous),
            _ => false,
        }
    })
}

fn is_day(told: Option<&Value>, found: Option<&Value>) -> bool {
    told.zip(found).is_some_and(|(told, found)| same_day(told, found))
}
