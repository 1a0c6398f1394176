//! `capctl dlq`: what lies in the dead-letter queue, and what becomes of it.

mod drop;
mod ended;
mod filter;
mod groups;
mod list;
mod newcomers;
mod redrive;
mod show;
mod walk;

use clap::{Args, Subcommand};

use crate::{
    context::Context,
    output::{Failure, Outcome},
};

/// The dead-letter queue: list what lies in it and why, show it, redrive it, drop it
///
/// SQS has no list of a queue's messages: each letter is received and given back, which takes the right sqs:ChangeMessageVisibility. So a
/// letter that somebody else is reading can't be seen meanwhile, nor for five minutes what a reader held that was killed; then the exit code
/// is 4. A look ends once what was there at its beginning was seen. Nobody can hold more than about 120,000 letters at once, so of more a part
/// is listed.
#[derive(Args)]
pub(crate) struct DlqArguments {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Subcommand)]
enum DlqCommand {
    List(list::ListArguments),
    Show(show::ShowArguments),
    Redrive(redrive::RedriveArguments),
    Drop(drop::DropArguments),
}

pub(crate) async fn run(arguments: &DlqArguments, context: &Context) -> Result<Outcome, Failure> {
    match &arguments.command {
        DlqCommand::List(arguments) => list::run(arguments, context).await,
        DlqCommand::Show(arguments) => show::run(arguments, context).await,
        DlqCommand::Redrive(arguments) => redrive::run(arguments, context).await,
        DlqCommand::Drop(arguments) => drop::run(arguments, context).await,
    }
}
