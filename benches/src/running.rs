//! A program that runs as Lambda would run it, beside the stubs of all that it calls.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hyper::body::Bytes;
use serde_json::Value;

use crate::{
    aws::{Aws, NO_CALL},
    calls::Counts,
    capillary::Capillary,
    failure::Failure,
    process::Process,
    runtime_api::RuntimeApi,
    server::Server,
    statistics::Figures,
    target::Target,
};

const WEBHOOK_SECRET: &str = include_str!("../../local/secrets/webhook.json");
const CAPILLARY_SECRET: &str = include_str!("../../local/secrets/capillary.json");

/// The stubs, and a folder for what the programs write.
pub(crate) struct World {
    pub(crate) aws: Arc<Aws>,
    pub(crate) capillary: Arc<Capillary>,
    aws_server: Server,
    capillary_server: Server,
    pub(crate) folder: PathBuf,
}

/// A program that has asked for its first invocation.
pub(crate) struct Running<'a> {
    pub(crate) process: Process,
    api: RuntimeApi,
    world: &'a World,
    pub(crate) start: Start,
}

/// What a start cost.
pub(crate) struct Start {
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
    pub(crate) connections: u64,
    pub(crate) calls: Counts,
}

/// Invocations of one sort, one after the other.
pub(crate) struct Warm {
    pub(crate) took_ms: Figures,
    pub(crate) all: Duration,
    pub(crate) cpu: Duration,
    pub(crate) calls: Counts,
}

impl World {
    pub(crate) async fn start(folder: PathBuf) -> Result<Self, Failure> {
        std::fs::create_dir_all(&folder)?;
        let aws = Arc::new(Aws::new(serde_json::from_str(WEBHOOK_SECRET)?, serde_json::from_str(CAPILLARY_SECRET)?));
        let capillary = Arc::new(Capillary::new()?);
        let (aws_server, capillary_server) =
            (Server::start(Arc::clone(&aws)).await?, Server::start(Arc::clone(&capillary)).await?);
        Ok(Self { aws, capillary, aws_server, capillary_server, folder })
    }

    /// All calls so far.
    fn calls(&self) -> Counts {
        self.aws.calls.counts().and(self.capillary.calls.counts())
    }

    /// Starts a program and waits until it asks for its first invocation.
    pub(crate) async fn run(&self, target: &Target) -> Result<Running<'_>, Failure> {
        self.run_by(&[], target).await
    }

    /// The same by another program, which gets its path as the last argument.
    pub(crate) async fn run_by(&self, program: &[&str], target: &Target) -> Result<Running<'_>, Failure> {
        self.aws.forget();
        let log = self.folder.join(format!("{}.log", target.name));
        self.run_logged(program, target, &log)
            .await
            .map_err(|failure| failure.during(&format!("{} (see {})", target.name, log.display())))
    }

    async fn run_logged(&self, program: &[&str], target: &Target, log: &Path) -> Result<Running<'_>, Failure> {
        let mut api = RuntimeApi::start(target.timeout()).await?;
        let environment = target.environment(&api.address(), &self.aws_server.url(), &self.capillary_server.url());
        let executable = target.executable.to_str().ok_or_else(|| Failure::new("a path that is no text"))?;
        let (calls, connections) = (self.calls(), self.connections());
        let process = Process::start(&[program, &[executable]].concat(), &environment, log)?;
        let took = api.polled().await?.saturating_duration_since(process.started);
        let cpu = process.cpu().await?;
        let connections = self.connections() - connections;
        let start = Start { took, cpu, connections, calls: self.calls().since(&calls) };
        Ok(Running { process, api, world: self, start })
    }

    fn connections(&self) -> u64 {
        self.aws_server.connections() + self.capillary_server.connections()
    }
}

impl Running<'_> {
    /// One invocation, and how long it took.
    pub(crate) async fn invoke(&mut self, payload: Bytes, is_right: impl Fn(&Value) -> bool) -> Result<Duration, Failure> {
        let invoked = self.api.invoke(payload).await?;
        if is_right(&invoked.answer) {
            Ok(invoked.took)
        } else {
            Err(Failure::new(format!("a wrong answer: {}", invoked.answer)))
        }
    }

    /// So many invocations.
    pub(crate) async fn warm(
        &mut self,
        count: u32,
        payload: impl Fn() -> Bytes,
        is_right: impl Fn(&Value) -> bool,
    ) -> Result<Warm, Failure> {
        let payloads: Vec<Bytes> = (0..count).map(|_| payload()).collect();
        let (calls, cpu) = (self.world.calls(), self.process.cpu().await?);
        let (mut took_ms, mut all) = (Vec::new(), Duration::ZERO);
        for payload in payloads {
            let took = self.invoke(payload, &is_right).await?;
            took_ms.push(milliseconds(took));
            all += took;
        }
        let cpu = self.process.cpu().await? - cpu;
        let calls = self.world.calls().since(&calls).without(NO_CALL);
        Ok(Warm { took_ms: took_ms.into_iter().collect(), all, cpu, calls })
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

pub(crate) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
