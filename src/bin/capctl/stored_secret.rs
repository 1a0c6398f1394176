//! A secret of the deployment, as Secrets Manager has it.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{
    Client,
    operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput},
};
use capillary_events::ports::{PortError, SecretStore};

use crate::{aws, output::Failure};

const CALL: &str = "SecretsManager.GetSecretValue";

/// A secret of the deployment.
pub(crate) struct StoredSecret {
    pub(crate) client: Client,
    pub(crate) id: String,
}

impl StoredSecret {
    /// The secret with that name or ARN.
    pub(crate) fn new(aws: &SdkConfig, id: &str) -> Self {
        Self { client: Client::new(aws), id: id.to_owned() }
    }

    /// Its present value; none if it was never filled. An error tells no more than its code.
    pub(crate) async fn value(&self) -> Result<Option<GetSecretValueOutput>, Failure> {
        match self.client.get_secret_value().secret_id(&self.id).send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) => Ok(None),
            Err(error) => Err(aws::coded_failure(CALL, &error)),
        }
    }

    /// Its text; none if it was never filled with one.
    pub(crate) async fn text(&self) -> Result<Option<String>, Failure> {
        Ok(self.value().await?.and_then(|value| value.secret_string))
    }
}

impl SecretStore for StoredSecret {
    async fn read(&self) -> Result<String, PortError> {
        let unavailable = |cause: String| PortError::Unavailable { call: CALL, cause };
        match self.text().await {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(unavailable("ResourceNotFoundException".to_owned())),
            Err(failure) => Err(unavailable(failure.to_string())),
        }
    }
}
