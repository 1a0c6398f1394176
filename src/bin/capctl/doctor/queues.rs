//! The queues: what lies in one, and how old it is in the other.

use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{Dimension, Statistic},
};

use super::finding::Findings;
use crate::{aws, context::Context, dead_letters::count, output::Failure, spans::duration};

const EVENTS: &str = "events queue";
const DEAD_LETTERS: &str = "dead letters";
/// Older than this, and something holds events up (the alarm's default).
const OLD_S: i64 = 3600;
/// The metric comes each minute, some late.
const SPAN_S: i64 = 15 * 60;

pub(super) async fn examine(context: &Context, findings: &mut Findings) {
    let sqs = aws_sdk_sqs::Client::new(&context.aws);
    let counted = async |variable| count(&sqs, context.deployment.name(variable)?).await;
    match counted("DEAD_LETTER_QUEUE_URL").await {
        Ok(0) => findings.good(DEAD_LETTERS, "none"),
        Ok(count) => findings.bad(DEAD_LETTERS, format!("about {count}"), "capctl dlq list"),
        Err(failure) => findings.unknown(DEAD_LETTERS, &failure),
    }
    let waiting = match counted("EVENTS_QUEUE_URL").await {
        Ok(count) => count,
        Err(failure) => return findings.unknown(EVENTS, &failure),
    };
    match oldest_s(context).await {
        Ok(Some(age_s)) if age_s > OLD_S => {
            let words = format!("about {waiting} events, the oldest {} old", duration(age_s.saturating_mul(1000)));
            findings.bad(
                EVENTS,
                words,
                "the saved query `failures by cause` tells what holds them up; nothing is lost for 12 days",
            );
        }
        Ok(Some(age_s)) => {
            findings.good(EVENTS, format!("about {waiting} events, the oldest {} old", duration(age_s.saturating_mul(1000))));
        }
        Ok(None) => findings.good(EVENTS, format!("about {waiting} events")),
        Err(failure) => {
            findings.good(EVENTS, format!("about {waiting} events"));
            findings.unknown(EVENTS, &failure);
        }
    }
}

/// The age of the oldest event, in seconds, where CloudWatch knows it.
async fn oldest_s(context: &Context) -> Result<Option<i64>, Failure> {
    let queue = context.deployment.name("EVENTS_QUEUE_URL")?.rsplit('/').next().unwrap_or_default();
    let now_s = context.now_ms() / 1000;
    let answer = Client::new(&context.aws)
        .get_metric_statistics()
        .namespace("AWS/SQS")
        .metric_name("ApproximateAgeOfOldestMessage")
        .dimensions(Dimension::builder().name("QueueName").value(queue).build())
        .start_time(DateTime::from_secs(now_s.saturating_sub(SPAN_S)))
        .end_time(DateTime::from_secs(now_s))
        .period(60)
        .statistics(Statistic::Maximum)
        .send()
        .await
        .map_err(|error| aws::failure("CloudWatch.GetMetricStatistics", &error))?;
    let latest = answer.datapoints().iter().max_by_key(|point| point.timestamp.map(|at| at.secs()));
    #[allow(clippy::cast_possible_truncation, reason = "an age in seconds")]
    Ok(latest.and_then(|point| point.maximum).map(|age| age as i64))
}
