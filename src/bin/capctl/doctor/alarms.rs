//! The alarms: none of them on, and somebody who is told.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};

use super::finding::Findings;
use crate::{aws, context::Context, output::Failure};

const WHAT: &str = "alarms";
/// What a subscription is called that nobody has confirmed.
const PENDING: &str = "PendingConfirmation";

pub(super) async fn examine(context: &Context, findings: &mut Findings) {
    // Without a stack nobody can tell whose alarms they are.
    let Some(stack) = &context.deployment.stack else { return };
    let alarms = match alarms(context, stack).await {
        Ok(alarms) if alarms.is_empty() => return findings.bad(WHAT, "there are none", "deploy the stack again"),
        Ok(alarms) => alarms,
        Err(failure) => return findings.unknown(WHAT, &failure),
    };
    let on: Vec<&str> = alarms
        .iter()
        .filter(|alarm| alarm.state_value == Some(StateValue::Alarm))
        .filter_map(|alarm| short_name(stack, alarm.alarm_name.as_deref()?))
        .collect();
    if on.is_empty() {
        findings.good(WHAT, format!("none of {} is on", alarms.len()));
    } else {
        findings.bad(WHAT, format!("on: {}", on.join(", ")), "README.md, «When an alarm goes off», has a paragraph on each");
    }
    let topics: BTreeSet<&str> = alarms.iter().flat_map(MetricAlarm::alarm_actions).map(String::as_str).collect();
    if topics.is_empty() {
        return findings.hint(WHAT, "nobody is told of them", "deploy with AlarmEmail or AlarmTopicArn");
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

async fn alarms(context: &Context, stack: &str) -> Result<Vec<MetricAlarm>, Failure> {
    let client = aws_sdk_cloudwatch::Client::new(&context.aws);
    let mut pages = client.describe_alarms().alarm_name_prefix(format!("{stack}-")).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page.map_err(|error| aws::failure("CloudWatch.DescribeAlarms", &error))?.metric_alarms.unwrap_or_default());
    }
    Ok(found)
}

/// `DeadLettersAlarm` of `capillary-events-DeadLettersAlarm-1A2B3C`.
fn short_name<'a>(stack: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix(stack)?.strip_prefix('-')?.split('-').next()
}

/// How many are told, and how many have not confirmed that they want to be.
async fn subscriptions(context: &Context, topic: &str) -> Result<(usize, usize), Failure> {
    let client = aws_sdk_sns::Client::new(&context.aws);
    let answer = client.list_subscriptions_by_topic().topic_arn(topic).send().await;
    let answer = answer.map_err(|error| aws::failure("SNS.ListSubscriptionsByTopic", &error))?;
    let (pending, confirmed): (Vec<_>, Vec<_>) =
        answer.subscriptions().iter().partition(|subscription| subscription.subscription_arn.as_deref() == Some(PENDING));
    Ok((confirmed.len(), pending.len()))
}
