//! What an answer means, by its HTTP status and its body: errors arrive with 200, too (facts 4.3).

mod body;

use http::{HeaderMap, StatusCode, header};
use serde_json::value::RawValue;

use crate::{
    clock::from_http_date,
    entity::{EntityRef, FetchFailure, Kind, Scope, Status},
};
use body::{Body, Found, UNREADABLE};

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
    /// The customer is merged into the one with this id, of whom the answer has no more than that.
    Elsewhere(String),
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
            Self::Elsewhere(_) => Status::Merged.as_str(),
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
/// The credentials' access group lacks the resource.
const NOT_AUTHORIZED: [Code; 2] = [403, 4000];
/// The API as a whole is in trouble, or does not know what is asked of it.
const IN_TROUBLE: [Code; 6] = [404, 408, 415, 429, 461, 4001];
/// A transaction could not be retrieved; of other kinds it is the API that could not (facts 4.3, 4.6).
const NOT_RETRIEVED: Code = 500;
/// Several actions on this customer at once.
const BUSY: Code = 521;
/// The ledger is not complete yet for these events.
const NOT_READY: Code = 11002;
/// Our own settings are wrong (source, account). As with a wrong key, a week of thin events would be worse than a wait.
const MISCONFIGURED: [Code; 6] = [8003, 8011, 8012, 8016, 8045, 8091];

/// Judges an answer to a call for entities of one kind: what it means for each, in their order.
pub fn judge(asked: &[EntityRef], status: StatusCode, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Vec<Answer> {
    let Some(kind) = asked.first().map(|first| first.kind) else { return Vec::new() };
    let retry_after_s = retry_after_s(headers, now_ms);
    let later = |scope, cause: &str| Answer::Later(FetchFailure { scope, retry_after_s, cause: cause.to_owned() });
    let is_alone = asked.len() == 1;
    match read(kind, status, body, &later) {
        Ok(read) => asked.iter().map(|asked| about(&read, asked, is_alone, status, &later)).collect(),
        Err(answer) => vec![answer; asked.len()],
    }
}

/// Reads an answer; where it says something that goes for all that was asked, that.
fn read<'a>(kind: Kind, status: StatusCode, body: &'a [u8], later: &impl Fn(Scope, &str) -> Answer) -> Result<Body<'a>, Answer> {
    let http = status.as_u16();
    match http {
        401 => return Err(Answer::Unauthorized),
        521 => return Err(later(Scope::Entity, "521")),
        408 | 425 | 429 | 461 | 500.. => return Err(later(Scope::Api, &http.to_string())),
        300..=399 => return Err(later(Scope::Api, "redirect")),
        _ => {}
    }
    let Some(read) = Body::read(body) else {
        return Err(match (http, body.trim_ascii().is_empty()) {
            (403, _) => Answer::Final(Status::Forbidden),
            // An id that can be none is answered so (facts 4.5).
            (400, true) => Answer::Final(Status::NotFound),
            // What is wrong with one request says nothing of others.
            (400, false) => later(Scope::Entity, "400"),
            // Cut in the middle.
            _ if body.trim_ascii_start().starts_with(b"{") => later(Scope::Entity, "torn answer"),
            // No path of ours is unknown to the right host, and HTML comes from something before it.
            (_, is_empty) => later(Scope::Api, if is_empty { "empty answer" } else { "unreadable answer" }),
        });
    };
    if read.errors.contains(&401) {
        return Err(Answer::Unauthorized);
    }
    if read.codes().any(|code| code == NOT_READY) {
        return Err(later(Scope::NotReady, "not ready"));
    }
    if read.codes().any(|code| code == BUSY) || (kind == Kind::Transaction && read.errors.contains(&NOT_RETRIEVED)) {
        return Err(later(Scope::Entity, "busy"));
    }
    if let Some(code) = read.errors.iter().find(|code| (500..600).contains(*code) || IN_TROUBLE.contains(code)) {
        return Err(later(Scope::Api, &code.to_string()));
    }
    if let Some(code) = read.errors.iter().find(|code| MISCONFIGURED.contains(code)) {
        let advice = "check the settings CAPILLARY_CUSTOMER_SOURCE and CAPILLARY_CUSTOMER_EMBED";
        return Err(later(Scope::Org, &format!("{code}: {advice}")));
    }
    if http == 403 || read.errors.iter().any(|code| NOT_AUTHORIZED.contains(code)) {
        return Err(Answer::Final(Status::Forbidden));
    }
    Ok(read)
}

/// What an answer means for an entity, of those that were asked for or the only one.
fn about(
    read: &Body<'_>,
    asked: &EntityRef,
    is_alone: bool,
    status: StatusCode,
    later: &impl Fn(Scope, &str) -> Answer,
) -> Answer {
    let is_merged = read.codes().any(|code| code == MERGED);
    let found = match read.find(asked, is_alone, is_merged || read.warnings.contains(&SURVIVOR)) {
        // Of several, each is answered for itself.
        Some(Found { answered_id, text }) if !is_alone || read.has_items => return found(answered_id, text, later),
        found => found,
    };
    if read.codes().any(|code| code == DELETED) {
        return Answer::Final(Status::Deleted);
    }
    if is_merged {
        return match found {
            Some(Found { answered_id: Some(id), text }) if body::has_profiles(text) => self::found(Some(id), text, later),
            Some(Found { answered_id: Some(id), .. }) => Answer::Elsewhere(id),
            _ => Answer::Final(Status::Merged),
        };
    }
    let unknown: &[Code] = match asked.kind {
        Kind::Customer => &CUSTOMER_NOT_FOUND,
        Kind::Transaction => &TRANSACTION_NOT_FOUND,
        Kind::PointsLedger => &LEDGER_NOT_FOUND,
        Kind::Card | Kind::Group | Kind::Coupon => &[],
    };
    // The ledger says so among its warnings, too (facts 4.3).
    let told = if asked.kind == Kind::PointsLedger { &[&read.errors, &read.warnings][..] } else { &[&read.errors] };
    if told.iter().copied().flatten().any(|code| unknown.contains(code)) {
        return Answer::Final(Status::NotFound);
    }
    if read.errors.contains(&UNREADABLE) {
        return later(Scope::Entity, "an error without a code");
    }
    if !read.errors.is_empty() {
        // A code that no page names: the request is understood and refused, so asking again gives the same.
        return Answer::Final(Status::NotFound);
    }
    match status.as_u16() {
        _ if status.is_success() => {}
        400 => return later(Scope::Entity, "400"),
        http => return later(Scope::Api, &http.to_string()),
    }
    match found {
        Some(Found { answered_id, text }) => self::found(answered_id, text, later),
        None if read.has_list && is_listed(asked.kind) => Answer::Final(Status::NotFound),
        None if read.names_any(asked.kind) => later(Scope::Entity, "the answer is about another entity"),
        None => later(Scope::Entity, "answer without entity"),
    }
}

fn found(answered_id: Option<String>, text: &str, later: &impl Fn(Scope, &str) -> Answer) -> Answer {
    match RawValue::from_string(text.to_owned()) {
        Ok(body) => Answer::Found { answered_id, body },
        Err(_) => later(Scope::Entity, "unreadable entity"),
    }
}

/// Whether answers for it are lists of what was found.
const fn is_listed(kind: Kind) -> bool {
    matches!(kind, Kind::Group | Kind::Coupon | Kind::PointsLedger)
}

/// `Retry-After` in seconds from now, given as seconds or as a date (RFC 9110 section 10.2.3).
pub fn retry_after_s(headers: &HeaderMap, now_ms: i64) -> Option<u32> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    u32::try_from((from_http_date(text)? - now_ms / 1000).max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::By;

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
        for code in ["4001", "500", "429"] {
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
    fn both_are_told_where_somebody_was_merged() {
        let survivor = r#"{"id":7,"profiles":[{"firstName":"A"}],"warnings":[{"code":8069}]}"#;
        assert!(matches!(of(Kind::Customer, 200, survivor), Answer::Found { answered_id: Some(id), .. } if id == "7"));
        let hint = r#"{"id":7,"profiles":[],"warnings":[{"code":8069}]}"#;
        assert!(matches!(of(Kind::Customer, 200, hint), Answer::Elsewhere(id) if id == "7"));
        let stub = r#"{"id":43865,"profiles":[],"warnings":[{"code":8069}]}"#;
        assert!(matches!(of(Kind::Customer, 200, stub), Answer::Final(Status::Merged)));
    }

    #[test]
    fn what_says_nothing_is_no_error_and_ids_come_in_every_form() {
        for nothing in ["{}", "[]", "\"\"", "false", "0", "null", "[null]", "[{}]"] {
            let body = format!(r#"{{"id":43865,"errors":{nothing},"warnings":{nothing}}}"#);
            assert!(matches!(of(Kind::Customer, 200, &body), Answer::Found { .. }), "{body}");
        }
        for id in ["43865", "43865.0", "43865.00", "4.3865E4", "\"43865\"", "\" 43865 \"", "\"043865\""] {
            assert!(
                matches!(of(Kind::Customer, 200, &format!(r#"{{"id":{id}}}"#)), Answer::Found { answered_id: None, .. }),
                "{id}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_one_request_says_nothing_of_others() {
        let scope = |kind, http, body: &str| match of(kind, http, body) {
            Answer::Later(failure) => Some(failure.scope),
            _ => None,
        };
        for body in ["<html>", "{}"] {
            assert_eq!(scope(Kind::Customer, 400, body), Some(Scope::Entity), "{body}");
        }
        assert!(matches!(of(Kind::Customer, 400, "\n"), Answer::Final(Status::NotFound)));
        assert_eq!(scope(Kind::Transaction, 200, &errors("500")), Some(Scope::Entity));
        assert_eq!(scope(Kind::Customer, 200, &errors("500")), Some(Scope::Api));
        assert_eq!(scope(Kind::Customer, 200, &errors("8012")), Some(Scope::Org));
        for code in ["404", "415"] {
            assert_eq!(scope(Kind::Customer, 200, &errors(code)), Some(Scope::Api));
        }
        assert!(matches!(of(Kind::Customer, 200, &errors("403")), Answer::Final(Status::Forbidden)));
    }

    #[test]
    fn coupons_without_ids_are_known_by_their_codes() {
        let coupon = |id: &str, code: &str| EntityRef {
            by: By::Code { code: Some(code.to_owned()), customer_id: None },
            ..asked(Kind::Coupon, id)
        };
        let body = r#"{"data":[{"code":"B"},{"code":"A"}],"errors":[{"code":777}]}"#;
        let answers = all(&[coupon("1", "a"), coupon("2", "B"), coupon("3", "C")], 200, body);
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
        let two = r#"{"response":{"status":{"success":"true","code":201},"customers":{"customer":[{"user_id":43865,"item_status":{"success":"true","code":1000}},{"item_status":{"success":"false","code":1012}}]}}}"#;
        assert!(matches!(of(Kind::Customer, 200, two), Answer::Found { answered_id: None, .. }));
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
