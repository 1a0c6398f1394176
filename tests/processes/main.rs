//! The deployed stack in turmoil: the local AWS itself runs the functions and drives the queue, Capillary's stand-in sends a thousand
//! events over twenty lanes, and meanwhile the functions' processes are killed, their connections and the sender's break, and
//! Capillary's APIs fail. Then all that ends, and everything must be as if nothing had been (design, sections 1 to 4).
//!
//! `make turmoil` starts a stack whose functions find AWS behind a proxy that this test runs, and ends it afterwards. It has that stack
//! for itself. Choices follow from a seed, which is printed (`CAPILLARY_EVENTS_SEED` takes it back, `CAPILLARY_EVENTS_COUNT` another
//! number of events); what the operating system makes of them does not.
//!
//! One thing is not as deployed: a message whose batch died comes again after 30 s and not after 390 s. That saves time, and makes
//! matters worse, as it should: the message comes again even while a slow batch still works on it.
//!
//! Each time that a message comes in vain, the bound of its next random wait doubles. So it may not rage for too long: what came
//! seven times would stay away for up to five minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic is how a test fails, its bodies are invented, and it tells its seed"
)]

mod bus;
mod functions;
mod happenings;
mod promises;
mod remains;
mod sandbox;
#[path = "../all/support/mod.rs"]
#[allow(dead_code, reason = "most of it is for the tests in `all`")]
mod support;
mod tcp_proxy;
mod troubles;
mod turmoil;

use std::time::Duration;

use turmoil::Turmoil;

/// Nothing may last longer, whatever happens: that for everything, and that for each event.
const LONGEST: Duration = Duration::from_secs(13 * 60);
const LONGEST_FOR_EACH: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_events_none_is_lost_and_none_told_twice_while_processes_die_and_connections_break() {
    let seed = number("CAPILLARY_EVENTS_SEED").unwrap_or(1);
    let events = u32::try_from(number("CAPILLARY_EVENTS_COUNT").unwrap_or(1_000)).expect("a number of events");
    let limit = LONGEST + LONGEST_FOR_EACH * events;
    println!("seed {seed}, {events} events");
    let story = async {
        let mut turmoil = Turmoil::begin(seed).await;
        turmoil.rages_while_capillary_sends(events).await;
        turmoil.ends().await;
        turmoil.everything_is_delivered_and_published().await;
        println!("seed {seed}: {}", turmoil.summary());
        turmoil.was_no_breeze();
        turmoil.nothing_is_lost_and_nothing_told_twice().await;
        turmoil.leave().await;
    };
    assert!(tokio::time::timeout(limit, story).await.is_ok(), "seed {seed}: no end after {limit:?}");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}
