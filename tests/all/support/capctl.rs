//! `capctl` as an operator runs it, on a world's own queues, tables and secrets.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::world::World;

/// Longer than any command of the tests takes.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// A run that is under way; ends with the test.
pub(crate) struct Running(Child);

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
        let mut command = Command::new(env!("CARGO_BIN_EXE_capctl"));
        command.args(words).env_clear().envs(self.receiver_environment());
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        command.env("CAPILLARY_SECRET_ID", &self.names.capillary_secret);
        for (name, value) in changes {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("capctl starts");
        // One that ends without reading has closed it.
        let _ = child.stdin.take().expect("an input").write_all(input.as_bytes()).await;
        Running(child)
    }
}

impl Running {
    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = self.0.id().expect("it runs").to_string();
        let pressed = std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill runs");
        assert!(pressed.success());
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

    /// Everything that anybody could have seen of it.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), self.stderr)
    }
}
