//! `capctl secrets list`: what can be told of the secrets without telling them.

use std::io;

use capillary_events::moment::instant_ms;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    forms::check_capillary,
    local::keeps_nobody_out,
    store::{Present, Store},
    webhook::write_headers,
    webhook_form::{HeaderForm, WebhookForm},
};
use crate::{
    context::Context,
    output::{Failure, Outcome, Report},
    page::{Page, Tone},
    spans::moment,
};

/// What form both secrets have: names of headers, how many values each accepts, orgs; never a value
///
/// Ends with exit code 1 if a secret is not filled, or can't be read by the functions, or is not secret.
#[derive(Args)]
pub(super) struct ListArguments {}

#[derive(Serialize)]
struct List {
    webhook: Told<WebhookTold>,
    capillary: Told<CapillaryForm>,
    #[serde(skip)]
    now_ms: i64,
}

/// A secret, as far as it is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<F> {
    secret: String,
    /// When it was written, in milliseconds since 1970.
    since: Option<i64>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(flatten)]
    form: Option<F>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookTold {
    headers: Vec<HeaderForm>,
    hold_until: Option<String>,
}

/// Whose credentials there are, and of which kind.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CapillaryForm {
    /// Those of all orgs that have none of their own.
    default: Option<&'static str>,
    orgs: Vec<OrgForm>,
    hash_key: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct OrgForm {
    org: String,
    credentials: &'static str,
}

pub(super) async fn run(_: &ListArguments, context: &Context) -> Result<Outcome, Failure> {
    let webhook = told(context, "WEBHOOK_SECRET_ID", |text| {
        let form = WebhookForm::parse(text)?;
        Ok(WebhookTold { headers: form.headers(), hold_until: form.hold_until })
    });
    let capillary = told(context, "CAPILLARY_SECRET_ID", |text| Ok(CapillaryForm::of(&check_capillary(text)?)));
    let (webhook, capillary) = (webhook.await?, capillary.await?);
    context.show(&List { webhook, capillary, now_ms: context.now_ms() })
}

async fn told<F>(
    context: &Context,
    variable: &'static str,
    form: impl FnOnce(&str) -> Result<F, Failure>,
) -> Result<Told<F>, Failure> {
    let store = Store::new(context, variable)?;
    let secret = store.id().to_owned();
    let Some(Present { text, since_ms: since, .. }) = store.read().await? else {
        return Ok(Told { secret, since: None, problem: Some("not filled".to_owned()), form: None });
    };
    let (form, mut problem) = match form(&text) {
        Ok(form) => (Some(form), None),
        Err(failure) => (None, Some(failure.to_string())),
    };
    if keeps_nobody_out(&serde_json::from_str(&text).unwrap_or_default(), context) {
        problem.get_or_insert_with(|| "it has values of the local stack, which everybody knows".to_owned());
    }
    Ok(Told { secret, since, problem, form })
}

impl CapillaryForm {
    /// Of a secret that was checked.
    pub(super) fn of(secret: &Value) -> Self {
        let kind = |credentials: &Value| {
            let has = |name| credentials.get(name).is_some_and(Value::is_string);
            (has("key") && has("secret")).then_some("oauth").or((has("username") && has("password")).then_some("basic"))
        };
        let orgs = secret.get("orgs").and_then(Value::as_object).into_iter().flat_map(Map::iter);
        let orgs = orgs.filter_map(|(org, credentials)| Some(OrgForm { org: org.clone(), credentials: kind(credentials)? }));
        Self {
            default: kind(secret).or_else(|| kind(secret.get("default")?)),
            orgs: orgs.collect(),
            hash_key: secret.get("hashKey").is_some_and(|key| !key.is_null()),
        }
    }

    /// Writes it for people.
    pub(super) fn write(&self, page: &mut Page) -> io::Result<()> {
        let words = |kind| if kind == "oauth" { "a key and its secret (OAuth)" } else { "a user name and a password (Basic)" };
        for form in &self.orgs {
            page.line(&format!("  org {}: {}", form.org, words(form.credentials)))?;
        }
        let whose = if self.orgs.is_empty() { "all orgs" } else { "other orgs" };
        page.line(&format!("  {whose}: {}", self.default.map_or("none", words)))?;
        page.line(if self.hash_key { "  key of pseudonyms: there" } else { "  key of pseudonyms: none" })
    }
}

impl Report for List {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        self.webhook.write(page, "webhook", self.now_ms, |page, form| {
            write_headers(page, &form.headers)?;
            let until = form.hold_until.as_deref().and_then(instant_ms);
            until.map_or(Ok(()), |until| match until > self.now_ms {
                true => page.line(&format!(
                    "  hold: wrong headers are answered 429, and come again, until {}",
                    moment(until, self.now_ms)
                )),
                false => page.line(&format!("  hold: ended {}", moment(until, self.now_ms))),
            })
        })?;
        self.capillary.write(page, "capillary", self.now_ms, |page, form| form.write(page))
    }

    fn outcome(&self) -> Outcome {
        if self.webhook.problem.is_some() || self.capillary.problem.is_some() { Outcome::Finding } else { Outcome::Well }
    }
}

impl<F> Told<F> {
    fn write(
        &self,
        page: &mut Page,
        name: &str,
        now_ms: i64,
        write: impl FnOnce(&mut Page, &F) -> io::Result<()>,
    ) -> io::Result<()> {
        let since = self.since.map(|since| format!("  written {}", moment(since, now_ms))).unwrap_or_default();
        page.styled(&[(name, Tone::Strong), ("  ", Tone::Plain), (&self.secret, Tone::Plain), (&since, Tone::Faint)])?;
        if let Some(problem) = &self.problem {
            page.styled(&[("  ", Tone::Plain), (problem, Tone::Bad)])?;
            page.styled(&[("  → ", Tone::Strong), (&format!("capctl secrets set {name}"), Tone::Plain)])?;
        }
        self.form.as_ref().map_or(Ok(()), |form| write(page, form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_are_told_by_their_kind() {
        let (oauth, basic) = (json!({"key": "k", "secret": "s"}), json!({"username": "u", "password": "p"}));
        let form = CapillaryForm::of(&json!({"orgs": {"7": basic}, "default": oauth, "hashKey": null}));
        let seven = OrgForm { org: "7".to_owned(), credentials: "basic" };
        assert_eq!(form, CapillaryForm { default: Some("oauth"), orgs: vec![seven], hash_key: false });
        let form = CapillaryForm::of(&json!({"username": "u", "password": "p", "hashKey": "h"}));
        assert_eq!(form, CapillaryForm { default: Some("basic"), orgs: Vec::new(), hash_key: true });
    }
}
