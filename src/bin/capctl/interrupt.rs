//! Ctrl-C: the first one lets what is begun be finished, the second one does not.

use tokio::sync::watch;

use crate::output::Outcome;

/// Whether Ctrl-C was pressed.
#[derive(Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        let (pressed, seen) = watch::channel(false);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                let _ = pressed.send(true);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(Outcome::Partly.code()));
            }
            // Without a way to be told of it there is none, and whoever waits for it must not wake.
            std::future::pending::<()>().await;
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
