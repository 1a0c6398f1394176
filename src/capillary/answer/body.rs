//! What is in an answer's body, in whatever frame: entities by their ids, and codes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Code;
use crate::{
    entity::{By, EntityRef, Kind},
    event::{self, elements},
};

/// Stands for an error whose code can't be read.
pub(super) const UNREADABLE: Code = 0;

/// An entity in an answer.
pub(super) struct Found<'a> {
    /// Its id, where it is another than that of the call.
    pub(super) answered_id: Option<String>,
    /// The entity as answered.
    pub(super) text: &'a str,
}

/// What counts of a body of any of the APIs.
pub(super) struct Body<'a> {
    /// What may be an entity: the answer itself, what stands under one of the names, or an element of a list there.
    candidates: Vec<&'a str>,
    /// Whether there is a list of what was found, so that what is not in it was not.
    pub(super) has_list: bool,
    /// Whether each item says for itself whether it was found, as v1.1 has it.
    pub(super) has_items: bool,
    pub(super) errors: Vec<Code>,
    pub(super) warnings: Vec<Code>,
}

/// Under which names entities stand, besides on top.
const NAMES: [&str; 3] = ["entity", "data", "events"];

impl<'a> Body<'a> {
    /// `None`: no JSON object.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?.trim();
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let mut read = Self {
            candidates: vec![text],
            has_list: false,
            has_items: false,
            errors: codes(members.get("errors").copied()),
            warnings: codes(members.get("warnings").copied()),
        };
        for value in NAMES.iter().filter_map(|name| members.get(*name)) {
            if value.get().starts_with('[') {
                read.has_list = true;
                read.candidates.extend(elements(value).into_iter().map(RawValue::get));
            } else {
                read.candidates.push(value.get());
            }
        }
        if let Some(response) = members.get("response") {
            read.v1_1(response);
        }
        Some(read)
    }

    /// v1.1 carries the request's status in the body, and each item's beside the item, with texts for booleans:
    /// `{"response": {"status": {"success": "false", "code": 500}, "customers": {"customer": [{"item_status": {…}}]}}}`.
    fn v1_1(&mut self, response: &'a RawValue) {
        #[derive(Deserialize)]
        struct Item<'a> {
            #[serde(borrow)]
            item_status: Outcome<'a>,
        }
        #[derive(Deserialize)]
        struct Outcome<'a> {
            #[serde(borrow)]
            success: &'a RawValue,
            #[serde(borrow)]
            code: &'a RawValue,
        }
        fn failure(outcome: &Outcome<'_>) -> Option<Code> {
            let is_good = outcome.success.get().trim_matches('"').eq_ignore_ascii_case("true");
            (!is_good).then(|| number(outcome.code).unwrap_or(UNREADABLE))
        }
        let Ok(mut parts) = serde_json::from_str::<BTreeMap<String, &'a RawValue>>(response.get()) else { return };
        let request = parts.remove("status").and_then(|status| serde_json::from_str::<Outcome<'_>>(status.get()).ok());
        let lists =
            parts.into_values().filter_map(|part| serde_json::from_str::<BTreeMap<String, &'a RawValue>>(part.get()).ok());
        let items = lists
            .flat_map(BTreeMap::into_values)
            .flat_map(|list| if list.get().starts_with('[') { elements(list) } else { vec![list] });
        let known = self.errors.len();
        for item in items {
            self.has_items = true;
            match serde_json::from_str::<Item<'_>>(item.get()).ok().and_then(|item| failure(&item.item_status)) {
                Some(code) => self.errors.push(code),
                None => self.candidates.push(item.get()),
            }
        }
        // «All failed» says less than what failed.
        if self.errors.len() == known {
            self.errors.extend(request.as_ref().and_then(failure).filter(|code| *code != 200));
        }
    }

    pub(super) fn codes(&self) -> impl Iterator<Item = Code> {
        self.errors.iter().chain(&self.warnings).copied()
    }

    /// Whether there is any entity of this kind.
    pub(super) fn names_any(&self, kind: Kind) -> bool {
        self.candidates.iter().any(|text| id_in(kind, text).is_some())
    }

    /// The entity, with its id where that is another one: of a card, or of a customer where the answer says that it is the one into whom
    /// the one asked for was merged.
    pub(super) fn find(&self, asked: &EntityRef, is_alone: bool, is_merged: bool) -> Option<Found<'a>> {
        let identified = || self.candidates.iter().filter_map(|text| Some((id_in(asked.kind, text)?, *text)));
        let (answered_id, text) = match asked.kind {
            // A card is asked for by its number, so that whatever it is called is it.
            Kind::Card => {
                let (id, text) = identified().next()?;
                (Some(id).filter(|id| !asked.is_identified() || *id != asked.id), text)
            }
            _ => match identified().find(|(id, _)| *id == asked.id) {
                Some((_, text)) => (None, text),
                None if asked.kind == Kind::Customer && is_merged => identified().next().map(|(id, text)| (Some(id), text))?,
                None if asked.kind == Kind::Coupon => (None, self.coupon_without_id(asked, is_alone)?),
                None => return None,
            },
        };
        Some(Found { answered_id, text })
    }

    /// Coupons are answered with their codes only: it is the one with the code that the event told, or the only one there.
    fn coupon_without_id(&self, asked: &EntityRef, is_alone: bool) -> Option<&'a str> {
        let nameless = || {
            self.candidates.iter().copied().filter_map(|text| {
                let code = text_in(text, "code")?;
                id_in(Kind::Coupon, text).is_none().then_some((code, text))
            })
        };
        let told = match &asked.by {
            By::Code { code, .. } => code.as_deref(),
            _ => None,
        };
        // The API writes codes in capitals, unless it is asked not to.
        let by_code = nameless().find(|(code, _)| told.is_some_and(|told| code.eq_ignore_ascii_case(told)));
        let only = || nameless().next().filter(|_| is_alone && nameless().count() == 1);
        by_code.or_else(only).map(|(_, text)| text)
    }
}

/// An entity's id, under any of the names that it has.
fn id_in(kind: Kind, text: &str) -> Option<String> {
    let names: &[&str] = match kind {
        Kind::Customer => &["id", "user_id"],
        Kind::Transaction => &["id"],
        Kind::Card => &["id", "cardId"],
        Kind::Group => &["groupId", "id"],
        Kind::Coupon => &["id", "couponId"],
        Kind::PointsLedger => &["eventLogId"],
    };
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let ids = names.iter().filter_map(|name| members.get(*name));
    ids.filter_map(|id| event::id(id)).next()
}

/// Whether a customer's body has what makes a customer, rather than being a mere hint.
pub(super) fn has_profiles(text: &str) -> bool {
    let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(text).ok();
    members.and_then(|members| members.get("profiles").map(|profiles| !event::elements(profiles).is_empty())).unwrap_or_default()
}

fn text_in(text: &str, member: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    serde_json::from_str(members.get(member)?.get()).ok()
}

/// The codes of `errors` or `warnings`: a list, or one alone. What says nothing is no error, in whichever form it says it.
fn codes(list: Option<&RawValue>) -> Vec<Code> {
    const NOTHING: [&str; 6] = ["null", "{}", "[]", "\"\"", "false", "0"];
    let entries = match list {
        Some(list) if list.get().starts_with('[') => elements(list),
        alone => alone.into_iter().collect(),
    };
    let told = entries.into_iter().filter(|entry| !NOTHING.contains(&entry.get()));
    told.map(|entry| event::member(entry, "code").and_then(number).unwrap_or(UNREADABLE)).collect()
}

/// A code as a number, an integral float, or the text of one.
fn number(code: &RawValue) -> Option<Code> {
    event::id(code)?.parse().ok()
}
