//! The enricher: turns messages of the events queue into enriched events on the bus.

use aws_lambda_events::sqs::SqsEvent;
use capillary_events::{
    aws::{Aws, ENRICHER_LIMITS, Service, bus::EventBus, queue::Queue, secrets::Secret, tables::Tables},
    batch,
    capillary::client::CapillaryClient,
    clock::SystemClock,
    config::{EnricherConfig, ProcessEnvironment},
    enrich::{Enricher, Limits, PREPARE_WITHIN, Turnstile},
    logging,
    metrics::Metrics,
    ports::{Clock, Parts},
    secret::CachedSecret,
    snapshot::Rules,
};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

/// The real ones.
struct Real;

impl Parts for Real {
    type Ledger = Tables;
    type Bus = EventBus;
    type DeadLetters = Queue;
    type Redelivery = Queue;
    type Entities = CapillaryClient<Secret, SystemClock>;
    type Secrets = Secret;
    type Clock = SystemClock;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::start();
    let config = EnricherConfig::read(&ProcessEnvironment).inspect_err(|error| tracing::error!(%error, "configuration"))?;
    let aws = Aws::read(&ProcessEnvironment, ENRICHER_LIMITS)?;
    // Only what fails goes there.
    let sqs = aws.sqs();
    let capillary_secret = Secret::new(aws.secrets_manager(), config.capillary_secret_id);
    let metrics = Metrics::on_stdout(config.common.function_name);
    let enricher: Enricher<Real> = Enricher {
        ledger: Tables::new(aws.dynamodb(), config.common.events_table, config.snapshots_table),
        bus: EventBus::new(aws.eventbridge(), config.event_bus_name),
        dead_letters: Queue::new(sqs.clone(), config.common.dead_letter_queue_url),
        redelivery: Queue::new(sqs, config.common.events_queue_url),
        rules: Rules {
            replica_lag_ms: i64::try_from(config.capillary.replica_lag.as_millis()).unwrap_or(i64::MAX),
            volatile: config.volatile,
        },
        turnstile: Turnstile::new(config.capillary.max_concurrency),
        filter: config.filter,
        redaction: config.redaction,
        hash_key: CachedSecret::new(capillary_secret.clone(), SystemClock),
        entities: CapillaryClient::new(config.capillary, capillary_secret, SystemClock, metrics.clone()),
        clock: SystemClock,
        limits: Limits {
            event_ttl: config.common.event_ttl,
            max_attempts: config.max_attempts,
            max_entry_bytes: config.max_entry_bytes,
            max_entities: config.max_entities,
            snapshot_ttl: config.snapshot_ttl,
        },
        metrics,
    };
    // A start has a whole core, which a small function has not later.
    tokio::join!(
        enricher.entities.prepare(PREPARE_WITHIN),
        aws.open_connections(&[Service::DynamoDb, Service::EventBridge], PREPARE_WITHIN)
    );
    let enricher = &enricher;
    // In a box: the runtime's layers hand the work on by value, and it is large.
    run(service_fn(|event: LambdaEvent<SqsEvent>| {
        Box::pin(async move {
            let time_left = batch::time_left(event.context.deadline, SystemClock.now_ms());
            let work = enricher.enrich(batch::messages(event.payload), time_left);
            Ok::<_, Error>(batch::response(enricher.metrics.written_after(time_left, work).await))
        })
    }))
    .await
}
