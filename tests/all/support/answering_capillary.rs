//! A Capillary inside the test that answers each call as a function of the test wants, and keeps the calls with who made them. What the
//! function leaves alone is found.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// Where tokens come from.
pub(crate) const TOKEN: &str = "/v3/oauth/token/generate";
const TOKEN_HEADER: &str = "x-cap-api-oauth-token";
/// A card is its customer's number with this before it, and its id is so much more.
const CARD_PREFIX: &str = "CARD";
const CARDS_FROM: u64 = 1000;

/// A call as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) path: String,
    /// Decoded; one that is there several times has its values behind each other, with commas.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The key of whoever has the token or wants one, or the `Authorization` header.
    pub(crate) who: String,
}

/// What a call is answered with.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    body: String,
    retry_after: Option<String>,
    /// The time there, if it is not the time here.
    date: Option<String>,
    after: Duration,
}

/// The running server.
pub(crate) struct AnsweringCapillary {
    url: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

type Rule = Arc<dyn Fn(&Call) -> Option<Answer> + Send + Sync>;

struct Shared {
    rule: Mutex<Rule>,
    calls: Mutex<Vec<Call>>,
    /// Whose they are, and until when they are good.
    tokens: Mutex<HashMap<String, (String, Instant)>>,
    token_ttl_s: Mutex<u64>,
}

impl Answer {
    /// This status with this body.
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), retry_after: None, date: None, after: Duration::ZERO }
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::new(200, body.to_string())
    }

    /// 200 with one of Capillary's codes among the errors.
    pub(crate) fn error(code: u32) -> Self {
        Self::json(&json!({"warnings": [], "errors": [{"status": false, "code": code, "message": "as wanted"}]}))
    }

    pub(crate) fn retry_after(self, value: impl Into<String>) -> Self {
        Self { retry_after: Some(value.into()), ..self }
    }

    /// As by a clock that is so far ahead.
    pub(crate) fn by_a_clock_ahead(self, ahead: Duration) -> Self {
        let date = (OffsetDateTime::now_utc() + ahead).format(&Rfc2822).expect("a date");
        Self { date: Some(date.replace("+0000", "GMT")), ..self }
    }

    pub(crate) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    /// No caller waits so long.
    pub(crate) fn never() -> Self {
        Self::new(200, "").after(Duration::from_secs(600))
    }
}

impl Call {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The last step of the path.
    pub(crate) fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// That what is asked for is there, with few members.
    pub(crate) fn found(&self) -> Answer {
        let ids = |name: &str| self.parameter(name).split(',').map(number).collect::<Vec<_>>();
        Answer::json(&match self.path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
            ["v2", "customers", id] => {
                json!({"id": number(id), "profiles": [{"firstName": "Ana", "source": "INSTORE"}], "warnings": []})
            }
            ["v2", "transactions", id] => json!({"id": number(id), "type": self.parameter("type"), "warnings": []}),
            ["v2", "card"] => card(self.parameter("number")),
            ["v2", "userGroup2"] => {
                json!({"data": [{"groupId": number(self.parameter("id")), "groupName": "The Bergs"}], "warnings": [], "errors": []})
            }
            ["v2", "coupon"] => {
                let coupon = |id: u64| json!({"id": id, "code": format!("COUPON{id}")});
                json!({"data": ids("couponIds").into_iter().map(coupon).collect::<Vec<_>>(), "warnings": [], "errors": []})
            }
            ["v2", "pointsLedger", "getLedgerExplodeInfo"] => {
                let entry = |id: u64| json!({"eventLogId": id, "eventName": "NewBill"});
                json!({"events": ids("eventIds").into_iter().map(entry).collect::<Vec<_>>(), "warnings": []})
            }
            ["api_gateway", "v2", "audits"] => json!({"data": [], "pagination": {"totalPages": 0}}),
            _ => return Answer::new(404, ""),
        })
    }
}

fn card(of: &str) -> Value {
    let customer = number(of.trim_start_matches(CARD_PREFIX));
    let status = json!({"label": "ACTIVE", "status": "ACTIVE"});
    json!({"id": CARDS_FROM + customer, "cardNumber": of, "customerId": customer, "statusInfo": status, "warnings": []})
}

fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or_else(|_| panic!("no id: {digits}"))
}

impl AnsweringCapillary {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let shared = Arc::new(Shared {
            rule: Mutex::new(Arc::new(|_| None)),
            calls: Mutex::default(),
            tokens: Mutex::default(),
            token_ttl_s: Mutex::new(3600),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("the server") });
        Self { url, shared, server }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on calls are answered so, where there is an answer, in the place of what was said before.
    pub(crate) fn answers(&self, rule: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) {
        *self.shared.rule.lock().expect("the rule") = Arc::new(rule);
    }

    /// Tokens that are given from now on are good for so long.
    pub(crate) fn tokens_live(&self, seconds: u64) {
        *self.shared.token_ttl_s.lock().expect("the time to live") = seconds;
    }

    /// No token is good any more.
    pub(crate) fn forget_tokens(&self) {
        self.shared.tokens.lock().expect("the tokens").clear();
    }

    /// Whether there is a token that is good.
    pub(crate) fn knows_a_token(&self) -> bool {
        self.shared.tokens.lock().expect("the tokens").values().any(|(_, until)| Instant::now() < *until)
    }

    /// The calls since this was asked last, in their order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.shared.calls.lock().expect("the calls"))
    }
}

impl Drop for AnsweringCapillary {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// A new token for the client of a token call.
    fn token(&self, key: &str) -> Answer {
        let ttl_s = *self.token_ttl_s.lock().expect("the time to live");
        let mut tokens = self.tokens.lock().expect("the tokens");
        let token = uuid::Uuid::new_v4().to_string();
        tokens.insert(token.clone(), (key.to_owned(), Instant::now() + Duration::from_secs(ttl_s)));
        Answer::json(&json!({"data": {"accessToken": token, "ttlSeconds": ttl_s}, "errors": null}))
    }

    /// Whose token it is, if it is good.
    fn holder(&self, token: &str) -> Option<String> {
        let tokens = self.tokens.lock().expect("the tokens");
        tokens.get(token).filter(|(_, until)| Instant::now() < *until).map(|(key, _)| key.clone())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_token_call = uri.path() == TOKEN;
    let who = match (is_token_call, value(TOKEN_HEADER)) {
        (true, _) => serde_json::from_slice::<Value>(&body).ok().and_then(|body| Some(body["key"].as_str()?.to_owned())),
        (false, Some(token)) => shared.holder(&token),
        (false, None) => value(header::AUTHORIZATION.as_str()),
    };
    if uri.path() == "/" {
        // A connection opened at start, which asks for nothing.
        return StatusCode::NOT_FOUND.into_response();
    }
    let call = Call { path: uri.path().to_owned(), parameters: parameters(&uri), who: who.clone().unwrap_or_default() };
    shared.calls.lock().expect("the calls").push(call.clone());
    let rule = Arc::clone(&*shared.rule.lock().expect("the rule"));
    let answer = match (rule(&call), who) {
        (Some(answer), _) => answer,
        (None, None) => Answer::new(401, ""),
        (None, Some(key)) if is_token_call => shared.token(&key),
        (None, Some(_)) => call.found(),
    };
    tokio::time::sleep(answer.after).await;
    let mut response = (StatusCode::from_u16(answer.status).expect("a status"), answer.body).into_response();
    if let Some(retry_after) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after.parse().expect("a header's value"));
    }
    if let Some(date) = answer.date {
        response.headers_mut().insert(header::DATE, date.parse().expect("a header's value"));
    }
    response
}

fn parameters(uri: &Uri) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://capillary{uri}")).expect("a URL");
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        let several = parameters.entry(name.into_owned()).or_default();
        *several = if several.is_empty() { value.into_owned() } else { format!("{several},{value}") };
    }
    parameters
}
