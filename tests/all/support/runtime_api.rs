//! The Lambda Runtime API, served to one executable: it is driven as Lambda would drive it, and can be killed.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path as FilePath;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

/// Why an invocation has no answer.
#[derive(Debug)]
pub(crate) enum FunctionError {
    /// The function itself said so, through `…/error`.
    Reported(Value),
    /// The process is gone.
    Died,
    /// Neither an answer nor an end within the time that Lambda would give.
    TimedOut,
}

/// One running executable.
pub(crate) struct Function {
    process: Process,
    logs: Arc<Mutex<String>>,
    api: Arc<Api>,
    server: tokio::task::JoinHandle<()>,
}

/// A handle that ends the process at once, from whatever place.
#[derive(Clone)]
pub(crate) struct Process(Arc<Mutex<Child>>);

struct Invocation {
    request_id: String,
    deadline_ms: u128,
    payload: String,
}

type Outcome = Result<Value, FunctionError>;

struct Api {
    queue: mpsc::UnboundedSender<Invocation>,
    waiting: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
}

impl Function {
    /// Starts the executable with this environment and nothing else.
    pub(crate) async fn start(executable: &FilePath, environment: &[(String, String)]) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let api = Arc::new(Api { queue, waiting: AsyncMutex::new(waiting), answers: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port for the Runtime API");
        let address = listener.local_addr().expect("its address");
        let router = routes().with_state(Arc::clone(&api));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the Runtime API");
        });
        let logs = Arc::new(Mutex::new(String::new()));
        let mut child = command(executable, &address.to_string(), environment).spawn().expect("the executable starts");
        collect(child.stdout.take().expect("its output"), &logs);
        collect(child.stderr.take().expect("its error output"), &logs);
        Self { process: Process(Arc::new(Mutex::new(child))), logs, api, server }
    }

    /// One invocation; the deadline in its header is that many seconds away, and the wait ends a little later.
    pub(crate) async fn invoke(&self, payload: &Value, deadline: Duration) -> Outcome {
        self.invoke_until(payload, since_epoch() + deadline.as_millis(), deadline).await
    }

    /// The same with a deadline in 1970, as `cargo lambda watch` gives it.
    pub(crate) async fn invoke_with_a_past_deadline(&self, payload: &Value, limit: Duration) -> Outcome {
        self.invoke_until(payload, 600_000, limit).await
    }

    async fn invoke_until(&self, payload: &Value, deadline_ms: u128, limit: Duration) -> Outcome {
        let request_id = uuid::Uuid::new_v4().to_string();
        let (answer, mut answered) = oneshot::channel();
        self.api.answers.lock().expect("the answers").insert(request_id.clone(), answer);
        let invocation = Invocation { request_id, deadline_ms, payload: payload.to_string() };
        self.api.queue.send(invocation).expect("the Runtime API runs");
        let give_up = tokio::time::Instant::now() + limit + Duration::from_secs(1);
        loop {
            tokio::select! {
                outcome = &mut answered => return outcome.unwrap_or(Err(FunctionError::Died)),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            if !self.process.is_running() {
                // What it had posted before its end counts.
                return answered.try_recv().unwrap_or(Err(FunctionError::Died));
            }
            if tokio::time::Instant::now() > give_up {
                return Err(FunctionError::TimedOut);
            }
        }
    }

    /// A handle by which a hook can kill it.
    pub(crate) fn process(&self) -> Process {
        self.process.clone()
    }

    /// Everything that it has written so far.
    pub(crate) fn logs(&self) -> String {
        self.logs.lock().expect("the logs").clone()
    }

    /// Waits for the process to end by itself; whether it did, and with success.
    pub(crate) async fn exit(&self, limit: Duration) -> Option<bool> {
        let success = super::wait::poll(limit, async || self.process.exit_status()).await;
        // Its last words are read by threads that let go of the text when they have seen its end.
        let read = async || (Arc::strong_count(&self.logs) == 1).then_some(());
        super::wait::poll(limit, read).await;
        success
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.process.kill();
        self.server.abort();
    }
}

impl Process {
    /// SIGKILL, as a crash or the end of a sandbox would.
    pub(crate) fn kill(&self) {
        let mut child = self.0.lock().expect("the process");
        // It may be gone already, which is what is wanted.
        let _ = child.kill();
        let _ = child.wait();
    }

    fn is_running(&self) -> bool {
        self.exit_status().is_none()
    }

    fn exit_status(&self) -> Option<bool> {
        self.0.lock().expect("the process").try_wait().expect("its state").map(|status| status.success())
    }
}

fn command(executable: &FilePath, runtime_api: &str, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(executable);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "function-under-test")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function-under-test")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn collect(mut stream: impl Read + Send + 'static, logs: &Arc<Mutex<String>>) {
    let logs = Arc::clone(logs);
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            logs.lock().expect("the logs").push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
}

fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(|| async { StatusCode::ACCEPTED }))
        .layer(axum::extract::DefaultBodyLimit::disable())
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some(invocation) = api.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", invocation.deadline_ms.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:function-under-test".into()),
        ("Lambda-Runtime-Trace-Id", TRACE.into()),
        ("Content-Type", "application/json".into()),
    ];
    (headers, invocation.payload).into_response()
}

/// The trace that every invocation bears.
pub(crate) const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let outcome = serde_json::from_slice(&body)
        .map_err(|error| FunctionError::Reported(Value::String(format!("the answer is no JSON: {error}"))));
    settle(&api, &id, outcome)
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let text = Value::String(String::from_utf8_lossy(&body).into_owned());
    settle(&api, &id, Err(FunctionError::Reported(serde_json::from_slice(&body).unwrap_or(text))))
}

fn settle(api: &Api, id: &str, outcome: Outcome) -> StatusCode {
    if let Some(answer) = api.answers.lock().expect("the answers").remove(id) {
        // Nobody waits any more after a time-out.
        let _ = answer.send(outcome);
    }
    StatusCode::ACCEPTED
}

fn since_epoch() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis()
}
