//! The enricher among doubles.

mod behind;
/// What is published here is judged by the published schema, too.
#[path = "../../tests/all/support/detail_schema.rs"]
mod detail_schema;
mod forgetting;
mod messages;
mod settings;
mod states;
mod world;
