//! The receiver: takes in what Capillary's notification service POSTs.

use capillary_events::{
    auth::Gatekeeper,
    aws::{self, ledger::EventsTable, queue::Queue, secrets::Secret},
    batch,
    clock::SystemClock,
    config::{ProcessEnvironment, ReceiverConfig},
    gateway::{self, Request},
    logging,
    metrics::Metrics,
    ports::Clock,
    receive::{PREPARE_WITHIN, Receiver},
};
use lambda_http::{
    Error, LambdaEvent,
    lambda_runtime::{run, service_fn},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::start();
    let config = ReceiverConfig::read(&ProcessEnvironment).inspect_err(|error| tracing::error!(%error, "configuration"))?;
    let aws = aws::config(aws::RECEIVER_LIMITS).await;
    let receiver = Receiver {
        claims: EventsTable::new(&aws, config.common.events_table),
        queue: Queue::new(&aws, config.common.events_queue_url),
        dead_letters: Queue::new(&aws, config.common.dead_letter_queue_url),
        gatekeeper: Gatekeeper::new(Secret::new(&aws, config.webhook_secret_id), SystemClock),
        clock: SystemClock,
        event_ttl: config.common.event_ttl,
        metrics: Metrics::on_stdout(config.common.function_name),
    };
    receiver.gatekeeper.prepare(PREPARE_WITHIN).await;
    let receiver = &receiver;
    run(service_fn(|event: LambdaEvent<Request>| async move {
        let time_left = batch::time_left(event.context.deadline, SystemClock.now_ms());
        let answer = gateway::answer(receiver, event.payload, event.context.xray_trace_id.as_deref());
        Ok::<_, Error>(receiver.metrics.written_after(time_left, answer).await)
    }))
    .await
}
