//! The processes in which the local AWS runs the functions: found by their parent and their environment, killed by their id.

use std::fs;
use std::process::Command;

use fastrand::Rng;

use crate::support::stack::Stack;

/// The processes of one local AWS.
pub(crate) struct Functions {
    local_aws: u32,
}

impl Functions {
    pub(crate) fn of(stack: &Stack) -> Self {
        Self { local_aws: stack.text("/localAwsProcess").parse().expect("a process id") }
    }

    /// SIGKILL to one of those that run this function; whether there was any.
    pub(crate) fn kill_one(&self, function: &str, random: &mut Rng) -> bool {
        let mut running = self.running(function);
        running.sort_unstable();
        let Some(id) = random.choice(running) else { return false };
        // The shell's own command: no other is on every machine. The id belongs to nobody else as long as the local AWS has not seen the
        // process end.
        let killed = Command::new("/bin/sh").args(["-c", "kill -KILL \"$0\" 2>/dev/null", &id.to_string()]).status();
        killed.expect("a shell").success()
    }

    /// Processes that the local AWS has started for this function.
    fn running(&self, function: &str) -> Vec<u32> {
        let variable = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
        let is_one = |id: &u32| parent_of(*id) == Some(self.local_aws) && has_variable(*id, &variable);
        let entries = fs::read_dir("/proc").expect("Linux").flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_one).collect()
    }
}

fn parent_of(id: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold anything; the state and the parent follow.
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn has_variable(id: u32, variable: &str) -> bool {
    let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
}
