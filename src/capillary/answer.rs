//! What an answer means, by its HTTP status and its body: errors arrive with 200, too (facts 4.3).

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{
    entity::{By, EntityRef, FetchFailure, Kind, Scope, Status},
    event::elements,
};

/// What an answer means for an entity. It does not print: the body is somebody's data.
#[derive(Clone)]
pub enum Answer {
    /// The entity.
    Found {
        /// The id in the answer, where it is another than that of the call: of the customer into whom the one asked for was merged, or of
        /// a card asked for by its number.
        answered_id: Option<String>,
        /// The entity as answered.
        body: Box<RawValue>,
    },
    /// There is no body to be had, and asking again won't change that.
    Final(Status),
    /// The token is not good (any more).
    Unauthorized,
    /// It may be different later.
    Later(FetchFailure),
}

impl Answer {
    /// The word for it in metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Final(status) => status.as_str(),
            Self::Unauthorized => UNAUTHORIZED,
            Self::Later(_) => LATER,
        }
    }
}

/// The word for a call that may have another answer later, also where there was none.
pub(super) const LATER: &str = "later";
/// The word for a token that is refused.
pub(super) const UNAUTHORIZED: &str = "unauthorized";

/// A code in `errors[]` or `warnings[]`, or in v1.1's `response.status`.
type Code = i64;

/// Codes that say that the entity does not exist, by kind (facts 4.5, 4.6, 4.8).
const CUSTOMER_NOT_FOUND: [Code; 3] = [8015, 8065, 8013];
const TRANSACTION_NOT_FOUND: [Code; 6] = [602, 603, 607, 620, 667, 668];
const LEDGER_NOT_FOUND: [Code; 2] = [11003, 11016];
/// The customer is deleted on request.
const DELETED: Code = 8109;
/// The customer is merged into another one.
const MERGED: Code = 8069;
/// The answer is the customer into whom the one asked for was merged.
const SURVIVOR: Code = 91009;
/// Stands for an error whose code can't be read.
const UNREADABLE: Code = 0;
/// The credentials' access group lacks the resource.
const NOT_AUTHORIZED: Code = 4000;
/// Several actions on this customer at once.
const BUSY: Code = 521;
/// The ledger is not complete yet for these events.
const NOT_READY: Code = 11002;
/// Our own settings are wrong (source, account). As with a wrong key, a week of thin events would be worse than a wait.
const MISCONFIGURED: [Code; 6] = [8003, 8011, 8012, 8016, 8045, 8091];

/// Judges an answer to a call for entities of one kind: what it means for each, in their order.
pub fn judge(asked: &[EntityRef], status: StatusCode, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Vec<Answer> {
    let retry_after_s = retry_after_s(headers, now_ms);
    let later = |scope, cause: &str| Answer::Later(FetchFailure { scope, retry_after_s, cause: cause.to_owned() });
    let is_alone = asked.len() == 1;
    match read(status, body, &later) {
        Ok(read) => asked.iter().map(|asked| read.about(asked, is_alone, status, &later)).collect(),
        Err(answer) => vec![answer; asked.len()],
    }
}

/// Reads an answer; where it says something that goes for all that was asked, that.
fn read<'a>(status: StatusCode, body: &'a [u8], later: &impl Fn(Scope, &str) -> Answer) -> Result<Body<'a>, Answer> {
    let http = status.as_u16();
    match http {
        401 => return Err(Answer::Unauthorized),
        521 => return Err(later(Scope::Entity, "521")),
        408 | 425 | 429 | 461 | 500.. => return Err(later(Scope::Api, &http.to_string())),
        300..=399 => return Err(later(Scope::Api, "redirect")),
        _ => {}
    }
    let Some(read) = Body::read(body) else {
        return Err(match (http, body.is_empty()) {
            (403, _) => Answer::Final(Status::Forbidden),
            // An id that can be none is answered so (facts 4.5).
            (400, true) => Answer::Final(Status::NotFound),
            // Cut in the middle.
            _ if body.trim_ascii_start().starts_with(b"{") => later(Scope::Entity, "torn answer"),
            // No path of ours is unknown to the right host, and HTML comes from something before it.
            _ => later(Scope::Api, if body.is_empty() { "empty answer" } else { "unreadable answer" }),
        });
    };
    if read.errors.contains(&401) {
        return Err(Answer::Unauthorized);
    }
    if read.codes().any(|code| code == NOT_READY) {
        return Err(later(Scope::NotReady, "not ready"));
    }
    if read.codes().any(|code| code == BUSY) {
        return Err(later(Scope::Entity, "busy"));
    }
    if let Some(code) = read.errors.iter().find(|code| (500..600).contains(*code) || [408, 429, 461, 4001].contains(*code)) {
        return Err(later(Scope::Api, &code.to_string()));
    }
    if let Some(code) = read.errors.iter().find(|code| MISCONFIGURED.contains(code)) {
        let advice = "check the settings CAPILLARY_CUSTOMER_SOURCE and CAPILLARY_CUSTOMER_EMBED";
        return Err(later(Scope::Api, &format!("{code}: {advice}")));
    }
    if http == 403 || read.errors.contains(&NOT_AUTHORIZED) {
        return Err(Answer::Final(Status::Forbidden));
    }
    Ok(read)
}

/// `Retry-After` in seconds from now, given as seconds or as a date (RFC 9110 section 10.2.3).
pub fn retry_after_s(headers: &HeaderMap, now_ms: i64) -> Option<u32> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    u32::try_from((date.unix_timestamp() - now_ms / 1000).max(0)).ok()
}

/// What counts of a body of any of the APIs.
struct Body<'a> {
    /// What may be an entity: the answer itself, what stands under one of the names, or an element of a list there.
    candidates: Vec<&'a str>,
    /// Whether there is a list of what was found, so that what is not in it was not.
    has_list: bool,
    errors: Vec<Code>,
    warnings: Vec<Code>,
}

/// Under which names entities stand, besides on top.
const NAMES: [&str; 3] = ["entity", "data", "events"];

impl<'a> Body<'a> {
    /// `None`: no JSON object.
    fn read(body: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?.trim();
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let mut read = Self {
            candidates: vec![text],
            has_list: false,
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

    fn codes(&self) -> impl Iterator<Item = Code> {
        self.errors.iter().chain(&self.warnings).copied()
    }

    /// What it means for an entity, of those that were asked for or the only one.
    fn about(&self, asked: &EntityRef, is_alone: bool, status: StatusCode, later: &impl Fn(Scope, &str) -> Answer) -> Answer {
        // Of several, each is answered for itself.
        let found = self.find(asked, is_alone);
        if let (Some((answered_id, body)), false) = (&found, is_alone) {
            return Answer::Found { answered_id: answered_id.clone(), body: body.clone() };
        }
        if self.codes().any(|code| code == DELETED) {
            return Answer::Final(Status::Deleted);
        }
        if self.codes().any(|code| code == MERGED) {
            return Answer::Final(Status::Merged);
        }
        let unknown: &[Code] = match asked.kind {
            Kind::Customer => &CUSTOMER_NOT_FOUND,
            Kind::Transaction => &TRANSACTION_NOT_FOUND,
            Kind::PointsLedger => &LEDGER_NOT_FOUND,
            Kind::Card | Kind::Group | Kind::Coupon => &[],
        };
        // The ledger says so among its warnings, too (facts 4.3).
        let told = if asked.kind == Kind::PointsLedger { &[&self.errors, &self.warnings][..] } else { &[&self.errors] };
        if told.iter().copied().flatten().any(|code| unknown.contains(code)) {
            return Answer::Final(Status::NotFound);
        }
        if self.errors.contains(&UNREADABLE) {
            return later(Scope::Entity, "an error without a code");
        }
        if !self.errors.is_empty() {
            // A code that no page names: the request is understood and refused, so asking again gives the same.
            return Answer::Final(Status::NotFound);
        }
        if !status.is_success() {
            return later(Scope::Api, &status.as_u16().to_string());
        }
        match found {
            Some((answered_id, body)) => Answer::Found { answered_id, body },
            None if self.has_list && is_listed(asked.kind) => Answer::Final(Status::NotFound),
            None if self.candidates.iter().any(|text| id_in(asked.kind, text).is_some()) => {
                later(Scope::Entity, "the answer is about another entity")
            }
            None => later(Scope::Entity, "answer without entity"),
        }
    }

    /// The entity, with its id where that is another one.
    fn find(&self, asked: &EntityRef, is_alone: bool) -> Option<(Option<String>, Box<RawValue>)> {
        let identified = || self.candidates.iter().filter_map(|text| Some((id_in(asked.kind, text)?, *text)));
        let (answered_id, text) = match asked.kind {
            // A card is asked for by its number, so that whatever it is called is it.
            Kind::Card => {
                let (id, text) = identified().find(|(id, _)| id != "0")?;
                (Some(id).filter(|id| !asked.is_identified() || *id != asked.id), text)
            }
            _ => match identified().find(|(id, _)| *id == asked.id) {
                Some((_, text)) => (None, text),
                None if asked.kind == Kind::Customer && self.warnings.contains(&SURVIVOR) => {
                    identified().find(|(id, _)| id != "0").map(|(id, text)| (Some(id), text))?
                }
                None if asked.kind == Kind::Coupon => (None, self.coupon_without_id(asked, is_alone)?),
                None => return None,
            },
        };
        Some((answered_id, RawValue::from_string(text.to_owned()).ok()?))
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
            By::Code(code) => code.as_deref(),
            _ => None,
        };
        let by_code = nameless().find(|(code, _)| Some(code.as_str()) == told);
        let only = || nameless().next().filter(|_| is_alone && nameless().count() == 1);
        by_code.or_else(only).map(|(_, text)| text)
    }
}

/// Whether answers for it are lists of what was found.
const fn is_listed(kind: Kind) -> bool {
    matches!(kind, Kind::Group | Kind::Coupon | Kind::PointsLedger)
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
    ids.map(|id| id.get().trim_matches('"').trim_end_matches(".0"))
        .find(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
}

fn text_in(text: &str, member: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    serde_json::from_str(members.get(member)?.get()).ok()
}

/// The codes of `errors` or `warnings`: a list, one alone, or null.
fn codes(list: Option<&RawValue>) -> Vec<Code> {
    let Some(text) = list.map(RawValue::get).filter(|text| *text != "null") else { return Vec::new() };
    let entries = serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_else(|_| list.into_iter().collect());
    entries.into_iter().map(|entry| code(entry).unwrap_or(UNREADABLE)).collect()
}

fn code(entry: &RawValue) -> Option<Code> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        code: &'a RawValue,
    }
    let entry: Entry<'_> = serde_json::from_str(entry.get()).ok()?;
    number(entry.code)
}

/// A code as a number, an integral float, or the text of one.
fn number(code: &RawValue) -> Option<Code> {
    code.get().trim_matches('"').trim_end_matches(".0").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: Kind, id: &str) -> EntityRef {
        EntityRef { kind, id: id.to_owned(), by: By::Id }
    }

    fn of(kind: Kind, status: u16, body: &str) -> Answer {
        all(&[asked(kind, "43865")], status, body).remove(0)
    }

    fn all(asked: &[EntityRef], status: u16, body: &str) -> Vec<Answer> {
        judge(asked, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), 0)
    }

    fn body_of(answer: &Answer) -> Option<&str> {
        match answer {
            Answer::Found { body, .. } => Some(body.get()),
            _ => None,
        }
    }

    fn errors(code: &str) -> String {
        format!(r#"{{"warnings":[],"errors":[{{"status":false,"code":{code},"message":"m"}}]}}"#)
    }

    #[test]
    fn an_entity_is_found_at_the_top_or_under_a_name() {
        for body in [
            r#"{"id":43865,"profiles":[],"warnings":[]}"#,
            r#"{"entity":{"id":43865},"warnings":[],"errors":[]}"#,
            r#"{"data":{"id":"43865"},"errors":null}"#,
        ] {
            assert!(matches!(of(Kind::Customer, 200, body), Answer::Found { answered_id: None, .. }), "{body}");
        }
    }

    #[test]
    fn numbers_of_an_entity_keep_their_text() {
        let Answer::Found { body, .. } = of(Kind::Customer, 200, r#" {"id":43865.0, "p":1.10, "q":1E2}"#) else {
            panic!("not found")
        };
        assert_eq!(body.get(), r#"{"id":43865.0, "p":1.10, "q":1E2}"#);
    }

    #[test]
    fn another_customers_answer_is_the_survivors_only_if_it_says_so() {
        let merged = r#"{"id":7,"warnings":[{"code":91009,"message":"m"}]}"#;
        assert!(matches!(of(Kind::Customer, 200, merged), Answer::Found { answered_id: Some(id), .. } if id == "7"));
        for (kind, body) in [
            (Kind::Customer, r#"{"id":7,"warnings":[]}"#),
            (Kind::Customer, r#"{"id":0,"warnings":[{"code":91009}]}"#),
            (Kind::Transaction, merged),
        ] {
            assert!(matches!(of(kind, 200, body), Answer::Later(failure) if failure.scope == Scope::Entity), "{body}");
        }
    }

    #[test]
    fn an_error_that_cannot_be_read_says_nothing_of_the_entity() {
        for errors in
            [r#"[{"message":"Internal Server Error"}]"#, r#"["boom"]"#, r#"{"message":"m"}"#, r#""boom""#, r#"[{"code":"x"}]"#]
        {
            let body = format!(r#"{{"id":43865,"errors":{errors}}}"#);
            assert!(matches!(of(Kind::Customer, 200, &body), Answer::Later(failure) if failure.scope == Scope::Entity), "{body}");
        }
        assert!(matches!(of(Kind::Customer, 200, r#"{"errors":{"code":8015}}"#), Answer::Final(Status::NotFound)));
        assert!(matches!(of(Kind::Customer, 200, &errors("8015.0")), Answer::Final(Status::NotFound)));
    }

    #[test]
    fn what_is_final_is_final_with_any_http_status() {
        for http in [200, 400, 404] {
            for (kind, code, status) in [
                (Kind::Customer, "8015", Status::NotFound),
                (Kind::Customer, "8109", Status::Deleted),
                (Kind::Customer, "\"8109\"", Status::Deleted),
                (Kind::Customer, "8069", Status::Merged),
                (Kind::Transaction, "620", Status::NotFound),
                (Kind::Transaction, "4000", Status::Forbidden),
                (Kind::Customer, "77777", Status::NotFound),
            ] {
                assert!(matches!(of(kind, http, &errors(code)), Answer::Final(found) if found == status), "{http} {code}");
            }
        }
        assert!(matches!(of(Kind::Customer, 403, &errors("4000")), Answer::Final(Status::Forbidden)));
        assert!(matches!(of(Kind::Customer, 403, "<html>"), Answer::Final(Status::Forbidden)));
        assert!(matches!(of(Kind::Customer, 400, ""), Answer::Final(Status::NotFound)));
        let merged = r#"{"id":405846777,"profiles":[],"warnings":[{"code":8069,"message":"Customer is merged"}]}"#;
        assert!(matches!(of(Kind::Customer, 200, merged), Answer::Final(Status::Merged)));
    }

    #[test]
    fn what_may_pass_is_asked_again() {
        let api = |answer: &Answer| matches!(answer, Answer::Later(failure) if failure.scope == Scope::Api);
        let entity = |answer: &Answer| matches!(answer, Answer::Later(failure) if failure.scope == Scope::Entity);
        for (http, body) in [
            (429, ""),
            (500, "{}"),
            (503, "<html>"),
            (502, ""),
            (302, ""),
            (404, ""),
            (404, "<html>"),
            (200, ""),
            (200, "<html></html>"),
            (200, "null"),
        ] {
            assert!(api(&of(Kind::Customer, http, body)), "{http} {body}");
        }
        for code in ["4001", "500", "429", "8016"] {
            assert!(api(&of(Kind::Customer, 200, &errors(code))), "{code}");
        }
        for body in ["{}", r#"{"id":1,"prof"#, r#"{"entity":null}"#, r#"{"entity":null,"errors":[]}"#] {
            assert!(entity(&of(Kind::Customer, 200, body)), "{body}");
        }
        assert!(entity(&of(Kind::Customer, 521, "")));
        assert!(entity(&of(Kind::Customer, 200, &errors("521"))));
        for body in [
            r#"{"data":[],"warnings":[{"code":11002}],"errors":[]}"#,
            r#"{"events":[{"eventLogId":43865}],"warnings":[{"code":11002}]}"#,
        ] {
            let answer = of(Kind::PointsLedger, 200, body);
            assert!(matches!(answer, Answer::Later(failure) if failure.scope == Scope::NotReady), "{body}");
        }
    }

    #[test]
    fn of_a_list_each_gets_what_bears_its_id() {
        let asked = [asked(Kind::PointsLedger, "2"), asked(Kind::PointsLedger, "1"), asked(Kind::PointsLedger, "3")];
        let answers = all(&asked, 200, r#"{"events":[{"eventLogId":1,"n":1.10},{"eventLogId":"2"}],"warnings":[]}"#);
        assert_eq!(
            answers.iter().map(body_of).collect::<Vec<_>>(),
            [Some(r#"{"eventLogId":"2"}"#), Some(r#"{"eventLogId":1,"n":1.10}"#), None]
        );
        assert!(matches!(answers[2], Answer::Final(Status::NotFound)));
        for (kind, body) in [
            (Kind::Group, r#"{"data":[{"groupId":43865}],"errors":[]}"#),
            (Kind::Coupon, r#"{"data":[{"id":43865,"code":"A"},{"id":2,"code":"B"}],"errors":[]}"#),
            (Kind::Coupon, r#"{"data":[{"code":"A"}],"errors":[]}"#),
        ] {
            assert!(matches!(of(kind, 200, body), Answer::Found { answered_id: None, .. }), "{body}");
        }
        for (kind, body) in [
            (Kind::Group, r#"{"data":[],"errors":[]}"#),
            (Kind::PointsLedger, r#"{"events":[],"warnings":[{"code":11003}]}"#),
            (Kind::Coupon, r#"{"data":[{"code":"A"},{"code":"B"}],"errors":[]}"#),
        ] {
            assert!(matches!(of(kind, 200, body), Answer::Final(Status::NotFound)), "{body}");
        }
    }

    #[test]
    fn coupons_without_ids_are_known_by_their_codes() {
        let coupon = |id: &str, code: &str| EntityRef { by: By::Code(Some(code.to_owned())), ..asked(Kind::Coupon, id) };
        let body = r#"{"data":[{"code":"B"},{"code":"A"}],"errors":[{"code":777}]}"#;
        let answers = all(&[coupon("1", "A"), coupon("2", "B"), coupon("3", "C")], 200, body);
        assert_eq!(answers.iter().map(body_of).collect::<Vec<_>>(), [Some(r#"{"code":"A"}"#), Some(r#"{"code":"B"}"#), None]);
    }

    #[test]
    fn a_card_is_whatever_its_number_leads_to() {
        let card = EntityRef { by: By::NumberOnly("7".to_owned()), ..asked(Kind::Card, "7") };
        let body = r#"{"cardId":7,"customerId":9,"cardNumber":"7","id":7,"warnings":[]}"#;
        assert!(
            matches!(&all(std::slice::from_ref(&card), 200, body)[0], Answer::Found { answered_id: Some(id), .. } if id == "7")
        );
        assert!(matches!(&all(&[card], 200, &errors("9003"))[0], Answer::Final(Status::NotFound)));
    }

    #[test]
    fn in_an_old_frame_each_item_speaks_for_itself() {
        let frame = |request: &str, item: &str| {
            format!(
                r#"{{"response":{{"status":{{"success":"false","code":{request},"message":"m"}},"customers":{{"customer":[{{"id":"43865","item_status":{item}}}]}}}}}}"#
            )
        };
        let failed = |code: &str| format!(r#"{{"success":"false","code":"{code}"}}"#);
        assert!(matches!(of(Kind::Customer, 200, &frame("500", &failed("8109"))), Answer::Final(Status::Deleted)));
        assert!(matches!(of(Kind::Customer, 200, &frame("500", &failed("1012"))), Answer::Final(Status::NotFound)));
        let good = frame("201", r#"{"success":"true","code":1000}"#).replacen("false", "true", 1);
        assert!(matches!(of(Kind::Customer, 200, &good), Answer::Found { answered_id: None, .. }));
        let all_failed = r#"{"response":{"status":{"success":"false","code":500},"customers":{"customer":[]}}}"#;
        assert!(matches!(of(Kind::Customer, 200, all_failed), Answer::Later(failure) if failure.scope == Scope::Api));
    }

    #[test]
    fn a_token_that_is_no_good_is_told_in_the_status_or_in_the_body() {
        assert!(matches!(of(Kind::Customer, 401, ""), Answer::Unauthorized));
        assert!(matches!(
            of(Kind::Customer, 200, r#"{"response":{"status":{"success":"false","code":401,"message":"m"}}}"#),
            Answer::Unauthorized
        ));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let at =
            |value: &str| retry_after_s(&HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())]), 784_111_777_000);
        assert_eq!(at("3"), Some(3));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:07 GMT"), Some(0));
        assert_eq!(at("soon"), None);
    }
}
