//! An answer of Capillary's: about entities, from the audit log, with a token.

use std::sync::Arc;

use capillary_events::{
    capillary::{
        answer::{Answer, judge},
        audits,
        token::Tokens,
    },
    change::Change,
    cloud_event::{self, Enriched, EntityChange, View},
    entity::{By, EntityRef, FetchFailure, Kind, Scope, Status},
    event::Event,
    ledger::Identity,
    redact::{Redaction, Redactor},
    routes,
    snapshot::{Judgement, Rules, Seen, Snapshot, State, judge_seen},
    stamp::Stamp,
    told::{self, Told},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, value::RawValue};

use super::body::is_valid;

const KINDS: [Kind; 6] = [Kind::Customer, Kind::Transaction, Kind::Card, Kind::Group, Kind::Coupon, Kind::PointsLedger];
/// A state of each kind, to compare with.
const KNOWN: &str = r#"{"id":43865,"firstName":"a","profiles":[{"firstName":"a","identifiers":[{"type":"mobile","value":"1"}]}],"extendedFields":{"a":"1"}}"#;

/// Judges what an answer's body means, whatever was asked and with whatever status.
pub fn answer(body: &[u8]) {
    let told = audits_are_read(body);
    token_is_read(body);
    for kind in KINDS {
        let asked = |id: &str| EntityRef {
            kind,
            id: id.to_owned(),
            by: if kind == Kind::Card { By::Number("1".to_owned()) } else { By::Id },
        };
        let alone = [asked("43865")];
        let several = [asked("43865"), asked("1"), asked("9007199254740993")];
        for status in [200, 400, 404, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            for asked in [&alone[..], &several[..]] {
                let answers = judge(asked, status, &HeaderMap::new(), body, super::NOW_MS);
                assert_eq!(answers.len(), asked.len(), "an answer each");
                if status == StatusCode::OK {
                    asked.iter().zip(&answers).for_each(|(asked, answer)| is_told(asked, answer, &told));
                }
            }
        }
    }
}

/// What is found is compared with what is known, and published as the schema says.
fn is_told(asked: &EntityRef, answer: &Answer, told: &[Told]) {
    let Answer::Found { answered_id, body } = answer else { return };
    let id = answered_id.clone().unwrap_or_else(|| asked.id.clone());
    assert!(id.parse::<i64>().is_ok_and(|id| id > 0), "an entity whose id can be none");
    let _ = routes::leads_to(asked.kind, body);
    let body: Arc<RawValue> = Arc::from(body.clone());
    let values = serde_json::from_str::<Value>(body.get()).ok();
    let stamp = values.as_ref().and_then(|values| Stamp::of(asked.kind, values));
    let rules = Rules { replica_lag_ms: 5_000, ..Rules::default() };
    let known = Snapshot { version: 1, stamp: None, observed_at_ms: 0, state: State::Body(raw(KNOWN)), customer: None };
    let itself = Snapshot { version: 1, stamp, observed_at_ms: 0, state: State::Body(Arc::clone(&body)), customer: None };
    let seen = Seen { body: Arc::clone(&body), began_at_ms: super::NOW_MS, answered_at_ms: super::NOW_MS };
    let stays = judge_seen(asked.kind, Some(&itself), &seen, &rules, super::NOW_MS);
    assert!(matches!(stays, Judgement::Stays { .. }), "the same state is no change");
    let mut changes = values.as_ref().map(|values| told::shown(told, asked.kind, values)).unwrap_or_default();
    if let Judgement::Moves(moved) = judge_seen(asked.kind, Some(&known), &seen, &rules, super::NOW_MS) {
        let known: Value = serde_json::from_str(KNOWN).unwrap();
        let origin = |change: &Change| {
            values.as_ref().map_or(told::Origin::Snapshot, |values| told::origin(change, told, asked.kind, &known, values))
        };
        changes.extend(moved.changes.into_iter().map(|change| {
            let origin = origin(&change);
            (change, origin)
        }));
    }
    let view = View {
        kind: asked.kind,
        id,
        status: Status::Found,
        fetched_at_ms: Some(super::NOW_MS),
        baseline: asked.kind.has_states().then_some(true),
        version: asked.kind.has_states().then_some(1),
        body: Some(body),
        by_number: false,
    };
    let entity = format!("{}/{}", view.kind.as_str(), view.id);
    let changes = changes.into_iter().map(|(change, origin)| EntityChange { entity: entity.clone(), change, origin }).collect();
    let changes = if asked.kind.has_states() { changes } else { Vec::new() };
    let enriched = Enriched { entities: vec![view], changes, ..Enriched::default() };
    let event = Event::parse(br#"{"eventId":"e","eventName":"x"}"#).unwrap();
    let (identity, redaction) = (Identity::of(&event, super::NOW_MS), Redaction::default());
    let redactor = Redactor::new(&redaction, None);
    // Without a limit as it is; with one it is shortened first.
    for limit in [usize::MAX, 1_000, 400] {
        if let Ok(detail) = cloud_event::detail(&event, &identity, &enriched, &redactor, limit) {
            assert!(detail.len() <= limit);
            if serde_json::from_str::<Value>(&detail).is_ok() || limit < usize::MAX {
                is_valid(&detail);
            }
        }
    }
}

fn audits_are_read(body: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    for status in [200, 400, 404, 500] {
        if let audits::Answer::Page(page) =
            audits::judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body, super::NOW_MS)
        {
            let _ = (page.is_last(0, i64::MIN), page.is_last(1, i64::MAX));
            told.extend(page.told("r1"));
        }
    }
    told
}

fn token_is_read(body: &[u8]) {
    let tokens = Tokens::default();
    let failure = || FetchFailure { scope: Scope::Org, retry_after_s: None, cause: String::new() };
    let got = super::done(tokens.get(("k", "s"), None, super::NOW_MS, async || Ok(body.to_vec()), async || failure()));
    assert!(got.is_err() || got.is_ok_and(|token| !token.is_empty()), "an empty token");
}

fn raw(text: &str) -> Arc<RawValue> {
    Arc::from(RawValue::from_string(text.to_owned()).unwrap())
}
