//! The operator's program, run as an operator does.

use std::process::{Command, Output};

use serde_json::Value;

use super::stack::Stack;
use super::world::World;

/// `capctl` with a deployment to work on.
pub(crate) struct Capctl {
    environment: Vec<(String, String)>,
}

/// What a run has come to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The one object that `--json` prints.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// That these words are all in the text.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.out.contains(word), "{word:?} is not in:\n{}\n{}", self.out, self.err);
        }
    }

    /// That none of these is anywhere.
    #[track_caller]
    pub(crate) fn keeps_secret(&self, secrets: &[&str]) {
        for (position, secret) in secrets.iter().enumerate() {
            assert!(!self.out.contains(secret) && !self.err.contains(secret), "secret {position} is told");
        }
    }
}

impl Capctl {
    /// For a test's own tables and queues, as the environment tells them, and the Capillary there.
    pub(crate) fn of(world: &World, capillary: &str) -> Self {
        let mut environment = world.environment_asking(capillary);
        environment.push(("WEBHOOK_SECRET_ID".into(), world.names.webhook_secret.clone()));
        environment.extend(credentials());
        Self { environment }
    }

    /// For the deployed stack, found by its name.
    pub(crate) fn of_stack(stack: &Stack) -> Self {
        let named = [
            ("AWS_ENDPOINT_URL", stack.endpoint()),
            ("AWS_REGION", stack.region()),
            ("CAPCTL_STACK", "capillary-events".into()),
            ("EVENTS_URL", stack.text("/eventsUrl")),
        ];
        let mut environment: Vec<(String, String)> = named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.extend(credentials());
        Self { environment }
    }

    /// The same with a variable set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command to be run, with nothing of this process's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_capctl"));
        command.args(arguments).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = tokio::process::Command::from(self.command(arguments));
        Ran::of(command.output().await.expect("capctl runs"))
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("an exit code");
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Those of the local AWS, which takes any.
fn credentials() -> [(String, String); 3] {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    [pair("AWS_ACCESS_KEY_ID", "test"), pair("AWS_SECRET_ACCESS_KEY", "test"), pair("AWS_EC2_METADATA_DISABLED", "true")]
}
