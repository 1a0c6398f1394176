//! What the functions rely on in the services that they use: the same cases for the doubles of the simulation and for the adapters on the
//! local AWS, so that the doubles stay honest.

pub(crate) mod ledger;
pub(crate) mod queues;

use capillary_events::{
    enrich::Incoming,
    event::Event,
    ledger::{Claim, Identity},
    ports::{Bus, Claims, DeadLetterQueue, EventsQueue, Ledger, Redelivery, SecretStore},
};

/// The services of one world, all empty but the secret, which is [`SECRET`].
pub(crate) trait Services {
    type Claims: Claims;
    type Ledger: Ledger;
    type Events: EventsQueue + Redelivery;
    type DeadLetters: DeadLetterQueue;
    type Bus: Bus;
    type Secret: SecretStore;

    fn claims(&self) -> &Self::Claims;
    fn ledger(&self) -> &Self::Ledger;
    fn events(&self) -> &Self::Events;
    fn dead_letters(&self) -> &Self::DeadLetters;
    fn bus(&self) -> &Self::Bus;
    fn secret(&self) -> &Self::Secret;

    /// Visible messages of the events queue, so many as there are within a while, invisible from then on.
    async fn take(&self, least: usize) -> Vec<Taken>;
    /// The same of the dead-letter queue.
    async fn take_dead(&self, least: usize) -> Vec<Taken>;
    /// The `id`s of what came through the bus, so many at the least.
    async fn ids_published(&self, least: usize) -> Vec<String>;
}

/// A message as received.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) incoming: Incoming,
    pub(crate) event_name: Option<String>,
    pub(crate) org_id: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) detail: Option<String>,
}

/// What stands in the secret.
pub(crate) const SECRET: &str = r#"{"headers":{"x":["y"]}}"#;

/// Some time, in milliseconds since 1970.
const NOW_MS: i64 = 1_800_000_000_000;
const DAY_S: i64 = 86_400;

/// An event that has this id and name.
fn identity(id: &str, name: &str) -> Identity {
    let body = serde_json::json!({"eventId": id, "eventName": name, "orgId": 7, "apiRequestId": "r", "refId": "7_5"}).to_string();
    Identity::of(&Event::parse(body.as_bytes()).expect("an event"), NOW_MS)
}

fn claim(id: &str, name: &str, claim_id: &str, now_ms: i64) -> Claim {
    let expires_at_s = now_ms / 1000 + 21 * DAY_S;
    Claim { identity: identity(id, name), claim_id: claim_id.to_owned(), now_ms, expires_at_s }
}

/// Makes a test of each case, over the services that an expression makes.
macro_rules! hold {
    ($services:expr, $($module:ident::$case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            $crate::contract::$module::$case(&$services).await;
        }
    )+};
}
pub(crate) use hold;

/// All cases.
macro_rules! hold_all {
    ($services:expr) => {
        $crate::contract::hold!(
            $services,
            ledger::a_claim_is_refused_by_whatever_still_counts,
            ledger::an_event_and_its_states_are_stored_together_or_not_at_all,
            ledger::what_is_stored_comes_back_as_it_was,
            ledger::each_mark_is_taken_where_the_table_of_writes_allows_it,
            ledger::what_is_a_customers_is_forgotten_with_her,
            ledger::attempts_are_counted_where_there_is_a_row,
            queues::a_message_comes_back_as_it_was_sent,
            queues::a_dead_letter_bears_its_reason,
            queues::who_is_put_back_comes_again_and_counts_one_more,
            queues::the_bus_answers_for_each_entry,
            queues::the_secret_is_what_was_put_there,
        );
    };
}
pub(crate) use hold_all;
