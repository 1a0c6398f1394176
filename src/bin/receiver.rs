//! The receiver: takes in what Capillary's notification service POSTs.

use capillary_events::{
    auth::Gatekeeper,
    aws::{Aws, RECEIVER_LIMITS, Service, ledger::EventsTable, queue::Queue, secrets::Secret},
    batch,
    clock::SystemClock,
    config::{ProcessEnvironment, ReceiverConfig},
    gateway, logging,
    metrics::Metrics,
    ports::Clock,
    receive::{PREPARE_WITHIN, Receiver},
};
use lambda_http::{
    Error, LambdaEvent,
    lambda_runtime::{run, service_fn},
};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::start();
    let config = ReceiverConfig::read(&ProcessEnvironment).inspect_err(|error| tracing::error!(%error, "configuration"))?;
    let aws = Aws::read(&ProcessEnvironment, RECEIVER_LIMITS)?;
    let sqs = aws.sqs().ready();
    let receiver = Receiver {
        claims: EventsTable::new(aws.dynamodb(), config.common.events_table),
        queue: Queue::new(sqs.clone(), config.common.events_queue_url),
        dead_letters: Queue::new(sqs, config.common.dead_letter_queue_url),
        gatekeeper: Gatekeeper::new(Secret::new(aws.secrets_manager(), config.webhook_secret_id), SystemClock),
        clock: SystemClock,
        event_ttl: config.common.event_ttl,
        metrics: Metrics::on_stdout(config.common.function_name),
    };
    // A start has a whole core, which a small function has not later.
    tokio::join!(
        receiver.gatekeeper.prepare(PREPARE_WITHIN),
        aws.open_connections(&[Service::DynamoDb, Service::Sqs], PREPARE_WITHIN)
    );
    let receiver = &receiver;
    // In a box: the runtime's layers hand the work on by value, and it is large.
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        Box::pin(async move {
            let time_left = batch::time_left(event.context.deadline, SystemClock.now_ms());
            let answer = gateway::answer(receiver, &event.payload, event.context.xray_trace_id.as_deref());
            Ok::<_, Error>(receiver.metrics.written_after(time_left, answer).await)
        })
    }))
    .await
}
