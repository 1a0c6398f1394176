//! Both functions' use cases in a world where everything goes wrong that can, in virtual time and by seed.
//!
//! ```text
//! story        what happens at Capillary, played until nothing moves any more
//!  ├ sender        tells it over several lanes, as Capillary's notification service does
//!  ├ processes     Lambda: use cases that die or hang at any await, a queue that feeds them
//!  ├ world         tables, queues, bus, secrets, and the lossy way there (doubles: the services themselves)
//!  ├ capillary     entities with their histories, and replicas that lag
//!  ├ weather       what goes wrong, drawn from the seed; time: virtual
//!  └ judge         what must hold at the end
//!
//! schedules    random stories            crash_points   one that dies or hangs at every await
//! cases        single stories            many           many at once
//! contract_of_doubles    the doubles do what the real services do
//! ```
//!
//! A story that goes wrong is played once more and printed. `CAPILLARY_EVENTS_SEED=<n> cargo test --features sandbox --test simulation
//! of_the_seed_in_the_environment -- --nocapture` plays and prints any other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic is how a test fails, its worlds are invented, and what it prints is for who reads why"
)]

mod capillary;
mod cases;
#[path = "../contract/mod.rs"]
mod contract;
mod contract_of_doubles;
mod crash_points;
#[path = "../doubles/mod.rs"]
mod doubles;
mod judge;
mod many;
mod processes;
mod schedules;
mod sender;
mod story;
mod time;
mod weather;
mod world;
