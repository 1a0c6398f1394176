//! A Capillary that knows whatever it is asked for, but for what is said here, and keeps the calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::Uri;
use axum::{Json, Router};
use serde_json::{Value, json};

/// How every customer is asked for.
const CUSTOMER_QUERY: &str = "embed=points,subscriptions&source=ALL";
/// What is the same in every call for entries of the ledger.
const LEDGER_PARAMETERS: [(&str, &str); 2] = [("identifierName", "id"), ("source", "ALL")];
/// Into somebody else.
const MERGED: &str = "301177402";
/// By her own wish.
const DELETED: &str = "5517868";
/// Bills that are not REGULAR, and one that is not there under any type.
const BILLS: [(&str, &str); 5] = [
    ("3400873482", "RETURN"),
    ("9661859358", "RETURN"),
    ("846386901", "NOT_INTERESTED"),
    ("846386877", "NOT_INTERESTED"),
    ("336584", "none"),
];
/// Of the only card.
const CARD_ID: u64 = 328_623;
const CARD_HOLDER: u64 = 339_310_865;

/// The running server.
pub(super) struct Capillary {
    url: String,
    calls: Calls,
    server: tokio::task::JoinHandle<()>,
}

/// Path and query of each.
type Calls = Arc<Mutex<Vec<String>>>;

impl Capillary {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let calls = Calls::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&calls));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("the server") });
        Self { url, calls, server }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The calls since this was asked last, in the order of the alphabet.
    pub(super) fn calls(&self) -> Vec<String> {
        let mut calls = std::mem::take(&mut *self.calls.lock().expect("the calls"));
        calls.sort();
        calls
    }
}

impl Drop for Capillary {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(calls): State<Calls>, uri: Uri) -> Json<Value> {
    if uri.path() == "/v3/oauth/token/generate" {
        return Json(json!({"data": {"accessToken": "token", "ttlSeconds": 3600}, "errors": null}));
    }
    if uri.path() == "/" {
        // A connection opened at start, which asks for nothing.
        return Json(Value::Null);
    }
    let parameters = parameters(&uri);
    calls.lock().expect("the calls").push(call(uri.path(), &parameters));
    let parameter = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    let ids = |name: &str| parameter(name).split(',').map(number).collect::<Vec<_>>();
    Json(match uri.path().split('/').skip(1).collect::<Vec<_>>().as_slice() {
        ["v2", "customers", id] => customer(id),
        ["v2", "transactions", id] => transaction(id, &parameter("type")),
        ["v2", "card"] => json!({"id": CARD_ID, "cardId": CARD_ID, "cardNumber": parameter("number"), "customerId": CARD_HOLDER,
                                 "statusInfo": {"label": "NOT_ISSUED", "status": "NOT_ISSUED"}, "warnings": []}),
        ["v2", "userGroup2"] => {
            let group = json!({"groupId": number(&parameter("id")), "groupName": "Haddad and Menon family", "totalMembers": 2});
            json!({"pagination": {"limit": 10, "offset": 0, "total": 1}, "data": [group], "warnings": [], "errors": []})
        }
        ["v2", "coupon"] => {
            let coupon = |id: u64| json!({"id": id, "code": format!("SPRING{id}"), "seriesId": 3391, "discountType": "PERC"});
            json!({"data": ids("couponIds").into_iter().map(coupon).collect::<Vec<_>>(), "warnings": [], "errors": []})
        }
        ["v2", "pointsLedger", "getLedgerExplodeInfo"] => {
            let entry = |id: u64| json!({"eventLogId": id, "eventName": "NewBill", "eventDetails": {"tillId": 34_158_090}});
            json!({"events": ids("eventIds").into_iter().map(entry).collect::<Vec<_>>(), "warnings": []})
        }
        _ => error(404, "There is no such path"),
    })
}

/// Decoded; ids in a list by size, since their order means nothing.
fn parameters(uri: &Uri) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://capillary{uri}")).expect("a URL");
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        // A parameter may be there several times.
        let several = parameters.entry(name.into_owned()).or_default();
        *several = if several.is_empty() { value.into_owned() } else { format!("{several},{value}") };
    }
    for (_, value) in parameters.iter_mut().filter(|(name, _)| name.ends_with("Ids")) {
        let mut parts: Vec<&str> = value.split(',').collect();
        parts.sort_by_key(|id| number(id));
        *value = parts.join(",");
    }
    parameters
}

/// As it stands in `deliveries.txt`.
fn call(path: &str, parameters: &BTreeMap<String, String>) -> String {
    let is_told = |name: &str, value: &str| !(path.contains("pointsLedger") && LEDGER_PARAMETERS.contains(&(name, value)));
    let pairs = parameters.iter().filter(|(name, value)| is_told(name, value));
    let query = pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let is_usual = path.starts_with("/v2/customers/") && query == CUSTOMER_QUERY;
    if is_usual { path.to_owned() } else { format!("{path}?{query}") }
}

fn customer(id: &str) -> Value {
    match id {
        DELETED => error(8109, "Customer is deleted after PII delete request"),
        MERGED => json!({"id": number(id), "profiles": [], "warnings": [{"code": 8069, "message": "Customer is merged"}]}),
        _ => json!({"id": number(id), "profiles": [{"firstName": "Ana", "source": "INSTORE"}], "warnings": []}),
    }
}

fn transaction(id: &str, asked: &str) -> Value {
    let known = BILLS.iter().find(|(bill, _)| *bill == id).map_or("REGULAR", |(_, known)| known);
    if asked == known { json!({"id": number(id), "type": known, "warnings": []}) } else { error(620, "Invalid Transaction ID") }
}

fn error(code: u32, message: &str) -> Value {
    json!({"warnings": [], "errors": [{"status": false, "code": code, "message": message}]})
}

fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or_else(|_| panic!("no id: {digits}"))
}
