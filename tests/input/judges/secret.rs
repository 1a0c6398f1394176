//! The text of a secret.

use capillary_events::{auth::WebhookSecret, capillary::credentials::CredentialBook, redact::HashKey, secret::Meaning};
use http::HeaderMap;

/// Judges what the three readers of secrets make of a text.
pub fn secret(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(webhook) = WebhookSecret::parse(text) {
        assert!(!webhook.accepts(&HeaderMap::new()), "a secret that lets anyone in");
    }
    if let Ok(book) = CredentialBook::parse(text) {
        let _ = (book.for_org(None), book.for_org(Some(i64::MAX)));
    }
    let _ = HashKey::parse(text);
}
