//! By which of the rules that the documentation leaves open events are told and sent; the same for each webhook.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Far beyond what is useful; they keep the arithmetic of waiting within its limits.
const SLOWEST_SCALE: f64 = 0.001;
const FASTEST_SCALE: f64 = 1e9;

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Conduct {
    pub(crate) form: Form,
    pub(crate) tells: Tells,
    /// Sandbox seconds per real second, for the time between attempts only.
    pub(crate) time_scale: f64,
    /// How long an answer may take, in real milliseconds.
    timeout_ms: u64,
    pub(crate) resend_5xx: bool,
    pub(crate) resend_4xx: bool,
    pub(crate) org_id: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    Flat,
    Envelope,
}

/// Whether `customerUpdated` says what was updated.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Tells {
    /// `updatedFields: []`, as in the captured deliveries.
    Nothing,
    /// As in the schema.
    UpdatedFields,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            form: Form::Flat,
            tells: Tells::Nothing,
            time_scale: 1.0,
            timeout_ms: 30_000,
            resend_5xx: true,
            resend_4xx: false,
            org_id: 100_737,
        }
    }
}

impl Conduct {
    pub(crate) fn checked(self) -> Result<Self, String> {
        if !(SLOWEST_SCALE..=FASTEST_SCALE).contains(&self.time_scale) {
            return Err(format!("timeScale: {SLOWEST_SCALE} to {FASTEST_SCALE}"));
        }
        if self.timeout_ms == 0 {
            return Err("timeoutMs: at least 1".to_owned());
        }
        Ok(self)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
