//! A secret, read as seldom as is safe: kept for five minutes, read anew when it does not fit, and never forgotten because its
//! store is down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ports::{Clock, SecretStore};

/// How old a secret may be before it is read again.
const FRESH_FOR_MS: i64 = 5 * 60 * 1000;
/// How often, at the most, a misfit or a failing store makes it be read again.
const REREAD_AFTER_MS: i64 = 30 * 1000;

/// What a secret's text means.
pub trait Meaning: Sized + Send + Sync {
    /// Parses the text. The error names what is wrong, and repeats nothing of the text.
    ///
    /// # Errors
    /// The text is not a secret of this kind.
    fn parse(text: &str) -> Result<Self, &'static str>;
}

/// A secret in its store, with the last good value.
pub struct CachedSecret<S, K, T> {
    store: S,
    clock: K,
    /// One reader at a time; the others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    value: Option<Arc<T>>,
    /// When the value was read.
    read_at_ms: i64,
    /// When reading it last failed, since it last succeeded.
    failed_at_ms: Option<i64>,
    /// When it was last read because of a misfit.
    misfit_at_ms: Option<i64>,
}

/// The answer to a misfit.
pub enum Reread<T> {
    /// The value in the store now, or lately enough.
    Current(Arc<T>),
    /// The store could not be asked, so nothing is certain.
    Unknown,
}

impl<S: SecretStore, K: Clock, T: Meaning> CachedSecret<S, K, T> {
    /// A secret that is not read yet.
    pub fn new(store: S, clock: K) -> Self {
        let known = Known { value: None, read_at_ms: 0, failed_at_ms: None, misfit_at_ms: None };
        Self { store, clock, reading: tokio::sync::Mutex::new(()), known: Mutex::new(known) }
    }

    /// The value, read again if it is older than five minutes; the last good one while the store is down. None if there never was
    /// a good one.
    pub async fn current(&self) -> Option<Arc<T>> {
        if self.is_due() {
            let _one_at_a_time = self.reading.lock().await;
            if self.is_due() {
                self.read().await;
            }
        }
        self.known().value.clone()
    }

    /// Reads the value again because something does not fit it, at most once in 30 seconds.
    pub async fn reread(&self) -> Reread<T> {
        let _one_at_a_time = self.reading.lock().await;
        let now_ms = self.clock.now_ms();
        let due = self.known().misfit_at_ms.is_none_or(|at| now_ms - at >= REREAD_AFTER_MS);
        if due {
            self.known().misfit_at_ms = Some(now_ms);
            self.read().await;
        }
        let known = self.known();
        match &known.value {
            Some(value) if known.failed_at_ms.is_none() => Reread::Current(Arc::clone(value)),
            _ => Reread::Unknown,
        }
    }

    fn is_due(&self) -> bool {
        let now_ms = self.clock.now_ms();
        let known = self.known();
        known.value.is_none()
            || (now_ms - known.read_at_ms >= FRESH_FOR_MS && known.failed_at_ms.is_none_or(|at| now_ms - at >= REREAD_AFTER_MS))
    }

    async fn read(&self) {
        let outcome = match self.store.read().await {
            Ok(text) => T::parse(&text).map_err(str::to_owned),
            Err(error) => Err(error.to_string()),
        };
        let now_ms = self.clock.now_ms();
        let mut known = self.known();
        match outcome {
            Ok(value) => {
                known.value = Some(Arc::new(value));
                known.read_at_ms = now_ms;
                known.failed_at_ms = None;
            }
            Err(problem) => {
                known.failed_at_ms = Some(now_ms);
                tracing::error!(outcome = "secret_unusable", problem, "secret");
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known<T>> {
        // Nothing panics while it holds the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
