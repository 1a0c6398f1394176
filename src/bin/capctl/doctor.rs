//! `capctl doctor`: is all as it should be.

mod alarms;
mod capillary;
mod finding;
mod gateway;
mod queues;
mod secrets;
mod tables;
mod webhook;

use clap::Args;
use finding::{Examination, Findings};

use crate::{
    context::Context,
    output::{Failure, Outcome},
};

/// Check a deployment: tables, secrets, Capillary, the webhook, queues, alarms
///
/// Each finding comes with its remedy. The exit code is 1 where something wants mending; hints alone are 0. It changes nothing: to see
/// whether deliveries arrive, it sends an empty one with the right headers, which the receiver refuses and nobody keeps.
#[derive(Args)]
pub(crate) struct DoctorArguments {
    /// Capillary's org whose webhooks are looked at, where credentials differ by org
    #[arg(long, value_name = "ORG")]
    org: Option<i64>,
    /// Do not call Capillary
    #[arg(long)]
    without_capillary: bool,
}

pub(crate) async fn run(arguments: &DoctorArguments, context: &Context) -> Result<Outcome, Failure> {
    let mut findings = Findings::default();
    tables::examine(context, &mut findings).await;
    let secrets = secrets::examine(context, &mut findings).await;
    gateway::examine(context, secrets.headers.as_ref(), &mut findings).await;
    if !arguments.without_capillary {
        let is_reached = capillary::examine(context, secrets.credentials.as_ref(), &mut findings).await;
        if let (true, Some(book), Some(_)) = (is_reached, &secrets.credentials, &secrets.headers) {
            // The credentials for all orgs come last.
            let org_id = arguments.org.or_else(|| book.orgs().last().flatten());
            webhook::examine(context, org_id, &mut findings).await;
        }
    }
    queues::examine(context, &mut findings).await;
    alarms::examine(context, &mut findings).await;
    context.show(&Examination { stack: context.deployment.stack.clone(), findings })
}
