//! The names of a deployment's resources: from the outputs of its stack, or from the variables that its functions have.

use std::collections::HashMap;

use aws_config::SdkConfig;
use capillary_events::config::{CapillaryConfig, ProcessEnvironment, Source};

use crate::{aws, output::Failure};

/// Outputs of the stack, beside the variables that say the same.
const NAMES: [(&str, &str); 10] = [
    ("EventsTableName", "EVENTS_TABLE"),
    ("SnapshotsTableName", "SNAPSHOTS_TABLE"),
    ("EventsQueueUrl", "EVENTS_QUEUE_URL"),
    ("DeadLetterQueueUrl", "DEAD_LETTER_QUEUE_URL"),
    ("WebhookSecretArn", "WEBHOOK_SECRET_ID"),
    ("CapillarySecretArn", "CAPILLARY_SECRET_ID"),
    ("CapillaryBaseUrl", "CAPILLARY_BASE_URL"),
    ("EventsUrl", EVENTS_URL),
    ("ReceiverLogGroupName", "RECEIVER_LOG_GROUP"),
    ("EnricherLogGroupName", "ENRICHER_LOG_GROUP"),
];
/// Goes before the stack's output: where a gateway is reached by another name than the stack knows.
const EVENTS_URL: &str = "EVENTS_URL";

/// A deployment, by the variables' names.
pub(crate) struct Deployment {
    /// The stack's name, where it was found by that.
    pub(crate) stack: Option<String>,
    names: HashMap<&'static str, String>,
}

impl Deployment {
    /// The deployment with that stack, or the one that the environment tells.
    pub(crate) async fn find(stack: Option<&str>, aws: &SdkConfig) -> Result<Self, Failure> {
        let from_environment = |variable: &str| ProcessEnvironment.get(variable).filter(|value| !value.trim().is_empty());
        let mut names = match stack {
            Some(stack) => of_stack(stack, aws).await?,
            None => NAMES.iter().filter_map(|(_, variable)| Some((*variable, from_environment(variable)?))).collect(),
        };
        if names.is_empty() {
            let what = "which deployment? Give --stack NAME (or CAPCTL_STACK), or set its functions' variables (EVENTS_TABLE, …)";
            return Err(Failure::Usage(what.to_owned()));
        }
        names.extend(from_environment(EVENTS_URL).map(|url| (EVENTS_URL, url)));
        Ok(Self { stack: stack.map(str::to_owned), names })
    }

    /// The value that a function has in that variable.
    pub(crate) fn name(&self, variable: &'static str) -> Result<&str, Failure> {
        self.get(variable).ok_or_else(|| match &self.stack {
            Some(stack) => Failure::Usage(format!("the stack {stack} does not tell {variable}: is it one of capillary-events?")),
            None => Failure::Usage(format!("{variable} is not set; or give --stack NAME")),
        })
    }

    /// The same, where it can be done without.
    pub(crate) fn get(&self, variable: &str) -> Option<&str> {
        self.names.get(variable).map(String::as_str)
    }

    /// How to call Capillary's APIs.
    pub(crate) fn capillary(&self) -> Result<CapillaryConfig, Failure> {
        self.name("CAPILLARY_BASE_URL")?;
        CapillaryConfig::read(self).map_err(|error| Failure::Usage(error.to_string()))
    }
}

/// The variables of its functions, and of those that say which certificates count the process's own.
impl Source for Deployment {
    fn get(&self, name: &str) -> Option<String> {
        self.names.get(name).cloned().or_else(|| ProcessEnvironment.get(name).filter(|_| name.starts_with("SSL_")))
    }
}

async fn of_stack(stack: &str, aws: &SdkConfig) -> Result<HashMap<&'static str, String>, Failure> {
    let answer = aws_sdk_cloudformation::Client::new(aws).describe_stacks().stack_name(stack).send().await;
    let answer = answer.map_err(|error| aws::failure("CloudFormation.DescribeStacks", &error))?;
    let Some(found) = answer.stacks().first() else {
        return Err(Failure::Usage(format!("there is no stack {stack}")));
    };
    let outputs = found.outputs().iter();
    let told: HashMap<&str, &str> = outputs.filter_map(|output| Some((output.output_key()?, output.output_value()?))).collect();
    Ok(NAMES.iter().filter_map(|(name, variable)| Some((*variable, (*told.get(name)?).to_owned()))).collect())
}
