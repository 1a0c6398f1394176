//! No type shows what it holds of a delivery, an answer or a secret. A new `derive(Debug)` on one of them is found by one of these tests.

use std::{
    fmt::{Debug, Display},
    path::{Path, PathBuf},
    sync::Arc,
};

use http::{HeaderMap, StatusCode};
use serde_json::{json, value::RawValue};

use crate::{
    auth::WebhookSecret,
    capillary::{
        answer,
        credentials::{CredentialBook, Credentials},
    },
    change::{Change, Op},
    cloud_event::{self, Enriched, EntityChange, View},
    enrich::Incoming,
    entity::{By, EntityRef, Fetched, Kind, Status},
    event::Event,
    ledger::{Identity, Row, Step, next_step},
    message::{DeadLetter, Encoded, Message, Reason},
    ports::{Claimed, Commit, Entry, Known, Move},
    receive::Delivery,
    redact::HashKey,
    secret::Meaning,
    snapshot::{Gone, Judgement, Key, Moved, Rules, Seen, Snapshot, State, judge_gone, judge_seen},
    told,
};

/// Somebody's.
const MARK: &str = "Zebrafinch";

/// What can be printed of a value. Which of these two traits a call finds depends on what the value's type implements: the one with
/// the condition goes before the one that needs a reference more.
struct Shown<'a, T>(&'a T);

trait ShownAsDebug {
    fn debug(&self) -> String;
}

trait NotShownAsDebug {
    fn debug(&self) -> String {
        String::new()
    }
}

trait ShownAsText {
    fn text(&self) -> String;
}

trait NotShownAsText {
    fn text(&self) -> String {
        String::new()
    }
}

impl<T: Debug> ShownAsDebug for Shown<'_, T> {
    fn debug(&self) -> String {
        format!("{0:?} {0:#?}", self.0)
    }
}

impl<T> NotShownAsDebug for &Shown<'_, T> {}

impl<T: Display> ShownAsText for Shown<'_, T> {
    fn text(&self) -> String {
        self.0.to_string()
    }
}

impl<T> NotShownAsText for &Shown<'_, T> {}

/// Whatever can be printed of these values, by the text of the expression that made each.
macro_rules! shown {
    ($($value:expr),+ $(,)?) => {
        [$((stringify!($value), format!("{} {}", (&Shown(&$value)).debug(), (&Shown(&$value)).text()))),+]
    };
}

fn raw(text: &str) -> Arc<RawValue> {
    Arc::from(RawValue::from_string(text.to_owned()).unwrap())
}

#[test]
#[expect(clippy::needless_borrow, reason = "whether a reference is needed is how it is told what a type implements")]
fn the_way_to_tell_what_prints_tells_it() {
    struct Silent;
    assert_eq!((&Shown(&Silent)).debug() + &(&Shown(&Silent)).text(), "");
    assert_eq!((&Shown(&MARK)).debug(), format!("{MARK:?} {MARK:?}"));
    assert_eq!((&Shown(&MARK)).text(), MARK);
}

#[test]
fn nothing_that_holds_somebodys_data_or_a_secret_shows_it() {
    let body = format!(
        r#"{{"eventId":"e","eventName":"customerUpdated","orgId":1,"data":{{"firstName":"{MARK}","customerIdentifiers":{{"customerId":5}},
            "updatedFields":[{{"fieldName":"firstName","previousValue":"{MARK}1","currentValue":"{MARK}2","fieldType":"StandardField"}}]}}}}"#
    );
    let entity_body = format!(r#"{{"id":5,"profiles":[{{"firstName":"{MARK}"}}]}}"#);
    let event = Event::parse(body.as_bytes()).unwrap();
    let identity = Identity::of(&event, 1);
    let told = told::by_event(&event);
    assert_eq!(told.len(), 1);

    let mut headers = HeaderMap::new();
    headers.insert("authorization", MARK.parse().unwrap());
    let delivery = Delivery { headers: headers.clone(), body: body.clone().into_bytes(), trace: None };

    let encoded = Encoded::of(body.as_bytes());
    let message = Message { body: encoded.clone(), identity: identity.clone(), trace: None };
    let letter = DeadLetter {
        body: encoded.clone(),
        identity: Some(identity.clone()),
        received_at_ms: 1,
        reason: Reason::Panic,
        detail: "panic".to_owned(),
    };
    let incoming = Incoming { body: body.clone(), ..Incoming::default() };
    let entry = Entry { detail_type: "x".to_owned(), detail: body.clone(), trace: None };
    let row = Row { detail: Some(body.clone()), ..Row::default() };
    let step = next_step(Some(row.clone()), &identity.fingerprint, 0);
    assert!(matches!(step, Step::Publish(_)));
    let claimed = Claimed::No(row.clone());

    let key = Key::new(Some(1), Kind::Customer, "5");
    let snapshot = Snapshot { version: 1, stamp: None, observed_at_ms: 1, state: State::Body(raw(&entity_body)), customer: None };
    let seen = Seen { body: raw(r#"{"id":5,"profiles":[]}"#), began_at_ms: 9_000, answered_at_ms: 9_000 };
    let judgement = judge_seen(Kind::Customer, Some(&snapshot), &seen, &Rules::default(), 9_000);
    assert!(matches!(&judgement, Judgement::Moves(Moved { changes, .. }) if !changes.is_empty()));
    let stays = judge_seen(
        Kind::Customer,
        Some(&snapshot),
        &Seen { body: raw(&entity_body), began_at_ms: 1, answered_at_ms: 1 },
        &Rules::default(),
        1,
    );
    let gone = judge_gone(Some(&snapshot), Gone::Deleted, 1, 1);
    let step_of_snapshot = Move { key: key.clone(), read_version: None, next: snapshot.clone(), expires_at_s: 1 };
    let moves = vec![step_of_snapshot.clone()];
    let commit = Commit { identity: &identity, detail: &body, moves: &moves, now_ms: 1 };
    let known = Known { rows: vec![("e".to_owned(), row.clone())], snapshots: vec![(key, snapshot.clone())] };

    let change = Change { op: Op::Replace, path: "/firstName".to_owned(), before: Some(json!(MARK)), after: Some(json!(MARK)) };
    let entity_change = EntityChange { entity: "customer/5".to_owned(), change: change.clone(), origin: told::Origin::Snapshot };
    let view = View {
        kind: Kind::Customer,
        id: "5".to_owned(),
        status: Status::Found,
        fetched_at_ms: None,
        baseline: None,
        version: None,
        body: Some(raw(&entity_body)),
        by_number: false,
    };
    let enriched = Enriched { entities: vec![view.clone()], changes: vec![entity_change.clone()], ..Enriched::default() };
    let fetched =
        Fetched { status: Status::Found, answered_id: None, body: Some(raw(&entity_body)), began_at_ms: 1, fetched_at_ms: 1 };
    let customer = EntityRef { kind: Kind::Customer, id: "5".to_owned(), by: By::Id };
    let answers = answer::judge(&[customer], StatusCode::OK, &headers, entity_body.as_bytes(), 1);
    assert!(matches!(answers.as_slice(), [answer::Answer::Found { .. }]));
    let refused = format!(r#"{{"errors":[{{"code":7777777,"message":"{MARK}"}}],"warnings":[{{"message":"{MARK}"}}]}}"#);
    let refusals = answer::judge(
        &[EntityRef { kind: Kind::Card, id: MARK.to_owned(), by: By::NumberOnly(MARK.to_owned()) }],
        StatusCode::BAD_REQUEST,
        &headers,
        refused.as_bytes(),
        1,
    );
    let card = EntityRef { kind: Kind::Card, id: MARK.to_owned(), by: By::NumberOnly(MARK.to_owned()) };
    let coupon =
        EntityRef { kind: Kind::Coupon, id: "5".to_owned(), by: By::Code { code: Some(MARK.to_owned()), customer_id: None } };

    let webhook = WebhookSecret::parse(&json!({"headers": {"authorization": [MARK]}}).to_string()).unwrap();
    let oauth = CredentialBook::parse(&json!({"key": MARK, "secret": MARK}).to_string()).unwrap();
    let basic = Credentials::Basic(MARK.to_owned());
    let hash_key = HashKey::parse(&json!({"hashKey": format!("{MARK}{MARK}")}).to_string()).unwrap();
    let detail = cloud_event::detail(
        &event,
        &identity,
        &Enriched::default(),
        &crate::redact::Redactor::new(&crate::redact::Redaction::default(), None),
        1,
    );

    let everything = shown![
        event,
        identity,
        told,
        headers_and_body(&delivery),
        delivery,
        encoded,
        message,
        letter,
        incoming,
        entry,
        row,
        step,
        claimed,
        snapshot,
        snapshot.state,
        seen,
        judgement,
        stays,
        gone,
        step_of_snapshot,
        commit,
        known,
        change,
        entity_change,
        view,
        enriched,
        fetched,
        answers,
        refusals,
        card,
        card.by,
        coupon,
        coupon.by,
        webhook,
        oauth,
        oauth.for_org(None),
        basic,
        hash_key,
        detail,
    ];
    for (what, text) in everything {
        let bytes = MARK.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
        assert!(!text.contains(MARK) && !text.contains(&bytes), "`{what}` prints what it holds");
    }
}

/// That the delivery above has the mark in both.
fn headers_and_body(delivery: &Delivery) -> bool {
    delivery.headers.values().any(|value| value == MARK) && String::from_utf8_lossy(&delivery.body).contains(MARK)
}

/// Types that print their texts, since these are ids, words of ours, or settings. Whoever adds one here says that it may stand in a log.
const PRINT_TEXTS: [&str; 26] = [
    // Ids of events and entities, names of events, fingerprints, orgs; conditions over them.
    "Attempt",
    "Claim",
    "Disposition",
    "EntityChange",
    "Fingerprint",
    "Identity",
    "Key",
    "Known",
    "Rendered",
    "TraceHeader",
    // Words and codes of ours and of AWS; of Capillary no more than a status or a code.
    "DeadLetter",
    "Ending",
    "FetchFailure",
    "PortError",
    "PublishedMark",
    "Token",
    // Settings, which hold the names of secrets and not the secrets.
    "BadPattern",
    "BadRule",
    "CapillaryConfig",
    "Common",
    "ConfigError",
    "EnricherConfig",
    "ReceiverConfig",
    "Rule",
    "Name",
    "Volatile",
];

/// What holds whole pieces of a body, or a secret.
const NEVER_PRINTED: [&str; 8] =
    ["RawValue", "Value", "HeaderMap", "HeaderValue", "Vec<u8>", "Credentials", "WebhookSecret", "Hmac"];

/// Reads the source, since a type that nobody thought of is in no list of values.
#[test]
fn every_type_that_prints_texts_is_known_to_hold_none_of_somebodys() {
    let mut printing = Vec::new();
    for file in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("\nmod tests {").next().unwrap_or_default();
        for item in text.split("#[derive(").skip(1) {
            let (derived, rest) = item.split_once(")]").unwrap();
            let end = [rest.find("\n}"), rest.find(";\n")].into_iter().flatten().min().unwrap_or(rest.len());
            let fields: String = rest[..end].lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            if !derived.split(", ").any(|name| name.trim() == "Debug") {
                continue;
            }
            let declared = ["struct ", "enum "].iter().find_map(|word| Some(fields.split_once(word)?.1)).unwrap_or_default();
            let name: String = declared.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            let words = || fields.split(|letter: char| !letter.is_alphanumeric() && !"<>".contains(letter));
            let is_word = |word: &&&str| words().any(|part| part == **word || part.contains(&format!("<{word}>")));
            let never: Vec<_> = NEVER_PRINTED.iter().filter(is_word).collect();
            assert!(never.is_empty(), "{name} prints, and holds {never:?}");
            if fields.contains("String") || fields.contains("str>") || fields.contains("&'a str") {
                printing.push(name);
            }
        }
    }
    printing.sort();
    let mut known = PRINT_TEXTS.to_vec();
    known.sort_unstable();
    assert_eq!(printing, known);
}

/// The library's source files, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let skipped =
        |path: &PathBuf| ["bin", "tests", "tests.rs"].iter().any(|name| path.file_name().is_some_and(|own| own == *name));
    let kept = entries.filter(|path| !skipped(path));
    kept.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}
