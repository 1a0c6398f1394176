//! Access tokens: one for each set of client credentials, renewed at 80 % of its life, by one caller at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;

use crate::entity::FetchFailure;

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
    failures: Mutex<Failures>,
}

/// Calls that brought no token.
#[derive(Default)]
struct Failures {
    count: u64,
    last: Option<FetchFailure>,
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
    /// That of `issue`, which calls Capillary and gives the answer's body, or what `no_token` makes of a body without a token; also to
    /// those who waited for that call, who don't make it again.
    pub async fn get(
        &self,
        (key, secret): (&str, &str),
        rejected: Option<&str>,
        now_ms: i64,
        issue: impl AsyncFnOnce() -> Result<Vec<u8>, FetchFailure>,
        no_token: impl AsyncFnOnce() -> FetchFailure,
    ) -> Result<Arc<str>, FetchFailure> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry((key.to_owned(), secret.to_owned())).or_default())
        };
        let failures = slot.failures().count;
        let mut known = slot.known.lock().await;
        if let Some(token) = known.as_ref().filter(|token| token.renew_at_ms > now_ms && Some(&*token.value) != rejected) {
            return Ok(Arc::clone(&token.value));
        }
        if let Some(failure) = slot.failures().since(failures) {
            return Err(failure);
        }
        *known = None;
        let issued = match issue().await.map(|body| Token::read(&body, now_ms)) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(no_token().await),
            Err(failure) => Err(failure),
        };
        match issued {
            Ok(token) => {
                let value = Arc::clone(&token.value);
                *known = Some(token);
                Ok(value)
            }
            Err(failure) => {
                let mut failures = slot.failures();
                *failures = Failures { count: failures.count + 1, last: Some(failure.clone()) };
                Err(failure)
            }
        }
    }
}

impl Failures {
    /// The last one, if there was one since there were so many.
    fn since(&self, count: u64) -> Option<FetchFailure> {
        self.last.clone().filter(|_| self.count != count)
    }
}

impl Slot {
    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Scope;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn failure(cause: &str) -> FetchFailure {
        FetchFailure { scope: Scope::Org, retry_after_s: Some(7), cause: cause.to_owned() }
    }

    /// What a body brings.
    async fn got(
        tokens: &Tokens,
        rejected: Option<&str>,
        now_ms: i64,
        calls: &AtomicU32,
        body: &str,
    ) -> Result<Arc<str>, FetchFailure> {
        let issue = async || {
            tokio::task::yield_now().await;
            let number = calls.fetch_add(1, Ordering::SeqCst);
            Ok(body.replace("NUMBER", &number.to_string()).into_bytes())
        };
        tokens.get(("k", "s"), rejected, now_ms, issue, async || failure("no token")).await
    }

    const GOOD: &str = r#"{"data":{"accessToken":"tNUMBER","ttlSeconds":100},"errors":null}"#;

    #[tokio::test]
    async fn a_token_is_used_for_four_fifths_of_its_life() {
        let (tokens, calls) = (Tokens::default(), AtomicU32::new(0));
        for (now_ms, expected) in [(0, "t0"), (79_999, "t0"), (80_000, "t1")] {
            assert_eq!(&*got(&tokens, None, now_ms, &calls, GOOD).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_rejected_token_is_renewed_once_for_all_who_had_it() {
        let (tokens, calls) = (Tokens::default(), AtomicU32::new(0));
        got(&tokens, None, 0, &calls, GOOD).await.unwrap();
        let renewed = || got(&tokens, Some("t0"), 0, &calls, GOOD);
        let (one, two) = tokio::join!(renewed(), renewed());
        assert_eq!((&*one.unwrap(), &*two.unwrap()), ("t1", "t1"));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_answer_without_a_token_is_an_error_and_is_not_kept() {
        let (tokens, calls) = (Tokens::default(), AtomicU32::new(0));
        for body in ["", "<html>", r#"{"data":null,"errors":[{"code":1}]}"#, r#"{"data":{"accessToken":""}}"#] {
            assert_eq!(got(&tokens, None, 0, &calls, body).await.unwrap_err(), failure("no token"));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn a_call_that_failed_is_not_made_again_by_those_who_waited_for_it() {
        let (tokens, calls) = (Tokens::default(), AtomicU32::new(0));
        let get = || {
            let issue = async || {
                calls.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Err(failure("503"))
            };
            tokens.get(("k", "s"), None, 0, issue, async || failure("no token"))
        };
        let (one, two) = tokio::join!(get(), get());
        assert_eq!((one.unwrap_err(), two.unwrap_err()), (failure("503"), failure("503")));
        assert_eq!(get().await.unwrap_err(), failure("503"));
        assert_eq!(calls.load(Ordering::SeqCst), 2, "whoever comes later tries again");
    }
}
