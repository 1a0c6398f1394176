//! What can be asked. The texts here are the program's help.

use clap::{Args, Parser, Subcommand};

use crate::{
    dlq::DlqArguments, doctor::DoctorArguments, output::Output, secrets::SecretsArguments, trace::TraceArguments,
    webhook::WebhookArguments,
};

/// Operates capillary-events: finds events, mends what failed, and keeps Capillary's webhook and the secrets in order.
///
/// A deployment is found by the name of its stack (--stack, with the credentials and the region that the AWS CLI would take), or else by
/// the variables that its functions have: EVENTS_TABLE, SNAPSHOTS_TABLE, EVENTS_QUEUE_URL, DEAD_LETTER_QUEUE_URL,
/// WEBHOOK_SECRET_ID, CAPILLARY_SECRET_ID, CAPILLARY_BASE_URL, and EVENTS_URL.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  done, and nothing to be mended
  1  done, and something was found that wants mending
  2  the command or the settings make no sense
  3  AWS or Capillary refused, or could not be reached
  4  done in part: run it again to go on";

/// Where the help tells them: else they would stand among those of a command.
const EVERYWHERE: &str = "Options of every command";

/// What every command takes.
#[derive(Args)]
pub(crate) struct Common {
    /// The stack's name
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "CAPCTL_STACK", value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// A profile of the AWS configuration
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// An AWS region
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
}

impl Common {
    pub(crate) fn output(&self) -> Output {
        if self.json { Output::Json } else { Output::Text }
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Trace(TraceArguments),
    Dlq(DlqArguments),
    Webhook(WebhookArguments),
    Secrets(SecretsArguments),
    Doctor(DoctorArguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    /// `capctl … <message id or event id>   # why`, as words.
    fn words(line: &str) -> Vec<String> {
        let command = line.split(" #").next().unwrap_or_default();
        let mut parts = command.split(['<', '>']).enumerate();
        let filled = parts.by_ref().map(|(position, part)| if position % 2 == 0 { part } else { "id" });
        filled.collect::<String>().split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_command_of_the_readme_is_one() {
        let readme = include_str!("../../../README.md");
        let blocks = readme.split("\n```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0));
        let commands: Vec<&str> = blocks.flat_map(str::lines).filter(|line| line.starts_with("capctl ")).collect();
        assert!(commands.iter().any(|command| command.contains(" dlq redrive ")), "{commands:?}");
        for command in commands {
            if let Err(error) = Arguments::try_parse_from(words(command)) {
                panic!("{command}: {error}");
            }
        }
    }
}
