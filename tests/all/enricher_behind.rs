//! What stands behind events beside customers and bills: cards, groups, coupons, the points ledger (facts 1.7, 4.8).

mod answers;
mod cards;
mod coupons;
mod gone;
mod groups;
mod ledger;
mod together;

/// How the audit log begins among the calls.
const AUDITS: &str = "/api_gateway";

/// The call for a customer.
fn customer_call(id: u64) -> String {
    format!("/v2/customers/{id}?source=ALL&embed=points%2Csubscriptions")
}

/// The call for entries of the points ledger: of which customer or group, and which.
fn ledger_call(owner: &str, owner_type: &str, entries: &[u64]) -> String {
    let entries: Vec<String> = entries.iter().map(u64::to_string).collect();
    let path = "/v2/pointsLedger/getLedgerExplodeInfo";
    format!("{path}?identifierName=id&identifierValue={owner}&source=ALL&type={owner_type}&eventIds={}", entries.join("%2C"))
}
