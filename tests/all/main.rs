//! Tests from outside: they know the contract, the executables, the AWS APIs and HTTP, and nothing of the library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails, and its bodies are invented"
)]

mod budget;
mod capctl_dlq;
mod capctl_doctor;
mod capctl_secrets;
mod capctl_trace;
mod capctl_webhook;
mod catalogue;
mod consumer;
#[path = "../contract/mod.rs"]
mod contract;
mod contract_of_aws;
mod deployed;
mod detail_schema;
mod documents;
mod enricher_batches;
mod enricher_behind;
mod enricher_capillary;
mod enricher_crashes;
mod enricher_erasure;
mod enricher_forgetting;
mod enricher_lag;
mod enricher_ledger;
mod enricher_orgs;
mod enricher_output;
mod enricher_settings;
mod enricher_snapshots;
mod enricher_together;
mod enricher_told;
mod enricher_turmoil;
mod events;
mod log_queries;
mod logs;
mod metrics;
mod odd_input;
mod permissions;
mod readme;
mod readme_commands;
mod receiver_answers;
mod receiver_auth;
mod receiver_faults;
mod receiver_identity;
mod receiver_ledger_and_queue;
mod release;
mod runtime_tools;
mod sandbox;
mod secret_forms;
mod support;
mod template;
mod untold;
