//! What must hold for any bytes, by where they come in. `cargo fuzz` runs these, and so do the tests here. They panic if it does not hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "a panic is how a judge speaks, and a fuzz target includes all judges and uses one"
)]

mod answer;
mod batch;
mod body;
mod delivery;
/// The published schema judges what is published.
#[path = "../../all/support/detail_schema.rs"]
mod detail_schema;
mod enricher;
mod receiver;
mod secret;
/// The simulation's, which are held to what the real ones do.
#[path = "../../doubles/tables.rs"]
mod tables;

use std::future::Future;

pub use answer::answer;
pub use batch::batch;
pub use body::{body, taken_in};
pub use delivery::delivery;
pub use secret::secret;

/// Any day.
const NOW_MS: i64 = 1_800_000_000_000;

/// Runs a use case to its end, on a clock that leaps to the next thing to come.
fn done<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}
