//! `capctl secrets`: fill and rotate the two secrets without anybody seeing them.

mod capillary;
mod entry;
mod forms;
mod list;
mod local;
mod store;
mod webhook;
mod webhook_form;

use clap::{Args, Subcommand};

use crate::{
    context::Context,
    output::{Failure, Outcome},
};

/// The two secrets: what form they have, fill them, rotate them
///
/// No value is ever printed, nor taken from an argument, where other users and the shell's history would see it: values come from a prompt
/// without echo, from standard input, from a file, or are made up. Writing takes the rights secretsmanager:GetSecretValue, PutSecretValue
/// and UpdateSecretVersionStage; whoever writes at the same time is noticed, and nothing of theirs is lost.
#[derive(Args)]
pub(crate) struct SecretsArguments {
    #[command(subcommand)]
    command: SecretsCommand,
}

#[derive(Subcommand)]
enum SecretsCommand {
    List(list::ListArguments),
    /// Fill or change a secret
    #[command(subcommand)]
    Set(SetCommand),
}

#[derive(Subcommand)]
enum SetCommand {
    Webhook(webhook::WebhookArguments),
    Capillary(capillary::CapillaryArguments),
}

pub(crate) async fn run(arguments: &SecretsArguments, context: &Context) -> Result<Outcome, Failure> {
    match &arguments.command {
        SecretsCommand::List(arguments) => list::run(arguments, context).await,
        SecretsCommand::Set(SetCommand::Webhook(arguments)) => webhook::run(arguments, context).await,
        SecretsCommand::Set(SetCommand::Capillary(arguments)) => capillary::run(arguments, context).await,
    }
}
