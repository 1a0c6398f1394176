//! A stand-in for Capillary, for development and tests. It answers what the enricher asks, in the shapes of the public
//! documentation, and sends events as Capillary's sender does; it misbehaves when told to.
//!
//! It shares no code with the library, so that it cannot share its mistakes. Everything is kept in memory.
//!
//! ```text
//! main        address, signals, routes
//! settings    environment -> types
//! connection  a listener whose connections can be cut
//! state       all that the sandbox knows, in one struct
//! clock       the time of day
//! control     /sandbox/…: what tests and the demo turn
//!  ├ entities    customers, transactions, cards, groups, coupons, the ledger
//!  └ sending     webhook, events, deliveries
//!
//! api         Capillary's paths, the token
//!  ├ single      one entity: customers, transactions, cards, groups
//!  ├ several     several at once: coupons, the ledger
//!  ├ webhooks    webhooks
//!  └ event_log   what became of events, and how many
//! audits      Capillary's audit API
//! answers     the documented bodies
//! templates   entities that nobody spoke of
//! forms       answers whose form is not certain
//! faults      what goes wrong, and how
//!
//! keys        the kinds of entities, and their ids
//! entities    every state they have had, and which of them a read sees
//! patches     merge patches
//! changes     what happens to entities, with its event and its audit rows
//!  └ telling     what a patch is told as, kind by kind
//! difference  what differs between two states of a customer or a card
//! audit_rows  what audits say
//! events      an event in its two forms
//! event_data  what events say
//! deliveries  the events to be sent and those that were; what an answer means
//! backoff     when an event is sent again, and when it is given up
//! webhook     where events are sent, and which ones
//! webhooks    all of them
//! catalogue   the names of events
//! conduct     how events are told and sent
//! setup       what /sandbox/webhook sets of all this
//! sender      the lanes that send them
//! ```

mod answers;
mod api;
mod audit_rows;
mod audits;
mod backoff;
mod catalogue;
mod changes;
mod clock;
mod conduct;
mod connection;
mod control;
mod deliveries;
mod difference;
mod entities;
mod event_data;
mod events;
mod faults;
mod forms;
mod keys;
mod patches;
mod sender;
mod settings;
mod setup;
mod state;
mod templates;
mod webhook;
mod webhooks;

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::connection::{CuttableListener, Cutter};
use crate::settings::Settings;
use crate::state::Sandbox;

const HELP: &str = include_str!("help.txt");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        None => serve(Settings::from_environment()?).await,
        Some("--help" | "-h") => Ok(std::io::stdout().write_all(HELP.as_bytes())?),
        Some(other) => Err(format!("unknown argument {other:?}; try --help").into()),
    }
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(settings.address).await?;
    writeln!(std::io::stdout(), "sandbox listens on http://{}", listener.local_addr()?)?;
    let sandbox = Arc::new(Sandbox::new(settings)?);
    sender::start(&sandbox);
    let application = routes(sandbox);
    let server = axum::serve(CuttableListener::new(listener), application.into_make_service_with_connect_info::<Cutter>());
    let mut terminate = signal(SignalKind::terminate())?;
    // No waiting for open requests: some of them hang on purpose.
    tokio::select! {
        ended = server => Ok(ended?),
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// Faults and the list of calls concern Capillary's paths only: the control paths must work whatever is broken.
fn routes(sandbox: Arc<Sandbox>) -> Router {
    let capillary = api::routes()
        .layer(from_fn_with_state(Arc::clone(&sandbox), api::guard))
        .layer(from_fn_with_state(Arc::clone(&sandbox), faults::apply))
        .layer(from_fn_with_state(Arc::clone(&sandbox), state::record_call));
    control::routes().merge(capillary).with_state(sandbox)
}
