//! Tier events: a customer's tier in a programme before and after (facts 2.5), and where she shows it: in `pointsSummary`
//! (`embed=points`), which is about one programme and does not say which, and in `loyaltyProgramDetails` (`embed=mlp`).

use serde_json::Value;

use super::{
    FieldKind, Told, elements,
    events::{member, value},
    same::{same, same_day},
};
use crate::{change::Change, entity::Kind, event::Event};

const SUMMARY: &str = "/pointsSummary";
const PROGRAMS: &str = "/loyaltyProgramDetails";
const NUMBER: &str = "slabSNo";
const NAME: &str = "currentSlab";
/// The second one is the twin that takes the first one's place in newer answers.
const EXPIRY: [&str; 2] = ["slabExpiryDate", "slabExpiryDateISO"];
/// What a tier brings along: its name, and which one comes next.
const BROUGHT_ALONG: [&str; 4] = [NAME, "nextSlab", "nextSlabDescription", "nextSlabSerialNumber"];
const PROGRAM_ID: &str = "programId";
const IS_DEFAULT: &str = "isDefault";

pub(super) fn upgraded(event: &Event<'_>) -> Vec<Told> {
    changed(event, "upgradedTierNumber")
}

pub(super) fn downgraded(event: &Event<'_>) -> Vec<Told> {
    changed(event, "downgradedTierNumber")
}

/// The tier is as before, only longer.
pub(super) fn renewed(event: &Event<'_>) -> Vec<Told> {
    expiry(event, &program(event)).into_iter().collect()
}

fn changed(event: &Event<'_>, current_member: &str) -> Vec<Told> {
    let element = program(event);
    let tier = |field, previous, current| Told {
        element: element.clone(),
        ..Told::by_event(Kind::Customer, FieldKind::Tier, field, previous, current)
    };
    let (previous, current) = (value(event, "previousTierNumber"), value(event, current_member));
    let (previous_name, current_name) = (tier_name(event, previous.as_ref()), tier_name(event, current.as_ref()));
    let mut told = Vec::from_iter(expiry(event, &element));
    if previous_name.is_some() && current_name.is_some() {
        told.push(tier(NAME, previous_name, current_name));
    }
    told.push(tier(NUMBER, previous, current));
    told
}

/// The end of the tier; its twin in milliseconds, where the text is gone.
fn expiry(event: &Event<'_>, element: &[(&'static str, Value)]) -> Option<Told> {
    let date = value(event, "tierExpiryDate").or_else(|| value(event, "tierExpiryDateInMillis"))?;
    let [field, _] = EXPIRY;
    Some(Told { element: element.to_vec(), ..Told::by_event(Kind::Customer, FieldKind::TierExpiry, field, None, Some(date)) })
}

/// Which programme it is, and whether it is the org's default one.
fn program(event: &Event<'_>) -> Vec<(&'static str, Value)> {
    let details = value(event, "loyaltyProgramDetails").unwrap_or_default();
    let id = value(event, "loyaltyProgramId").or_else(|| member(&details, "id"));
    let is_default = member(&details, IS_DEFAULT);
    [(PROGRAM_ID, id), (IS_DEFAULT, is_default)].into_iter().filter_map(|(member, value)| Some((member, value?))).collect()
}

/// The events give numbers only; the names stand beside, in some.
fn tier_name(event: &Event<'_>, number: Option<&Value>) -> Option<Value> {
    let details = value(event, "loyaltyProgramDetails")?;
    let is_meant = |tier: &&Value| number.zip(tier.get("tierNumber")).is_some_and(|(told, found)| same(told, found));
    member(elements::of(&details, "/tiers").iter().find(is_meant)?, "tierName")
}

/// The tier's number or name, where it is the one that is told.
pub(super) fn shown_at(told: &Told, body: &Value) -> Vec<String> {
    let fits =
        |program: &Value| told.current.as_ref().zip(program.get(&told.field)).is_some_and(|(told, found)| same(told, found));
    let place = |(place, program): (String, &Value)| fits(program).then(|| format!("{place}/{}", told.field));
    programs(told, body).into_iter().filter_map(place).collect()
}

/// Whether a difference is one of the tier that is told, comes with it, or is its expiry.
///
/// Expiries are compared by day: the event has no more, where the entity has the last second of it with an offset.
pub(super) fn explains(told: &Told, change: &Change, before: &Value, after: &Value) -> bool {
    programs(told, before).iter().any(|(place, old)| {
        let Some(member) = change.path.strip_prefix(place.as_str()).and_then(|path| path.strip_prefix('/')) else { return false };
        let fits = |found: Option<&Value>, same: fn(&Value, &Value) -> bool| {
            told.current.as_ref().zip(found).is_some_and(|(told, found)| same(told, found))
        };
        match told.kind {
            FieldKind::TierExpiry => EXPIRY.contains(&member) && fits(change.after.as_ref(), same_day),
            _ if member == told.field => fits(change.after.as_ref(), same),
            // Only with its number it is the tier that is told.
            _ if told.field == NUMBER && BROUGHT_ALONG.contains(&member) => {
                let new = programs(told, after).into_iter().find(|(new, _)| (new == SUMMARY) == (place == SUMMARY));
                fits(new.and_then(|(_, new)| new.get(NUMBER)), same) && !fits(old.get(NUMBER), same)
            }
            _ => false,
        }
    })
}

/// Where a body shows the programme that is told, and what.
fn programs<'a>(told: &Told, body: &'a Value) -> Vec<(String, &'a Value)> {
    // The summary does not say whose it is: it is taken for the default programme's, and so is an event that does not say either.
    let is_other = told.told_member(IS_DEFAULT) == Some(&Value::Bool(false));
    let summary = body.pointer(SUMMARY).filter(|summary| !is_other && told.may_be(summary, PROGRAM_ID));
    let is_meant = |program: &Value| {
        told.told_member(PROGRAM_ID).zip(program.get(PROGRAM_ID)).is_some_and(|(told, found)| same(told, found))
    };
    let listed = elements::of(body, PROGRAMS).iter().enumerate().find(|(_, program)| is_meant(program));
    let listed = listed.map(|(index, program)| (format!("{PROGRAMS}/{index}"), program));
    summary.map(|summary| (SUMMARY.to_owned(), summary)).into_iter().chain(listed).collect()
}
