//! Headers against the secret, by the plainest rule there is.

use capillary_events::{auth::WebhookSecret, secret::Meaning};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::json;

/// What the secret has.
const CONFIGURED: [(&str, &[&str]); 3] =
    [("authorization", &["Basic new", "Basic old"]), ("x-webhook-key", &["k"]), ("x-third", &["1", "2", "3"])];

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "authorization",
        "Authorization",
        "X-WEBHOOK-KEY",
        "x-webhook-key",
        "x-third",
        "X-Third",
        "x-fourth",
    ])
}

/// Right values, near misses, and any bytes that a header can have.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let near = [
        "Basic new",
        "Basic old",
        "k",
        "1",
        "2",
        "3",
        "",
        "Basic ne",
        "Basic newer",
        "basic new",
        "Basic new ",
        " k",
        "K",
        "k, k",
    ];
    prop_oneof![
        6 => proptest::sample::select(near.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..20),
    ]
}

/// A delivery that would be let in, with some of it changed.
fn delivery() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let right = CONFIGURED.map(|(name, values)| {
        let values: Vec<Vec<u8>> = values.iter().map(|text| text.as_bytes().to_vec()).collect();
        prop_oneof![
            8 => proptest::sample::select(values).prop_map(move |value| Some((name, value))),
            1 => value().prop_map(move |value| Some((name, value))),
            1 => Just(None),
        ]
    });
    let more = prop_oneof![4 => Just(Vec::new()), 1 => proptest::collection::vec((name(), value()), 1..3)];
    (right, more).prop_map(|(right, more)| right.into_iter().flatten().chain(more).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn each_configured_header_is_there_once_with_one_of_its_values_or_nobody_is_let_in(delivery in delivery()) {
        let configured: serde_json::Map<String, serde_json::Value> =
            CONFIGURED.iter().map(|(name, values)| ((*name).to_owned(), json!(values))).collect();
        let secret = WebhookSecret::parse(&json!({"headers": configured}).to_string()).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in &delivery {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        let expected = CONFIGURED.iter().all(|(name, values)| {
            let there: Vec<_> = delivery.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).collect();
            matches!(there.as_slice(), [(_, value)] if values.iter().any(|known| known.as_bytes() == value))
        });
        prop_assert_eq!(secret.accepts(&headers), expected);
    }
}
