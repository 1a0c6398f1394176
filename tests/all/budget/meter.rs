//! Counts what a function takes while a story is played.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::tables::Tables;
use crate::support::capillary::Capillary;
use crate::support::fault_proxy::Call;
use crate::support::runtime_api::Function;
use crate::support::world::World;
use crate::support::{metrics, wait};

/// SQS and EventBridge bill by so many bytes (<https://aws.amazon.com/sqs/pricing/>, <https://aws.amazon.com/eventbridge/pricing/>).
const CHUNK_BYTES: usize = 64 * 1024;
/// What an entry of the bus counts for its time, whether it bears one or not
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>).
const TIME_BYTES: usize = 14;

/// Billed units by their names.
pub(super) type Units = BTreeMap<String, u64>;

/// Calls of one kind, and what they are billed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Taken {
    pub(super) times: u64,
    pub(super) units: Units,
}

/// What a story took.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) events: u64,
    /// By operation and what it is about.
    pub(super) aws: BTreeMap<String, Taken>,
    /// By method and path.
    pub(super) capillary: BTreeMap<String, Taken>,
    pub(super) log_lines: u64,
    pub(super) log_bytes: u64,
    /// Each is billed by the month.
    pub(super) metrics: BTreeSet<String>,
}

/// Runs while a story is played by one function.
pub(super) struct Meter<'a> {
    world: &'a World,
    capillary: &'a Capillary,
    tables: Tables,
    logged_before: usize,
}

impl<'a> Meter<'a> {
    /// Starts counting. What the function logged before must be read; if it is not running yet, its start is counted, too.
    pub(super) async fn start(world: &'a World, function: Option<&Function>) -> Self {
        let capillary = world.capillary().await;
        let tables = Tables::of(world).await;
        world.proxy.forget_calls();
        capillary.forget_calls().await;
        Self { world, capillary, tables, logged_before: function.map_or(0, |function| function.logs().len()) }
    }

    /// What the function took since then for so many events, when it has logged so many lines.
    pub(super) async fn read(mut self, function: &Function, events: u64, lines: usize) -> Counted {
        let log = self.log(function, lines).await;
        let later = Tables::of(self.world).await;
        let mut aws = BTreeMap::<String, Taken>::new();
        for call in self.world.proxy.all_calls() {
            let (about, units) = self.bill(&call, &later);
            add(&mut aws, format!("{} {about}", call.operation), units);
        }
        let mut capillary = BTreeMap::new();
        for call in self.capillary.calls("/").await {
            let path = call["path"].as_str().expect("a path").split('/').map(|part| if is_id(part) { "{id}" } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            add(&mut capillary, format!("{} {path}", call["method"].as_str().expect("a method")), Units::new());
        }
        let metrics = metrics::totals(&metrics::lines(&log)).into_keys().collect();
        let bytes = u64::try_from(log.len()).expect("a small number");
        Counted { events, aws, capillary, log_lines: lines_of(&log), log_bytes: bytes, metrics }
    }

    /// What it has logged. Its lines are written before the answer, but may be read after it.
    async fn log(&self, function: &Function, lines: usize) -> String {
        let logged = || function.logs().split_off(self.logged_before);
        let enough = async || Some(logged()).filter(|log| log.lines().count() >= lines && log.ends_with('\n'));
        wait::poll(Duration::from_secs(10), enough).await.unwrap_or_else(|| panic!("no {lines} lines: {}", logged()))
    }

    fn bill(&mut self, call: &Call, later: &Tables) -> (String, Units) {
        let body: Value = serde_json::from_str(&call.body).expect("all of these services speak JSON");
        let named = |name: &str| self.world.in_the_template(body[name].as_str().expect("a name")).to_owned();
        match call.operation.as_str() {
            "SendMessage" => (named("QueueUrl"), unit("request", chunks(message_bytes(&body)))),
            "GetSecretValue" => (named("SecretId"), unit("secret", 1)),
            "PutEvents" => {
                let entries = body["Entries"].as_array().expect("Entries");
                (String::from("EventBus"), unit("entry", entries.iter().map(|entry| chunks(entry_bytes(entry))).sum()))
            }
            _ => self.tables.bill(self.world, call, later),
        }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} times, units {:?}", self.times, self.units)
    }
}

fn add(all: &mut BTreeMap<String, Taken>, call: String, units: Units) {
    let taken = all.entry(call).or_default();
    taken.times += 1;
    for (unit, count) in units {
        *taken.units.entry(unit).or_default() += count;
    }
}

fn unit(name: &str, count: u64) -> Units {
    Units::from([(name.to_owned(), count)])
}

fn is_id(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn lines_of(log: &str) -> u64 {
    u64::try_from(log.lines().count()).expect("a small number")
}

fn chunks(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(CHUNK_BYTES).max(1)).expect("a small number")
}

/// A message counts with its attributes: their names, types and values.
fn message_bytes(body: &Value) -> usize {
    let text = |value: &Value| value.as_str().map_or(0, str::len);
    let attributes = body["MessageAttributes"].as_object().into_iter().flatten();
    let attributes = attributes.map(|(name, value)| name.len() + text(&value["DataType"]) + text(&value["StringValue"]));
    text(&body["MessageBody"]) + attributes.sum::<usize>()
}

fn entry_bytes(entry: &Value) -> usize {
    let lengths = ["Source", "DetailType", "Detail"].map(|name| entry[name].as_str().map_or(0, str::len));
    lengths.iter().sum::<usize>() + TIME_BYTES
}
