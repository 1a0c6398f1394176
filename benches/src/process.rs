//! A process under measurement, and what the kernel knows of it.

use std::{
    fs, io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;

/// How often it is looked whether a process has come to rest.
const LOOKS: u32 = 100;

/// A child process, which is killed with this.
pub(crate) struct Process {
    child: Child,
    pub(crate) started: Instant,
}

impl Process {
    /// Starts a program with this environment and no other. What it writes goes to a file, which is made anew.
    pub(crate) fn start(program: &[&str], environment: &[(String, String)], log: &Path) -> Result<Self, Failure> {
        let (program, arguments) = program.split_first().ok_or_else(|| Failure::new("no program"))?;
        let log = fs::File::create(log)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let started = Instant::now();
        let child = command.spawn().map_err(|error| Failure::new(format!("{program}: {error}")))?;
        Ok(Self { child, started })
    }

    /// Processor time of all its threads since its start, read when all of them sleep: only then has the kernel added up.
    pub(crate) async fn cpu(&self) -> Result<Duration, Failure> {
        for _ in 0..LOOKS {
            if self.sleeps()? {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut total = 0;
        for task in self.tasks()? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            total += times.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// The most memory that it had so far, in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or_else(|| Failure::new("no VmHWM"))?;
        Ok(kib.parse()?)
    }

    /// Asks it to end, and waits until it did.
    pub(crate) fn end(mut self) -> Result<ExitStatus, Failure> {
        kill_process(self.pid()?, Signal::TERM)?;
        Ok(self.child.wait()?)
    }

    fn sleeps(&self) -> Result<bool, Failure> {
        for task in self.tasks()? {
            // The name in parentheses may hold anything.
            let status = fs::read_to_string(task?.path().join("stat"))?;
            if !status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tasks(&self) -> io::Result<fs::ReadDir> {
        fs::read_dir(format!("/proc/{}/task", self.child.id()))
    }

    fn pid(&self) -> Result<Pid, Failure> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| Failure::new("no process id"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
