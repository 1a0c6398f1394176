//! What goes wrong on demand. A fault belongs to a path's beginning and lasts for a number of requests or until cleared.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::connection::Cutter;
use crate::state::{NeverSent, Sandbox};

const MAINTENANCE_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>\
    <body><h1>We will be back soon</h1></body></html>\n";

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    /// How the paths concerned begin.
    path: String,
    kind: Kind,
    /// For the kind `status`; 503 if absent.
    status: Option<u16>,
    /// How long everything takes before this fault's answer, in milliseconds; makes sense with any kind.
    delay_ms: Option<u64>,
    /// The value of a `Retry-After` header, as it is.
    retry_after: Option<String>,
    /// How many requests it still strikes; absent: until cleared.
    times: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// The right answer, later.
    Slow,
    /// Another status, with a body that fits it.
    Status,
    /// The first half of the right body, then the connection ends.
    Torn,
    /// 200, and a web page.
    Html,
    /// 401, whatever the credentials.
    Unauthorized,
    /// No answer, the connection stays open.
    Hang,
    /// No answer, the connection is reset.
    Reset,
}

impl Fault {
    /// What is wrong with this fault as it was told.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.kind == Kind::Slow && self.delay_ms.is_none() {
            return Some("slow: delayMs is missing".to_owned());
        }
        let status = self.status.unwrap_or(503);
        if !(200..=999).contains(&status) {
            return Some(format!("status: {status} is none"));
        }
        let header_fits = self.retry_after.as_ref().is_none_or(|value| HeaderValue::from_str(value).is_ok());
        (!header_fits).then(|| "retryAfter: not fit for a header".to_owned())
    }

    fn strikes(&self, path: &str) -> bool {
        path.starts_with(&self.path) && self.times != Some(0)
    }
}

/// The first fault that strikes this path; counts it.
fn next_fault(faults: &mut [Fault], path: &str) -> Option<Fault> {
    let fault = faults.iter_mut().find(|fault| fault.strikes(path))?;
    fault.times = fault.times.map(|times| times.saturating_sub(1));
    Some(fault.clone())
}

/// Middleware: lets a request through, or answers it as the fault of its path says.
pub(crate) async fn apply(
    State(sandbox): State<Arc<Sandbox>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let fault = next_fault(&mut sandbox.world().faults, &path);
    let Some(fault) = fault else {
        return next.run(request).await;
    };
    if let Some(delay_ms) = fault.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    let mut response = match fault.kind {
        Kind::Slow => next.run(request).await,
        Kind::Status => sandbox.answers.refusal(&path, fault.status.unwrap_or(503)),
        Kind::Torn => torn(next.run(request).await).await,
        Kind::Html => ([(CONTENT_TYPE, "text/html; charset=utf-8")], MAINTENANCE_PAGE).into_response(),
        Kind::Unauthorized => sandbox.answers.refusal(&path, 401),
        Kind::Hang => pending().await,
        Kind::Reset => reset(&cutter),
    };
    if let Some(value) = fault.retry_after.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// Promises the whole body by its length, sends half of it, and ends the connection.
async fn torn(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let cut = async {
        // The half is on its way only once the writer has been let in; an error at once would take it along.
        tokio::task::yield_now().await;
        Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    let pieces = stream::iter([Ok(half)]).chain(stream::once(cut));
    Response::from_parts(parts, Body::from_stream(pieces))
}

fn reset(cutter: &Cutter) -> Response {
    cutter.cut();
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(NeverSent);
    response
}
