//! What the judges begin with: real input of each kind.

use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::judges;

/// A place where bytes come in: its judge, and real input.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) judge: fn(&[u8]),
    pub(crate) seeds: Vec<Vec<u8>>,
}

/// All of them.
pub(crate) fn places() -> [Place; 5] {
    let deliveries = files("events/receiver");
    [
        Place { name: "body", judge: judges::body, seeds: deliveries.iter().map(|event| body_of(event)).collect() },
        Place { name: "delivery", judge: judges::delivery, seeds: deliveries },
        Place { name: "batch", judge: judges::batch, seeds: files("events/enricher") },
        Place {
            name: "answer",
            judge: judges::answer,
            seeds: [files("src/bin/sandbox/answers"), files("tests/all/sandbox/samples")].concat(),
        },
        Place { name: "secret", judge: judges::secret, seeds: secrets() },
    ]
}

/// The place with this name.
pub(crate) fn place(name: &str) -> Place {
    places().into_iter().find(|place| place.name == name).unwrap()
}

/// Bodies of the deliveries that are accepted or not.
pub(crate) fn bodies() -> Vec<Vec<u8>> {
    place("body").seeds
}

fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // The same order everywhere, so that a seed of chance leads to the same input.
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

fn body_of(event: &[u8]) -> Vec<u8> {
    let event: Value = serde_json::from_slice(event).unwrap();
    let body = event["body"].as_str().unwrap_or_default();
    if event["isBase64Encoded"] == true { BASE64_STANDARD.decode(body).unwrap() } else { body.as_bytes().to_vec() }
}

fn secrets() -> Vec<Vec<u8>> {
    let examples: Value = serde_json::from_str(include_str!("../../local/secrets/examples.json")).unwrap();
    let kinds = examples.as_object().unwrap().values().flat_map(|kind| kind.as_object().unwrap().values());
    kinds.flat_map(|secrets| secrets.as_array().unwrap()).map(|secret| secret.to_string().into_bytes()).collect()
}

#[test]
fn the_judges_let_all_that_is_real_pass() {
    for place in places() {
        assert!(place.seeds.len() > 3, "{}", place.name);
        place.seeds.iter().for_each(|seed| (place.judge)(seed));
    }
}
