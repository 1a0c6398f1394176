//! The enricher among doubles.

mod messages;
mod states;
mod world;
