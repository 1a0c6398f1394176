//! `capctl` as an operator runs it, on the deployed stack or on a world's own queues, tables and secrets.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::stack::Stack;
use super::world::World;

/// Longer than any command of the tests takes.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// `capctl` with a deployment to work on.
pub(crate) struct Capctl {
    environment: Vec<(String, String)>,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// A run that is under way; ends with the test.
pub(crate) struct Running(Child);

impl Capctl {
    /// For a world's own tables and queues, as the environment tells them, and the Capillary there.
    pub(crate) fn of(world: &World, capillary: &str) -> Self {
        let mut environment = world.environment_asking(capillary);
        environment.push(("WEBHOOK_SECRET_ID".into(), world.names.webhook_secret.clone()));
        Self::in_environment(environment)
    }

    /// For secrets that a test makes itself, and its own Capillary.
    pub(crate) fn with_secrets(stack: &Stack, capillary: &str) -> Self {
        let named = [
            ("AWS_ENDPOINT_URL", stack.endpoint()),
            ("AWS_REGION", stack.region()),
            ("CAPILLARY_BASE_URL", capillary.to_owned()),
        ];
        Self::in_environment(named.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }

    /// For the deployed stack, found by its name.
    pub(crate) fn of_stack(stack: &Stack) -> Self {
        let named = [
            ("AWS_ENDPOINT_URL", stack.endpoint()),
            ("AWS_REGION", stack.region()),
            ("CAPCTL_STACK", "capillary-events".into()),
            ("EVENTS_URL", stack.text("/eventsUrl")),
        ];
        Self::in_environment(named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// With the credentials of the local AWS, which takes any.
    fn in_environment(mut environment: Vec<(String, String)>) -> Self {
        let credentials =
            [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_EC2_METADATA_DISABLED", "true")];
        environment.extend(credentials.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Self { environment }
    }

    /// The same with a variable changed; one without a value is taken away.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.extend((!value.is_empty()).then(|| (name.to_owned(), value.to_owned())));
        self
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, words: &[&str]) -> Ran {
        self.start(words, "").await.end().await
    }

    /// Starts a command, with nothing of this process's environment and with something on standard input.
    pub(crate) async fn start(&self, words: &[&str], input: &str) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_capctl"));
        command.args(words).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("capctl starts");
        // One that ends without reading has closed it.
        let _ = child.stdin.take().expect("an input").write_all(input.as_bytes()).await;
        Running(child)
    }
}

impl World {
    /// Runs a command to its end.
    pub(crate) async fn capctl(&self, words: &[&str]) -> Ran {
        self.capctl_reads(words, "").await
    }

    /// The same with something on standard input.
    pub(crate) async fn capctl_reads(&self, words: &[&str], input: &str) -> Ran {
        self.start_capctl(words, input, &[]).await.end().await
    }

    /// Starts a command, with variables added or changed.
    pub(crate) async fn start_capctl(&self, words: &[&str], input: &str, changes: &[(&str, &str)]) -> Running {
        let mut environment = self.receiver_environment();
        environment.push(("CAPILLARY_SECRET_ID".into(), self.names.capillary_secret.clone()));
        let capctl = changes.iter().fold(Capctl::in_environment(environment), |capctl, (name, value)| capctl.with(name, value));
        capctl.start(words, input).await
    }
}

impl Running {
    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends it a signal: INT, or TERM.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) async fn end(self) -> Ran {
        let ended = tokio::time::timeout(ENDS_WITHIN, self.0.wait_with_output()).await;
        let Output { status, stdout, stderr } = ended.expect("an end in time").expect("an output");
        let code = status.code().unwrap_or_else(|| panic!("it was killed: {status}"));
        Ran { code, stdout, stderr: String::from_utf8(stderr).expect("UTF-8") }
    }
}

impl Ran {
    /// What it printed, where it ended like this.
    #[track_caller]
    pub(crate) fn text(&self, code: i32) -> String {
        let text = String::from_utf8_lossy(&self.stdout).into_owned();
        assert_eq!(self.code, code, "{text}\n{}", self.stderr);
        text
    }

    /// The same of a run with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, code: i32) -> Value {
        let text = self.text(code);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What it complained of, where it ended like this.
    #[track_caller]
    pub(crate) fn error(&self, code: i32) -> &str {
        self.text(code);
        &self.stderr
    }

    /// The one object that `--json` prints, however it ended.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.all()))
    }

    /// That these words are all in what it printed.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        let text = String::from_utf8_lossy(&self.stdout);
        for word in words {
            assert!(text.contains(word), "{word:?} is not in:\n{}", self.all());
        }
    }

    /// That none of these is anywhere.
    #[track_caller]
    pub(crate) fn keeps_secret(&self, secrets: &[&str]) {
        for (position, secret) in secrets.iter().enumerate() {
            assert!(!self.all().contains(secret), "secret {position} is told");
        }
    }

    /// Everything that anybody could have seen of it.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), self.stderr)
    }
}
