//! What an answer means, by its HTTP status and its body: errors arrive with 200, too (facts 4.3).

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::entity::{EntityRef, FetchFailure, Kind, Scope, Status};

/// What an answer means. It does not print: the body is somebody's data.
pub enum Answer {
    /// The entity.
    Found {
        /// The id in the answer, where it is another customer's: the one into whom the customer asked for was merged.
        survivor_id: Option<String>,
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

/// Codes that say that the entity does not exist, by kind (facts 4.5, 4.6).
const CUSTOMER_NOT_FOUND: [Code; 3] = [8015, 8065, 8013];
const TRANSACTION_NOT_FOUND: [Code; 6] = [602, 603, 607, 620, 667, 668];
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
/// This entity is busy: several actions on one customer at once; a ledger that is not complete yet.
const BUSY: [Code; 2] = [521, 11002];
/// Our own settings are wrong (source, account). As with a wrong key, a week of thin events would be worse than a wait.
const MISCONFIGURED: [Code; 6] = [8003, 8011, 8012, 8016, 8045, 8091];

/// Judges an answer to a call for one entity.
pub fn judge(asked: &EntityRef, status: StatusCode, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Answer {
    let later = |scope, cause: &str| {
        Answer::Later(FetchFailure { scope, retry_after_s: retry_after_s(headers, now_ms), cause: cause.to_owned() })
    };
    let http = status.as_u16();
    match http {
        401 => return Answer::Unauthorized,
        521 => return later(Scope::Entity, "521"),
        408 | 425 | 429 | 461 | 500.. => return later(Scope::Api, &http.to_string()),
        300..=399 => return later(Scope::Api, "redirect"),
        _ => {}
    }
    let Some(read) = Body::read(body) else {
        return match (http, body.is_empty()) {
            (403, _) => Answer::Final(Status::Forbidden),
            // An id that can be none is answered so (facts 4.5).
            (400, true) => Answer::Final(Status::NotFound),
            // Cut in the middle.
            _ if body.trim_ascii_start().starts_with(b"{") => later(Scope::Entity, "torn answer"),
            // No path of ours is unknown to the right host, and HTML comes from something before it.
            _ => later(Scope::Api, if body.is_empty() { "empty answer" } else { "unreadable answer" }),
        };
    };
    if read.errors.contains(&401) {
        return Answer::Unauthorized;
    }
    if read.codes().any(|code| BUSY.contains(&code)) {
        return later(Scope::Entity, "busy");
    }
    if let Some(code) = read.errors.iter().find(|code| (500..600).contains(*code) || [408, 429, 461, 4001].contains(*code)) {
        return later(Scope::Api, &code.to_string());
    }
    if let Some(code) = read.errors.iter().find(|code| MISCONFIGURED.contains(code)) {
        return later(Scope::Api, &format!("{code}: check the settings CAPILLARY_CUSTOMER_SOURCE and CAPILLARY_CUSTOMER_EMBED"));
    }
    if http == 403 || read.errors.contains(&NOT_AUTHORIZED) {
        return Answer::Final(Status::Forbidden);
    }
    if read.codes().any(|code| code == DELETED) {
        return Answer::Final(Status::Deleted);
    }
    if read.codes().any(|code| code == MERGED) {
        return Answer::Final(Status::Merged);
    }
    let not_found: &[Code] = match asked.kind {
        Kind::Customer => &CUSTOMER_NOT_FOUND,
        Kind::Transaction => &TRANSACTION_NOT_FOUND,
        Kind::Card | Kind::Group | Kind::Coupon | Kind::PointsLedger => &[],
    };
    if read.errors.iter().any(|code| not_found.contains(code)) {
        return Answer::Final(Status::NotFound);
    }
    if read.errors.contains(&UNREADABLE) {
        return later(Scope::Entity, "an error without a code");
    }
    if !read.errors.is_empty() {
        // A code that no page names: the request is understood and refused, so asking again gives the same.
        return Answer::Final(Status::NotFound);
    }
    if !status.is_success() {
        return later(Scope::Api, &http.to_string());
    }
    let is_survivor = asked.kind == Kind::Customer && read.warnings.contains(&SURVIVOR);
    match read.entity {
        Some((id, body)) if id == asked.id => Answer::Found { survivor_id: None, body },
        Some((id, body)) if is_survivor && id != "0" => Answer::Found { survivor_id: Some(id), body },
        Some(_) => later(Scope::Entity, "the answer is about another entity"),
        None => later(Scope::Entity, "answer without entity"),
    }
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
struct Body {
    entity: Option<(String, Box<RawValue>)>,
    errors: Vec<Code>,
    warnings: Vec<Code>,
}

impl Body {
    /// `None`: no JSON object.
    fn read(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?.trim();
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let mut errors = codes(members.get("errors").copied());
        errors.extend(v1_1_code(members.get("response").copied()));
        // The entity is the answer itself, or stands under a name.
        let candidates =
            [Some(text), members.get("entity").map(|value| value.get()), members.get("data").map(|value| value.get())];
        let entity = candidates.into_iter().flatten().find_map(with_id);
        Some(Self { entity, errors, warnings: codes(members.get("warnings").copied()) })
    }

    fn codes(&self) -> impl Iterator<Item = Code> {
        self.errors.iter().chain(&self.warnings).copied()
    }
}

fn with_id(text: &str) -> Option<(String, Box<RawValue>)> {
    #[derive(Deserialize)]
    struct Identified<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let identified: Identified<'_> = serde_json::from_str(text).ok()?;
    let id = identified.id.get().trim_matches('"').trim_end_matches(".0");
    let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Some((id.to_owned(), RawValue::from_string(text.to_owned()).ok()?))).flatten()
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

/// v1.1 carries the request's status in the body: `{"response": {"status": {"success": "false", "code": 401}}}`.
fn v1_1_code(response: Option<&RawValue>) -> Option<Code> {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow)]
        status: Outcome<'a>,
    }
    #[derive(Deserialize)]
    struct Outcome<'a> {
        #[serde(borrow)]
        code: &'a RawValue,
    }
    let response: Response<'_> = serde_json::from_str(response?.get()).ok()?;
    number(response.status.code).filter(|code| *code != 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, status: u16, body: &str) -> Answer {
        let asked = EntityRef { kind, id: "43865".to_owned(), types: &[] };
        judge(&asked, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), 0)
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
            assert!(matches!(of(Kind::Customer, 200, body), Answer::Found { survivor_id: None, .. }), "{body}");
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
        assert!(matches!(of(Kind::Customer, 200, merged), Answer::Found { survivor_id: Some(id), .. } if id == "7"));
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
        assert!(entity(&of(Kind::Customer, 200, r#"{"data":[],"warnings":[{"code":11002}],"errors":[]}"#)));
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
