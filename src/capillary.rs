//! Capillary's APIs: credentials, tokens, calls, and what their answers mean.

pub mod answer;
pub mod audits;
pub mod client;
pub mod credentials;
mod http;
mod their_clock;
pub mod token;
