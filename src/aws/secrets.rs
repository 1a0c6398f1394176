//! Secrets Manager.

use aws_sdk_secretsmanager::Client;

use super::{boxed, port_error};
use crate::ports::{PortError, SecretStore};

/// One secret in Secrets Manager.
#[derive(Clone)]
pub struct Secret {
    client: Client,
    id: String,
}

impl Secret {
    /// The secret with this name or ARN.
    pub fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }
}

impl SecretStore for Secret {
    async fn read(&self) -> Result<String, PortError> {
        const CALL: &str = "SecretsManager.GetSecretValue";
        let answer =
            boxed(self.client.get_secret_value().secret_id(&self.id).send()).await.map_err(|error| port_error(CALL, &error))?;
        answer.secret_string.ok_or_else(|| PortError::Unavailable { call: CALL, cause: "NoSecretString".to_owned() })
    }
}
