//! What a delivery is: the event inside it, whatever wraps it, and the event's identity. No AWS, no HTTP.
//!
//! The body is read once and shallowly: the values of the outer members stay the text that was received, so that nothing is
//! dropped, renamed or rounded on its way to the bus. What shapes occur: Capillary's guide shows several, and a delivery
//! does not say which one it has, so the shape itself decides.

mod canonical;
mod identity;
mod shape;

use serde_json::value::RawValue;

pub use identity::Fingerprint;
pub(crate) use identity::hex;
use shape::Members;

/// The longest event name that is taken for one; EventBridge allows no longer detail type.
const MAX_NAME_CHARS: usize = 128;
/// The longest id that is taken for one (design, section 2).
pub(crate) const MAX_ID_CHARS: usize = 256;
/// Latest time taken for one: the end of the year 9999, in milliseconds.
const MAX_TIME_MS: i64 = 253_402_300_799_999;

/// The body is not one JSON object in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object")]
pub struct NotAnObject;

/// Whether a text is printable ASCII, and no longer than that: what an id, and a key made of it, must be.
pub(crate) fn is_printable(text: &str, max_chars: usize) -> bool {
    (1..=max_chars).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// An event, unwrapped. It borrows from the body that it was read from.
pub struct Event<'a> {
    members: Members<'a>,
    /// The text of the event where it stands in the body as one piece; none for an envelope, whose parts are put together.
    text: Option<&'a str>,
    enveloped: bool,
}

impl<'a> Event<'a> {
    /// Reads a body and takes off what wraps the event.
    ///
    /// # Errors
    /// The body is not UTF-8, or not exactly one JSON object (a byte order mark before it is let pass, RFC 8259 section 8.1).
    pub fn parse(body: &'a [u8]) -> Result<Self, NotAnObject> {
        let text = std::str::from_utf8(body).map_err(|_| NotAnObject)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        shape::unwrap(text).ok_or(NotAnObject)
    }

    /// The key of the event in the ledger: the sender's `eventId`, or a hash of the event where it has none.
    pub fn id(&self) -> String {
        self.sent_id().unwrap_or_else(|| identity::content_hash(&self.members, self.enveloped))
    }

    /// Tells apart two events that bear the same id: a short hash of name and org.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.raw_name().as_deref().unwrap_or_default(), self.org_id())
    }

    /// The event's name as sent (`customerUpdated`), if it has one that can be a name: not empty, at most 128 characters, no
    /// control characters.
    pub fn name(&self) -> Option<String> {
        self.raw_name().filter(|name| name.chars().count() <= MAX_NAME_CHARS && name.chars().all(is_text))
    }

    /// The Capillary org that the event belongs to.
    pub fn org_id(&self) -> Option<i64> {
        let told = self.members.get("orgId").and_then(|value| integer(value)).filter(|org| *org >= 0);
        told.or_else(|| org_prefix(&self.text_member("eventType")?)?.parse().ok())
    }

    /// `apiRequestId`: the API call that caused the event, if it tells.
    pub fn request_id(&self) -> Option<String> {
        self.text_member("apiRequestId")
    }

    /// `refId`: what Capillary's event log is searched by. Not unique.
    pub fn ref_id(&self) -> Option<String> {
        self.text_member("refId")
    }

    /// `createdAt`: when the sender stored the event, in milliseconds since 1970.
    pub fn created_at_ms(&self) -> Option<i64> {
        self.members.get("createdAt").and_then(|value| integer(value)).filter(|ms| (1..=MAX_TIME_MS).contains(ms))
    }

    /// Whether what is published without entities follows from the event alone: it has its own time, and nothing in it says
    /// anything of the delivery that brought it, which another delivery of the same event may say differently.
    pub fn is_the_same_in_every_delivery(&self) -> bool {
        self.created_at_ms().is_some() && !self.members.keys().any(|name| identity::DELIVERY_MEMBERS.contains(&name.as_str()))
    }

    /// The value at a path of member names below the event; where the event has no `data`, `data` is the event itself (facts: hoisted).
    pub fn at(&self, path: &[&str]) -> Option<&'a RawValue> {
        let (first, rest) = path.split_first()?;
        let mut value = match self.members.get(*first) {
            Some(value) => *value,
            None if *first == "data" => return self.at(rest),
            None => return None,
        };
        for name in rest {
            value = *shape::members(value.get())?.get(*name)?;
        }
        Some(value)
    }

    /// The values at a path of member names, separated by `/`, where `*` is each element of an array (facts 1.7: some events name many).
    pub fn values_at(&self, path: &str) -> Vec<&'a RawValue> {
        let mut parts = path.split('/').peekable();
        if parts.peek() == Some(&"data") && !self.members.contains_key("data") {
            // The event is its own data.
            parts.next();
        }
        let mut values: Vec<&RawValue> = parts.next().and_then(|first| self.members.get(first).copied()).into_iter().collect();
        for part in parts {
            values = match part {
                "*" => values.into_iter().flat_map(elements).collect(),
                name => values.into_iter().filter_map(|value| member(value, name)).collect(),
            };
        }
        values
    }

    /// A text at a path.
    pub fn text_at(&self, path: &[&str]) -> Option<String> {
        self.at(path).and_then(text)
    }

    /// The event as JSON text: as received, without what wrapped it.
    pub fn to_json(&self) -> String {
        match self.text {
            Some(text) => text.to_owned(),
            None => shape::object_text(&self.members),
        }
    }

    fn sent_id(&self) -> Option<String> {
        let value = self.members.get("eventId")?;
        let id = if value.get().starts_with('"') { text(value)? } else { number_text(value)?.to_owned() };
        is_printable(&id, MAX_ID_CHARS).then_some(id)
    }

    fn raw_name(&self) -> Option<String> {
        let named = self.text_member("eventName");
        named.or_else(|| {
            self.text_member("eventType").map(|name| without_org_prefix(&name).to_owned()).filter(|name| !name.is_empty())
        })
    }

    fn text_member(&self, name: &str) -> Option<String> {
        self.members.get(name).and_then(|value| text(value)).filter(|text| !text.is_empty())
    }
}

/// Whether a character may stand in a name: no control, and none of the two that are no characters, which queues refuse.
fn is_text(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// `150698_customerAdded` is the envelope's way to write `customerAdded`.
fn without_org_prefix(name: &str) -> &str {
    org_prefix(name).and_then(|org| name.get(org.len() + 1..)).unwrap_or(name)
}

fn org_prefix(name: &str) -> Option<&str> {
    let (org, _) = name.split_once('_')?;
    (!org.is_empty() && org.bytes().all(|byte| byte.is_ascii_digit())).then_some(org)
}

/// The member of an object.
pub(crate) fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    shape::members(object.get())?.get(name).copied()
}

/// The elements of an array; none of anything else.
pub(crate) fn elements(array: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(array.get()).unwrap_or_default()
}

/// A text.
pub(crate) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// A text or a number as text, without white space around it; not an empty one.
pub(crate) fn word(value: &RawValue) -> Option<String> {
    let word = number_text(value).map(str::to_owned).or_else(|| text(value))?;
    Some(word.trim().to_owned()).filter(|word| !word.is_empty())
}

/// An id as the digits that an API takes: from an integer, an integral float, or a string of digits. Zero and less are placeholders.
pub(crate) fn id(value: &RawValue) -> Option<String> {
    integer(value).filter(|id| *id > 0).map(|id| id.to_string())
}

fn number_text(value: &RawValue) -> Option<&str> {
    value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()).then(|| value.get())
}

/// A whole number in any of the forms that occur: `50952`, `50952.0`, `1.73985783E12`, `"50952"`.
pub(crate) fn integer(value: &RawValue) -> Option<i64> {
    /// Beyond this a float no longer holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let quoted;
    let digits = match number_text(value) {
        Some(digits) => digits,
        None => {
            quoted = text(value)?;
            quoted.trim()
        }
    };
    if let Ok(whole) = digits.parse() {
        return Some(whole);
    }
    let float: f64 = digits.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "an integral float within the exact range")]
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Event<'_> {
        Event::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn only_one_json_object_in_utf8_is_an_event() {
        for body in ["", " ", "null", "[]", "[{}]", "1", "\"{}\"", "{", "{}{}", "{} x", "<html>", "{\"a\":01}", "{'a':1}"] {
            assert!(Event::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Event::parse(b"{\"name\":\"\xff\"}").is_err());
        for body in ["{}", " {\"a\": 1e400} ", "\u{feff}{}", "{\"a\":\"\\ud800\"}", "{\"a\":1,\"a\":2}"] {
            assert!(Event::parse(body.as_bytes()).is_ok(), "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_no_reason_to_refuse_or_to_fall_over() {
        let deep = format!("{{\"eventId\":\"deep\",\"data\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(parse(&deep).id(), "deep");
        let deep_without_id = format!("{{\"data\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(parse(&deep_without_id).id().starts_with("sha256:"));
    }

    #[test]
    fn numbers_are_read_in_every_form_that_occurs() {
        for org in ["50952", "50952.0", "\"50952\"", "5.0952E4"] {
            assert_eq!(parse(&format!("{{\"orgId\":{org}}}")).org_id(), Some(50952), "{org}");
        }
        for org in ["null", "\"x\"", "1.5", "-1", "{}", "1e400", "true"] {
            assert_eq!(parse(&format!("{{\"orgId\":{org}}}")).org_id(), None, "{org}");
        }
        assert_eq!(parse("{\"createdAt\":1.73985783E12}").created_at_ms(), Some(1_739_857_830_000));
        assert_eq!(parse("{\"createdAt\":904788626831872}").created_at_ms(), None);
    }

    #[test]
    fn an_event_id_is_printable_text_or_the_digits_of_a_number() {
        let long = format!("\"{}\"", "x".repeat(256));
        for (sent, id) in [
            ("\"a b\"", Some("a b")),
            ("15", Some("15")),
            ("9007199254740993", Some("9007199254740993")),
            (long.as_str(), Some(&long[1..257])),
        ] {
            assert_eq!(parse(&format!("{{\"eventId\":{sent}}}")).sent_id().as_deref(), id);
        }
        let too_long = format!("\"{}\"", "x".repeat(257));
        for sent in ["\"\"", "null", "{}", "[1]", "true", "\"caf\\u00e9\"", "\"a\\u0000\"", "\"\\ud800\"", too_long.as_str()] {
            assert_eq!(parse(&format!("{{\"eventId\":{sent}}}")).sent_id(), None, "{sent}");
            assert!(parse(&format!("{{\"eventId\":{sent}}}")).id().starts_with("sha256:"), "{sent}");
        }
    }

    #[test]
    fn a_name_that_can_be_no_detail_type_is_no_name() {
        assert_eq!(parse("{\"eventName\":\"CouponIssue\"}").name().as_deref(), Some("CouponIssue"));
        for name in ["", "a\\nb", "a\\ufffe", "a\u{ffff}", &"x".repeat(129)] {
            assert_eq!(parse(&format!("{{\"eventName\":\"{name}\"}}")).name(), None);
        }
        assert_eq!(parse("{\"eventName\":7}").name(), None);
    }

    #[test]
    fn ids_are_found_where_they_stand_also_without_data() {
        let ids = |body: &str, path: &str| parse(body).values_at(path).into_iter().filter_map(id).collect::<Vec<_>>();
        const CUSTOMER: &str = "data/customerIdentifiers/customerId";
        assert_eq!(ids("{\"data\":{\"customerIdentifiers\":{\"customerId\":637609565.0}}}", CUSTOMER), ["637609565"]);
        let hoisted =
            "{\"customerIdentifiers\":{\"customerId\":\" 7 \"},\"coupons\":[{\"id\":1},{},{\"id\":\"x\"},7,{\"id\":1.2E1}]}";
        assert_eq!(ids(hoisted, CUSTOMER), ["7"]);
        assert_eq!(ids(hoisted, "data/coupons/*/id"), ["1", "12"]);
        assert!(ids(hoisted, "data/customerIdentifiers/other").is_empty());
        assert!(ids("{\"data\":{\"transactionId\":-1}}", "data/transactionId").is_empty());
        assert!(ids("{\"data\":[1]}", "data/transactionId").is_empty());
        assert_eq!(ids("{\"eventLogId\":5,\"data\":{\"eventLogId\":6}}", "eventLogId"), ["5"]);
    }
}
