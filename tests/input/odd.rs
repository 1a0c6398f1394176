//! Oddities by name.

use serde_json::Value;

use crate::{judges, seeds};

/// Whole inputs that are odd.
pub(crate) fn wholes() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let mut wholes = vec![
        ("empty", Vec::new()),
        ("a byte order mark", text("\u{feff}")),
        ("a byte order mark before an object", text("\u{feff}{\"eventName\":\"a\"}")),
        ("two byte order marks before an object", text("\u{feff}\u{feff}{\"eventName\":\"a\"}")),
        ("a byte order mark in UTF-16", b"\xff\xfe{\0}\0".to_vec()),
        ("no UTF-8", b"\xc3\x28".to_vec()),
        ("no UTF-8 in a text", b"{\"eventName\":\"\xff\"}".to_vec()),
        ("an overlong NUL", b"{\"eventName\":\"\xc0\x80\"}".to_vec()),
        ("a surrogate in UTF-8", b"{\"eventName\":\"\xed\xa0\x80\"}".to_vec()),
        ("NUL", text("\0")),
        ("white space", text(" \r\n\t")),
        ("two objects", text("{}{}")),
        ("an object cut off", text("{\"eventName\":\"a\",\"data\":{\"a\":")),
        ("200 wrappers", text(&format!("{}{{}}{}", "{\"body\":".repeat(200), "}".repeat(200)))),
        ("200 envelopes", text(&format!("{}{{}}{}", "{\"attributes\":{\"data\":".repeat(200), "}}".repeat(200)))),
    ];
    wholes.extend(values().into_iter().map(|(name, value)| (name, value.into_bytes())));
    wholes
}

/// JSON values, or what nearly is one, that are odd wherever they stand.
pub(crate) fn values() -> Vec<(&'static str, String)> {
    let deep = |open: &str, close: &str, levels: usize| format!("{}{}", open.repeat(levels), close.repeat(levels));
    let own = |text: &str| text.to_owned();
    vec![
        ("null", own("null")),
        ("true", own("true")),
        ("an empty array", own("[]")),
        ("an empty object", own("{}")),
        ("an empty text", own("\"\"")),
        ("a blank", own("\" \"")),
        ("200 arrays", deep("[", "]", 200)),
        ("10,000 arrays", deep("[", "]", 10_000)),
        ("200 objects", format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200))),
        ("127 arrays", deep("[", "]", 127)),
        ("1e400", own("1e400")),
        ("-1e400", own("-1e400")),
        ("1e-400", own("1e-400")),
        ("1e999999999999", own("1e999999999999")),
        ("2^63", own("9223372036854775808")),
        ("2^63 - 1", own("9223372036854775807")),
        ("-2^63", own("-9223372036854775808")),
        ("2^64", own("18446744073709551616")),
        ("2^53 + 1 as a float", own("9007199254740993.0")),
        ("-0", own("-0")),
        ("-1", own("-1")),
        ("0.0", own("0.0")),
        ("1.5", own("1.5")),
        ("a thousand digits", "9".repeat(1000)),
        ("a thousand digits in a text", format!("\"{}\"", "9".repeat(1000))),
        ("half of a surrogate pair", own(r#""\ud800""#)),
        ("the other half", own(r#""\udc00""#)),
        ("a pair the wrong way round", own(r#""\udc00\ud800""#)),
        ("a surrogate pair", own(r#""\ud83d\ude00""#)),
        ("half of a pair as a name", own(r#"{"\ud800":1}"#)),
        ("NUL in a text", own(r#""\u0000""#)),
        ("NUL as it is", own("\"\0\"")),
        ("U+FFFE", own("\"\u{fffe}\"")),
        ("U+FFFF as an escape", own(r#""\uffff""#)),
        ("a line break in a text", own("\"a\nb\"")),
        ("an escape of nothing", own(r#""\x""#)),
        ("one name twice", own(r#"{"a":1,"a":{"b":2},"a":null}"#)),
        ("one name twice, one of them escaped", own(r#"{"id":1,"\u0069d":2}"#)),
        ("the parser's own word for a number", own(r#"{"$serde_json::private::Number":"1"}"#)),
        ("the parser's own word for a number that is none", own(r#"{"$serde_json::private::Number":"x"}"#)),
        ("the parser's own word for a piece of text", own(r#"{"$serde_json::private::RawValue":"{\"a\":1}"}"#)),
        ("the parser's own word for a broken piece of text", own(r#"{"$serde_json::private::RawValue":"{"}"#)),
        ("a name of nothing", own(r#"{"":"","/":1,"~":2,"a/b~c":3}"#)),
        ("no JSON", own("undefined")),
        ("nothing at all", own("")),
        ("a text in single quotes", own("'a'")),
        ("a number with a zero before", own("01")),
        ("a number with nothing after its point", own("1.")),
        ("a long text", format!("\"{}\"", "é".repeat(20_000))),
        (
            "many members",
            format!("{{{}}}", (0..1000).map(|number| format!("\"k{number}\":{number}")).collect::<Vec<_>>().join(",")),
        ),
        ("many elements", format!("[{}]", vec!["{\"customerIdentifiers\":{\"customerId\":7},\"id\":7}"; 200].join(","))),
    ]
}

#[test]
fn nothing_that_is_odd_as_a_whole_is_lost_or_does_harm() {
    for place in seeds::places() {
        for (name, whole) in wholes() {
            told(|| (place.judge)(&whole), &format!("{}: {name}", place.name));
        }
    }
}

/// Each value of some real inputs is replaced by each oddity.
#[test]
fn nothing_that_is_odd_in_some_place_is_lost_or_does_harm() {
    let values = values();
    for place in seeds::places() {
        let step = (place.seeds.len() / 4).max(1);
        for (number, seed) in place.seeds.iter().enumerate().step_by(step) {
            let Ok(text) = std::str::from_utf8(seed) else { continue };
            let Ok(Value::Object(_)) = serde_json::from_str(text) else { continue };
            // One oddity a place, another one each time: all would be too many.
            for (count, (begin, end)) in places_of_values(text).into_iter().enumerate() {
                let (name, value) = &values[(count * 7 + number) % values.len()];
                let odd = [&text[..begin], value, &text[end..]].concat();
                told(|| (place.judge)(odd.as_bytes()), &format!("{}, seed {number}, {name} at {begin}", place.name));
            }
        }
    }
}

/// The members that everything hangs on, with each oddity.
#[test]
fn an_odd_id_name_org_or_time_is_survived() {
    let whole = r#"{"eventName":"customerUpdated","eventId":"e","orgId":1,"apiRequestId":"r","refId":"f","createdAt":1755225718242,"eventType":"1_a","data":{"customerIdentifiers":{"customerId":5}}}"#;
    for (member, value) in [
        ("eventName", "\"customerUpdated\""),
        ("eventId", "\"e\""),
        ("orgId", "1"),
        ("apiRequestId", "\"r\""),
        ("refId", "\"f\""),
        ("createdAt", "1755225718242"),
        ("eventType", "\"1_a\""),
        ("customerId", "5"),
    ] {
        for (name, odd) in values() {
            let body = whole.replace(&format!("\"{member}\":{value}"), &format!("\"{member}\":{odd}"));
            told(|| judges::body(body.as_bytes()), &format!("{name} as {member}"));
            let envelope = format!("{{\"eventId\":\"e\",\"eventType\":\"7_x\",\"timeStamp\":{odd},\"attributes\":{body}}}");
            told(|| judges::body(envelope.as_bytes()), &format!("{name} as {member} in an envelope"));
        }
    }
}

#[test]
fn of_what_no_queue_takes_the_beginning_and_the_hash_are_kept() {
    let mut random = fastrand::Rng::with_seed(7);
    let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(1_700_000).collect();
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(1_100_000).collect();
    for body in [format!("{{\"eventName\":\"a\",\"data\":\"{noise}\"}}").into_bytes(), noise.into_bytes(), bytes] {
        assert!(judges::taken_in(&body).is_empty(), "it is answered 413");
    }
}

/// More than any delivery has: as large as the gateway lets through, and of the shapes that take the longest to read.
#[test]
fn five_megabytes_are_read_in_time() {
    let fill = |open: &str, unit: &str, close: &str| format!("{open}{}{close}", unit.repeat(5_000_000 / unit.len()));
    for (name, body) in [
        ("one text", fill("{\"eventName\":\"a\",\"data\":\"", "x", "\"}")),
        ("escapes", fill("{\"eventName\":\"a\",\"data\":\"", "\\u00e9", "\"}")),
        ("arrays in each other", format!("{{\"eventName\":\"a\",\"data\":{}{}}}", "[".repeat(2_500_000), "]".repeat(2_500_000))),
        ("members", fill("{\"eventName\":\"a\"", ",\"a\":{\"b\":[1,2]}", "}")),
        ("no JSON", fill("", "x", "")),
        (
            "wrappers",
            format!(
                "{{\"body\":{{\"data\":{{\"body\":{{\"data\":{}}}}}}}}}",
                fill("{\"eventName\":\"a\",\"data\":[", "{},", "1]}")
            ),
        ),
        ("levels that are read once more each", {
            let (levels, text) = (64, "x".repeat(5_000_000));
            format!("{{\"eventName\":\"a\",\"data\":{}\"{text}\"{}}}", "[".repeat(levels), "]".repeat(levels))
        }),
    ] {
        let began = std::time::Instant::now();
        told(|| drop(judges::taken_in(body.as_bytes())), name);
        // Not optimised, and written down as a gateway does. What reads each level anew would take minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "{name}: {:?}", began.elapsed());
    }
}

/// Says which input it was, should the judge panic.
pub(crate) fn told(judge: impl FnOnce(), of: &str) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(judge));
    if let Err(panic) = outcome {
        let text =
            panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        panic!("{of}: {}", text.unwrap_or_default());
    }
}

/// Where in a JSON text its values stand.
pub(crate) fn places_of_values(text: &str) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    for (begin, character) in text.char_indices() {
        let follows = matches!(text[..begin].trim_end().as_bytes().last(), Some(b':' | b'['));
        if !follows || character.is_ascii_whitespace() {
            continue;
        }
        let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<&serde_json::value::RawValue>();
        if let Some(Ok(value)) = values.next() {
            places.push((begin, begin + value.get().len()));
        }
    }
    places
}
