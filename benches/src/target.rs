//! The programs that are measured, and the environment in which Lambda would start them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    aws::{CAPILLARY_SECRET, SNAPSHOTS, WEBHOOK_SECRET},
    failure::Failure,
};

/// One program.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) executable: PathBuf,
    pub(crate) kind: Kind,
}

/// What it can do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It takes deliveries, and knows strangers.
    Receiver,
    /// It takes deliveries, whoever sends them.
    Floor,
    /// It takes batches of the queue.
    Enricher,
}

/// In the order in which they are run: receiver, floors, enricher.
pub(crate) fn targets(root: &Path) -> Result<[Target; 4], Failure> {
    let built = |name, kind, place: &str| {
        let executable = root.join(place).join("bootstrap");
        if executable.is_file() {
            Ok(Target { name, executable, kind })
        } else {
            Err(Failure::new(format!("{} is not there: `make bench` builds it", executable.display())))
        }
    };
    Ok([
        built("receiver", Kind::Receiver, ".aws-sam/build/ReceiverFunction")?,
        built("lean", Kind::Floor, "benches/target/lambda/lean")?,
        built("stock", Kind::Floor, "benches/target/lambda/stock")?,
        built("enricher", Kind::Enricher, ".aws-sam/build/EnricherFunction")?,
    ])
}

impl Target {
    /// What an invocation may take, as in template.yaml.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(if self.kind == Kind::Enricher { 60 } else { 12 })
    }

    /// What Lambda sets, and the variables of template.yaml.
    pub(crate) fn environment(&self, runtime_api: &str, aws_url: &str, capillary_url: &str) -> Vec<(String, String)> {
        let memory = if self.kind == Kind::Enricher { "512" } else { "256" };
        let (queue, dead_letters) = (format!("{aws_url}/000000000000/events"), format!("{aws_url}/000000000000/dead"));
        let common = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("TZ", ":UTC"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/measured"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_SESSION_TOKEN", "local"),
            ("AWS_ENDPOINT_URL", aws_url),
            ("EVENTS_TABLE", "events"),
            ("EVENTS_QUEUE_URL", &queue),
            ("DEAD_LETTER_QUEUE_URL", &dead_letters),
            ("EVENT_TTL_DAYS", "21"),
        ];
        let own: &[(&str, &str)] = match self.kind {
            Kind::Receiver | Kind::Floor => &[("WEBHOOK_SECRET_ID", WEBHOOK_SECRET)],
            Kind::Enricher => &[
                ("SNAPSHOTS_TABLE", SNAPSHOTS),
                ("SNAPSHOT_TTL_DAYS", "400"),
                ("EVENT_BUS_NAME", "bus"),
                ("MAX_ATTEMPTS", "8"),
                ("MAX_ENTRY_KIB", "256"),
                ("ENRICH_MAX_ENTITIES", "20"),
                ("CAPILLARY_SECRET_ID", CAPILLARY_SECRET),
                ("CAPILLARY_BASE_URL", capillary_url),
                ("CAPILLARY_MAX_CONCURRENCY", "10"),
                // The one that is not the template's: its 600 would be the figure.
                ("CAPILLARY_REQUESTS_PER_MINUTE", "1000000"),
                ("CAPILLARY_REPLICA_LAG_SECONDS", "5"),
            ],
        };
        common.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}
