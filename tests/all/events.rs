//! The files of `events/` are what their README says, and what the two Lambda runtimes can read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall panic; these are its helpers"
)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use lambda_http::request::LambdaRequest;
use md5::{Digest, Md5};
use serde_json::Value;

/// The answers of the status table that one delivery can get by itself.
const ANSWERS: [&str; 3] = ["200 accepted", "400", "401"];

/// The one pair that shares its id on purpose.
const SHARED_ID: [&str; 2] = ["customerAdded.flat.json", "same-id-other-event.json"];

#[test]
fn every_delivery_is_taken_for_a_rest_api_request_with_its_body() {
    for (name, text) in files("receiver") {
        let request: LambdaRequest = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let LambdaRequest::ApiGatewayV1(request) = request else {
            panic!("{name}: not taken for a REST API request");
        };
        assert_eq!(request.path.as_deref(), Some("/events"), "{name}");
        assert_eq!(request.http_method.as_str(), "POST", "{name}");
        assert_eq!(request.request_context.stage.as_deref(), Some("local"), "{name}");
        assert_eq!(request.headers.len(), request.multi_value_headers.len(), "{name}: both forms of the headers agree");
        assert_eq!(request.body.is_none(), name == "empty-body.json", "{name}");
    }
}

#[test]
fn deliveries_come_in_base64_and_readable() {
    let encoded: Vec<String> =
        files("receiver").into_iter().filter(|(_, text)| parsed(text)["isBase64Encoded"] == true).map(|(name, _)| name).collect();
    assert_eq!(encoded, ["pointsExpiryReminder.base64.json"]);
}

#[test]
fn credentials_are_right_except_where_the_name_says_otherwise() {
    for (name, text) in files("receiver") {
        let delivery = parsed(&text);
        let right = delivery["headers"]["Authorization"] == "Basic Y2FwaWxsYXJ5OmxvY2Fs"
            && delivery["headers"]["X-Webhook-Key"] == "local-key";
        assert_eq!(right, answer_of(&name) != "401", "{name}");
    }
}

#[test]
fn bodies_are_json_objects_except_where_400_is_expected() {
    for (name, text) in files("receiver") {
        let is_object = serde_json::from_slice::<Value>(&body_of(&text)).is_ok_and(|body| body.is_object());
        assert_eq!(is_object, answer_of(&name) != "400", "{name}");
    }
}

#[test]
fn the_readme_names_every_file_and_no_other() {
    for folder in ["receiver", "enricher"] {
        let there: BTreeSet<String> = files(folder).into_keys().collect();
        let named: BTreeSet<String> = table(folder).into_keys().collect();
        assert_eq!(there, named, "{folder}");
    }
}

#[test]
fn the_readme_tells_an_answer_and_an_id_for_every_delivery() {
    for (name, text) in files("receiver") {
        let row = &table("receiver")[&name];
        let [_, answer, id, event_name, _] = row.as_slice() else {
            panic!("{name}: the row has not six cells");
        };
        assert!(ANSWERS.contains(&answer.as_str()), "{name}: {answer}");
        if answer != "200 accepted" {
            continue;
        }
        let body = String::from_utf8(body_of(&text)).unwrap();
        let (id, event_name) = (id.trim_matches('`'), event_name.trim_matches('`'));
        assert!(body.contains(event_name), "{name}: the body bears the name {event_name}");
        match id.strip_prefix("sha256:") {
            Some(digits) => assert_eq!(digits.len(), 64, "{name}"),
            None => assert!(body.contains(id), "{name}: the body bears the id {id}"),
        }
    }
}

#[test]
fn no_two_deliveries_share_an_id_but_the_pair_that_is_meant_to() {
    let mut ids = HashSet::new();
    for (name, row) in table("receiver") {
        let id = row[2].clone();
        if row[1] == "200 accepted" && name != SHARED_ID[1] {
            assert!(ids.insert(id), "{name}: its id is another file's, too");
        }
    }
    let rows = table("receiver");
    assert_eq!(rows[SHARED_ID[0]][2], rows[SHARED_ID[1]][2]);
    assert_ne!(rows[SHARED_ID[0]][3], rows[SHARED_ID[1]][3]);
}

#[test]
fn every_batch_is_read_as_sqs_messages_with_true_digests() {
    for (name, text) in files("enricher") {
        let batch: SqsEvent = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(batch.records.len().to_string(), table("enricher")[&name][0], "{name}");
        let ids: HashSet<_> = batch.records.iter().map(|message| message.message_id.clone()).collect();
        assert_eq!(ids.len(), batch.records.len(), "{name}: message ids are distinct");
        for message in &batch.records {
            let body = message.body.as_deref().unwrap();
            assert_eq!(message.md5_of_body.as_deref(), Some(hex(&Md5::digest(body)).as_str()), "{name}");
            assert_eq!(message.attributes["ApproximateReceiveCount"], "1", "{name}");
        }
    }
}

#[test]
fn message_attributes_have_the_types_that_the_receiver_gives_them() {
    for (name, text) in files("enricher") {
        let batch: SqsEvent = serde_json::from_str(&text).unwrap();
        for (attribute, value) in batch.records.iter().flat_map(|message| &message.message_attributes) {
            let expected = match attribute.as_str() {
                "v" | "orgId" | "receivedAt" => "Number",
                "eventId" | "eventName" | "contentEncoding" => "String",
                other => panic!("{name}: unknown attribute {other}"),
            };
            assert_eq!(value.data_type.as_deref(), Some(expected), "{name}: {attribute}");
            assert!(value.string_value.as_deref().is_some_and(|text| !text.is_empty()), "{name}: {attribute}");
        }
    }
}

#[test]
fn the_mixed_batch_holds_every_encoding_and_two_that_are_out_of_the_ordinary() {
    let text = fs::read_to_string(folder("enricher").join("mixed-batch-of-ten.json")).unwrap();
    let batch: SqsEvent = serde_json::from_str(&text).unwrap();
    let encodings: Vec<_> = batch.records.iter().filter_map(encoding_of).collect();
    assert_eq!(encodings, ["gzip+base64", "base64"]);
    assert_eq!(batch.records.iter().filter(|message| message.message_attributes.is_empty()).count(), 2);
    let not_json = batch.records.iter().filter(|message| serde_json::from_slice::<Value>(&decoded(message)).is_err());
    assert_eq!(not_json.count(), 1);
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name)
}

/// Every delivery that is accepted, by the name of its file without ending.
pub(crate) fn accepted() -> BTreeMap<String, Accepted> {
    let rows = table("receiver").into_iter().filter(|(_, row)| row[1] == "200 accepted");
    rows.map(|(file, row)| {
        let text = fs::read_to_string(folder("receiver").join(&file)).unwrap();
        let entities = row[4].split(", ").filter(|kind| *kind != "–").map(str::to_owned).collect();
        let body = String::from_utf8(body_of(&text)).unwrap();
        let id = row[2].trim_matches('`').to_owned();
        (file.trim_end_matches(".json").to_owned(), Accepted { request: parsed(&text), body, id, entities })
    })
    .collect()
}

/// A delivery that is accepted, and what the README says of it.
pub(crate) struct Accepted {
    /// As the gateway hands it to the receiver.
    pub(crate) request: Value,
    /// What Capillary sent.
    pub(crate) body: String,
    /// The `eventId` in the answer.
    pub(crate) id: String,
    /// The kinds of entities that the enricher brings.
    pub(crate) entities: Vec<String>,
}

/// All files of a folder, by name.
fn files(name: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap());
    let files: BTreeMap<_, _> = entries.map(read).collect();
    assert!(!files.is_empty(), "{name} has files");
    files
}

/// The README's table for a folder: file name to the cells after it.
fn table(name: &str) -> BTreeMap<String, Vec<String>> {
    let readme = fs::read_to_string(folder("README.md")).unwrap();
    let heading = format!("## {name}/");
    let section = readme.split("\n## ").find(|section| heading.ends_with(section.lines().next().unwrap_or_default())).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    rows.map(|(file, rest)| {
        let cells = rest.trim().trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned());
        (file.to_owned(), cells.collect())
    })
    .collect()
}

fn answer_of(name: &str) -> String {
    table("receiver")[name][1].clone()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The bytes that the sender sent.
fn body_of(text: &str) -> Vec<u8> {
    let delivery = parsed(text);
    let body = delivery["body"].as_str().unwrap_or_default();
    if delivery["isBase64Encoded"] == true { STANDARD.decode(body).unwrap() } else { body.as_bytes().to_vec() }
}

fn encoding_of(message: &SqsMessage) -> Option<&str> {
    message.message_attributes.get("contentEncoding")?.string_value.as_deref()
}

fn decoded(message: &SqsMessage) -> Vec<u8> {
    let body = message.body.as_deref().unwrap();
    let mut plain = Vec::new();
    match encoding_of(message) {
        None => body.as_bytes().to_vec(),
        Some("base64") => STANDARD.decode(body).unwrap(),
        Some("gzip+base64") => {
            let compressed = STANDARD.decode(body).unwrap();
            GzDecoder::new(compressed.as_slice()).read_to_end(&mut plain).unwrap();
            plain
        }
        Some(other) => panic!("unknown encoding {other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
