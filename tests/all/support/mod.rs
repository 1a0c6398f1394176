//! What the black-box tests stand on: the local AWS, a Lambda Runtime API, a proxy that breaks AWS calls, and a world
//! of queues and tables for each test. Nothing in here knows the library; all of it knows the contract.

pub(crate) mod answering_capillary;
pub(crate) mod capctl;
pub(crate) mod capillary;
pub(crate) mod delivery;
pub(crate) mod detail_schema;
pub(crate) mod events;
pub(crate) mod examples;
pub(crate) mod fault_proxy;
pub(crate) mod history;
pub(crate) mod http;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod rules;
pub(crate) mod runtime_api;
pub(crate) mod scripted_capillary;
pub(crate) mod stack;
pub(crate) mod stage;
pub(crate) mod wait;
pub(crate) mod world;
