//! Access tokens: one for each set of client credentials, renewed at 80 % of its life, by one caller at a time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Deserialize;

/// Of a token's life, the part in which it is used.
const USED_PERCENT: i64 = 80;
/// The life of a token whose answer does not tell it: that of Capillary's sample.
const DEFAULT_TTL_S: i64 = 300;

/// A token and the end of its use.
#[derive(Clone)]
struct Token {
    value: Arc<str>,
    renew_at_ms: i64,
}

/// The tokens known in this process.
#[derive(Default)]
pub struct Tokens {
    slots: Mutex<HashMap<(String, String), Arc<Slot>>>,
}

/// One set of credentials: whoever finds no good token holds the lock while it gets one, and the others wait for that.
#[derive(Default)]
struct Slot {
    known: tokio::sync::Mutex<Option<Token>>,
    failures: AtomicU64,
}

/// The answer of the token call.
#[derive(Deserialize)]
struct Issued {
    data: Option<IssuedData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssuedData {
    access_token: String,
    ttl_seconds: Option<f64>,
}

impl Tokens {
    /// The token for these client credentials; a new one if there is none, it is near its end, or it is the one that was `rejected`.
    ///
    /// # Errors
    /// Those of `issue`, which calls Capillary and gives the answer's body; or why there is no token without an error of it.
    pub async fn get<E: From<Unissued>>(
        &self,
        (key, secret): (&str, &str),
        rejected: Option<&str>,
        now_ms: i64,
        issue: impl AsyncFnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Arc<str>, E> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry((key.to_owned(), secret.to_owned())).or_default())
        };
        let failures = slot.failures.load(Ordering::Relaxed);
        let mut known = slot.known.lock().await;
        if let Some(token) = known.as_ref().filter(|token| token.renew_at_ms > now_ms && Some(&*token.value) != rejected) {
            return Ok(Arc::clone(&token.value));
        }
        if slot.failures.load(Ordering::Relaxed) != failures {
            // Whoever waited for a call that failed does not make it again.
            return Err(Unissued::JustFailed.into());
        }
        *known = None;
        let issued = issue().await.and_then(|body| Token::read(&body, now_ms).ok_or_else(|| Unissued::NoToken.into()));
        let token = issued.inspect_err(|_| {
            slot.failures.fetch_add(1, Ordering::Relaxed);
        })?;
        let value = Arc::clone(&token.value);
        *known = Some(token);
        Ok(value)
    }
}

impl Token {
    fn read(body: &[u8], now_ms: i64) -> Option<Self> {
        let issued: Issued = serde_json::from_slice(body).ok()?;
        let data = issued.data.filter(|data| !data.access_token.is_empty())?;
        #[expect(clippy::cast_possible_truncation, reason = "a float out of range saturates")]
        let ttl_s = data.ttl_seconds.map_or(DEFAULT_TTL_S, |seconds| seconds as i64).clamp(0, 30 * 24 * 60 * 60);
        Some(Self { value: data.access_token.into(), renew_at_ms: now_ms + ttl_s * 10 * USED_PERCENT })
    }
}

/// Why there is no token, though the call for one came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unissued {
    /// The answer holds none.
    NoToken,
    /// Another caller's call failed meanwhile.
    JustFailed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    async fn issue(calls: &AtomicU32) -> Result<Vec<u8>, Unissued> {
        tokio::task::yield_now().await;
        let number = calls.fetch_add(1, Ordering::SeqCst);
        Ok(format!(r#"{{"data":{{"accessToken":"t{number}","ttlSeconds":100}},"errors":null}}"#).into_bytes())
    }

    #[tokio::test]
    async fn a_token_is_used_for_four_fifths_of_its_life() {
        let (tokens, calls) = (Tokens::default(), AtomicU32::new(0));
        for (now_ms, expected) in [(0, "t0"), (79_999, "t0"), (80_000, "t1")] {
            assert_eq!(&*tokens.get(("k", "s"), None, now_ms, async || issue(&calls).await).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_rejected_token_is_renewed_once_for_all_who_had_it() {
        let (tokens, calls) = (Tokens::default(), AtomicU32::new(0));
        let get = |rejected| tokens.get(("k", "s"), rejected, 0, async || issue(&calls).await);
        get(None).await.unwrap();
        let (one, two) = tokio::join!(get(Some("t0")), get(Some("t0")));
        assert_eq!((&*one.unwrap(), &*two.unwrap()), ("t1", "t1"));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_answer_without_a_token_is_an_error_and_is_not_kept() {
        let tokens = Tokens::default();
        for body in ["", "<html>", r#"{"data":null,"errors":[{"code":1}]}"#, r#"{"data":{"accessToken":""}}"#] {
            let got = tokens.get(("k", "s"), None, 0, async || Ok::<_, Unissued>(body.as_bytes().to_vec())).await;
            assert_eq!(got.unwrap_err(), Unissued::NoToken);
        }
    }

    #[tokio::test]
    async fn a_call_that_failed_is_not_made_again_by_those_who_waited_for_it() {
        let (tokens, calls) = (Tokens::default(), AtomicU32::new(0));
        let get = || {
            tokens.get(("k", "s"), None, 0, async || {
                calls.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok::<_, Unissued>(b"<html>".to_vec())
            })
        };
        let (one, two) = tokio::join!(get(), get());
        assert_eq!((one.unwrap_err(), two.unwrap_err()), (Unissued::NoToken, Unissued::JustFailed));
        assert_eq!(get().await.unwrap_err(), Unissued::NoToken, "whoever comes later tries again");
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}
