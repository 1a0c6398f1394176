//! A proxy between an executable and the local AWS. It forwards every call, unless a rule says how that call goes wrong.
//!
//! It speaks HTTP/1.1 by hand, one request a connection: losing an answer means to close the connection without one,
//! and no server library offers that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::runtime_api::Process;

/// How a call goes wrong.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Answered with this status and AWS error type, not forwarded.
    Refused(u16, &'static str),
    /// Never answered, not forwarded.
    Hang,
    /// The connection is closed; the service never sees the call.
    Cut,
    /// The service does it; the connection is closed without the answer.
    AnswerLost,
    /// The process is killed before the call reaches the service.
    KillBefore(Process),
    /// The service does it, then the process is killed.
    KillAfter(Process),
    /// `PutEvents` only: entries that hold this text are refused one by one, the others go through.
    EntriesRefused(&'static str, &'static str),
    /// SQS's batches only: entries that hold this text are refused one by one with this code, the others go through.
    SomeRefused(&'static str, &'static str),
    /// `BatchWriteItem` only: none of it is done, without an error.
    Unprocessed,
    /// `TransactWriteItems` only: cancelled, with a reason for each part in their order.
    Cancelled(&'static [&'static str]),
    /// The call is held until as many calls of this operation have come; then all go on.
    Rendezvous(Arc<tokio::sync::Barrier>),
}

impl Fault {
    pub(crate) const DYNAMODB_DOWN: Self = Self::Refused(500, "InternalServerError");
    pub(crate) const SQS_DOWN: Self = Self::Refused(500, "InternalError");
    pub(crate) const EVENTS_DOWN: Self = Self::Refused(500, "InternalException");
    pub(crate) const SECRETS_DOWN: Self = Self::Refused(500, "InternalServiceError");
    pub(crate) const DYNAMODB_THROTTLED: Self = Self::Refused(400, "ProvisionedThroughputExceededException");
    pub(crate) const SQS_THROTTLED: Self = Self::Refused(400, "RequestThrottled");
    pub(crate) const DYNAMODB_INVALID: Self = Self::Refused(400, "ValidationException");
    pub(crate) const SQS_INVALID: Self = Self::Refused(400, "InvalidMessageContents");
}

/// What was asked of AWS, as the SDK sent it.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    /// The request's body, byte for byte.
    pub(crate) body: String,
    status: Arc<OnceLock<u16>>,
}

impl Call {
    /// Whether it was answered with success.
    pub(crate) fn is_done(&self) -> bool {
        self.status.get().is_some_and(|status| (200..300).contains(status))
    }
}

/// The running proxy.
pub(crate) struct FaultProxy {
    url: String,
    state: Arc<State>,
    server: tokio::task::JoinHandle<()>,
}

struct State {
    upstream: String,
    client: reqwest::Client,
    rules: Mutex<Vec<Rule>>,
    calls: Mutex<Vec<Call>>,
}

struct Rule {
    operation: String,
    contains: String,
    fault: Fault,
    times: usize,
}

struct Request {
    head: String,
    path: String,
    method: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

impl FaultProxy {
    pub(crate) async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the proxy");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let state = Arc::new(State {
            upstream: upstream.trim_end_matches('/').to_owned(),
            client: super::http::client(),
            rules: Mutex::default(),
            calls: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state, server }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Every call of the operation goes wrong until `heal`.
    pub(crate) fn always(&self, operation: &str, fault: Fault) {
        self.rule(operation, "", fault, usize::MAX);
    }

    /// The next call of the operation goes wrong, those after it do not.
    pub(crate) fn once(&self, operation: &str, fault: Fault) {
        self.rule(operation, "", fault, 1);
    }

    /// The next `times` calls of the operation go wrong.
    pub(crate) fn times(&self, operation: &str, times: usize, fault: Fault) {
        self.rule(operation, "", fault, times);
    }

    /// Calls of the operation whose body holds the text go wrong until `heal`.
    pub(crate) fn whenever(&self, operation: &str, contains: &str, fault: Fault) {
        self.rule(operation, contains, fault, usize::MAX);
    }

    /// Forgets all rules.
    pub(crate) fn heal(&self) {
        self.state.rules.lock().expect("the rules").clear();
    }

    /// All calls so far of one operation, in the order of their arrival.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Call> {
        let calls = self.state.calls.lock().expect("the calls");
        calls.iter().filter(|call| call.operation == operation).cloned().collect()
    }

    /// All calls so far of all operations, in the order of their arrival.
    pub(crate) fn all_calls(&self) -> Vec<Call> {
        self.state.calls.lock().expect("the calls").clone()
    }

    pub(crate) fn forget_calls(&self) {
        self.state.calls.lock().expect("the calls").clear();
    }

    fn rule(&self, operation: &str, contains: &str, fault: Fault, times: usize) {
        let rule = Rule { operation: operation.into(), contains: contains.into(), fault, times };
        self.state.rules.lock().expect("the rules").push(rule);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn fault_for(&self, call: &Call) -> Option<Fault> {
        let mut rules = self.rules.lock().expect("the rules");
        let rule = rules
            .iter_mut()
            .find(|rule| rule.operation == call.operation && rule.times > 0 && call.body.contains(&rule.contains))?;
        rule.times -= 1;
        Some(rule.fault.clone())
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let call = Call { operation: operation(&request), body, status: Arc::default() };
    // What names no operation opens a connection, and nothing more: it is not signed, and not billed.
    if !call.operation.is_empty() {
        state.calls.lock().expect("the calls").push(call.clone());
    }
    let answer = match state.fault_for(&call) {
        None => forward(&state, &request, request.body.clone()).await,
        Some(Fault::Refused(status, kind)) => Some(refusal(status, kind, &call.body)),
        Some(Fault::Unprocessed) => Some(unprocessed(&request)),
        Some(Fault::Cancelled(reasons)) => Some(cancellation(reasons)),
        Some(Fault::Hang) => hang(&mut stream).await,
        Some(Fault::Cut) => None,
        Some(Fault::AnswerLost) => {
            forward(&state, &request, request.body.clone()).await;
            None
        }
        Some(Fault::KillBefore(process)) => {
            process.kill();
            None
        }
        Some(Fault::KillAfter(process)) => {
            forward(&state, &request, request.body.clone()).await;
            process.kill();
            None
        }
        Some(Fault::EntriesRefused(marker, code)) => refuse_entries(&state, &request, marker, code).await,
        Some(Fault::SomeRefused(marker, code)) => refuse_some(&state, &request, marker, code).await,
        Some(Fault::Rendezvous(barrier)) => {
            // Bounded: should the other one never come, the test fails by what it asserts and not by hanging.
            let _ = tokio::time::timeout(Duration::from_secs(3), barrier.wait()).await;
            forward(&state, &request, request.body.clone()).await
        }
    };
    if let Some(answer) = answer {
        // It is the first and only answer.
        let _ = call.status.set(answer.status);
        write_answer(&mut stream, &answer).await;
    }
}

/// Waits until the caller gives up.
async fn hang(stream: &mut TcpStream) -> Option<Answer> {
    let mut buffer = [0; 64];
    // A bound all the same, so that a forgotten process cannot hold a task for ever.
    let _ = tokio::time::timeout(Duration::from_secs(120), async { while matches!(stream.read(&mut buffer).await, Ok(1..)) {} })
        .await;
    None
}

fn operation(request: &Request) -> String {
    let target = request.headers.get("x-amz-target").map(String::as_str).unwrap_or_default();
    let from_target = target.rsplit('.').next().unwrap_or_default();
    if !from_target.is_empty() {
        return from_target.to_owned();
    }
    // The query protocol names it in the body.
    let body = String::from_utf8_lossy(&request.body);
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
    action.to_owned()
}

/// AWS's messages repeat what was sent.
fn refusal(status: u16, kind: &str, sent: &str) -> Answer {
    let message = format!("as the test wants it; sent was: {sent}");
    let body = json!({"__type": kind, "message": message, "Message": message});
    Answer { status, content_type: "application/x-amz-json-1.0".into(), body: body.to_string().into_bytes() }
}

fn unprocessed(request: &Request) -> Answer {
    let asked: Value = serde_json::from_slice(&request.body).expect("DynamoDB speaks JSON");
    let body = json!({"UnprocessedItems": asked["RequestItems"]});
    Answer { status: 200, content_type: "application/x-amz-json-1.0".into(), body: body.to_string().into_bytes() }
}

fn cancellation(codes: &[&str]) -> Answer {
    let reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let body = json!({"__type": kind, "Message": "as the test wants it", "CancellationReasons": reasons});
    Answer { status: 400, content_type: "application/x-amz-json-1.0".into(), body: body.to_string().into_bytes() }
}

async fn refuse_some(state: &State, request: &Request, marker: &str, code: &str) -> Option<Answer> {
    let mut body: Value = serde_json::from_slice(&request.body).expect("SQS speaks JSON");
    let entries = body["Entries"].as_array().cloned().unwrap_or_default();
    let (refused, passing): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(|entry| entry.to_string().contains(marker));
    // As SQS says of what it calls invalid.
    let is_senders = code == "InvalidMessageContents";
    let failed = refused
        .iter()
        .map(|entry| json!({"Id": entry["Id"], "Code": code, "Message": entry.to_string(), "SenderFault": is_senders}));
    let failed = Value::Array(failed.collect());
    let mut answer = json!({"Successful": []});
    if !passing.is_empty() {
        body["Entries"] = Value::Array(passing);
        let passed = forward(state, request, body.to_string().into_bytes()).await?;
        answer = serde_json::from_slice(&passed.body).expect("an answer in JSON");
    }
    answer["Failed"] = failed;
    Some(Answer { status: 200, content_type: "application/x-amz-json-1.0".into(), body: answer.to_string().into_bytes() })
}

async fn refuse_entries(state: &State, request: &Request, marker: &str, code: &str) -> Option<Answer> {
    let body: Value = serde_json::from_slice(&request.body).expect("PutEvents speaks JSON");
    let entries = body["Entries"].as_array().cloned().unwrap_or_default();
    let refused: Vec<bool> = entries.iter().map(|entry| entry.to_string().contains(marker)).collect();
    let passing: Vec<Value> = entries.iter().zip(&refused).filter(|(_, no)| !**no).map(|(entry, _)| entry.clone()).collect();
    let mut passed = Vec::new();
    if !passing.is_empty() {
        let answer = forward(state, request, json!({"Entries": passing}).to_string().into_bytes()).await?;
        let answer: Value = serde_json::from_slice(&answer.body).expect("an answer in JSON");
        passed = answer["Entries"].as_array().cloned().unwrap_or_default();
    }
    let mut passed = passed.into_iter();
    let results: Vec<Value> = refused
        .iter()
        .map(|no| {
            if *no {
                json!({"ErrorCode": code, "ErrorMessage": format!("as the test wants it; sent was: {body}")})
            } else {
                passed.next().unwrap_or_default()
            }
        })
        .collect();
    let failed = refused.iter().filter(|no| **no).count();
    let body = json!({"FailedEntryCount": failed, "Entries": results}).to_string().into_bytes();
    Some(Answer { status: 200, content_type: "application/x-amz-json-1.1".into(), body })
}

async fn forward(state: &State, request: &Request, body: Vec<u8>) -> Option<Answer> {
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).expect("a method");
    let mut outgoing = state.client.request(method, format!("{}{}", state.upstream, request.path)).body(body);
    for (name, value) in &request.headers {
        if !matches!(name.as_str(), "host" | "content-length" | "connection" | "transfer-encoding" | "accept-encoding") {
            outgoing = outgoing.header(name, value);
        }
    }
    let response = outgoing.send().await.ok()?;
    let status = response.status().as_u16();
    let content_type =
        response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = response.bytes().await.ok()?.to_vec();
    Some(Answer { status, content_type, body })
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end_of_head = loop {
        if let Some(position) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break position;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut request = parse_head(&bytes[..end_of_head])?;
    let length: usize = request.headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    assert!(!request.headers.contains_key("transfer-encoding"), "the proxy knows no chunks: {}", request.head);
    let mut body = bytes.split_off(end_of_head + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    request.body = body;
    Some(request)
}

fn parse_head(bytes: &[u8]) -> Option<Request> {
    let head = String::from_utf8_lossy(bytes).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Request { head, path, method, headers, body: Vec::new() })
}

async fn write_answer(stream: &mut TcpStream, answer: &Answer) {
    let head = format!(
        "HTTP/1.1 {} Answer\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-amzn-requestid: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len(),
        uuid::Uuid::new_v4()
    );
    // The caller may have been killed meanwhile; then nobody misses the answer.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&answer.body).await;
    let _ = stream.shutdown().await;
}
