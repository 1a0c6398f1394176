//! Ten events of a batch: none waits for what it does not need.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::answering_capillary::{Answer, Call};
use crate::support::events::{of_card, of_customer, of_points};
use crate::support::stage::{NO_LAG, Stage};

/// How long a call takes. One after the other, ten or twenty of them would take as many seconds; the local AWS on a machine that does
/// other things, too, needs some of the time.
const CALL: Duration = Duration::from_secs(1);
const FIVE_CALLS: Duration = Duration::from_secs(5);

/// The time that a batch of ten takes, best of a few on a machine that does other things, too. The enricher is warm: it has a token, and
/// trusts the API.
async fn shortest(event: impl Fn(&str, u64) -> Value) -> Duration {
    let stage = Stage::answering(NO_LAG).await;
    stage.tell(&of_customer("customerAdded", "warm", 1)).await;
    stage.capillary.answers(|call| call.path.starts_with("/v2/").then(|| call.found().after(CALL)));
    let mut shortest = Duration::MAX;
    for round in 1..=5 {
        for number in 1..=10 {
            stage.world.enqueue(&event(&format!("{round}-{number}"), 100 * round + number)).await;
        }
        let messages = stage.world.queue_messages().await;
        assert_eq!(messages.len(), 10);
        let began = Instant::now();
        stage.world.enrich_these(&stage.enricher, messages).await.all_done();
        shortest = shortest.min(began.elapsed());
        if shortest <= FIVE_CALLS {
            break;
        }
    }
    shortest
}

#[tokio::test]
async fn ten_customers_take_less_than_five_calls_time() {
    let shortest = shortest(|id, customer| of_customer("customerUpdated", id, customer)).await;
    assert!(shortest <= FIVE_CALLS, "{shortest:?}");
}

#[tokio::test]
async fn ten_customers_with_entries_of_the_ledger_take_less_than_five_calls_time() {
    let shortest = shortest(|id, customer| of_points(id, customer, customer)).await;
    assert!(shortest <= FIVE_CALLS, "{shortest:?}");
}

#[tokio::test]
async fn a_card_that_is_never_answered_holds_up_nobody_else() {
    let stage = Stage::answering(NO_LAG).await;
    stage.tell(&of_customer("customerAdded", "warm", 1)).await;
    let hangs = |call: &Call| call.path == "/v2/card" && call.parameter("number") == "CARD7";
    stage.capillary.answers(move |call| hangs(call).then(Answer::never));
    let mut events: Vec<Value> =
        (20..24).map(|customer| of_customer("customerUpdated", &format!("{customer}"), customer)).collect();
    events.extend((24..27).map(|customer| of_points(&format!("{customer}"), customer, customer)));
    events.extend((27..29).map(|customer| of_card(&format!("{customer}"), &format!("CARD{customer}"))));
    events.push(of_card("hangs", "CARD7"));
    let batch = stage.attempt_all(&events).await;
    let back: Vec<Option<&str>> = batch.back.iter().map(|message| message.attribute("eventId")).collect();
    assert_eq!(back, [Some("hangs")]);
    assert_eq!(stage.world.sent_entries().len(), 10, "with the first");
    stage.capillary.answers(|_| None);
    stage.again(&batch).await.all_done();
}
