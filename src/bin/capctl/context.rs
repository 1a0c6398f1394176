//! What every command has.

use aws_config::SdkConfig;
use capillary_events::{clock::SystemClock, ports::Clock};

use crate::{
    arguments::Common,
    aws,
    deployment::Deployment,
    output::{Failure, Outcome, Output, Report},
};

pub(crate) struct Context {
    output: Output,
    /// What AWS clients are made from.
    pub(crate) aws: SdkConfig,
    pub(crate) deployment: Deployment,
}

impl Context {
    /// AWS, and the deployment that is meant.
    pub(crate) async fn find(common: &Common) -> Result<Self, Failure> {
        let aws = aws::configuration(common).await?;
        let deployment = Deployment::find(common.stack.as_deref(), &aws).await?;
        Ok(Self { output: common.output(), aws, deployment })
    }

    /// Prints what was found or done.
    pub(crate) fn show(&self, report: &impl Report) -> Result<Outcome, Failure> {
        self.output.show(report)
    }

    /// Whether people read along, so that progress may be shown on standard error (where that is a terminal).
    pub(crate) fn is_for_people(&self) -> bool {
        self.output == Output::Text
    }

    /// Now, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        SystemClock.now_ms()
    }
}
