//! `capctl doctor`: is all as it should be.

mod alarms;
mod capillary;
mod finding;
mod gateway;
mod orgs;
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
    /// The org whose webhooks are looked at; all that have credentials if absent
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
    // What is wrong with the secrets is told already.
    if let (false, Some(book)) = (arguments.without_capillary, &secrets.credentials) {
        let reached = capillary::examine(context, book, &mut findings).await;
        if let Some(ours) = &secrets.headers {
            for org_id in orgs::looked_at(arguments.org, book, reached) {
                webhook::examine(context, org_id, &orgs::prefix(org_id, book), ours, &mut findings).await;
            }
        }
    }
    queues::examine(context, &mut findings).await;
    alarms::examine(context, &mut findings).await;
    context.show(&Examination { stack: context.deployment.stack.clone(), findings })
}
