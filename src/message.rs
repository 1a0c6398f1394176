//! The message between receiver and enricher, and the one in the dead-letter queue: the body as received, and how it is
//! written so that SQS takes it and gives it back unchanged.

use std::{
    fmt,
    io::{Read, Write},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::{ledger::Identity, untold::Untold};

/// The largest message that SQS takes: body and attributes together, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1_048_576;
/// What of an oversized body goes to the dead-letter queue.
pub const KEPT_OF_OVERSIZED_BYTES: usize = 64 * 1024;
/// The format of the messages; grows when an older enricher could not read them.
pub const FORMAT_VERSION: i64 = 1;

/// Bodies over this are compressed: SQS bills by 64 KiB.
const COMPRESSED_FROM_BYTES: usize = 256 * 1024;
/// The largest body that is taken in, so that no message unpacks to more. The gateway takes 10 MB at most.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// An upper bound for what the attributes add, names and types included.
const ATTRIBUTES_BYTES: usize = 2 * 1024;

/// How a body is written in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Plain,
    /// Bytes that are not UTF-8, or hold characters that SQS refuses or replaces.
    Base64,
    /// Large bodies.
    GzipBase64,
}

impl Encoding {
    /// From the value of the attribute `contentEncoding`.
    pub fn from_attribute(value: Option<&str>) -> Option<Self> {
        [Self::Plain, Self::Base64, Self::GzipBase64].into_iter().find(|encoding| encoding.as_str() == value)
    }

    /// The value of the attribute `contentEncoding`; a plain body has none.
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Base64 => Some("base64"),
            Self::GzipBase64 => Some("gzip+base64"),
        }
    }
}

/// A body as SQS takes it. Its text does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The message's body; never empty.
    pub text: String,
    /// How to get the bytes back.
    pub encoding: Encoding,
}

impl fmt::Debug for Encoded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Untold::text(&self.text);
        formatter.debug_struct("Encoded").field("text", &text).field("encoding", &self.encoding).finish()
    }
}

impl Encoded {
    /// Writes bytes so that SQS takes them and gives them back unchanged.
    pub fn of(bytes: &[u8]) -> Self {
        let straight = match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && text.chars().all(survives_sqs) => {
                Self { text: text.to_owned(), encoding: Encoding::Plain }
            }
            _ => Self { text: BASE64_STANDARD.encode(bytes), encoding: Encoding::Base64 },
        };
        let is_large = bytes.len() > COMPRESSED_FROM_BYTES;
        // SQS takes no empty body, and nothing at all has a length when compressed.
        if !is_large && !bytes.is_empty() {
            return straight;
        }
        let compressed = Self { text: BASE64_STANDARD.encode(gzip(bytes)), encoding: Encoding::GzipBase64 };
        // Bytes that don't compress only grow in base64.
        if bytes.is_empty() || compressed.text.len() < straight.text.len() { compressed } else { straight }
    }

    /// Whether SQS takes it, with its attributes.
    pub fn fits(&self) -> bool {
        self.text.len() + ATTRIBUTES_BYTES <= MAX_MESSAGE_BYTES
    }
}

/// Why a message's body can't be brought back to the bytes received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The attribute `contentEncoding` has a value that this version does not know.
    #[error("the content encoding is not known")]
    UnknownEncoding,
    /// The body is not what the attribute says.
    #[error("the body does not have the encoding that its attribute names")]
    Damaged,
}

/// The bytes received, from a message's body and its attribute `contentEncoding`.
///
/// # Errors
/// The encoding is unknown, or the body does not have it.
pub fn decode(text: &str, content_encoding: Option<&str>) -> Result<Vec<u8>, DecodeError> {
    let base64 = || BASE64_STANDARD.decode(text).map_err(|_| DecodeError::Damaged);
    match Encoding::from_attribute(content_encoding) {
        Some(Encoding::Plain) => Ok(text.as_bytes().to_vec()),
        Some(Encoding::Base64) => base64(),
        Some(Encoding::GzipBase64) => gunzip(&base64()?),
        None => Err(DecodeError::UnknownEncoding),
    }
}

/// Whether SQS gives a character back as it was: <https://www.w3.org/TR/REC-xml/#charsets>; others it refuses, or replaces.
fn survives_sqs(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// Compressed bytes. Fast rather than small: it runs while the sender waits.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory can't fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// What [`gzip`] was given; what is larger than any body that was taken in is not ours.
///
/// # Errors
/// It is not compressed like that, or unpacks to more.
pub fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    GzDecoder::new(bytes).take(limit).read_to_end(&mut unpacked).map_err(|_| DecodeError::Damaged)?;
    if unpacked.len() > MAX_BODY_BYTES { Err(DecodeError::Damaged) } else { Ok(unpacked) }
}

/// What goes into the events queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The body as received.
    pub body: Encoded,
    /// Whose it is.
    pub identity: Identity,
    /// The trace that it belongs to, as an `X-Amzn-Trace-Id` value.
    pub trace: Option<TraceHeader>,
}

/// What goes into the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The body as received; of an oversized one its beginning.
    pub body: Encoded,
    /// Whose it is, if that could be told.
    pub identity: Option<Identity>,
    /// When it was received, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// Why it is here.
    pub reason: Reason,
    /// More of why, for people: no personal data, no secrets.
    pub detail: String,
}

/// Why something is in the dead-letter queue. A message without a reason was moved there by SQS itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The body is no JSON object.
    NotJson,
    /// Our own ledger or queue calls it invalid.
    Unstorable,
    /// Too large for SQS even when compressed: the first 64 KiB and the SHA-256 are kept.
    TooLarge,
    /// Too large for the bus even without entities.
    TooLargeForBus,
    /// Its processing panicked each time.
    Panic,
    /// The bus calls it invalid each time.
    InvalidEntry,
    /// Waited longer than 12 days for somebody who did not come back.
    TooOld,
}

impl Reason {
    /// The value of the attribute `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::Unstorable => "unstorable",
            Self::TooLarge => "too_large",
            Self::TooLargeForBus => "too_large_for_bus",
            Self::Panic => "panic",
            Self::InvalidEntry => "invalid_entry",
            Self::TooOld => "too_old",
        }
    }
}

/// A trace header that AWS takes: one that it does not would make the message that bears it invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceHeader(String);

impl TraceHeader {
    /// `Root=1-…;Parent=…;Sampled=…`, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.starts_with("Root=1-") && text.len() <= 256;
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'-' | b';' | b':' | b','));
        (shaped && plain).then(|| Self(text.to_owned()))
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_body_is_left_alone() {
        let encoded = Encoded::of("{\"name\":\"Zoë 😀\"}\r\n\t".as_bytes());
        assert_eq!(encoded.encoding.as_str(), None);
    }

    #[test]
    fn what_sqs_would_refuse_or_replace_is_wrapped() {
        assert_eq!(Encoded::of(b"").encoding, Encoding::GzipBase64);
        for body in ["{\"a\":\"\u{fffe}\"}", "{\"a\":\"\u{ffff}\"}", "\u{1}", "\u{b}{}"] {
            assert_eq!(Encoded::of(body.as_bytes()).encoding, Encoding::Base64, "{body:?}");
        }
        assert_eq!(Encoded::of(b"\xff\xfe").encoding, Encoding::Base64);
    }

    #[test]
    fn large_bodies_are_compressed_unless_that_makes_them_larger() {
        let large = Encoded::of("a".repeat(COMPRESSED_FROM_BYTES + 1).as_bytes());
        assert_eq!(large.encoding, Encoding::GzipBase64);
        assert!(large.fits());
        let mut random = fastrand::Rng::with_seed(7);
        let noise: Vec<u8> = (0..2 * COMPRESSED_FROM_BYTES).map(|_| random.u8(..)).collect();
        assert_eq!(Encoded::of(&noise).encoding, Encoding::Base64);
        let noise: Vec<u8> = (0..4 * COMPRESSED_FROM_BYTES).map(|_| random.u8(..)).collect();
        assert!(!Encoded::of(&noise).fits());
    }

    #[test]
    fn what_is_no_encoding_of_ours_is_said_so() {
        assert_eq!(decode("x", Some("br")), Err(DecodeError::UnknownEncoding));
        assert_eq!(decode("*", Some("base64")), Err(DecodeError::Damaged));
        assert_eq!(decode("AAAA", Some("gzip+base64")), Err(DecodeError::Damaged));
        let bomb = BASE64_STANDARD.encode(gzip(&vec![b' '; MAX_BODY_BYTES + 1]));
        assert_eq!(decode(&bomb, Some("gzip+base64")), Err(DecodeError::Damaged), "never a part of the bytes");
    }

    #[test]
    fn a_trace_header_is_passed_on_only_if_aws_takes_it() {
        assert!(TraceHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1").is_some());
        for bad in ["", "Root=", "trace", "Root=1-\u{e9}", "Root=1-a b"] {
            assert!(TraceHeader::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_as_they_were(bytes in proptest::collection::vec(any::<u8>(), 0..2000), repeat in 1_usize..400) {
            let bytes = bytes.repeat(repeat);
            let encoded = Encoded::of(&bytes);
            prop_assert_eq!(decode(&encoded.text, encoded.encoding.as_str()).unwrap(), bytes);
        }
    }
}
