//! The operator's program: where an event is, what lies in the dead-letter queue, what Capillary's webhook and the secrets are like, and
//! whether a deployment is as it should be.
//!
//! ```text
//! main         arguments -> command
//! arguments    what can be asked
//! context      what every command has: the output, AWS, the deployment
//! aws          AWS as the AWS CLI finds it, and its errors in a line
//! deployment   the names of a stack's resources
//! dead_letters the dead-letter queue, read through; reasons: what its reasons mean
//! capillary    Capillary's APIs with the deployment's credentials; stored_secret: these and the headers, in Secrets Manager
//! files        files that only their owner may read; interrupt: Ctrl-C and SIGTERM
//! output       a report as text or JSON; what a run comes to
//! page         text for people: tables, words in colour; quoted: words of a command to be copied
//! spans        times and durations as people read them
//!
//! trace        where is my event
//! dlq          the dead-letter queue
//! webhook      what Capillary sends, and where to
//! secrets      the two secrets
//! doctor       is all as it should be
//! ```

mod arguments;
mod aws;
mod capillary;
mod context;
mod dead_letters;
mod deployment;
mod dlq;
mod doctor;
mod files;
mod interrupt;
mod output;
mod page;
mod quoted;
mod reasons;
mod secrets;
mod spans;
mod stored_secret;
mod trace;
mod webhook;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    arguments::{Arguments, Command},
    context::Context,
    output::{Failure, Outcome},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = arguments.common.output();
    let outcome = match run(arguments).await {
        Ok(outcome) => outcome,
        Err(failure) => output.fail(&failure),
    };
    outcome.into()
}

async fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let context = Context::find(&arguments.common).await?;
    match arguments.command {
        Command::Trace(arguments) => trace::run(&arguments, &context).await,
        Command::Webhook(arguments) => webhook::run(&arguments, &context).await,
        Command::Doctor(arguments) => doctor::run(&arguments, &context).await,
        Command::Dlq(arguments) => dlq::run(&arguments, &context).await,
        Command::Secrets(arguments) => secrets::run(&arguments, &context).await,
    }
}
