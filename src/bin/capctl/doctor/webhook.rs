//! The webhook at Capillary: there, on, and with the headers of the secret.

use super::finding::Findings;
use crate::{
    context::Context,
    webhook::{self, Headers},
};

const WHAT: &str = "webhook";

/// `prefix` names the org where there are several.
pub(super) async fn examine(context: &Context, org_id: Option<i64>, prefix: &str, ours: &Headers, findings: &mut Findings) {
    match webhook::complaints(context, org_id, ours).await {
        Ok(complaints) if complaints.is_empty() => {
            findings.good(WHAT, format!("{prefix}Capillary sends here, with the headers of the secret"));
        }
        Ok(complaints) => {
            for complaint in complaints {
                findings.bad(WHAT, format!("{prefix}{}", complaint.what), complaint.remedy);
            }
        }
        Err(failure) => findings.unknown_of(WHAT, prefix, &failure),
    }
}
