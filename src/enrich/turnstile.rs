//! How many calls go to Capillary at once: up to a limit while it answers, one at a time while it is not known to.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

/// Lets calls through. After a failure, and before the first success, one call goes first and the others wait for what it meets:
/// a dead API costs a batch one call.
pub struct Turnstile {
    permits: Semaphore,
    trusted: AtomicBool,
    probe: Mutex<()>,
}

/// The right to make one call, until it is dropped.
pub struct Turn<'a> {
    _permit: Option<SemaphorePermit<'a>>,
    _probe: Option<MutexGuard<'a, ()>>,
}

impl Turnstile {
    /// A turnstile for so many calls at once.
    pub fn new(max_concurrency: usize) -> Self {
        Self { permits: Semaphore::new(max_concurrency), trusted: AtomicBool::new(false), probe: Mutex::new(()) }
    }

    /// Waits for a turn.
    pub async fn enter(&self) -> Turn<'_> {
        let probe = if self.trusted.load(Ordering::Relaxed) {
            None
        } else {
            let probe = self.probe.lock().await;
            // Whoever went before may have found it well.
            Some(probe).filter(|_| !self.trusted.load(Ordering::Relaxed))
        };
        // The semaphore is never closed.
        Turn { _permit: self.permits.acquire().await.ok(), _probe: probe }
    }

    /// Waits for a turn to call what is no part of the API that is trusted or doubted, only behind the same host.
    pub async fn enter_beside(&self) -> Turn<'_> {
        Turn { _permit: self.permits.acquire().await.ok(), _probe: None }
    }

    /// The API answered.
    pub fn trust(&self) {
        self.trusted.store(true, Ordering::Relaxed);
    }

    /// The API is in trouble.
    pub fn doubt(&self) {
        self.trusted.store(false, Ordering::Relaxed);
    }
}
