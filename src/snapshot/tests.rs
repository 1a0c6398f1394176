use super::*;

const OBSERVED: i64 = 1_000_000;
const LAG: i64 = 5_000;

fn body(text: &str) -> Arc<RawValue> {
    Arc::from(RawValue::from_string(text.to_owned()).unwrap())
}

/// A customer with a name, updated at a second of a minute.
fn customer(name: &str, second: Option<u32>) -> String {
    match second {
        Some(second) => {
            format!(r#"{{"id":1,"profiles":[{{"firstName":"{name}","autoUpdateTime":"2025-02-06T11:59:{second:02}Z"}}]}}"#)
        }
        None => format!(r#"{{"id":1,"profiles":[{{"firstName":"{name}"}}]}}"#),
    }
}

fn known(text: &str) -> Snapshot {
    let stamp = Stamp::of(Kind::Customer, &serde_json::from_str(text).unwrap_or_default());
    Snapshot { version: 7, stamp, observed_at_ms: OBSERVED, customer: None, state: State::Body(body(text)) }
}

fn judge(known: Option<&Snapshot>, text: &str, began_at_ms: i64) -> Judgement {
    let rules = Rules { replica_lag_ms: LAG, volatile: Volatile::parse("autoUpdateTime") };
    let seen = Seen { body: body(text), began_at_ms, answered_at_ms: began_at_ms + 10 };
    judge_seen(Kind::Customer, known, &seen, &rules, began_at_ms + 20)
}

fn moved(judgement: Judgement) -> Moved {
    match judgement {
        Judgement::Moves(moved) => moved,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_sight_is_a_baseline_whose_version_is_the_time() {
    let first = moved(judge(None, &customer("Ana", Some(1)), OBSERVED));
    assert!(first.baseline && first.changes.is_empty());
    assert_eq!((first.next.version, first.next.observed_at_ms), (OBSERVED + 20, OBSERVED + 10));
    assert_eq!(first.next.stamp.unwrap().to_string(), "2025-02-06T11:59:01Z");
}

#[test]
fn the_entitys_own_time_decides_at_once() {
    let known = known(&customer("Ana", Some(10)));
    let newer = moved(judge(Some(&known), &customer("Anna", Some(11)), OBSERVED));
    assert_eq!((newer.next.version, newer.baseline, newer.changes.len()), (8, false, 1));
    assert_eq!(newer.changes[0].path, "/profiles/0/firstName");
    assert!(matches!(judge(Some(&known), &customer("Anna", Some(9)), OBSERVED + 10 * LAG), Judgement::Late));
    let back = moved(judge(Some(&known), &customer("Anna", Some(9)), OBSERVED + MAX_LATE_MS));
    assert_eq!(back.changes.len(), 1, "a time that goes back freezes nobody for ever");
    let only_the_time = moved(judge(Some(&known), &customer("Ana", Some(11)), OBSERVED));
    assert!(only_the_time.changes.is_empty(), "an answer from between must not pass for newer later");
}

#[test]
fn where_it_says_nothing_a_difference_counts_once_no_replica_can_lag_so_far() {
    for second in [None, Some(10)] {
        let known = known(&customer("Ana", second));
        for began_at_ms in [OBSERVED - 1, OBSERVED + LAG - 1] {
            let early = judge(Some(&known), &customer("Anna", second), began_at_ms);
            assert!(matches!(early, Judgement::Wait { until_ms } if until_ms == OBSERVED + LAG), "{early:?}");
        }
        assert_eq!(moved(judge(Some(&known), &customer("Anna", second), OBSERVED + LAG)).changes.len(), 1);
        assert!(matches!(judge(Some(&known), &customer("Ana", second), OBSERVED), Judgement::Stays { .. }));
    }
    let appeared = judge(Some(&known(&customer("Ana", None))), &customer("Anna", Some(10)), OBSERVED);
    assert!(matches!(appeared, Judgement::Wait { .. }));
}

#[test]
fn nobody_comes_back_from_the_dead() {
    let gone = moved(judge_gone(Some(&known(&customer("Ana", Some(1)))), Gone::Deleted, OBSERVED + 1, OBSERVED + 2));
    assert_eq!((gone.next.version, gone.changes.len(), gone.baseline), (8, 0, false), "what was there is not told once more");
    assert!(matches!(judge(Some(&gone.next), &customer("Ana", Some(59)), OBSERVED + 10 * LAG), Judgement::Late));
    assert!(matches!(judge_gone(Some(&gone.next), Gone::Merged, OBSERVED, OBSERVED), Judgement::Stays { body: None }));
    assert_eq!(moved(judge_gone(None, Gone::Merged, OBSERVED, OBSERVED)).next.version, OBSERVED, "also who was never seen");
}

#[test]
fn what_is_remembered_keeps_the_order_that_the_changes_told() {
    let items = |ids: &str| format!(r#"{{"id":1,"lineItems":[{ids}]}}"#);
    let known = known(&items(r#"{"id":1},{"id":2}"#));
    let seen = moved(judge(Some(&known), &items(r#"{"id":2,"qty":5.0},{"id":1}"#), OBSERVED + LAG));
    assert_eq!(seen.changes[0].path, "/lineItems/1/qty");
    assert!(matches!(&seen.next.state, State::Body(body) if body.get() == items(r#"{"id":1},{"id":2,"qty":5.0}"#)));
    let Judgement::Stays { body: Some(body) } = judge(Some(&known), &items(r#"{"id":2},{"id":1}"#), OBSERVED) else { panic!() };
    assert_eq!(body.get(), items(r#"{"id":1},{"id":2}"#));
}

#[test]
fn what_was_too_large_to_keep_or_to_read_is_a_baseline_each_time() {
    let large = Snapshot { state: State::TooLarge, ..known(&customer("Ana", Some(10))) };
    assert!(moved(judge(Some(&large), &customer("Ana", Some(11)), OBSERVED)).baseline);
    assert!(matches!(judge(Some(&large), &customer("Ana", Some(10)), OBSERVED), Judgement::Stays { .. }));
    assert!(matches!(judge(Some(&large), &customer("Ana", Some(9)), OBSERVED), Judgement::Late));
    let cut = |name: &str| format!(r#"{{"id":1,"profiles":[{{"firstName":"{name}","lastName":"\\ud83d"}}]}}"#);
    assert_eq!(
        moved(judge(Some(&known(&cut("Ana"))), &cut("Anna"), OBSERVED + LAG)).changes.len(),
        1,
        "half an emoji blinds nobody"
    );
    let deep = |inner: u32| format!("{}{inner}{}", "[".repeat(200), "]".repeat(200));
    assert!(moved(judge(Some(&known(&deep(1))), &deep(2), OBSERVED + LAG)).baseline);
}

#[test]
fn only_halves_of_characters_are_replaced() {
    for (text, clean) in [
        (r#""\ud83d""#, r#""\ufffd""#),
        (r#""\ude00\ud83d\n""#, r#""\ufffd\ufffd\n""#),
        (r#""\ud83d\ude00 \\ud83d \u00e9é\"""#, r#""\ud83d\ude00 \\ud83d \u00e9é\"""#),
        (r#""\"#, r#""\"#),
    ] {
        assert_eq!(without_lone_surrogates(text), clean);
    }
}

#[test]
fn a_body_does_not_print() {
    let known = known(&customer("Ana", None));
    let moved = judge(Some(&known), &customer("Anna", None), OBSERVED + LAG);
    let stays = judge(Some(&known), &customer("Ana", None), OBSERVED + LAG);
    assert!(!format!("{known:?} {moved:?} {stays:?}").contains("An"));
}
