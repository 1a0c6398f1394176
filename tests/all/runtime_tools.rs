//! The tools that developers use run the functions as they are: the runtime emulator of the SAM CLI, and `cargo lambda watch`.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::delivery::{AUTHORIZATION, Answer, WEBHOOK_KEY};
use crate::support::events::of_nobody;
use crate::support::stack::Stack;
use crate::support::world::World;
use crate::support::{http, wait};

/// A process that has children; all of them end with it.
struct Tool(Child);

impl Tool {
    fn start(command: &mut Command) -> Self {
        let child = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("the tool starts"))
    }

    fn signal(&self, signal: &str, whom: &str) {
        // A process that is gone already is what is wanted.
        let _ = Command::new("kill").args([signal, "--", whom]).stderr(Stdio::null()).status();
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let id = self.0.id().to_string();
        // It ends its own children when it is asked politely.
        self.signal("-INT", &id);
        for _ in 0..60 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.signal("-KILL", &format!("-{id}"));
        let _ = self.0.wait();
    }
}

fn file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// What every tool's process gets beside the function's own variables.
fn lambda_variables() -> [(&'static str, &'static str); 5] {
    [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_LAMBDA_FUNCTION_NAME", "function"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ]
}

/// The runtime emulator around one executable.
struct Emulator {
    _tool: Tool,
    url: String,
}

impl Emulator {
    fn start(executable: &Path, environment: Vec<(String, String)>) -> Self {
        let (port, runtime_port) = (http::free_port(), http::free_port());
        let mut command = Command::new(Stack::load().text("/tools/runtimeEmulator"));
        command
            // Without both of them it binds every interface.
            .args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{port}")])
            .args(["--runtime-api-address", &format!("127.0.0.1:{runtime_port}")])
            .arg(executable)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(lambda_variables())
            .envs(environment);
        let url = format!("http://127.0.0.1:{port}/2015-03-31/functions/function/invocations");
        Self { _tool: Tool::start(&mut command), url }
    }

    async fn invoke(&self, event: &Value) -> Value {
        invoke(&self.url, event, Duration::from_secs(20)).await
    }
}

/// Invokes as soon as somebody listens there.
async fn invoke(url: &str, event: &Value, limit: Duration) -> Value {
    let client = http::client();
    wait::poll(limit, async || client.post(url).json(event).send().await.ok()?.json().await.ok()).await.expect("an answer")
}

#[tokio::test]
async fn the_emulator_of_the_sam_cli_runs_the_receiver_with_the_files_of_events() {
    let world = World::new().await;
    let emulator = Emulator::start(&Stack::load().receiver(), world.receiver_environment());
    for (name, status) in [
        ("receiver/customerAdded.flat.json", 200),
        ("receiver/pointsExpiryReminder.base64.json", 200),
        ("receiver/transactionAdded.envelope.json", 200),
        ("receiver/wrong-header.json", 401),
        ("receiver/not-json.json", 400),
    ] {
        let answer = Answer::of(&emulator.invoke(&file(name)).await);
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
    assert_eq!(world.queue_length().await, 3);
    assert_eq!(world.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn the_emulator_of_the_sam_cli_runs_the_enricher_with_the_files_of_events() {
    let world = World::new().await;
    let emulator = Emulator::start(&Stack::load().enricher(), world.enricher_environment().await);
    for (name, count) in [("enricher/one-customer-added.json", 1), ("enricher/unknown-name.json", 1)] {
        let answer = emulator.invoke(&file(name)).await;
        assert_eq!(answer["batchItemFailures"], serde_json::json!([]), "{name}: {answer}");
        assert_eq!(world.published(count).await.len(), count, "{name}");
    }
}

#[tokio::test]
async fn cargo_lambda_watch_serves_both_functions() {
    let world = World::new().await;
    let port = http::free_port();
    let mut command = Command::new(Stack::load().text("/tools/cargoLambda"));
    command
        .args(["lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()])
        // The same features as the stack's own build of the sandbox, so that nothing is compiled for this alone.
        .args(["--features", "sandbox"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .envs(lambda_variables())
        .envs(world.receiver_environment())
        .envs(world.enricher_environment().await);
    let _tool = Tool::start(&mut command);

    // The first request compiles the function, which on a cold machine takes minutes.
    let client = http::client();
    let url = format!("http://127.0.0.1:{port}/lambda-url/receiver/events");
    let post = || client.post(&url).header("authorization", AUTHORIZATION).header("x-webhook-key", WEBHOOK_KEY);
    let answer = wait::poll(Duration::from_secs(420), async || {
        // Only a connection that nobody accepts yet is worth another try.
        post().body(of_nobody("watched").to_string()).send().await.ok()
    })
    .await
    .expect("an answer of the receiver");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["eventId"], "watched");

    let url = format!("http://127.0.0.1:{port}/2015-03-31/functions/enricher/invocations");
    let answer = invoke(&url, &file("enricher/unknown-name.json"), Duration::from_secs(420)).await;
    assert_eq!(answer["batchItemFailures"], serde_json::json!([]), "{answer}");
}
