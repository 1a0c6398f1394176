//! The secret store.

use std::sync::{Arc, Mutex};

use capillary_events::ports::{PortError, SecretStore};

/// One secret; clones are the same one. Until it is filled there is none.
#[derive(Clone, Default)]
pub(crate) struct SecretText(Arc<Mutex<Option<String>>>);

impl SecretText {
    pub(crate) fn fill(&self, text: &str) {
        *self.0.lock().expect("nobody panics while holding the secret") = Some(text.to_owned());
    }

    pub(crate) fn read_now(&self) -> Result<String, PortError> {
        let text = self.0.lock().expect("nobody panics while holding the secret").clone();
        text.ok_or_else(|| PortError::Unavailable {
            call: "SecretsManager.GetSecretValue",
            cause: "ResourceNotFoundException".to_owned(),
        })
    }
}

impl SecretStore for SecretText {
    async fn read(&self) -> Result<String, PortError> {
        self.read_now()
    }
}
