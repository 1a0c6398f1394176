//! The alarms of the stack: all there, none of them on, and somebody who is told.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};

use super::finding::Findings;
use crate::{aws, context::Context, output::Failure};

const WHAT: &str = "alarms";
/// What CloudFormation calls an alarm.
const RESOURCE: &str = "AWS::CloudWatch::Alarm";
/// As many as one call to CloudWatch takes.
const AT_ONCE: usize = 100;
/// What a subscription is called that nobody has confirmed.
const PENDING: &str = "PendingConfirmation";

/// Names of the stack's alarms: CloudWatch's, and behind each the template's. The names of another stack's may begin the same.
type Names = BTreeMap<String, String>;

pub(super) async fn examine(context: &Context, findings: &mut Findings) {
    // Without a stack nobody can tell whose alarms they are.
    let Some(stack) = &context.deployment.stack else { return };
    let names = match names(context, stack).await {
        Ok(names) if names.is_empty() => return findings.bad(WHAT, "there are none", "deploy the stack again"),
        Ok(names) => names,
        Err(failure) => return findings.unknown(WHAT, &failure),
    };
    let alarms = match alarms(context, &names).await {
        Ok(alarms) => alarms,
        Err(failure) => return findings.unknown(WHAT, &failure),
    };
    judge(&names, &alarms, findings);
    let (topics, others) = told(&alarms);
    if topics.is_empty() && others.is_empty() {
        return findings.hint(WHAT, "nobody is told of them", "deploy with AlarmEmail or AlarmTopicArn");
    }
    for other in others {
        findings.good(WHAT, format!("they start {other}, which is no topic: whom it tells is not examined"));
    }
    for topic in topics {
        match subscriptions(context, topic).await {
            Ok((0, 0)) => findings.bad(WHAT, format!("nobody listens to {topic}"), "subscribe somebody to the topic"),
            Ok((0, pending)) => {
                let words = format!("{pending} subscription to {topic} waits for its confirmation");
                findings.bad(WHAT, words, "follow the link in AWS's mail");
            }
            Ok((confirmed, _)) => findings.good(WHAT, format!("{confirmed} listening to {topic}")),
            Err(failure) => findings.unknown(WHAT, &failure),
        }
    }
}

fn judge(names: &Names, alarms: &[MetricAlarm], findings: &mut Findings) {
    let there: BTreeSet<&str> = alarms.iter().filter_map(|alarm| alarm.alarm_name.as_deref()).collect();
    let gone: Vec<&str> =
        names.iter().filter(|(name, _)| !there.contains(name.as_str())).map(|(_, short)| short.as_str()).collect();
    if !gone.is_empty() {
        findings.bad(WHAT, format!("somebody has deleted {}", gone.join(", ")), "make them again as they are in the template");
    }
    let on = alarms.iter().filter(|alarm| alarm.state_value == Some(StateValue::Alarm));
    let on: Vec<&str> = on.filter_map(|alarm| names.get(alarm.alarm_name.as_deref()?).map(String::as_str)).collect();
    if on.is_empty() {
        findings.good(WHAT, format!("none of {} is on", alarms.len()));
    } else {
        findings.bad(WHAT, format!("on: {}", on.join(", ")), "README.md, «When an alarm goes off», has a paragraph on each");
    }
}

/// What the alarms start: topics, and anything else.
fn told(alarms: &[MetricAlarm]) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let actions = alarms.iter().flat_map(MetricAlarm::alarm_actions).map(String::as_str);
    actions.partition(|action| action.split(':').nth(2) == Some("sns"))
}

async fn names(context: &Context, stack: &str) -> Result<Names, Failure> {
    let client = aws_sdk_cloudformation::Client::new(&context.aws);
    let mut pages = client.list_stack_resources().stack_name(stack).into_paginator().send();
    let mut names = Names::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| aws::failure("CloudFormation.ListStackResources", &error))?;
        let resources = page.stack_resource_summaries.unwrap_or_default().into_iter();
        let alarms = resources.filter(|resource| resource.resource_type() == Some(RESOURCE));
        names.extend(alarms.filter_map(|alarm| Some((alarm.physical_resource_id?, alarm.logical_resource_id?))));
    }
    Ok(names)
}

async fn alarms(context: &Context, names: &Names) -> Result<Vec<MetricAlarm>, Failure> {
    let client = aws_sdk_cloudwatch::Client::new(&context.aws);
    let mut found = Vec::new();
    for some in names.keys().collect::<Vec<_>>().chunks(AT_ONCE) {
        let asked = some.iter().map(|name| (*name).clone()).collect();
        let mut pages = client.describe_alarms().set_alarm_names(Some(asked)).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws::failure("CloudWatch.DescribeAlarms", &error))?;
            found.extend(page.metric_alarms.unwrap_or_default());
        }
    }
    Ok(found)
}

/// How many are told, and how many have not confirmed that they want to be.
async fn subscriptions(context: &Context, topic: &str) -> Result<(usize, usize), Failure> {
    let client = aws_sdk_sns::Client::new(&context.aws);
    let mut pages = client.list_subscriptions_by_topic().topic_arn(topic).into_paginator().send();
    let (mut confirmed, mut pending) = (0, 0);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| aws::failure("SNS.ListSubscriptionsByTopic", &error))?;
        for subscription in page.subscriptions() {
            let count = if subscription.subscription_arn.as_deref() == Some(PENDING) { &mut pending } else { &mut confirmed };
            *count += 1;
        }
    }
    Ok((confirmed, pending))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:told";
    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:told";

    fn alarm(name: &str, state: StateValue) -> MetricAlarm {
        MetricAlarm::builder().alarm_name(name).state_value(state).alarm_actions(TOPIC).alarm_actions(FUNCTION).build()
    }

    #[test]
    fn what_is_no_topic_is_told_apart() {
        let alarms = [alarm("prod-HoldAlarm-1", StateValue::Ok), alarm("prod-SilenceAlarm-2", StateValue::Ok)];
        assert_eq!(told(&alarms), (BTreeSet::from([TOPIC]), BTreeSet::from([FUNCTION])));
    }

    #[test]
    fn an_alarm_is_called_as_in_the_template_and_one_that_is_gone_is_missed() {
        let names = ["Hold", "Silence"].map(|name| (format!("prod-{name}Alarm-1"), format!("{name}Alarm")));
        let mut findings = Findings::default();
        judge(&Names::from(names), &[alarm("prod-HoldAlarm-1", StateValue::Alarm)], &mut findings);
        let told = serde_json::to_string(&findings).unwrap();
        assert!(told.contains("on: HoldAlarm\"") && told.contains("deleted SilenceAlarm\""), "{told}");
    }
}
