use super::*;
use crate::secret::Meaning;
use serde_json::json;

mod properties;

const MOBILE: &str = "hmac-sha256:76f691d0ee238c5e4f5304f1d3ea53763f5fde6bc7977bc5f1900ee284fac834";

fn key() -> HashKey {
    HashKey::parse(r#"{"hashKey":"0123456789abcdef"}"#).unwrap()
}

fn redaction(drop: &str, hash: &str) -> Redaction {
    Redaction { drop: Patterns::parse(drop).unwrap(), hash: Patterns::parse(hash).unwrap() }
}

fn dropped(patterns: &str, event: &str) -> String {
    Redactor::new(&redaction(patterns, ""), None).event(event.to_owned())
}

fn hashed(patterns: &str, event: &str) -> String {
    Redactor::new(&redaction("", patterns), Some(&key())).event(event.to_owned())
}

fn pseudonym(text: &str) -> String {
    format!("\"{}\"", key().pseudonym(text))
}

fn body(patterns: &str, place: usize, text: &str) -> Option<String> {
    let body = Arc::from(RawValue::from_string(text.to_owned()).unwrap());
    Redactor::new(&redaction(patterns, ""), None).body(place, &body).map(|body| body.get().to_owned())
}

fn changed(drop: &str, hash: &str, path: &str, value: Value) -> Option<Value> {
    Redactor::new(&redaction(drop, hash), Some(&key())).changed(path, value)
}

// Which places patterns mean.

#[test]
fn a_name_stands_for_members_anywhere() {
    let event = r#"{"mobile":1,"data":{"a":[{"mobile":{"x":2},"n":3}],"mobiles":4,"Mobile":5,"mobile":null}}"#;
    assert_eq!(dropped("mobile", event), r#"{"data":{"a":[{"n":3}],"mobiles":4,"Mobile":5}}"#);
}

#[test]
fn a_name_below_a_name_stands_for_members_there_and_of_elements_there() {
    let event = r#"{"value":1,"identifiers":{"value":2,"x":{"value":3}},"data":{"identifiers":[{"type":"email","value":4},[{"value":5}]]}}"#;
    let expected = r#"{"value":1,"identifiers":{"x":{"value":3}},"data":{"identifiers":[{"type":"email"},[{}]]}}"#;
    assert_eq!(dropped("identifiers/value", event), expected);
    assert_eq!(dropped("x/identifiers/value", event), event);
    assert_eq!(dropped("data/identifiers/value", event), event.replace(r#","value":4"#, "").replace(r#"{"value":5}"#, "{}"));
}

#[test]
fn a_slash_at_the_beginning_anchors_a_pattern_at_data() {
    let event = r#"{"mobile":1,"data":{"mobile":2,"x":{"data":{"mobile":3}}}}"#;
    assert_eq!(dropped("/event/data/mobile", event), r#"{"mobile":1,"data":{"x":{"data":{"mobile":3}}}}"#);
    assert_eq!(body("/event/data/mobile", 0, event).as_deref(), Some(event));
    assert_eq!(dropped("/entities/*/body/data/mobile", event), event);
    let without = Some(r#"{"mobile":1,"data":{"x":{"data":{"mobile":3}}}}"#.to_owned());
    for pattern in ["/entities/*/body/data/mobile", "/entities/1/body/data/mobile", "/*/*/*/data/mobile"] {
        assert_eq!(body(pattern, 1, event), without, "{pattern}");
    }
    assert_eq!(body("/entities/0/body/data/mobile", 1, event).as_deref(), Some(event));
}

#[test]
fn a_star_is_one_member_or_one_element() {
    let event = r#"{"data":[{"a":{"x":1}},{"b":{"x":2}},{"b":{"c":{"x":3}}}]}"#;
    assert_eq!(dropped("/event/data/*/*/x", event), r#"{"data":[{"a":{}},{"b":{}},{"b":{"c":{"x":3}}}]}"#);
    assert_eq!(dropped("/event/data/1/*/x", event), r#"{"data":[{"a":{"x":1}},{"b":{}},{"b":{"c":{"x":3}}}]}"#);
    assert_eq!(dropped("/event/data/*/b/x", event), r#"{"data":[{"a":{"x":1}},{"b":{}},{"b":{"c":{"x":3}}}]}"#);
}

#[test]
fn names_with_slashes_and_tildes_are_escaped_as_in_a_json_pointer() {
    let event = r#"{"a/b":1,"a~b":2,"a~1b":3,"mob\u0069le":4}"#;
    assert_eq!(dropped("a~1b", event), r#"{"a~b":2,"a~1b":3,"mob\u0069le":4}"#);
    assert_eq!(dropped("/event/a~0b, /event/a~01b", event), r#"{"a/b":1,"mob\u0069le":4}"#);
    assert_eq!(dropped("mobile", event), r#"{"a/b":1,"a~b":2,"a~1b":3}"#, "escapes in the text are looked through");
}

#[test]
fn a_pattern_that_can_mean_nothing_is_refused() {
    let no_name = "has a step without a name: * stands for any";
    let no_slash = "has a * but no slash at its beginning";
    let nowhere = "lies neither in /event nor in /entities/*/body";
    for (pattern, problem) in [
        ("/", no_name),
        ("a//b", no_name),
        ("a/", no_name),
        ("/event/", no_name),
        ("//event", no_name),
        ("*", no_slash),
        ("profiles/*/firstName", no_slash),
        ("/data/event/mobile", nowhere),
        ("/mobile", nowhere),
        ("/Event/mobile", nowhere),
        ("/entities", nowhere),
        ("/entities/0", nowhere),
        ("/entities/0/id", nowhere),
        ("/entities/body/mobile", nowhere),
        ("/changes/*/before", nowhere),
    ] {
        let error = Patterns::parse(&format!("mobile,,{pattern} , email")).unwrap_err();
        assert_eq!(error, BadPattern { number: 2, pattern: pattern.to_owned(), problem });
    }
    let told = "has a pattern that can't be read: number 1, `/mobile`, lies neither in /event nor in /entities/*/body";
    assert_eq!(Patterns::parse("/mobile").unwrap_err().to_string(), told);
    for good in ["", " , ", "a b", "/event", "/*", "/*/x", "/entities/*/body", "/entities/0/body/x", "/*/*/*", "event/x"] {
        assert!(Patterns::parse(good).is_ok(), "{good}");
    }
}

// What becomes of the values there.

#[test]
fn an_element_that_is_dropped_leaves_null_so_that_indices_stay() {
    let event = r#"{"data":{"cards":["one","two","three"]}}"#;
    assert_eq!(dropped("/event/data/cards/1", event), r#"{"data":{"cards":["one",null,"three"]}}"#);
    assert_eq!(dropped("/event/data/cards/*", event), r#"{"data":{"cards":[null,null,null]}}"#);
}

#[test]
fn one_mobile_number_has_one_pseudonym_however_it_came() {
    let event = r#"{"mobile":919900112233,"a":{"mobile":" 919900112233 "},"b":[{"mobile":"9199\u0030\u0030112233\t"}]}"#;
    let expected = format!(r#"{{"mobile":"{MOBILE}","a":{{"mobile":"{MOBILE}"}},"b":[{{"mobile":"{MOBILE}"}}]}}"#);
    assert_eq!(hashed("mobile", event), expected);
    assert_eq!(changed("", "mobile", "/mobile", json!(919_900_112_233_i64)), Some(json!(MOBILE)));
    let exponent: Value = serde_json::from_str("1.73985783E12").unwrap();
    let in_the_event = hashed("enteredAt", r#"{"enteredAt":1.73985783E12}"#);
    let in_a_change = changed("", "enteredAt", "/enteredAt", exponent).unwrap();
    assert_eq!(in_the_event, format!(r#"{{"enteredAt":{in_a_change}}}"#), "also with an exponent");
    assert_ne!(hashed("n", r#"{"n":1.10}"#), hashed("n", r#"{"n":1.1}"#), "digits count as they stand");
}

#[test]
fn all_values_below_a_hashed_member_are_hashed_and_its_members_stay() {
    let event = r#"{"data":{"x":{"a":1.10,"b":[true,{"c":"v"}],"d":null,"e":"","f":"  ","g":{},"h":[]}},"n":1}"#;
    let (number, truth, text) = (pseudonym("1.10"), pseudonym("true"), pseudonym("v"));
    let expected = format!(
        r#"{{"data":{{"x":{{"a":{number},"b":[{truth},{{"c":{text}}}],"d":null,"e":"","f":"  ","g":{{}},"h":[]}}}},"n":1}}"#
    );
    assert_eq!(hashed("/event/data/x", event), expected);
    assert_eq!(hashed("x", event), expected);
}

#[test]
fn what_is_dropped_and_hashed_is_dropped() {
    let event = r#"{"customer":{"mobile":1,"name":"v"}}"#;
    let name_only = format!(r#"{{"customer":{{"name":{}}}}}"#, pseudonym("v"));
    let (both, key) = (redaction("mobile", "customer,mobile"), key());
    assert_eq!(Redactor::new(&both, Some(&key)).event(event.to_owned()), name_only);
    let around = redaction("customer", "mobile");
    assert_eq!(Redactor::new(&around, Some(&key)).event(event.to_owned()), "{}");
}

#[test]
fn without_a_key_what_would_be_hashed_is_dropped() {
    let without_key = redaction("", "mobile");
    let redactor = Redactor::new(&without_key, None);
    assert_eq!(redactor.event(r#"{"mobile":1,"n":2}"#.to_owned()), r#"{"n":2}"#);
    assert_eq!(redactor.changed("/mobile", json!(1)), None);
}

#[test]
fn what_is_not_touched_keeps_its_text() {
    let kept = r#""dup":1,"dup": 2,"\u0061\ud800":"\ud83d","n":1.10e+2,"s":"\/ \u00e9 é",   "deep": [ {"x" : 1e400 } , -0.0 ]"#;
    let compact = r#""dup":1,"dup":2,"\u0061\ud800":"\ud83d","n":1.10e+2,"s":"\/ \u00e9 é","deep":[ {"x" : 1e400 } , -0.0 ]"#;
    assert_eq!(dropped("mobile", &format!("{{ {kept} }}")), format!("{{ {kept} }}"), "to the letter where nothing is touched");
    assert_eq!(dropped("mobile", &format!(r#"{{"mobile":1,{kept},"mobile":2}}"#)), format!("{{{compact}}}"), "values elsewhere");
    let lone = hashed("a", r#"{"a":"\ud83d","b":"\ud83d"}"#);
    assert_eq!(lone, format!(r#"{{"a":{},"b":"\ud83d"}}"#, pseudonym(r"\ud83d")));
    assert_eq!(dropped("/event/*", r#"{"\ud800":1}"#), "{}");
}

#[test]
fn without_patterns_the_text_is_not_even_copied() {
    let text = r#"{"data":{"mobile":1}}"#.to_owned();
    let place = text.as_ptr();
    let nothing = Redaction::default();
    let redactor = Redactor::new(&nothing, None);
    assert!(redactor.is_idle());
    let same = redactor.event(text);
    assert_eq!(same.as_ptr(), place);
}

#[test]
fn what_is_nested_too_deep_is_left_out_since_it_cannot_be_looked_at() {
    let nested = |levels: usize| format!("{}1{}", r#"{"x":["#.repeat(levels / 2), "]}".repeat(levels / 2));
    assert_eq!(dropped("mobile", &nested(128)), nested(128));
    let cut = dropped("mobile", &nested(130));
    assert_eq!(cut, nested(128).replace('1', "{}").replace("[{}]", "[null]"));
    let deep = format!(r#"{{"data":{}"secret"{},"n":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let shallow = dropped("mobile", &deep);
    assert!(!shallow.contains("secret") && shallow.ends_with(r#","n":1}"#) && shallow.len() < 1_000);
    assert_eq!(dropped("", &deep), deep, "without patterns nothing needs to be looked at");
}

#[test]
fn an_event_that_is_dropped_as_a_whole_has_no_members_left() {
    for pattern in ["/event", "event", "/*"] {
        assert_eq!(dropped(pattern, r#"{"n":1}"#), "{}", "{pattern}");
    }
    assert_eq!(hashed("/event", r#"{"n":1}"#), format!(r#"{{"n":{}}}"#, pseudonym("1")));
}

#[test]
fn a_body_that_is_dropped_is_left_out_and_one_that_is_not_touched_is_the_same() {
    for pattern in ["/entities/*/body", "/entities/0/body", "body", "entities"] {
        assert_eq!(body(pattern, 0, r#"{"id":1}"#), None, "{pattern}");
    }
    assert_eq!(body("body/id", 0, r#"{"id":1,"x":{"id":2}}"#).as_deref(), Some(r#"{"x":{"id":2}}"#));
    let shared: Arc<RawValue> = Arc::from(RawValue::from_string("{}".to_owned()).unwrap());
    let mobile = redaction("mobile", "");
    let redacted = Redactor::new(&mobile, None).body(0, &shared).unwrap();
    assert!(Arc::ptr_eq(&shared, &redacted));
}

// Changes.

#[test]
fn a_change_is_treated_as_what_stands_at_its_path() {
    for pattern in
        ["/entities/*/body/profiles/*/firstName", "firstName", "profiles/firstName", "/entities/*/body/profiles", "body"]
    {
        assert_eq!(changed(pattern, "", "/profiles/0/firstName", json!("Ana")), None, "{pattern}");
        assert_eq!(changed("", pattern, "/profiles/0/firstName", json!("Ana")), Some(json!(key().pseudonym("Ana"))), "{pattern}");
    }
    for pattern in ["/event/profiles/*/firstName", "/entities/*/body/firstName", "lastName", "firstName/profiles"] {
        assert_eq!(changed(pattern, pattern, "/profiles/0/firstName", json!("Ana")), Some(json!("Ana")), "{pattern}");
    }
}

#[test]
fn a_change_within_what_is_dropped_is_dropped_also_where_it_would_be_hashed() {
    assert_eq!(changed("profiles", "firstName", "/profiles/0/firstName", json!("Ana")), None);
    assert_eq!(changed("firstName", "profiles", "/profiles/0/firstName", json!("Ana")), None);
    let hashed = Some(json!({"lastName": key().pseudonym("Silva")}));
    assert_eq!(changed("firstName", "profiles", "/profiles/0", json!({"firstName": "Ana", "lastName": "Silva"})), hashed);
}

#[test]
fn a_value_of_a_change_is_walked_like_a_body() {
    let profile = || json!({"identifiers": [{"type": "mobile", "value": 919_900_112_233_i64}], "firstName": "Ana"});
    let without = json!({"identifiers": [{"type": "mobile"}], "firstName": "Ana"});
    for pattern in ["identifiers/value", "/entities/*/body/profiles/*/identifiers/*/value"] {
        assert_eq!(changed(pattern, "", "/profiles/3", profile()), Some(without.clone()), "{pattern}");
    }
    let hashed = json!({"identifiers": [{"type": "mobile", "value": MOBILE}], "firstName": "Ana"});
    assert_eq!(changed("", "identifiers/value", "/profiles/3", profile()), Some(hashed));
    assert_eq!(changed("identifiers/value", "", "/profiles/0/identifiers/1/value", json!("x")), None);
    assert_eq!(changed("identifiers/value", "", "/profiles/0/identifiers/1", json!({"value": 1, "n": 2})), Some(json!({"n": 2})));
}

#[test]
fn an_index_in_a_pattern_is_any_index_of_a_change() {
    let pattern = "/entities/0/body/profiles/0/firstName";
    assert_eq!(changed(pattern, "", "/profiles/1/firstName", json!("Ana")), None, "it may be the first one in the other state");
    assert_eq!(changed(pattern, "", "/profiles/main/firstName", json!("Ana")), Some(json!("Ana")));
}

#[test]
fn digits_in_a_path_may_be_a_members_name() {
    for pattern in ["7", "points/7", "/entities/*/body/points/7", "/entities/*/body/points/*"] {
        assert_eq!(changed(pattern, "", "/points/7", json!(1)), None, "{pattern}");
        assert_eq!(body(pattern, 0, r#"{"points":{"7":1}}"#).as_deref(), Some(r#"{"points":{}}"#), "{pattern}");
    }
    assert_eq!(changed("points/x", "", "/points/7/x", json!(1)), None, "or an element's index");
    assert_eq!(changed("7/x", "", "/points/7/x", json!(1)), None);
    assert_eq!(changed("a~1b", "", "/a~1b", json!(1)), None);
}

// Cards that are known by their number only.

#[test]
fn a_cards_number_is_hidden_where_the_events_card_number_is() {
    let number =
        |drop: &str, hash: &str, key: Option<&HashKey>| Redactor::new(&redaction(drop, hash), key).card_number(" 919900112233");
    let key = key();
    for pattern in ["cardNumber", "data/cardNumber", "/event/data/cardNumber", "/event/*/cardNumber", "/event/cardNumber", "data"]
    {
        assert_eq!(number("", pattern, Some(&key)), MOBILE, "{pattern}");
        assert_eq!(number(pattern, "", Some(&key)), MOBILE, "{pattern}");
        assert_eq!(number(pattern, "", None), "dropped", "{pattern}");
        assert_eq!(number("", pattern, None), "dropped", "{pattern}");
    }
    for pattern in ["", "cardnumber", "customer/cardNumber", "/entities/*/body/cardNumber", "/event/data/customer/cardNumber"] {
        assert_eq!(number(pattern, pattern, Some(&key)), " 919900112233", "{pattern}");
    }
}
