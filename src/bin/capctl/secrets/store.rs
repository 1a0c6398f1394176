//! A secret in Secrets Manager, changed only as it was read.

use crate::{aws::coded_failure, context::Context, output::Failure, stored_secret::StoredSecret};

/// What a new version is called until it is the one that counts.
const NEW: &str = "capctl-new";
/// The one that counts.
const CURRENT: &str = "AWSCURRENT";

/// In the place of bytes: no JSON, so that nobody takes it for a secret.
const UNREADABLE: &str = "bytes";

/// A secret that can be changed.
pub(super) struct Store(StoredSecret);

/// A secret's value. It does not print.
pub(super) struct Present {
    pub(super) text: String,
    /// When it was written, in milliseconds since 1970.
    pub(super) since_ms: Option<i64>,
    version: String,
}

impl Store {
    /// The secret whose name or ARN that variable tells.
    pub(super) fn new(context: &Context, variable: &'static str) -> Result<Self, Failure> {
        Ok(Self(StoredSecret::new(&context.aws, context.deployment.name(variable)?)))
    }

    /// Its name or ARN.
    pub(super) fn id(&self) -> &str {
        &self.0.id
    }

    /// Its value; none if it was never filled.
    pub(super) async fn read(&self) -> Result<Option<Present>, Failure> {
        let Some(value) = self.0.value().await? else { return Ok(None) };
        let since_ms = value.created_date().and_then(|at| at.to_millis().ok());
        let version = value.version_id.unwrap_or_default();
        // Bytes are a value as well, though one that no function can read.
        let text = value.secret_string.or_else(|| value.secret_binary.map(|_| UNREADABLE.to_owned()));
        let text = text.filter(|text| !text.trim().is_empty());
        Ok(text.map(|text| Present { text, since_ms, version }))
    }

    /// Writes a value in the place of the one that was read. If that is no longer the one that counts, nothing changes.
    pub(super) async fn write(&self, text: String, read: Option<&Present>) -> Result<(), Failure> {
        let StoredSecret { client, id } = &self.0;
        let version = uuid::Uuid::new_v4().to_string();
        let put = client.put_secret_value().secret_id(id).secret_string(text).client_request_token(&version);
        // Two steps, since only the second one has a condition.
        let put = if read.is_some() { put.version_stages(NEW) } else { put };
        put.send().await.map_err(|error| coded_failure("SecretsManager.PutSecretValue", &error))?;
        let Some(read) = read else {
            // The first value has no condition, so that of two who fill it at once the later one counts.
            let now = self.read().await?.map(|present| present.version);
            return if now.as_ref() == Some(&version) { Ok(()) } else { Err(changed_meanwhile()) };
        };
        let moved = client.update_secret_version_stage().secret_id(id).version_stage(CURRENT);
        let moved = moved.remove_from_version_id(&read.version).move_to_version_id(&version).send().await;
        let Err(error) = moved else { return Ok(()) };
        let now = self.read().await?.map(|present| present.version);
        if now.as_ref() == Some(&version) {
            // The first try's answer was lost, and the second one found it done.
            return Ok(());
        }
        // A version without a name is forgotten.
        let forget = client.update_secret_version_stage().secret_id(id).version_stage(NEW);
        let _ = forget.remove_from_version_id(&version).send().await;
        Err(if now.as_ref() == Some(&read.version) {
            coded_failure("SecretsManager.UpdateSecretVersionStage", &error)
        } else {
            changed_meanwhile()
        })
    }
}

fn changed_meanwhile() -> Failure {
    Failure::of("the secret", "somebody else changed it meanwhile, and their value counts: look at it, and run this again")
}
