//! Whether a delivery comes from who it should: the headers that the webhook is configured with, compared with the secret.
//!
//! Capillary signs nothing; configured headers are the whole of its authentication (facts 3.1).

mod digest;

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    ports::{Clock, SecretStore},
    secret::{CachedSecret, Meaning, Reread},
};
use digest::ValueDigest;

/// The secret: `{"headers": {"authorization": ["Basic new", "Basic old"]}, "holdUntil": "2026-12-01T00:00:00Z"}`.
///
/// It holds digests, so it has nothing to print.
pub struct WebhookSecret {
    headers: Vec<(HeaderName, Vec<ValueDigest>)>,
    hold_until_ms: Option<i64>,
}

impl Meaning for WebhookSecret {
    fn parse(text: &str) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Written {
            #[serde(default)]
            headers: std::collections::BTreeMap<String, Vec<String>>,
            hold_until: Option<String>,
        }
        let written: Written =
            serde_json::from_str(text).map_err(|_| "the webhook secret is not of the form {\"headers\": {name: [value, …]}}")?;
        if written.headers.is_empty() {
            return Err("the webhook secret names no header");
        }
        let mut headers = Vec::new();
        for (name, values) in written.headers {
            let name: HeaderName = name.trim().parse().map_err(|_| "the webhook secret has a header whose name can be none")?;
            if values.is_empty() || values.iter().any(String::is_empty) {
                return Err("the webhook secret has a header without a value");
            }
            if headers.iter().any(|(known, _)| *known == name) {
                return Err("the webhook secret names a header twice");
            }
            headers.push((name, values.iter().map(|value| ValueDigest::of(value.as_bytes())).collect()));
        }
        let hold_until_ms = match written.hold_until {
            None => None,
            Some(text) => Some(milliseconds(&text).ok_or("the webhook secret's holdUntil is no RFC 3339 time")?),
        };
        Ok(Self { headers, hold_until_ms })
    }
}

impl WebhookSecret {
    /// Until when deliveries with wrong headers may come again, in milliseconds since 1970.
    pub fn hold_until_ms(&self) -> Option<i64> {
        self.hold_until_ms
    }

    /// The headers that a delivery must bear, with how many values each may have.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, usize)> {
        self.headers.iter().map(|(name, values)| (name, values.len()))
    }

    /// Whether each configured header is there with exactly one value, equal to one of those configured. Every value is compared,
    /// whatever the others gave.
    pub fn accepts(&self, headers: &HeaderMap) -> bool {
        let mut accepted = Choice::from(1);
        for (name, configured) in &self.headers {
            let mut presented = headers.get_all(name).iter();
            let (value, further) = (presented.next(), presented.next());
            let single = Choice::from(u8::from(value.is_some() && further.is_none()));
            let presented = ValueDigest::of(value.map(http::HeaderValue::as_bytes).unwrap_or_default());
            let known = configured.iter().fold(Choice::from(0), |known, digest| known | digest.ct_eq(&presented));
            accepted &= single & known;
        }
        accepted.into()
    }
}

fn milliseconds(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// What is known of who sent a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// It bears the configured headers.
    Known,
    /// It does not.
    Stranger,
    /// It does not, but a rotation is under way: it may be asked to come again.
    Held,
    /// There is nothing good to compare with.
    Undecided,
}

/// Checks deliveries against the secret in its store.
pub struct Gatekeeper<S, K> {
    secret: CachedSecret<S, K, WebhookSecret>,
    clock: K,
}

impl<S: SecretStore, K: Clock + Clone> Gatekeeper<S, K> {
    /// A gatekeeper that has read nothing yet.
    pub fn new(store: S, clock: K) -> Self {
        Self { secret: CachedSecret::new(store, clock.clone()), clock }
    }

    /// Reads the secret ahead of the first delivery, if that takes no longer than `patience`: the delivery that started this
    /// process is waiting. A failure shows when it is judged.
    pub async fn prepare(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.secret.current()).await;
    }

    /// Judges a delivery by its headers.
    pub async fn judge(&self, headers: &HeaderMap) -> Sender {
        let Some(secret) = self.secret.current().await else {
            return Sender::Undecided;
        };
        if secret.accepts(headers) {
            return Sender::Known;
        }
        // The value may have been rotated since the secret was read. Where that can't be found out, turning away for good would
        // lose the events of a rotation during an outage.
        match self.secret.reread().await {
            Reread::Current(secret) if secret.accepts(headers) => Sender::Known,
            Reread::Current(secret) if secret.hold_until_ms.is_some_and(|until| until > self.clock.now_ms()) => Sender::Held,
            Reread::Current(_) => Sender::Stranger,
            Reread::Unknown => Sender::Undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::PortError;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct World(Arc<Mutex<(Option<String>, i64, u32)>>);

    impl World {
        fn store(&self, secret: Option<&str>) {
            self.0.lock().unwrap().0 = secret.map(str::to_owned);
        }
        fn advance(&self, ms: i64) {
            self.0.lock().unwrap().1 += ms;
        }
        fn reads(&self) -> u32 {
            self.0.lock().unwrap().2
        }
    }

    impl SecretStore for World {
        async fn read(&self) -> Result<String, PortError> {
            let mut world = self.0.lock().unwrap();
            world.2 += 1;
            world.0.clone().ok_or(PortError::Unavailable { call: "test", cause: "down".into() })
        }
    }

    impl Clock for World {
        fn now_ms(&self) -> i64 {
            self.0.lock().unwrap().1
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    const TWO: &str = r#"{"headers":{"Authorization":["Basic new","Basic old"],"x-webhook-key":["k"]}}"#;

    #[test]
    fn each_configured_header_needs_exactly_one_of_its_values() {
        let secret = WebhookSecret::parse(TWO).unwrap();
        for good in
            [[("authorization", "Basic new"), ("X-Webhook-Key", "k")], [("AUTHORIZATION", "Basic old"), ("x-webhook-key", "k")]]
        {
            assert!(secret.accepts(&headers(&good)));
        }
        for bad in [
            &[][..],
            &[("authorization", "Basic new")],
            &[("authorization", "Basic new"), ("x-webhook-key", "")],
            &[("authorization", "Basic new"), ("x-webhook-key", "K")],
            &[("authorization", "Basic new "), ("x-webhook-key", "k")],
            &[("authorization", "Basic ne"), ("x-webhook-key", "k")],
            &[("authorization", "Basic newer"), ("x-webhook-key", "k")],
            &[("authorization", "Basic new"), ("authorization", "Basic new"), ("x-webhook-key", "k")],
            &[("authorization", "Basic new, Basic new"), ("x-webhook-key", "k")],
        ] {
            assert!(!secret.accepts(&headers(bad)), "{bad:?}");
        }
    }

    /// By its time alone a stranger could tell which header was wrong, and with which of the values it began.
    #[test]
    fn every_configured_value_is_compared_every_time() {
        let three = r#"{"headers":{"a":["1","2","3"],"b":["4"],"c":["5","6"]}}"#;
        let secret = WebhookSecret::parse(three).unwrap();
        let deliveries: [(&[(&str, &str)], bool); 11] = [
            (&[("a", "1"), ("b", "4"), ("c", "5")], true),
            (&[("a", "2"), ("b", "4"), ("c", "6")], true),
            (&[("a", "3"), ("b", "4"), ("c", "6")], true),
            (&[], false),
            (&[("a", "1")], false),
            (&[("c", "5")], false),
            (&[("a", "wrong"), ("b", "4"), ("c", "5")], false),
            (&[("a", "1"), ("b", "wrong"), ("c", "5")], false),
            (&[("a", "1"), ("b", "4"), ("c", "wrong")], false),
            (&[("a", "1"), ("a", "1"), ("b", "4"), ("c", "5")], false),
            (&[("a", ""), ("b", ""), ("c", "")], false),
        ];
        for (delivery, accepted) in deliveries {
            let outcome = digest::tests::comparisons(|| secret.accepts(&headers(delivery)));
            assert_eq!(outcome, (6, accepted), "{delivery:?}");
        }
    }

    #[test]
    fn a_secret_that_would_let_anyone_in_is_none() {
        let examples: serde_json::Value = serde_json::from_str(include_str!("../local/secrets/examples.json")).unwrap();
        for (word, expected) in [("good", true), ("bad", false)] {
            for secret in examples["webhook"][word].as_array().unwrap() {
                assert_eq!(WebhookSecret::parse(&secret.to_string()).is_ok(), expected, "{secret}");
            }
        }
        assert!(WebhookSecret::parse("").is_err());
    }

    #[tokio::test]
    async fn a_rotated_value_is_accepted_at_its_first_delivery() {
        let world = World::default();
        world.store(Some(r#"{"headers":{"a":["old"]}}"#));
        let gatekeeper = Gatekeeper::new(world.clone(), world.clone());
        assert_eq!(gatekeeper.judge(&headers(&[("a", "old")])).await, Sender::Known);
        world.store(Some(r#"{"headers":{"a":["new","old"]}}"#));
        assert_eq!(gatekeeper.judge(&headers(&[("a", "new")])).await, Sender::Known);
        assert_eq!(gatekeeper.judge(&headers(&[("a", "old")])).await, Sender::Known);
        assert_eq!(world.reads(), 2);
    }

    #[tokio::test]
    async fn strangers_make_the_store_be_asked_once_in_thirty_seconds() {
        let world = World::default();
        world.store(Some(r#"{"headers":{"a":["x"]}}"#));
        let gatekeeper = Gatekeeper::new(world.clone(), world.clone());
        for _ in 0..10 {
            assert_eq!(gatekeeper.judge(&headers(&[("a", "y")])).await, Sender::Stranger);
        }
        assert_eq!(world.reads(), 2);
        world.advance(30_000);
        assert_eq!(gatekeeper.judge(&headers(&[])).await, Sender::Stranger);
        assert_eq!(world.reads(), 3);
    }

    #[tokio::test]
    async fn the_last_good_value_serves_while_the_store_is_down_or_the_secret_is_spoilt() {
        let world = World::default();
        let gatekeeper = Gatekeeper::new(world.clone(), world.clone());
        assert_eq!(gatekeeper.judge(&headers(&[("a", "x")])).await, Sender::Undecided);
        world.store(Some(r#"{"headers":{"a":["x"]}}"#));
        assert_eq!(gatekeeper.judge(&headers(&[("a", "x")])).await, Sender::Known);
        for spoilt in [None, Some("{}"), Some("no JSON")] {
            world.store(spoilt);
            world.advance(6 * 60 * 1000);
            let reads = world.reads();
            for _ in 0..3 {
                assert_eq!(gatekeeper.judge(&headers(&[("a", "x")])).await, Sender::Known);
            }
            assert_eq!(world.reads(), reads + 1, "a failing store is asked once in thirty seconds");
            assert_eq!(gatekeeper.judge(&headers(&[("a", "y")])).await, Sender::Undecided);
        }
    }

    #[tokio::test]
    async fn a_hold_turns_away_for_now_until_it_ends() {
        let world = World::default();
        world.store(Some(r#"{"headers":{"a":["x"]},"holdUntil":"1970-01-01T00:01:00+00:00"}"#));
        let gatekeeper = Gatekeeper::new(world.clone(), world.clone());
        assert_eq!(gatekeeper.judge(&headers(&[("a", "y")])).await, Sender::Held);
        world.advance(60_000);
        assert_eq!(gatekeeper.judge(&headers(&[("a", "y")])).await, Sender::Stranger);
    }
}
