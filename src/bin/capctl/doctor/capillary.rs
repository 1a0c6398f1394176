//! Capillary: reached, with credentials that are taken, by a clock that agrees, and with a right to each API that the enricher asks.

use capillary_events::{
    capillary::credentials::CredentialBook,
    entity::{By, EntityRef, Kind, Status, TransactionType},
    ports::Entities,
};
use http::Method;

use super::finding::Findings;
use crate::{capillary::Capillary, context::Context, spans::duration};

const WHAT: &str = "Capillary";
/// An id that is nobody's, most likely: whether there is something under it does not matter.
const NOBODY: &str = "1";
/// Clocks further apart than this make AWS refuse signatures, and the enricher distrust times.
const CLOCKS_AGREE_WITHIN_S: i64 = 60;

/// Whether Capillary was reached with any of the credentials.
pub(super) async fn examine(context: &Context, credentials: Option<&CredentialBook>, findings: &mut Findings) -> bool {
    // Told of the secret already.
    let Some(credentials) = credentials else { return false };
    let capillary = match Capillary::of(&context.deployment, &context.aws) {
        Ok(capillary) => capillary,
        Err(failure) => {
            findings.unknown(WHAT, &failure);
            return false;
        }
    };
    let mut is_reached = false;
    for org_id in credentials.orgs() {
        let whose = org_id.map(|org| format!(" of org {org}")).unwrap_or_default();
        if examine_clock(&capillary, org_id, &whose, context.now_ms(), findings).await {
            is_reached = true;
            examine_apis(&capillary, org_id, &whose, findings).await;
        }
    }
    is_reached
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
    findings.good(WHAT, format!("reached; the credentials{whose} are taken"));
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

/// Asks each API that a route needs, as the enricher does.
async fn examine_apis(capillary: &Capillary, org_id: Option<i64>, whose: &str, findings: &mut Findings) {
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for (entity, api) in probes() {
        match capillary.0.fetch(org_id, std::slice::from_ref(&entity)).await.pop() {
            Some(Ok(fetched)) if fetched.status == Status::Forbidden => closed.push(api),
            Some(Ok(_)) => open.push(api),
            // It answered: whether such an entry will ever be there is another matter.
            Some(Err(failure)) if failure.cause == "not ready" => open.push(api),
            Some(Err(failure)) => {
                let words = format!("{api}: {}", failure.cause);
                findings.bad(WHAT, words, "in an outage of Capillary's events wait, for 12 days; else ask Capillary");
            }
            None => {}
        }
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
