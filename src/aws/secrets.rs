//! Secrets Manager.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;

use super::port_error;
use crate::ports::{PortError, SecretStore};

/// One secret in Secrets Manager.
pub struct Secret {
    client: Client,
    id: String,
}

impl Secret {
    /// The secret with this name or ARN.
    pub fn new(config: &SdkConfig, id: String) -> Self {
        Self { client: Client::new(config), id }
    }
}

impl SecretStore for Secret {
    async fn read(&self) -> Result<String, PortError> {
        const CALL: &str = "SecretsManager.GetSecretValue";
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await.map_err(|error| port_error(CALL, &error))?;
        answer.secret_string.ok_or_else(|| PortError::Unavailable { call: CALL, cause: "NoSecretString".to_owned() })
    }
}
