//! Input of any kind: what comes from outside never makes a function panic, nor give a final answer without the bytes kept, nor publish
//! what the schema does not allow.
//!
//! `judges` says what must hold for any bytes, for each place where bytes come in: a delivery's body, API Gateway's event around it, a
//! batch of messages, an answer of Capillary's, a secret. Its judges are given everything under `events/` and the like (`seeds`), named
//! oddities in the place of each value of it (`odd`), and random mutations of it (`mutations`). `make fuzz` gives them what libFuzzer
//! finds. `forms` and `headers` are what only a made-up delivery can show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails, and its bodies are invented"
)]

mod forms;
mod headers;
mod judges;
mod mutations;
mod odd;
mod panics;
mod seeds;
