//! The JSON Schema of `Detail`, as a judge of everything that is published.

use std::sync::OnceLock;

use boon::{Compiler, Draft, ErrorKind, SchemaIndex, Schemas, ValidationError};
use serde_json::Value;

struct Judge {
    schemas: Schemas,
    detail: SchemaIndex,
}

/// What the published schema does not allow in a detail: where, and by which keyword. Never the value that stands there, since a
/// test's output is no place for a person's data.
pub(crate) fn faults(detail: &Value) -> Vec<String> {
    let Judge { schemas, detail: schema } = judge();
    let Err(error) = schemas.validate(detail, *schema) else { return broken_references(detail) };
    let mut faults = Vec::new();
    collect(&error, &mut faults);
    faults
}

/// What the schema says in words only, for want of a keyword: who is meant is there.
fn broken_references(detail: &Value) -> Vec<String> {
    let list = |name: &str| detail["data"][name].as_array().cloned().unwrap_or_default();
    let reference = |entity: &Value| Value::from(format!("{}/{}", text(&entity["type"]), text(&entity["id"])));
    let entities: Vec<Value> = list("entities").iter().map(reference).collect();
    let mut faults = Vec::new();
    if detail.get("subject") != entities.first() {
        faults.push("/subject is not the first of /data/entities".to_owned());
    }
    for (position, change) in list("changes").iter().enumerate() {
        if !entities.contains(&change["entity"]) {
            faults.push(format!("/data/changes/{position}/entity is none of /data/entities"));
        }
    }
    faults
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Fails unless a detail is as the published schema says.
#[track_caller]
pub(crate) fn assert_valid(detail: &Value) {
    let faults = faults(detail);
    assert!(faults.is_empty(), "a Detail is not what its schema says:\n{}", faults.join("\n"));
}

fn judge() -> &'static Judge {
    static JUDGE: OnceLock<Judge> = OnceLock::new();
    JUDGE.get_or_init(|| {
        let text = include_str!("../../../schema/detail.schema.json");
        let document: Value = serde_json::from_str(text).expect("it is JSON");
        let id = document["$id"].as_str().expect("it has an $id").to_owned();
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(&id, document).expect("its $id is a URL");
        let mut schemas = Schemas::new();
        let detail = compiler.compile(&id, &mut schemas).unwrap_or_else(|error| panic!("it is no JSON Schema: {error:#}"));
        Judge { schemas, detail }
    })
}

/// The innermost causes: those around them say no more than that something within is wrong.
fn collect(error: &ValidationError<'_, '_>, faults: &mut Vec<String>) {
    if error.causes.is_empty() {
        let keyword = error.kind.keyword_path().map(|path| format!("/{}", path.keyword)).unwrap_or_default();
        faults.push(format!("{} against {}{keyword}{}", place(error), error.schema_url, members(&error.kind)));
    }
    for cause in &error.causes {
        collect(cause, faults);
    }
}

/// The members that are missing or too many, by name.
fn members(kind: &ErrorKind<'_, '_>) -> String {
    match kind {
        ErrorKind::Required { want } => format!(": {}", want.join(", ")),
        ErrorKind::AdditionalProperties { got } => format!(": {}", got.join(", ")),
        _ => String::new(),
    }
}

fn place(error: &ValidationError<'_, '_>) -> String {
    let pointer = error.instance_location.to_string();
    if pointer.is_empty() { "(the detail)".to_owned() } else { pointer }
}
