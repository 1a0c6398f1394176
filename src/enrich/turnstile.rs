//! How many calls go to Capillary at once: up to a limit while it answers, one at a time while it is not known to.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, SemaphorePermit};

/// Lets calls through. After a failure, and before the first success, one call goes first and the others wait for what it meets:
/// a dead API costs a batch one call, and so does an org whose credentials are no good.
pub struct Turnstile {
    permits: Semaphore,
    api: Lane,
    orgs: std::sync::Mutex<HashMap<Option<i64>, Lane>>,
}

/// What is trusted or doubted as one.
#[derive(Clone, Default)]
struct Lane {
    is_trusted: Arc<AtomicBool>,
    probe: Arc<Mutex<()>>,
}

/// The right to make one call, until it is dropped.
pub struct Turn<'a> {
    _probes: [Option<OwnedMutexGuard<()>>; 2],
    _permit: Option<SemaphorePermit<'a>>,
}

impl Turnstile {
    /// A turnstile for so many calls at once.
    pub fn new(max_concurrency: usize) -> Self {
        Self { permits: Semaphore::new(max_concurrency), api: Lane::default(), orgs: std::sync::Mutex::default() }
    }

    /// Waits for a turn to call for an org.
    pub async fn enter(&self, org_id: Option<i64>) -> Turn<'_> {
        let probes = [self.api.enter().await, self.org(org_id).enter().await];
        // The semaphore is never closed.
        Turn { _probes: probes, _permit: self.permits.acquire().await.ok() }
    }

    /// Waits for a turn to call what is no part of the API that is trusted or doubted, only behind the same host.
    pub async fn enter_beside(&self) -> Turn<'_> {
        Turn { _probes: [None, None], _permit: self.permits.acquire().await.ok() }
    }

    /// The API answered for an org.
    pub fn trust(&self, org_id: Option<i64>) {
        self.api.trust(true);
        self.org(org_id).trust(true);
    }

    /// The API is in trouble.
    pub fn doubt(&self) {
        self.api.trust(false);
    }

    /// The API answers, but not to the credentials of an org.
    pub fn doubt_org(&self, org_id: Option<i64>) {
        self.api.trust(true);
        self.org(org_id).trust(false);
    }

    fn org(&self, org_id: Option<i64>) -> Lane {
        self.orgs.lock().unwrap_or_else(PoisonError::into_inner).entry(org_id).or_default().clone()
    }
}

impl Lane {
    fn is_trusted(&self) -> bool {
        self.is_trusted.load(Ordering::Relaxed)
    }

    fn trust(&self, is_trusted: bool) {
        self.is_trusted.store(is_trusted, Ordering::Relaxed);
    }

    /// The right to go first, or none once somebody else found it well.
    async fn enter(&self) -> Option<OwnedMutexGuard<()>> {
        if self.is_trusted() {
            return None;
        }
        let probe = Arc::clone(&self.probe).lock_owned().await;
        Some(probe).filter(|_| !self.is_trusted())
    }
}
