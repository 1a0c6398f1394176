//! The secret with the API credentials: `{"key","secret"}` for OAuth, `{"username","password"}` for Basic, or
//! `{"orgs": {"100737": {…}}, "default": {…}}` where they differ by org. The member `hashKey` may stand beside these; it is no
//! credential, and is read elsewhere.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};
use serde::{Deserialize, de::IgnoredAny};

use crate::{event::hex, secret::Meaning};

/// Credentials for one org, or for all. They do not print.
#[derive(PartialEq, Eq)]
pub enum Credentials {
    /// OAuth client credentials, for the token call.
    OAuth {
        /// The client's key.
        key: String,
        /// Its secret.
        secret: String,
    },
    /// The finished value of an `Authorization` header.
    Basic(String),
}

/// Who is asked for an event of which org.
pub struct CredentialBook {
    orgs: BTreeMap<i64, Arc<Credentials>>,
    default: Option<Arc<Credentials>>,
}

impl CredentialBook {
    /// The orgs that have credentials of their own; none stands for those that go for all others.
    pub fn orgs(&self) -> impl Iterator<Item = Option<i64>> {
        self.orgs.keys().copied().map(Some).chain(self.default.as_ref().map(|_| None))
    }

    /// The credentials for an org.
    pub fn for_org(&self, org_id: Option<i64>) -> Option<Arc<Credentials>> {
        let own = org_id.and_then(|org| self.orgs.get(&org));
        own.or(self.default.as_ref()).cloned()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    OAuth { key: Text, secret: Text },
    Basic { username: Text, password: Text },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBook {
    #[serde(default)]
    orgs: BTreeMap<i64, Written>,
    default: Option<Written>,
    #[serde(rename = "hashKey", default)]
    _hash_key: IgnoredAny,
}

/// A text that is not empty.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Text(String);

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() { Err("empty") } else { Ok(Self(text)) }
    }
}

impl From<Written> for Arc<Credentials> {
    fn from(written: Written) -> Self {
        Self::new(match written {
            Written::OAuth { key, secret } => Credentials::OAuth { key: key.0, secret: secret.0 },
            // The password goes as its MD5 in lower-case hexadecimal digits (facts 4.2).
            Written::Basic { username, password } => {
                let (username, digest) = (username.0, hex(Md5::digest(password.0).iter()));
                Credentials::Basic(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{digest}"))))
            }
        })
    }
}

impl Meaning for CredentialBook {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(written) = serde_json::from_str::<WrittenBook>(text) {
            let orgs: BTreeMap<_, _> = written.orgs.into_iter().map(|(org, written)| (org, written.into())).collect();
            let default = written.default.map(Into::into);
            return if orgs.is_empty() && default.is_none() {
                Err("the API secret names no credentials")
            } else {
                Ok(Self { orgs, default })
            };
        }
        match serde_json::from_str::<Written>(text) {
            Ok(written) => Ok(Self { orgs: BTreeMap::new(), default: Some(written.into()) }),
            Err(_) => Err(
                "the API secret is of none of the forms {\"key\",\"secret\"}, {\"username\",\"password\"}, {\"orgs\",\"default\"}",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_sends_the_passwords_md5() {
        let book = CredentialBook::parse(r#"{"username":"till.1","password":"secret"}"#).unwrap();
        let expected = BASE64_STANDARD.encode("till.1:5ebe2294ecd0e0f08eab7690d2a6ee69");
        assert!(matches!(&*book.for_org(None).unwrap(), Credentials::Basic(value) if *value == format!("Basic {expected}")));
    }

    #[test]
    fn an_org_has_its_own_credentials_or_the_default() {
        let book =
            CredentialBook::parse(r#"{"orgs":{"7":{"key":"seven","secret":"s"}},"default":{"key":"all","secret":"s"}}"#).unwrap();
        let key = |org| match &*book.for_org(org).unwrap() {
            Credentials::OAuth { key, .. } => key.clone(),
            Credentials::Basic(_) => unreachable!("none is written"),
        };
        assert_eq!((key(Some(7)), key(Some(8)), key(None)), ("seven".into(), "all".into(), "all".into()));
        let only = CredentialBook::parse(r#"{"orgs":{"7":{"key":"seven","secret":"s"}}}"#).unwrap();
        assert!(only.for_org(Some(8)).is_none());
    }

    #[test]
    fn a_secret_not_yet_filled_is_none() {
        let examples: serde_json::Value = serde_json::from_str(include_str!("../../local/secrets/examples.json")).unwrap();
        for (word, expected) in [("good", true), ("bad", false)] {
            for secret in examples["capillary"][word].as_array().unwrap() {
                assert_eq!(CredentialBook::parse(&secret.to_string()).is_ok(), expected, "{secret}");
            }
        }
        assert!(CredentialBook::parse("").is_err());
    }

    #[test]
    fn a_key_for_pseudonyms_beside_them_does_not_matter() {
        let examples: serde_json::Value = serde_json::from_str(include_str!("../../local/secrets/examples.json")).unwrap();
        for word in ["good", "bad"] {
            for secret in examples["hashKey"][word].as_array().unwrap() {
                assert!(CredentialBook::parse(&secret.to_string()).is_ok(), "{secret}");
            }
        }
    }
}
