//! Capillary: reached, with credentials that are taken, by a clock that agrees, and with a right to each API that the enricher asks.

use capillary_events::{
    capillary::credentials::CredentialBook,
    entity::{By, EntityRef, Kind, Status, TransactionType},
    ports::Entities,
};
use futures_util::future::join_all;
use http::Method;

use super::{finding::Findings, orgs};
use crate::{
    capillary::{Answered, Capillary},
    context::Context,
    spans::duration,
};

const WHAT: &str = "Capillary";
/// An id that is nobody's, most likely: whether there is something under it does not matter.
const NOBODY: &str = "1";
/// Codes that say so of a customer (facts 4.5).
const NOBODY_THERE: [&str; 3] = ["8013", "8015", "8065"];
const WAIT: &str = "in an outage of Capillary's events wait, for 12 days; else ask Capillary";
/// Clocks further apart than this make AWS refuse signatures, and the enricher distrust times.
const CLOCKS_AGREE_WITHIN_S: i64 = 60;

/// With whose credentials Capillary was reached.
pub(super) async fn examine(context: &Context, credentials: &CredentialBook, findings: &mut Findings) -> Vec<Option<i64>> {
    let mut reached = Vec::new();
    let capillary = match Capillary::of(&context.deployment, &context.aws) {
        Ok(capillary) => capillary,
        Err(failure) => {
            findings.unknown(WHAT, &failure);
            return reached;
        }
    };
    for org_id in credentials.orgs() {
        let whose = orgs::whose(org_id, credentials);
        if examine_clock(&capillary, org_id, &whose, context.now_ms(), findings).await {
            reached.push(org_id);
            examine_apis(&capillary, org_id, &whose, findings).await;
        }
    }
    reached
}

/// One call, by which the credentials and the clock are seen; `false` if no other call makes sense.
async fn examine_clock(capillary: &Capillary, org_id: Option<i64>, whose: &str, now_ms: i64, findings: &mut Findings) -> bool {
    let query = [("entityType", "CUSTOMER"), ("entityId", NOBODY), ("limit", "1")];
    let answered = match capillary.call(org_id, Method::GET, &["api_gateway", "v2", "audits"], &query, None).await {
        Ok(answered) => answered,
        Err(failure) => {
            let remedy =
                "wrong credentials: capctl secrets set capillary; no answer: check CapillaryBaseUrl, and the way out of a VPC";
            findings.bad(WHAT, format!("the credentials{whose} bring nothing: {failure}"), remedy);
            return false;
        }
    };
    match trouble(&answered) {
        // Other calls may fare better: this log is a service of its own behind the same host.
        Some(trouble) => findings.bad(WHAT, format!("the audit log, asked with the credentials{whose}: {trouble}"), WAIT),
        None => findings.good(WHAT, format!("reached; the credentials{whose} are taken")),
    }
    if matches!(answered.status.as_u16(), 403 | 404) {
        let words = format!("the audit log is closed to the credentials{whose}: changes are told without what only it knows");
        findings.hint(WHAT, words, "ask Capillary for the resource `audits` in the API client's access group");
    }
    if let Some(theirs_s) = answered.date_s {
        let apart_s = (now_ms / 1000).saturating_sub(theirs_s).abs();
        if apart_s > CLOCKS_AGREE_WITHIN_S {
            let words = format!("this machine's clock and Capillary's are {} apart", duration(apart_s.saturating_mul(1000)));
            findings.hint(
                "clock",
                words,
                "set this machine's clock; functions go by AWS's, which you can compare with the dashboard's",
            );
        } else {
            findings.good("clock", "this machine's agrees with Capillary's");
        }
    }
    true
}

/// What an answer says of trouble at Capillary, or of credentials that are not good; none where it is an answer to the question. An
/// error may come with 200 (facts 4.3).
fn trouble(answered: &Answered) -> Option<String> {
    let is_an_answer = match answered.status.as_u16() {
        408 | 425 | 429 | 461 => false,
        // The call is refused as it is, by somebody who knows whose it is.
        400..=499 => true,
        200..=299 => answered.error_codes().iter().all(|code| NOBODY_THERE.contains(&code.as_str())),
        _ => false,
    };
    if is_an_answer { None } else { answered.error() }
}

/// Asks each API that a route needs, as the enricher does.
async fn examine_apis(capillary: &Capillary, org_id: Option<i64>, whose: &str, findings: &mut Findings) {
    let (mut open, mut closed, mut in_trouble) = (Vec::new(), Vec::new(), Vec::new());
    let asked = probes().map(async |(entity, api)| (api, capillary.0.fetch(org_id, std::slice::from_ref(&entity)).await.pop()));
    for (api, answer) in join_all(asked).await {
        match answer {
            Some(Ok(fetched)) if fetched.status == Status::Forbidden => closed.push(api),
            Some(Ok(_)) => open.push(api),
            // It answered: whether such an entry will ever be there is another matter.
            Some(Err(failure)) if failure.cause == "not ready" => open.push(api),
            Some(Err(failure)) => in_trouble.push(format!("{api}: {}", failure.cause)),
            None => {}
        }
    }
    if !in_trouble.is_empty() {
        findings.bad(WHAT, in_trouble.join(", "), WAIT);
    }
    if !open.is_empty() {
        findings.good(WHAT, format!("open to the credentials{whose}: {}", open.join(", ")));
    }
    if !closed.is_empty() {
        let words = format!("closed to the credentials{whose}: {}; such entities are `forbidden`", closed.join(", "));
        findings.bad(WHAT, words, "ask Capillary for these resources in the API client's access group");
    }
}

fn probes() -> [(EntityRef, &'static str); 6] {
    let entity = |kind, by| EntityRef { kind, id: NOBODY.to_owned(), by };
    [
        (entity(Kind::Customer, By::Id), "customers"),
        (entity(Kind::Transaction, By::Types(vec![TransactionType::Regular])), "transactions"),
        (entity(Kind::Card, By::Number(NOBODY.to_owned())), "cards"),
        (entity(Kind::Group, By::Id), "groups"),
        (entity(Kind::Coupon, By::Id), "coupons"),
        (entity(Kind::PointsLedger, By::Owner(Kind::Customer, NOBODY.to_owned())), "points ledger"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use serde_json::{Value, json};

    fn told(status: u16, body: Value) -> Option<String> {
        trouble(&Answered { status: StatusCode::from_u16(status).unwrap(), date_s: None, body })
    }

    #[test]
    fn transient_trouble_and_errors_under_200_are_no_sign_that_credentials_are_taken() {
        for status in [302, 408, 425, 429, 461, 500, 503] {
            assert_eq!(told(status, Value::Null), Some(format!("Capillary answers {status}")));
        }
        let error = json!({"errors": [{"code": 4000, "message": "Marker"}]});
        assert_eq!(told(200, error), Some("Capillary answers 200 with error 4000".to_owned()));
    }

    #[test]
    fn an_answer_to_the_question_is_one_even_if_there_is_nobody() {
        let nobody = json!({"errors": [{"code": 8015}]});
        for (status, body) in
            [(200, json!({"data": []})), (200, nobody.clone()), (400, nobody), (403, Value::Null), (404, Value::Null)]
        {
            assert_eq!(told(status, body), None, "{status}");
        }
    }
}
