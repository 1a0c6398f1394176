//! Capillary's event notifications, received without loss and published enriched.
//!
//! The way of an event through this crate, top to bottom; each line names the module that does it.
//!
//! ```text
//! receiver   gateway      API Gateway's event in, its answer out
//!            receive      authenticate, claim, enqueue
//!             ├ auth      the configured headers against the secret
//!             ├ event     unwrapped, identified, named
//!             ├ ledger    what a claim or a row means
//!             ├ message   the body as SQS takes it
//!             └ disposition  what the sender is told: the only place that knows a status
//!
//! enricher   batch        Lambda's SQS event in, its answer out
//!            enrich       a batch: read what is known, fetch, judge, store, publish, mark
//!             ├ filter    which events are enriched, published as they came, or ignored
//!             ├ routes    which entities stand behind which event
//!             ├ entity    what they are, and what a call for one may come to
//!             ├ snapshot  what an answer means beside the last known state; stamp: the entity's own time
//!             ├ change    what changed between two states
//!             ├ told      what the event or the audit log say of it
//!             ├ moment    times in the forms in which Capillary writes them
//!             ├ cloud_event  what is published; redact: what of it may not be on the bus as it is
//!             └ backoff   when what failed is tried again
//! ```
//!
//! What keeps events from being lost or told twice is pure code: [`ledger`] (a row's states), [`ledger::writes`] (the condition of
//! every write) and [`snapshot`] (which state is newer).
//!
//! Both see the world through [`ports`]; [`aws`] and [`capillary`] are the adapters. [`config`] alone reads the environment.
//! [`logging`] and [`metrics`] are what the operator sees.
//!
//! `ARCHITECTURE.md` says why it is so, and what was decided against.

// Doubles that unit tests share with the tests outside name the crate as those do.
#[cfg(test)]
extern crate self as capillary_events;

pub mod auth;
pub mod aws;
pub mod backoff;
pub mod batch;
pub mod capillary;
pub mod change;
pub mod clock;
pub mod cloud_event;
pub mod config;
pub mod disposition;
pub mod enrich;
pub mod entity;
pub mod event;
pub mod filter;
pub mod gateway;
pub mod ledger;
pub mod logging;
pub mod message;
pub mod metrics;
pub mod moment;
pub mod ports;
pub mod receive;
pub mod redact;
pub mod routes;
pub mod secret;
pub mod snapshot;
pub mod stamp;
pub mod told;
mod untold;
