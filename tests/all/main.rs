//! Tests from outside: they know the contract, the executables, the AWS APIs and HTTP, and nothing of the library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails, and its bodies are invented"
)]

mod receiver_answers;
mod support;
