//! What makes two deliveries the same event.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{canonical, shape::Members};

/// Members that say something of the delivery, not of the event; they may differ from one resending to the next.
pub(super) const DELIVERY_MEMBERS: [&str; 4] = ["timeStamp", "consumerGroupId", "actionType", "traceAttributes"];
/// In an envelope the name may stand twice; without this one, flat and enveloped copies of an event have one hash.
const ENVELOPE_MEMBER: &str = "eventType";

/// A short hash of an event's name (without case) and org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn of(name: &str, org_id: Option<i64>) -> Self {
        let org = org_id.map(|org| org.to_string()).unwrap_or_default();
        let digest = Sha256::digest(format!("{}\n{org}", name.to_lowercase()));
        Self(hex(digest.iter().take(8)))
    }

    /// Sixteen hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of an event that bears none: SHA-256 over its members in canonical form: keys sorted by code point, no white
/// space, numbers as received, the last of duplicate keys.
pub(super) fn content_hash(members: &Members<'_>, enveloped: bool) -> String {
    let mut counted = members.clone();
    let named_twice = enveloped && members.contains_key("eventName");
    let of_the_delivery = |name: &str| DELIVERY_MEMBERS.contains(&name) || (named_twice && name == ENVELOPE_MEMBER);
    counted.retain(|name, _| !of_the_delivery(name));
    let values = counted.values().map(|value| {
        let mut canonical = String::new();
        canonical::write(value.get(), 1, &mut canonical);
        canonical
    });
    let values: Vec<String> = values.collect();
    let mut canonical = String::new();
    let members = counted.keys().map(String::as_str).zip(values.iter().map(String::as_str));
    canonical::write_members(members, &mut canonical);
    format!("sha256:{}", hex(Sha256::digest(canonical).iter()))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.fold(String::new(), |mut digits, byte| {
        // Writing to a string can't fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;

    fn id(body: &str) -> String {
        Event::parse(body.as_bytes()).unwrap().id()
    }

    #[test]
    fn the_hash_is_that_of_the_canonical_text() {
        let body =
            r#"{ "orgId" : 9, "eventName":"x", "data":{"b":1.10, "a":[1E5, 1e-7, -0, "é\u00e9\/"], "b":2.0}, "timeStamp":3 }"#;
        let canonical = r#"{"data":{"a":[1E5,1e-7,-0,"éé/"],"b":2.0},"eventName":"x","orgId":9}"#;
        assert_eq!(id(body), format!("sha256:{}", hex(Sha256::digest(canonical).iter())));
    }

    #[test]
    fn order_space_and_what_belongs_to_the_delivery_do_not_count() {
        let once = id(r#"{"eventName":"x","orgId":9,"data":{"a":1,"b":2}}"#);
        for again in [
            r#"{"orgId":9,"data":{"b":2, "a":1},"eventName":"x"}"#,
            r#"{"orgId":9,"data":{"b":2,"a":1},"eventName":"x","traceAttributes":{"t":1},"timeStamp":5,"actionType":"START","consumerGroupId":null}"#,
            r#"{"body":{"orgId":9,"data":{"b":2,"a":1},"eventName":"x"}}"#,
            r#"{"eventType":"9_x","timeStamp":7,"attributes":{"orgId":9,"data":{"b":2,"a":1},"eventName":"x"}}"#,
        ] {
            assert_eq!(id(again), once, "{again}");
        }
        for other in [
            r#"{"eventName":"x","orgId":9,"data":{"a":1,"b":2.0}}"#,
            r#"{"eventName":"x","orgId":9,"data":{"a":1,"b":null}}"#,
            r#"{"eventName":"y","orgId":9,"data":{"a":1,"b":2}}"#,
        ] {
            assert_ne!(id(other), once, "{other}");
        }
    }

    #[test]
    fn the_fingerprint_is_of_name_without_case_and_org() {
        let fingerprint = |body: &str| Event::parse(body.as_bytes()).unwrap().fingerprint();
        let one = fingerprint(r#"{"eventId":"e","eventName":"CouponIssue","orgId":9}"#);
        assert_eq!(one, fingerprint(r#"{"eventId":"e","eventName":"couponissue","orgId":9.0,"data":{}}"#));
        assert_ne!(one, fingerprint(r#"{"eventId":"e","eventName":"CouponIssue","orgId":8}"#));
        assert_ne!(one, fingerprint(r#"{"eventId":"e","eventName":"CouponRedeem","orgId":9}"#));
        assert_eq!(one.as_str().len(), 16);
    }
}
