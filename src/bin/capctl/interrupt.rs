//! Ctrl-C, and the signal by which a system ends a program: the first one lets what is begun be finished, the second one does not.

use tokio::sync::watch;

use crate::output::Outcome;

/// Whether Ctrl-C was pressed, or SIGTERM came.
#[derive(Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        let (pressed, seen) = watch::channel(false);
        tokio::spawn(async move {
            asked().await;
            let _ = pressed.send(true);
            asked().await;
            std::process::exit(i32::from(Outcome::Partly.code()));
        });
        Self(seen)
    }

    /// Whether it was.
    pub(crate) fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub(crate) async fn raised(&self) {
        let mut seen = self.0.clone();
        if seen.wait_for(|pressed| *pressed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until the end is asked for. Without a way to be told of it, it never is.
async fn asked() {
    tokio::select! {
        () = pressed() => {}
        () = terminated() => {}
    }
}

async fn pressed() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
