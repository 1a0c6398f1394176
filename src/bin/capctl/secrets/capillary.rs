//! `capctl secrets set capillary`: the credentials for Capillary's APIs, and the key of pseudonyms.

use std::{io, path::PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{entry, forms::check_capillary, list::CapillaryForm, local::refuse_published, store::Store};
use crate::{
    context::Context,
    output::{Failure, Outcome, Report},
    page::{Page, Tone},
};

/// Where the key of pseudonyms stands.
const HASH_KEY: &str = "hashKey";

/// The credentials for Capillary's APIs: an API client's key and secret, from a prompt or two lines of standard input
///
/// Replacing them with new ones for the same client needs no order: the old ones serve until the enricher has read the new ones, five
/// minutes at the most, and what is refused meanwhile comes again.
#[derive(Args)]
pub(super) struct CapillaryArguments {
    /// The whole secret from a file (- for standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["org", "basic", "hash_key_generate"])]
    file: Option<PathBuf>,
    /// The credentials for this org, beside those for the others
    #[arg(long, value_name = "ORG", conflicts_with = "hash_key_generate", value_parser = clap::value_parser!(i64).range(0..))]
    org: Option<i64>,
    /// A user name and a password instead of a key and its secret
    #[arg(long, conflicts_with = "hash_key_generate")]
    basic: bool,
    /// Make up the key of pseudonyms (see HashPaths); it stands beside the credentials
    #[arg(long)]
    hash_key_generate: bool,
    /// Replace or take away a key of pseudonyms that is there: all pseudonyms are others afterwards
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Set {
    secret: String,
    changed: bool,
    #[serde(flatten)]
    form: CapillaryForm,
}

pub(super) async fn run(arguments: &CapillaryArguments, context: &Context) -> Result<Outcome, Failure> {
    let store = Store::new(context, "CAPILLARY_SECRET_ID")?;
    // What takes a person's time comes before the secret is read.
    let given = arguments.given()?;
    let read = store.read().await?;
    let present = read.as_ref().map(|read| object(serde_json::from_str(&read.text).unwrap_or_default()));
    let hash_key = |secret: &Map<String, Value>| secret.get(HASH_KEY).filter(|key| !key.is_null()).cloned();
    let before = present.as_ref().and_then(Option::as_ref).and_then(hash_key);
    let (text, value) = changed_as(present, arguments.org, given)?;
    if before.is_some() && before != value.as_object().and_then(hash_key) && !arguments.yes {
        let what = "there is a key of pseudonyms, which this would replace or take away: all pseudonyms would be others than those \
                    published so far. Say --yes if that is meant";
        return Err(Failure::Usage(what.to_owned()));
    }
    let changed = read.as_ref().is_none_or(|read| read.text != text);
    if changed {
        refuse_published(&value, context)?;
        store.write(text, read.as_ref()).await?;
    }
    context.show(&Set { secret: store.id().to_owned(), changed, form: CapillaryForm::of(&value) })
}

/// What is to be written.
enum Given {
    Whole(String),
    Credentials(Value),
    HashKey(String),
}

impl CapillaryArguments {
    fn given(&self) -> Result<Given, Failure> {
        if let Some(path) = &self.file {
            return Ok(Given::Whole(entry::whole(path)?));
        }
        if self.hash_key_generate {
            return Ok(Given::HashKey(entry::made_up()?));
        }
        Ok(Given::Credentials(if self.basic {
            let [username, password] = entry::values(["user name", "password"])?;
            json!({ "username": username, "password": password })
        } else {
            let [key, secret] = entry::values(["key", "secret"])?;
            json!({ "key": key, "secret": secret })
        }))
    }
}

fn object(secret: Value) -> Option<Map<String, Value>> {
    if let Value::Object(members) = secret { Some(members) } else { None }
}

/// The secret with what is given in it, if the enricher can read that.
fn changed_as(present: Option<Option<Map<String, Value>>>, org: Option<i64>, given: Given) -> Result<(String, Value), Failure> {
    let unreadable = "the enricher can't read the secret as it is; replace it with --file";
    let unfilled = "set the credentials first; the key of pseudonyms stands beside them";
    let secret = match (given, present) {
        (Given::Whole(text), _) => {
            let value = check_capillary(&text)?;
            return Ok((text, value));
        }
        (_, Some(None)) => return Err(Failure::Usage(unreadable.to_owned())),
        (Given::HashKey(_), None) => return Err(Failure::Usage(unfilled.to_owned())),
        (Given::HashKey(key), Some(Some(mut secret))) => {
            secret.insert(HASH_KEY.to_owned(), Value::String(key));
            secret
        }
        (Given::Credentials(credentials), present) => with_credentials(present.flatten(), org, credentials),
    };
    let text = Value::Object(secret).to_string();
    let value = check_capillary(&text)?;
    Ok((text, value))
}

/// The secret with these credentials in the place of those for the org, or of those that go for all others.
fn with_credentials(present: Option<Map<String, Value>>, org: Option<i64>, credentials: Value) -> Map<String, Value> {
    let mut present = present.unwrap_or_default();
    let is_by_org = present.contains_key("orgs") || present.contains_key("default");
    if is_by_org || org.is_some() {
        let mut by_org = if is_by_org { present } else { one_for_all(present) };
        match org {
            None => {
                by_org.insert("default".to_owned(), credentials);
            }
            Some(org) => {
                let orgs = by_org.entry("orgs").or_insert_with(|| json!({}));
                // Anything else would not have been read by the enricher, and is refused with the whole.
                if let Value::Object(orgs) = orgs {
                    orgs.insert(org.to_string(), credentials);
                }
            }
        }
        return by_org;
    }
    let mut secret = object(credentials).unwrap_or_default();
    secret.extend(present.remove_entry(HASH_KEY));
    secret
}

/// Credentials that went for all, as those for all orgs that have none of their own.
fn one_for_all(mut present: Map<String, Value>) -> Map<String, Value> {
    let mut by_org = Map::new();
    by_org.extend(present.remove_entry(HASH_KEY));
    if !present.is_empty() {
        by_org.insert("default".to_owned(), Value::Object(present));
    }
    by_org
}

impl Report for Set {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        let what = if self.changed { "filled" } else { "unchanged" };
        page.styled(&[(what, Tone::Good), (" ", Tone::Plain), (&self.secret, Tone::Plain)])?;
        self.form.write(page)?;
        page.styled(&[
            ("  → ", Tone::Strong),
            ("the enricher reads it anew within five minutes; no deploy is needed", Tone::Plain),
        ])
    }

    fn outcome(&self) -> Outcome {
        Outcome::Well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(present: Value, org: Option<i64>) -> Value {
        Value::Object(with_credentials(object(present), org, json!({"key": "new", "secret": "s"})))
    }

    #[test]
    fn credentials_replace_those_that_went_for_the_same() {
        let (old, new) = (json!({"username": "u", "password": "p"}), json!({"key": "new", "secret": "s"}));
        assert_eq!(with(json!(null), None), new);
        assert_eq!(with(old.clone(), None), new);
        assert_eq!(with(json!({"default": old, "orgs": {"7": old}}), None), json!({"default": new, "orgs": {"7": old}}));
        assert_eq!(with(json!({"default": old, "orgs": {"7": old}}), Some(7)), json!({"default": old, "orgs": {"7": new}}));
        assert_eq!(with(json!({"orgs": {"7": old}}), Some(8)), json!({"orgs": {"7": old, "8": new}}));
        assert_eq!(with(old.clone(), Some(7)), json!({"default": old, "orgs": {"7": new}}));
        assert_eq!(with(json!(null), Some(7)), json!({"orgs": {"7": new}}));
    }

    #[test]
    fn the_key_of_pseudonyms_stays_whatever_becomes_of_the_credentials() {
        let old = json!({"key": "old", "secret": "s", "hashKey": "h"});
        assert_eq!(with(old.clone(), None)["hashKey"], "h");
        let by_org = with(old, Some(7));
        assert_eq!((&by_org["hashKey"], &by_org["default"]), (&json!("h"), &json!({"key": "old", "secret": "s"})));
        assert_eq!(with(by_org, None)["hashKey"], "h");
    }
}
