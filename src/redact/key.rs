//! The key of pseudonyms, and how they are made.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::{event::hex, secret::Meaning};

/// Fewer could be guessed, and with the key all mobile numbers could be tried.
const MIN_KEY_CHARS: usize = 16;

/// The brand's own key: the member `hashKey` of the secret with the API credentials, a text of at least 16 characters. It does not
/// print.
pub struct HashKey(Hmac<Sha256>);

impl HashKey {
    /// What stands for a text: `hmac-sha256:` and 64 hexadecimal digits. White space around it does not count.
    pub(super) fn pseudonym(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.trim().as_bytes());
        format!("hmac-sha256:{}", hex(mac.finalize().into_bytes().iter()))
    }
}

impl Meaning for HashKey {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let secret: Map<String, Value> = serde_json::from_str(text).map_err(|_| "the API secret is not a JSON object")?;
        match secret.get("hashKey") {
            None | Some(Value::Null) => Err("the API secret has no hashKey, which HASH_PATHS needs"),
            Some(Value::String(key)) if key.chars().count() >= MIN_KEY_CHARS => {
                Hmac::new_from_slice(key.as_bytes()).map(Self).map_err(|_| "the API secret's hashKey can be no key")
            }
            Some(_) => Err("the API secret's hashKey must be a text of at least 16 characters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(secret: &str) -> &'static str {
        HashKey::parse(secret).err().unwrap_or("none")
    }

    #[test]
    fn a_pseudonym_is_the_hmac_of_the_text_without_white_space_around_it() {
        let key = HashKey::parse(r#"{"hashKey":"0123456789abcdef"}"#).unwrap();
        // printf 919900112233 | openssl dgst -sha256 -hmac 0123456789abcdef
        let expected = "hmac-sha256:76f691d0ee238c5e4f5304f1d3ea53763f5fde6bc7977bc5f1900ee284fac834";
        assert_eq!(key.pseudonym("919900112233"), expected);
        assert_eq!(key.pseudonym(" 919900112233\t"), expected);
        let other = HashKey::parse(r#"{"hashKey":"0123456789abcdeg"}"#).unwrap();
        assert_ne!(other.pseudonym("919900112233"), expected);
    }

    #[test]
    fn the_key_stands_beside_the_credentials_of_each_form() {
        let examples: Value = serde_json::from_str(include_str!("../../local/secrets/examples.json")).unwrap();
        for (word, expected) in [("good", true), ("bad", false)] {
            for secret in examples["hashKey"][word].as_array().unwrap() {
                assert_eq!(HashKey::parse(&secret.to_string()).is_ok(), expected, "{secret}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        assert_eq!(problem(""), "the API secret is not a JSON object");
        assert_eq!(problem(r#"["0123456789abcdef"]"#), "the API secret is not a JSON object");
        for none in [r#"{"key":"k","secret":"s"}"#, r#"{"key":"k","secret":"s","hashKey":null}"#] {
            assert_eq!(problem(none), "the API secret has no hashKey, which HASH_PATHS needs");
        }
        let too_short = "the API secret's hashKey must be a text of at least 16 characters";
        for bad in [r#"{"hashKey":"0123456789abcde"}"#, r#"{"hashKey":1234567890123456}"#, r#"{"hashKey":""}"#] {
            assert_eq!(problem(bad), too_short);
        }
        assert_eq!(problem(r#"{"hashKey":"éééééééééééééééé"}"#), "none", "characters count, not bytes");
        assert_eq!(problem(r#"{"hashKey":"ééééééééé"}"#), too_short);
    }
}
