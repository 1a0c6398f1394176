//! The enricher: turns messages of the events queue into enriched events on the bus.

use aws_lambda_events::sqs::SqsEvent;
use capillary_events::{
    aws::{self, bus::EventBus, queue::Queue, secrets::Secret, tables::Tables},
    batch,
    capillary::client::CapillaryClient,
    clock::SystemClock,
    config::{EnricherConfig, ProcessEnvironment},
    enrich::{Enricher, Limits, Turnstile},
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
    let aws = aws::config(aws::ENRICHER_LIMITS).await;
    let metrics = Metrics::on_stdout(config.common.function_name);
    let enricher: Enricher<Real> = Enricher {
        ledger: Tables::new(&aws, config.common.events_table, config.snapshots_table),
        bus: EventBus::new(&aws, config.event_bus_name),
        dead_letters: Queue::new(&aws, config.common.dead_letter_queue_url),
        redelivery: Queue::new(&aws, config.common.events_queue_url),
        rules: Rules {
            replica_lag_ms: i64::try_from(config.capillary.replica_lag.as_millis()).unwrap_or(i64::MAX),
            volatile: config.volatile,
        },
        turnstile: Turnstile::new(config.capillary.max_concurrency),
        filter: config.filter,
        redaction: config.redaction,
        hash_key: CachedSecret::new(Secret::new(&aws, config.capillary_secret_id.clone()), SystemClock),
        entities: CapillaryClient::new(
            config.capillary,
            Secret::new(&aws, config.capillary_secret_id),
            SystemClock,
            metrics.clone(),
        ),
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
    let enricher = &enricher;
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let time_left = batch::time_left(event.context.deadline, SystemClock.now_ms());
        let work = enricher.enrich(batch::messages(event.payload), time_left);
        Ok::<_, Error>(batch::response(enricher.metrics.written_after(time_left, work).await))
    }))
    .await
}
