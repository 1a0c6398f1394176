//! Lambda's Runtime API for one process, which gets one invocation after the other.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hyper::{Method, StatusCode, body::Bytes};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    failure::Failure,
    server::{Answer, Call, Server, Service},
};

/// No step of a function takes longer here, be it under valgrind.
const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// The side of whoever drives the process.
pub(crate) struct RuntimeApi {
    server: Server,
    polls: mpsc::UnboundedReceiver<Poll>,
    answers: mpsc::UnboundedReceiver<Answered>,
    waiting: Option<Poll>,
}

/// A process that asks for the next invocation.
struct Poll {
    arrived: Instant,
    payload: oneshot::Sender<Bytes>,
}

struct Answered {
    arrived: Instant,
    is_error: bool,
    body: Bytes,
}

/// What came of an invocation.
pub(crate) struct Invoked {
    /// From the payload's leaving to the answer's arrival.
    pub(crate) took: Duration,
    pub(crate) answer: Value,
}

struct Side {
    polls: mpsc::UnboundedSender<Poll>,
    answers: mpsc::UnboundedSender<Answered>,
    invocations: Mutex<u64>,
    timeout: Duration,
}

impl RuntimeApi {
    pub(crate) async fn start(timeout: Duration) -> Result<Self, Failure> {
        let (polls, polled) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let server = Server::start(Arc::new(Side { polls, answers, invocations: Mutex::default(), timeout })).await?;
        Ok(Self { server, polls: polled, answers: answered, waiting: None })
    }

    /// Host and port, as `AWS_LAMBDA_RUNTIME_API` has them.
    pub(crate) fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// Waits until the process asks for an invocation, and tells when it did.
    pub(crate) async fn polled(&mut self) -> Result<Instant, Failure> {
        if let Some(poll) = &self.waiting {
            return Ok(poll.arrived);
        }
        let poll = tokio::select! {
            poll = self.polls.recv() => poll,
            answer = self.answers.recv() => {
                let body = answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).unwrap_or_default();
                return Err(Failure::new(format!("it failed at its start: {body}")));
            }
            () = tokio::time::sleep(PATIENCE) => return Err(Failure::new("it did not ask for an invocation")),
        };
        let arrived = poll.as_ref().map(|poll| poll.arrived);
        self.waiting = poll;
        arrived.ok_or_else(|| Failure::new("the Runtime API is gone"))
    }

    /// One invocation, to the end of which the process asks for the next one.
    pub(crate) async fn invoke(&mut self, payload: Bytes) -> Result<Invoked, Failure> {
        self.polled().await?;
        let poll = self.waiting.take().ok_or_else(|| Failure::new("nobody asks for an invocation"))?;
        let left = Instant::now();
        poll.payload.send(payload).map_err(|_| Failure::new("it does not wait any more"))?;
        let answered = tokio::time::timeout(PATIENCE, self.answers.recv()).await;
        let answered = answered.ok().flatten().ok_or_else(|| Failure::new("it did not answer"))?;
        if answered.is_error {
            return Err(Failure::new(format!("it failed: {}", String::from_utf8_lossy(&answered.body))));
        }
        let answer = serde_json::from_slice(&answered.body)?;
        self.polled().await?;
        Ok(Invoked { took: answered.arrived.saturating_duration_since(left), answer })
    }
}

impl Service for Side {
    async fn answer(&self, call: Call) -> Answer {
        if call.method == Method::GET && call.path.ends_with("/invocation/next") {
            return self.next(call.arrived).await;
        }
        let is_error = call.path.ends_with("/error");
        // It counts only while somebody listens.
        let _ = self.answers.send(Answered { arrived: call.arrived, is_error, body: call.body });
        Answer::empty(StatusCode::ACCEPTED)
    }
}

impl Side {
    async fn next(&self, arrived: Instant) -> Answer {
        let (payload, given) = oneshot::channel();
        let _ = self.polls.send(Poll { arrived, payload });
        let Ok(body) = given.await else { return Answer::empty(StatusCode::GONE) };
        let mut invocations = self.invocations.lock().await;
        *invocations += 1;
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.timeout;
        let headers = vec![
            ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{invocations:012}")),
            ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:measured".to_owned()),
            ("lambda-runtime-trace-id", TRACE.to_owned()),
        ];
        Answer { status: StatusCode::OK, headers, body }
    }
}
