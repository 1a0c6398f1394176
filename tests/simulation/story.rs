//! A story from its beginning until nothing moves any more.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use capillary_events::entity::Kind;
use serde_json::{Value, json};

use crate::{
    judge::judge,
    processes::{Function, Processes},
    sender::{CREDENTIALS, Outcome, Planned, Sender},
    time::{BEGINNING_MS, DAY_MS, HOUR_MS, SECOND_MS, pause_ms},
    weather::{Fate, Outage, Storm, Weather},
    world::{POISON, World},
};

/// Longer than the sender, every backoff and every zombie together need once all is well.
const PATIENCE_MS: i64 = 20 * DAY_MS;

/// How often an operator looks after the dead letters while all goes wrong. What is no event comes back from each redrive, now and then
/// twice, so a story with very many would have no end.
const REDRIVES: i64 = 3;

/// How long after a deed its event is sent.
const AFTERWARDS_MS: i64 = 20;

/// What happens at Capillary.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// An entity changes, and this event is sent about it.
    Change(Kind, u32, Value),
    /// A customer is deleted.
    Delete(u32, Value),
    /// One is merged into the other.
    Merge(u32, u32, Value),
    /// Nothing changes, and an event is sent all the same.
    Send(Value),
    /// What is no event is sent.
    Noise(&'static str),
    /// The event of the deed with this number is sent again.
    Again(usize),
    /// DynamoDB deletes the rows that are past their time.
    ForgetRows,
}

/// All that makes a story.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    /// What happens when, in milliseconds since the beginning.
    pub(crate) deeds: Vec<(i64, Deed)>,
    pub(crate) lanes: usize,
    pub(crate) storm: Storm,
    pub(crate) outages: Vec<Outage>,
    /// When everything goes well from, in milliseconds since the beginning.
    pub(crate) calm_from_ms: i64,
    pub(crate) fates: BTreeMap<(Function, u32), Fate>,
    /// Whether it is printed.
    pub(crate) is_told: bool,
}

/// What is left of a story.
pub(crate) struct Told {
    pub(crate) world: Arc<World>,
    pub(crate) outcomes: Vec<(usize, Outcome)>,
    /// How often invocations were suspended, each by its number.
    pub(crate) suspensions: BTreeMap<(Function, u32), u32>,
}

impl Told {
    /// How often an event was published, by the number of its deed.
    pub(crate) fn times_published(&self, number: usize) -> usize {
        let is_it = |detail: &str| {
            let detail: Value = serde_json::from_str(detail).expect("JSON");
            detail["data"]["event"]["data"]["mark"] == json!(number)
        };
        self.world.bus.published().iter().filter(|entry| is_it(&entry.detail)).count()
    }

    /// All that was seen from outside, for comparing two stories.
    pub(crate) fn text(&self) -> String {
        let published: Vec<_> = self.world.bus.published().into_iter().map(|entry| entry.detail).collect();
        format!("{:?}\n{:?}\n{}", self.outcomes, self.suspensions, published.join("\n"))
    }
}

/// Plays a story in virtual time and judges it.
pub(crate) fn play(script: Script) -> Told {
    // Jitter is drawn from here.
    fastrand::seed(script.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, tell(script))
}

async fn tell(script: Script) -> Told {
    let world = World::new(Weather::new(script.seed, script.storm, script.outages.clone()), script.is_told);
    world.webhook_secret.fill(&json!({"headers": {"authorization": [CREDENTIALS]}}).to_string());
    let processes = Processes::new(&world, script.fates.clone());
    let bodies: BTreeMap<usize, Vec<u8>> =
        script.deeds.iter().enumerate().filter_map(|(mark, (at_ms, deed))| Some((mark, body(mark, *at_ms, deed)?))).collect();
    let planned = script.deeds.iter().enumerate().filter_map(|(number, (at_ms, deed))| {
        let of = if let Deed::Again(of) = deed { *of } else { number };
        Some((of, Planned { body: bodies.get(&of)?.clone(), at_ms: at_ms + AFTERWARDS_MS }))
    });
    let sender = Sender::new(&world, &processes, planned.collect());

    for (at_ms, deed) in script.deeds {
        let world = Arc::clone(&world);
        tokio::task::spawn_local(async move {
            world.time.until_ms(at_ms).await;
            happen(&world, &deed);
        });
    }
    processes.consume();
    sender.send(script.lanes.max(1));
    for part in 1..=REDRIVES {
        world.time.until_ms(script.calm_from_ms * part / REDRIVES).await;
        if world.weather.strikes(|storm| storm.redriven) {
            redrive(&world);
        }
    }
    world.tell(|| "from here on all is well".to_owned());
    world.weather.calm_down();
    come_to_rest(&world, &sender, &processes).await;
    // The operator mends what was broken and redrives what it broke.
    world.poisonous.store(false, std::sync::atomic::Ordering::Relaxed);
    redrive(&world);
    come_to_rest(&world, &sender, &processes).await;
    processes.end();
    let outcomes = sender.outcomes.borrow().clone();
    judge(&world, &bodies, &outcomes);
    Told { suspensions: processes.suspensions(), world, outcomes }
}

fn redrive(world: &World) {
    world.dead_letters.redrive_to(&world.events);
    world.wake.notify_waiters();
}

async fn come_to_rest(world: &World, sender: &Rc<Sender>, processes: &Processes) {
    let since_ms = world.time.passed_ms();
    let rests = || sender.is_through() && processes.are_idle() && world.events.len() == 0;
    while !rests() {
        assert!(world.time.passed_ms() - since_ms < PATIENCE_MS, "it never comes to rest: {} in the queue", world.events.len());
        // The less there is to be done, the rarer it is looked at.
        pause_ms((world.time.passed_ms() - since_ms).clamp(SECOND_MS, HOUR_MS)).await;
    }
    // What was sent late may still arrive.
    pause_ms(120 * SECOND_MS).await;
    assert!(rests(), "what was at rest moves again");
}

fn happen(world: &World, deed: &Deed) {
    let now_ms = world.time.now_ms();
    world.tell(|| format!("{deed:?}"));
    match deed {
        Deed::Change(kind, id, _) => world.capillary.change(*kind, &id.to_string(), now_ms),
        Deed::Delete(id, _) => world.capillary.delete(Kind::Customer, &id.to_string(), now_ms),
        Deed::Merge(victim, survivor, _) => world.capillary.merge(&victim.to_string(), &survivor.to_string(), now_ms),
        Deed::ForgetRows => world.tables.forget_rows_before(now_ms / 1000),
        Deed::Send(_) | Deed::Noise(_) | Deed::Again(_) => {}
    }
}

/// What is sent about a deed: its number is in it, so that it can be found again.
fn body(mark: usize, at_ms: i64, deed: &Deed) -> Option<Vec<u8>> {
    Some(match deed {
        Deed::Change(_, _, event) | Deed::Delete(_, event) | Deed::Merge(_, _, event) | Deed::Send(event) => {
            let mut event = event.clone();
            event["createdAt"] = json!(BEGINNING_MS + at_ms);
            event["data"]["mark"] = json!(mark);
            if event["eventId"] == "own" {
                event["eventId"] = json!(format!("e{mark}"));
            }
            event.to_string().into_bytes()
        }
        Deed::Noise(text) => text.as_bytes().to_vec(),
        Deed::Again(_) | Deed::ForgetRows => return None,
    })
}

/// An event with an id of its own about customers, transactions and groups.
pub(crate) fn event(name: &str, data: &Value) -> Value {
    json!({"eventName": name, "eventId": "own", "orgId": 1, "apiRequestId": "r", "data": data})
}

pub(crate) fn customer_event(name: &str, id: u32) -> Value {
    event(name, &json!({"customerIdentifiers": {"customerId": id}}))
}

pub(crate) fn customer_changes(id: u32) -> Deed {
    Deed::Change(Kind::Customer, id, customer_event("customerUpdated", id))
}

pub(crate) fn transaction_changes(id: u32, customer: u32) -> Deed {
    let data = json!({"transactionId": id, "billType": "REGULAR", "customerIdentifiers": {"customerId": customer}});
    Deed::Change(Kind::Transaction, id, event("transactionUpdated", &data))
}

pub(crate) fn group_changes(id: u32, member: u32) -> Deed {
    let data = json!({"groupId": id, "primaryMember": {"customerIdentifiers": {"customerId": member}}});
    Deed::Change(Kind::Group, id, event("groupUpdated", &data))
}

pub(crate) fn customer_is_deleted(id: u32) -> Deed {
    let data = json!({"customerIdentifiers": {"customerId": id}, "customerStatus": {"currentLabel": "Deleted"}});
    Deed::Delete(id, event("customerUpdated", &data))
}

pub(crate) fn customers_merge(victim: u32, survivor: u32) -> Deed {
    let identifiers = |id: u32| json!({"customerId": id});
    let data = json!({"victimCustomerIdentifiers": identifiers(victim), "survivorCustomerIdentifiers": identifiers(survivor)});
    Deed::Merge(victim, survivor, event("loyaltyCustomerMerge", &data))
}

pub(crate) fn poison() -> Deed {
    Deed::Send(customer_event("customerUpdated", POISON.parse().expect("a number")))
}
