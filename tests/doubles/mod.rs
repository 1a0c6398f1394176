//! The services that the two functions use, in memory: they do what the real ones do, and never fail. What goes wrong on the way to them is
//! the simulation's affair.
//!
//! `tests/contract` holds them to what the real adapters do on the local AWS.

mod bus;
mod queue;
mod secret;
mod tables;

pub(crate) use bus::Bus;
pub(crate) use queue::Queue;
pub(crate) use secret::SecretText;
pub(crate) use tables::{FORGOTTEN_AT_ONCE, Tables};

use std::sync::Arc;

/// A service's own clock, in milliseconds since 1970.
pub(crate) type ServiceClock = Arc<dyn Fn() -> i64 + Send + Sync>;
