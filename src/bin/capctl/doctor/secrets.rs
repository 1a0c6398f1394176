//! The two secrets: there, and of a form that the functions can read. What is in them goes no further than to whoever needs it.

use capillary_events::{auth::WebhookSecret, capillary::credentials::CredentialBook, secret::Meaning};

use super::finding::Findings;
use crate::{context::Context, spans::moment, stored_secret::StoredSecret, webhook::Headers};

/// What the others need of the secrets, as far as they can be read.
#[derive(Default)]
pub(super) struct Secrets {
    /// The headers that a delivery must bear.
    pub(super) headers: Option<Headers>,
    pub(super) credentials: Option<CredentialBook>,
}

const WEBHOOK: &str = "webhook key";
const API: &str = "API key";

pub(super) async fn examine(context: &Context, findings: &mut Findings) -> Secrets {
    let mut secrets = Secrets::default();
    if let Some(text) = read(context, WEBHOOK, "WEBHOOK_SECRET_ID", findings).await {
        match WebhookSecret::parse(&text) {
            Ok(secret) => {
                tell(&secret, context.now_ms(), findings);
                secrets.headers = Headers::parse(&text).ok();
            }
            Err(problem) => {
                findings.bad(WEBHOOK, format!("{problem}: every delivery is answered 429"), "capctl secrets set webhook");
            }
        }
    }
    if let Some(text) = read(context, API, "CAPILLARY_SECRET_ID", findings).await {
        match CredentialBook::parse(&text) {
            Ok(book) => {
                let count = book.orgs().count();
                findings.good(API, format!("readable; {count} set{} of credentials", if count == 1 { "" } else { "s" }));
                secrets.credentials = Some(book);
            }
            Err(problem) => findings.bad(API, format!("{problem}: every event waits"), "capctl secrets set capillary"),
        }
    }
    secrets
}

async fn read(context: &Context, what: &'static str, variable: &'static str, findings: &mut Findings) -> Option<String> {
    let text = match context.deployment.name(variable) {
        Ok(id) => StoredSecret::new(&context.aws, id).text().await,
        Err(failure) => Err(failure),
    };
    match text {
        Ok(Some(text)) => Some(text),
        Ok(None) => {
            let command = if what == WEBHOOK { "capctl secrets set webhook" } else { "capctl secrets set capillary" };
            findings.bad(what, "the secret is empty", command);
            None
        }
        Err(failure) => {
            findings.unknown(what, &failure);
            None
        }
    }
}

fn tell(secret: &WebhookSecret, now_ms: i64, findings: &mut Findings) {
    let headers: Vec<String> = secret.headers().map(|(name, _)| name.to_string()).collect();
    findings.good(WEBHOOK, format!("readable; a delivery must bear {}", headers.join(" and ")));
    for (name, count) in secret.headers().filter(|(_, count)| *count > 1) {
        findings.hint(
            WEBHOOK,
            format!("{name} may have any of {count} values: a rotation is under way"),
            "when Capillary sends the new one: capctl secrets set webhook --drop-old --hold-for 1h",
        );
    }
    if let Some(until_ms) = secret.hold_until_ms().filter(|until_ms| *until_ms > now_ms) {
        findings.hint(
            WEBHOOK,
            format!("wrong headers are answered 429 until {}", moment(until_ms, now_ms)),
            "when the headers agree: capctl secrets set webhook --no-hold",
        );
    }
}
