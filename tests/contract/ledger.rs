//! The two tables.

use std::sync::Arc;

use capillary_events::{
    ledger::{LEASE_MS, Row, Status},
    message::Reason,
    ports::{Claimed, Claims, Commit, FailedKept, Forgotten, Ledger, Move, PublishedMark, Written},
    snapshot::{Gone, Key, Snapshot, State},
    stamp::Stamp,
};
use serde_json::value::RawValue;

use super::{DAY_S, NOW_MS, Services, claim, identity};

/// Some times until which failed rows are kept.
const KEPT: FailedKept =
    FailedKept { now_ms: NOW_MS, stored_until_s: NOW_MS / 1000 + 35 * DAY_S, unstored_until_s: NOW_MS / 1000 + 21 * DAY_S };
const PUBLISHED: PublishedMark<'static> =
    PublishedMark { now_ms: NOW_MS, expires_at_s: NOW_MS / 1000 + 21 * DAY_S, summary: "{}" };

async fn row(services: &impl Services, key: &str) -> Option<Row> {
    let known = services.ledger().look(&[key.to_owned()], &[]).await.expect("the ledger is read");
    known.rows.into_iter().map(|(_, row)| row).next()
}

async fn snapshot(services: &impl Services, key: &Key) -> Option<Snapshot> {
    let known = services.ledger().look(&[], std::slice::from_ref(key)).await.expect("the ledger is read");
    known.snapshots.into_iter().map(|(_, snapshot)| snapshot).next()
}

fn key(id: &str) -> Key {
    Key::from(format!("7#customer#{id}"))
}

fn state(version: i64, body: &str) -> Snapshot {
    let body = Arc::from(RawValue::from_string(body.to_owned()).expect("JSON"));
    let stamp = Stamp::parse("2025-02-06T11:59:09Z");
    Snapshot { version, stamp, observed_at_ms: NOW_MS + version, state: State::Body(body), customer: None }
}

fn step(id: &str, read_version: Option<i64>, next: Snapshot) -> Move {
    Move { key: key(id), read_version, next, expires_at_s: NOW_MS / 1000 + 400 * DAY_S }
}

async fn commit(services: &impl Services, id: &str, name: &str, detail: &str, moves: &[Move]) -> Written {
    let identity = identity(id, name);
    let commit = Commit { identity: &identity, detail, moves, now_ms: NOW_MS };
    services.ledger().commit(&commit).await.expect("the ledger answers")
}

/// W1: what stands in the way is told; a lease that is over, or a row past its time, does not.
pub(crate) async fn a_claim_is_refused_by_whatever_still_counts(services: &impl Services) {
    let claims = services.claims();
    let first = claim("a", "one", "first", NOW_MS);
    assert_eq!(claims.claim(&first).await, Ok(Claimed::Yes));
    let stored = Row {
        status: Some(Status::Received),
        fingerprint: Some(first.identity.fingerprint.as_str().to_owned()),
        claim_id: Some("first".to_owned()),
        lease_until_ms: Some(NOW_MS + LEASE_MS),
        expires_at_s: Some(NOW_MS / 1000 + 21 * DAY_S),
        detail: None,
    };
    // The row in the way is told whole, also to a second sending of the very same claim.
    for (name, claim_id, at_ms) in
        [("one", "first", NOW_MS), ("one", "second", NOW_MS + LEASE_MS - 1), ("two", "second", NOW_MS + LEASE_MS)]
    {
        assert_eq!(claims.claim(&claim("a", name, claim_id, at_ms)).await, Ok(Claimed::No(stored.clone())), "{name} {at_ms}");
    }
    assert_eq!(claims.claim(&claim("a", "one", "second", NOW_MS + LEASE_MS)).await, Ok(Claimed::Yes), "the lease is over");
    assert_eq!(row(services, "a").await.and_then(|row| row.claim_id), Some("second".to_owned()));
    // Past its time a row counts for nothing, whoever's it is, though it is still there.
    let after_ms = NOW_MS + LEASE_MS + 21 * DAY_S * 1000;
    assert!(matches!(claims.claim(&claim("a", "two", "third", after_ms - 1_000)).await, Ok(Claimed::No(_))));
    assert_eq!(claims.claim(&claim("a", "two", "third", after_ms)).await, Ok(Claimed::Yes));
}

/// X1 and X2.
pub(crate) async fn an_event_and_its_states_are_stored_together_or_not_at_all(services: &impl Services) {
    let first = [step("1", None, state(10, r#"{"id":1}"#)), step("2", None, state(10, r#"{"id":2}"#))];
    assert_eq!(commit(services, "a", "one", r#"{"is":"first"}"#, &first).await, Written::Yes);
    // Once stored it stays, whatever the second one would have said.
    assert_eq!(commit(services, "a", "one", r#"{"is":"second"}"#, &[]).await, Written::Refused);
    assert_eq!(commit(services, "a", "one", r#"{"is":"second"}"#, &[step("3", None, state(1, "{}"))]).await, Written::Refused);
    assert_eq!(row(services, "a").await.and_then(|row| row.detail), Some(r#"{"is":"first"}"#.to_owned()));
    assert!(snapshot(services, &key("3")).await.is_none(), "nothing of a refused commit is there");
    // One snapshot of two is not as it was read.
    let stale = [step("1", Some(10), state(11, r#"{"id":1,"n":1}"#)), step("2", Some(9), state(10, r#"{"id":2,"n":1}"#))];
    assert_eq!(commit(services, "b", "one", "{}", &stale).await, Written::Refused);
    assert!(row(services, "b").await.is_none());
    assert_eq!(snapshot(services, &key("1")).await.map(|snapshot| snapshot.version), Some(10));
    // One that was read as absent is there; one that was read is gone.
    assert_eq!(commit(services, "b", "one", "{}", &[step("1", None, state(1, "{}"))]).await, Written::Refused);
    assert_eq!(commit(services, "b", "one", "{}", &[step("9", Some(3), state(4, "{}"))]).await, Written::Refused);
    assert_eq!(commit(services, "b", "one", "{}", &[step("1", Some(10), state(11, r#"{"id":1,"n":1}"#))]).await, Written::Yes);
    // Over a claim of the same event, but not over another event's.
    assert_eq!(services.claims().claim(&claim("c", "one", "x", NOW_MS)).await, Ok(Claimed::Yes));
    assert_eq!(commit(services, "c", "two", "{}", &[]).await, Written::Refused);
    assert_eq!(commit(services, "c", "one", "{}", &[]).await, Written::Yes);
}

/// Rows and snapshots, absent ones and tombstones among them.
pub(crate) async fn what_is_stored_comes_back_as_it_was(services: &impl Services) {
    let body = r#"{"id":1,"name":"Zoë \u0001 愛子","amount":1.10,"big":123456789012345678901234567890}"#;
    let gone = Snapshot { version: 7, stamp: None, observed_at_ms: NOW_MS, state: State::Gone(Gone::Merged), customer: None };
    let moves = [step("1", None, state(10, body)), step("2", None, gone)];
    assert_eq!(commit(services, "a", "one", body, &moves).await, Written::Yes);
    let keys = [key("1"), key("2"), key("3")];
    let known = services.ledger().look(&["a".to_owned(), "nobody".to_owned()], &keys).await.expect("the ledger is read");
    let [(id, row)] = known.rows.as_slice() else { panic!("one row: {:?}", known.rows) };
    assert_eq!((id.as_str(), row.status, row.detail.as_deref()), ("a", Some(Status::Enriched), Some(body)));
    assert_eq!((row.expires_at_s, &row.claim_id, row.lease_until_ms), (None, &None, None), "what is not published never ends");
    assert_eq!(known.snapshots.len(), 2);
    let found =
        |wanted: &Key| known.snapshots.iter().find(|(key, _)| key == wanted).map(|(_, snapshot)| snapshot).expect("there");
    let first = found(&keys[0]);
    assert_eq!((first.version, first.observed_at_ms), (10, NOW_MS + 10));
    assert_eq!(first.stamp.map(|stamp| stamp.to_string()), Some("2025-02-06T11:59:09Z".to_owned()));
    assert_eq!(first.state.body().map(|body| body.get()), Some(body));
    assert!(matches!(found(&keys[1]).state, State::Gone(Gone::Merged)));
}

/// P2 and D2, over rows in every state.
pub(crate) async fn each_mark_is_taken_where_the_table_of_writes_allows_it(services: &impl Services) {
    let ledger = services.ledger();
    let (now_s, later_s) = (NOW_MS / 1000, NOW_MS / 1000 + 21 * DAY_S);
    let status = async |id: &str| row(services, id).await.and_then(|row| row.status);

    // What is stored: published takes it once; failed leaves it stored.
    assert_eq!(ledger.published("none", &PUBLISHED).await, Ok(Written::Refused), "no row");
    assert_eq!(commit(services, "stored", "one", "{}", &[]).await, Written::Yes);
    assert_eq!(ledger.published_unstored(&identity("stored", "one"), now_s, later_s).await, Ok(Written::Refused));
    assert_eq!(ledger.failed(&identity("stored", "one"), Reason::InvalidEntry, &KEPT).await, Ok(Written::Yes));
    let failed = row(services, "stored").await.expect("a row");
    assert_eq!((failed.status, failed.detail.as_deref()), (Some(Status::Failed), Some("{}")));
    assert_eq!(failed.expires_at_s, Some(KEPT.stored_until_s));
    assert_eq!(ledger.published("stored", &PUBLISHED).await, Ok(Written::Yes));
    let published = row(services, "stored").await.expect("a row");
    assert_eq!((published.status, published.detail, published.expires_at_s), (Some(Status::Published), None, Some(later_s)));
    assert_eq!(ledger.published("stored", &PUBLISHED).await, Ok(Written::Refused), "a twin was first");
    assert_eq!(ledger.failed(&identity("stored", "one"), Reason::TooOld, &KEPT).await, Ok(Written::Refused), "it is on the bus");

    // What stores nothing: no row, or a claim.
    assert_eq!(services.claims().claim(&claim("claimed", "one", "x", NOW_MS)).await, Ok(Claimed::Yes));
    for id in ["claimed", "unclaimed"] {
        assert_eq!(ledger.published_unstored(&identity(id, "one"), now_s, later_s).await, Ok(Written::Yes), "{id}");
        let published = row(services, id).await.expect("a row");
        assert_eq!((published.status, published.expires_at_s), (Some(Status::Published), Some(later_s)));
        assert_eq!((published.claim_id, published.lease_until_ms), (None, None));
        assert!(published.fingerprint.is_some(), "{id}: another event with this id is told from it");
        assert_eq!(
            ledger.published_unstored(&identity(id, "one"), now_s, later_s).await,
            Ok(Written::Refused),
            "{id}: a twin was first"
        );
    }
    assert_eq!(ledger.ignored(&identity("ignored", "one"), now_s, later_s).await, Ok(Written::Yes));
    assert_eq!(status("ignored").await, Some(Status::Published));

    // What failed before anything was stored can be worked out after a redrive; another event's row is left alone.
    assert_eq!(services.claims().claim(&claim("fails", "one", "x", NOW_MS)).await, Ok(Claimed::Yes));
    assert_eq!(ledger.failed(&identity("fails", "two"), Reason::Panic, &KEPT).await, Ok(Written::Refused));
    for id in ["fails", "fails-without-row"] {
        assert_eq!(ledger.failed(&identity(id, "one"), Reason::Panic, &KEPT).await, Ok(Written::Yes), "{id}");
        let failed = row(services, id).await.expect("a row");
        assert_eq!(
            (failed.status, failed.expires_at_s, failed.claim_id),
            (Some(Status::Failed), Some(KEPT.unstored_until_s), None)
        );
        assert_eq!(commit(services, id, "one", "{}", &[]).await, Written::Yes, "{id}");
    }
}

/// An event's own failures.
pub(crate) async fn attempts_are_counted_where_there_is_a_row(services: &impl Services) {
    let ledger = services.ledger();
    assert_eq!(ledger.count_attempt("nobody").await, Ok(None));
    assert_eq!(services.claims().claim(&claim("a", "one", "x", NOW_MS)).await, Ok(Claimed::Yes));
    assert_eq!((ledger.count_attempt("a").await, ledger.count_attempt("a").await), (Ok(Some(1)), Ok(Some(2))));
    // A redrive begins with none.
    assert_eq!(ledger.failed(&identity("a", "one"), Reason::Panic, &KEPT).await, Ok(Written::Yes));
    assert_eq!(ledger.count_attempt("a").await, Ok(Some(1)));
}

/// All that is somebody's, and nothing else.
pub(crate) async fn what_is_a_customers_is_forgotten_with_her(services: &impl Services) {
    let hers = |version| Snapshot { customer: Some(key("1")), ..state(version, "{}") };
    let theirs = |version| Snapshot { customer: Some(key("2")), ..state(version, "{}") };
    let moves =
        [step("1", None, state(10, "{}")), step("11", None, hers(10)), step("12", None, hers(10)), step("13", None, theirs(10))];
    assert_eq!(commit(services, "a", "one", "{}", &moves).await, Written::Yes);
    assert_eq!(snapshot(services, &key("11")).await.and_then(|snapshot| snapshot.customer), Some(key("1")));
    assert_eq!(services.ledger().forget(&key("1")).await, Ok(Forgotten::All));
    let known = services.ledger().look(&[], &["1", "11", "12", "13"].map(key)).await.expect("the ledger is read");
    let mut left: Vec<_> = known.snapshots.iter().map(|(key, _)| key.as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, ["7#customer#1", "7#customer#13"]);
    assert_eq!(services.ledger().forget(&key("1")).await, Ok(Forgotten::All), "there is nothing left to forget");
    // Whoever had read one of them before finds it gone, and one who begins anew may store it.
    assert_eq!(commit(services, "b", "one", "{}", &[step("11", Some(10), hers(11))]).await, Written::Refused);
    assert_eq!(commit(services, "b", "one", "{}", &[step("11", None, hers(11))]).await, Written::Yes);
}
