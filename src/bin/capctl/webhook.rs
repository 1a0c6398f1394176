//! `capctl webhook`: what Capillary sends, and where to.
//!
//! ```text
//! capillary  the webhooks of the org, read and written
//! entry      one of them, as Capillary lists it
//! place      where this deployment is, and what sends there
//! secret     the headers that the receiver wants
//! names      which events
//! check      what is not as this deployment needs it
//! edit       what `update` changes
//! headers    the headers that one is to have
//! report     what is printed
//! ```

mod capillary;
mod check;
mod edit;
mod entry;
mod headers;
mod list;
mod names;
mod place;
mod register;
mod report;
mod secret;
mod update;

use clap::{Args, Subcommand};

use crate::{
    context::Context,
    output::{Failure, Outcome},
};
use capillary::Webhooks;
use check::{Finding, findings, overall};
use entry::Entry;
use names::Selection;
use place::Place;
pub(crate) use secret::Headers;

/// Capillary's webhooks: what it sends, and where to
///
/// Names of events are those of Capillary's documentation; `all` are all of them, `enriched` those that have a customer, a bill or
/// anything else behind them. Values of headers are compared, and never printed.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct WebhookArguments {
    #[command(subcommand)]
    command: WebhookCommand,
}

#[derive(Subcommand)]
enum WebhookCommand {
    List(ListArguments),
    Register(RegisterArguments),
    Update(UpdateArguments),
    Pause(PauseArguments),
}

/// Which webhooks there are, which is this deployment's, and whether it is as it should be
///
/// Ends with exit code 1 if no webhook sends here, or one that does wants mending.
#[derive(Args)]
struct ListArguments {
    /// Also those that are switched off, and those of Capillary's internal queues
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    org: Org,
}

/// Make the webhook that sends to this deployment
///
/// Takes the URL from the stack, and of each header in the webhook secret the first value. What Capillary has made of it is read again
/// and checked. If there is a webhook with this URL, nothing is changed.
#[derive(Args)]
struct RegisterArguments {
    /// Its name, unique in the org; the stack's name if absent
    #[arg(long)]
    name: Option<String>,
    /// all, enriched, or names separated by commas
    #[arg(long, value_name = "NAMES")]
    events: Option<Selection>,
    /// How many deliveries at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    #[command(flatten)]
    org: Org,
}

/// Change the webhook that sends to this deployment
///
/// Everything that is not named stays. Without an option it mends what `list` complains of in its headers and its method. To rotate a
/// header, put the new value first in the webhook secret, run this with --headers, and then take the old value out of the secret.
#[derive(Args)]
struct UpdateArguments {
    /// The webhook's id, where it can't be told by the URL
    #[arg(long)]
    id: Option<String>,
    /// These events instead: all, enriched, or names separated by commas
    #[arg(long, value_name = "NAMES")]
    events: Option<Selection>,
    /// These events besides
    #[arg(long, value_name = "NAMES")]
    add: Option<Selection>,
    /// These events no longer
    #[arg(long, value_name = "NAMES")]
    remove: Option<Selection>,
    /// The headers of the webhook secret as they are now, of each the first value
    #[arg(long)]
    headers: bool,
    /// Another URL; without a value this deployment's. Another place is not sent the headers of the webhook secret
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    url: Option<String>,
    /// How many deliveries at the same time
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
    /// Switch it on again
    #[arg(long)]
    resume: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    org: Org,
}

/// Switch the webhook off
///
/// This works without the webhook secret.
/// Capillary does not say what it does with the events that happen meanwhile: they may be kept, or lost. `capctl webhook update --resume`
/// switches it on again.
#[derive(Args)]
struct PauseArguments {
    /// The webhook's id, where it can't be told by the URL
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    org: Org,
}

#[derive(Args)]
struct Org {
    /// The org whose credentials are taken, where they differ by org
    #[arg(long, value_name = "ORG")]
    org: Option<i64>,
}

pub(crate) async fn run(arguments: &WebhookArguments, context: &Context) -> Result<Outcome, Failure> {
    match &arguments.command {
        WebhookCommand::List(arguments) => list::run(arguments, context).await,
        WebhookCommand::Register(arguments) => register::run(arguments, context).await,
        WebhookCommand::Update(arguments) => update::run(arguments, context).await,
        WebhookCommand::Pause(arguments) => update::pause(arguments, context).await,
    }
}

/// What keeps the events of an org from coming through, as far as its webhooks are the cause: they are to bear these headers.
pub(crate) async fn complaints(context: &Context, org_id: Option<i64>, ours: &Headers) -> Result<Vec<Finding>, Failure> {
    let place = place(context)?;
    let all = Webhooks::of(context, org_id)?.all().await?;
    let of_each = all.iter().filter(|entry| place.is_sent_to_by(entry)).flat_map(|entry| findings(entry, ours));
    Ok(overall(&all, &place).into_iter().chain(of_each).collect())
}

/// The consumer groups of an org's webhooks that send here, switched on or not: by these Capillary's event log tells which deliveries
/// were for this deployment. Webhooks elsewhere have others. It goes without the webhook secret.
pub(crate) async fn consumer_groups(context: &Context, org_id: Option<i64>) -> Result<Vec<String>, Failure> {
    let place = place(context)?;
    Ok(groups(&Webhooks::of(context, org_id)?.all().await?, &place))
}

fn groups(all: &[Entry], place: &Place) -> Vec<String> {
    let of_here = all.iter().filter(|entry| place.is_sent_to_by(entry)).map(Entry::consumer_group_id);
    of_here.filter(|group| !group.is_empty()).map(str::to_owned).collect()
}

/// Where this deployment is.
fn place(context: &Context) -> Result<Place, Failure> {
    Ok(Place::new(context.deployment.name("EVENTS_URL")?))
}

/// What the receiver wants of a webhook's headers. Only what compares or sends them reads the secret: all else goes without it.
async fn our_headers(context: &Context) -> Result<Headers, Failure> {
    secret::read(&context.aws, context.deployment.name("WEBHOOK_SECRET_ID")?).await
}

/// The same, if there is anything to compare them with.
async fn headers_if_sent_here(context: &Context, all: &[Entry], place: &Place) -> Result<Option<Headers>, Failure> {
    match all.iter().any(|entry| place.is_sent_to_by(entry)) {
        true => our_headers(context).await.map(Some),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn consumer_groups_are_those_of_the_webhooks_that_send_here_switched_on_or_not() {
        let here = "https://hooks.example.net/v1/events";
        let all: Vec<Entry> = [
            json!({"consumerGroupId": "on", "webHookType": "HTTP", "webHookUrl": here, "active": true}),
            json!({"consumerGroupId": "off", "webHookType": "HTTP", "webHookUrl": here, "active": false}),
            json!({"webHookType": "HTTP", "webHookUrl": here}),
            json!({"consumerGroupId": "theirs", "webHookType": "HTTP", "webHookUrl": "https://elsewhere.example.net/"}),
            json!({"consumerGroupId": "queue", "webHookType": "QUEUE_INT", "webHookUrl": here}),
        ]
        .into_iter()
        .filter_map(Entry::read)
        .collect();
        assert_eq!(groups(&all, &Place::new(here)), ["on", "off"]);
    }
}
