//! Capillary's paths. Sources: the public API reference, v2 and v3.

mod event_log;
mod several;
mod single;
mod webhooks;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::answers::{v3_error, with_status};
use crate::audits::audits;
use crate::state::Sandbox;

const TOKEN_PATH: &str = "/v3/oauth/token/generate";
const TOKEN_HEADER: &str = "x-cap-api-oauth-token";
pub(crate) type Parameters = Query<HashMap<String, String>>;

pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/v2/customers/{id}", get(single::customer))
        .route("/v2/transactions/{id}", get(single::transaction))
        .route("/v2/card", get(single::card))
        .route("/v2/userGroup2", get(single::group))
        .route("/v2/coupon", get(several::coupons))
        .route("/v2/pointsLedger/getLedgerExplodeInfo", get(several::ledger_entries))
        .route("/api_gateway/v2/audits", get(audits))
        .route("/v3/webHooks", get(webhooks::list).post(webhooks::register))
        .route("/v3/webHooks/{id}", put(webhooks::update).delete(webhooks::switch_off))
        .route("/v3/webHooks/eventLog/requestId/{id}", get(event_log::of_request))
        .route("/v3/webHooks/eventLog/refId/{id}", get(event_log::of_reference))
        .route("/v3/webHooks/eventLog/{id}", get(event_log::of_event))
        .route("/v3/events/consumer-groups/{id}/metrics", get(event_log::metrics))
        .route(TOKEN_PATH, post(generate_token))
        .fallback(unknown_path)
}

/// Middleware: who asks, and in which media type. Only the token is given without credentials.
pub(crate) async fn guard(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != TOKEN_PATH && !is_authenticated(&sandbox, request.headers()) {
        return sandbox.answers.refusal(path, 401);
    }
    if !is_json(request.headers()) {
        return sandbox.answers.refusal(path, 415);
    }
    next.run(request).await
}

fn is_authenticated(sandbox: &Sandbox, headers: &HeaderMap) -> bool {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(token) = value(TOKEN_HEADER) {
        return sandbox.world().tokens.get(token).is_some_and(|end| Instant::now() < *end);
    }
    value(AUTHORIZATION.as_str()).is_some_and(|given| given == sandbox.settings.basic_authorization)
}

/// Capillary wants the header on reads, too.
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[derive(Deserialize)]
struct Credentials {
    key: String,
    secret: String,
}

async fn generate_token(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let settings = &sandbox.settings;
    let known = serde_json::from_slice::<Credentials>(&body)
        .is_ok_and(|given| given.key == settings.key && given.secret == settings.secret);
    if !known {
        // Neither status nor code is documented; v3 uses 400 for what the caller got wrong.
        return with_status(400, v3_error(400, "Failed to generate token"));
    }
    let ttl = settings.token_ttl;
    let token = token(ttl.as_secs());
    let now = Instant::now();
    let mut world = sandbox.world();
    world.tokens.retain(|_, end| now < *end);
    world.tokens.insert(token.clone(), now + ttl);
    Json(json!({"data": {"accessToken": token, "ttlSeconds": ttl.as_secs()}, "errors": null})).into_response()
}

/// Looks like Capillary's: three parts, the middle one readable. There is no `org_id` in it, since the sandbox serves
/// every org.
fn token(ttl_seconds: u64) -> String {
    let issued_at = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
    let claims = json!({
        "iss": "Capillary",
        "exp": issued_at.saturating_add(ttl_seconds),
        "jti": Uuid::new_v4().to_string(),
        "iat": issued_at,
        "sub": "sandbox",
        "client_id": 77,
        "token_use": "token_access",
    });
    let [head, middle, signature] = [r#"{"kid":"k1","alg":"RS256"}"#.to_owned(), claims.to_string(), Uuid::new_v4().to_string()]
        .map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{head}.{middle}.{signature}")
}

async fn unknown_path(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    sandbox.answers.refusal(request.uri().path(), 404)
}
