//! The environment, turned into types once at start. Nothing else reads it.
//!
//! A setting that is missing or makes no sense fails the start with its name, never a request.

use std::{fmt::Display, time::Duration};

use crate::{
    change::Volatile,
    filter::Filter,
    redact::{Patterns, Redaction},
};

/// The fewest days a ledger row may live: more than the sender's 7 days of resending and the queues' 14 days together need.
const MIN_EVENT_TTL_DAYS: u32 = 15;
/// Times of updates, and what an answer says of itself.
const VOLATILE_FIELDS: &str = "autoUpdateTime,lastUpdatedOn,attribution/modifiedDate,attributionV2/modifiedDate,warnings";

/// A variable that keeps the program from starting.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// The variable has a value that can't be used. It is not repeated, but for rules and patterns, which hold no secrets.
    #[error("environment variable {name} {problem}")]
    Invalid {
        /// Which variable.
        name: &'static str,
        /// What is wrong with it, as the end of a sentence that starts with its name.
        problem: String,
    },
}

/// What receiver and enricher share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// `AWS_LAMBDA_FUNCTION_NAME` (set by Lambda): whose metrics these are (`local`).
    pub function_name: String,
    /// `EVENTS_TABLE`: the ledger.
    pub events_table: String,
    /// `EVENTS_QUEUE_URL`: between receiver and enricher.
    pub events_queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`: what can't be processed, with a reason.
    pub dead_letter_queue_url: String,
    /// `EVENT_TTL_DAYS`: how long an event id is remembered (21 days).
    pub event_ttl: Duration,
}

/// The receiver's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// What it shares with the enricher.
    pub common: Common,
    /// `WEBHOOK_SECRET_ID`: name or ARN of the secret with the headers that a delivery must bear.
    pub webhook_secret_id: String,
}

/// The enricher's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnricherConfig {
    /// What it shares with the receiver.
    pub common: Common,
    /// `SNAPSHOTS_TABLE`: the last known state of each entity.
    pub snapshots_table: String,
    /// `SNAPSHOT_TTL_DAYS`: how long a state is remembered (400 days).
    pub snapshot_ttl: Duration,
    /// `VOLATILE_FIELDS`: what changes by itself and is no change (`autoUpdateTime,lastUpdatedOn,attribution/modifiedDate,attributionV2/modifiedDate,warnings`).
    pub volatile: Volatile,
    /// `EVENT_RULES`: which events are enriched, published as they came, or ignored (none: all are enriched).
    pub filter: Filter,
    /// `DROP_PATHS`, `HASH_PATHS`: what is left out of published events, and what is replaced by pseudonyms (nothing).
    pub redaction: Redaction,
    /// `EVENT_BUS_NAME`: where enriched events go.
    pub event_bus_name: String,
    /// `MAX_ATTEMPTS`: failures of an event's own before it is dead-lettered (8).
    pub max_attempts: u32,
    /// `MAX_ENTRY_KIB`: the bus's limit for one event, in bytes here (256 KiB).
    pub max_entry_bytes: usize,
    /// `ENRICH_MAX_ENTITIES`: entities fetched for one event (20).
    pub max_entities: usize,
    /// `CAPILLARY_SECRET_ID`: name or ARN of the secret with the API credentials.
    pub capillary_secret_id: String,
    /// How to call Capillary's APIs.
    pub capillary: CapillaryConfig,
}

/// How to call Capillary's APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapillaryConfig {
    /// `CAPILLARY_BASE_URL`, without a trailing slash: `https://eu.api.capillarytech.com`.
    pub base_url: String,
    /// `CAPILLARY_MAX_CONCURRENCY`: calls under way at once in one process (10).
    pub max_concurrency: usize,
    /// `CAPILLARY_REQUESTS_PER_MINUTE`: calls a minute in one process (600).
    pub requests_per_minute: u32,
    /// `CAPILLARY_REPLICA_LAG_SECONDS`: how far behind an answer may be (5 s).
    pub replica_lag: Duration,
    /// `CAPILLARY_CUSTOMER_SOURCE`: the `source` parameter of customer calls (`ALL`).
    pub customer_source: String,
    /// `CAPILLARY_CUSTOMER_EMBED`: the `embed` parameter of customer calls (`points,subscriptions`); empty sends none.
    pub customer_embed: String,
    /// `SSL_CERT_FILE`, `SSL_CERT_DIR`: whether one is set, so that the system's certificates count and not the built-in ones.
    pub trusts_the_system: bool,
}

/// Where settings come from: the process environment, or a test's table.
pub trait Source {
    /// The value of `name`, if it is set.
    fn get(&self, name: &str) -> Option<String>;
}

/// The process environment.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnvironment;

impl Source for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl ReceiverConfig {
    /// Reads the receiver's settings.
    ///
    /// # Errors
    /// The first variable that is missing or invalid.
    pub fn read(source: &impl Source) -> Result<Self, ConfigError> {
        Ok(Self { common: Common::read(source)?, webhook_secret_id: required(source, "WEBHOOK_SECRET_ID")? })
    }
}

impl EnricherConfig {
    /// Reads the enricher's settings.
    ///
    /// # Errors
    /// The first variable that is missing or invalid.
    pub fn read(source: &impl Source) -> Result<Self, ConfigError> {
        Ok(Self {
            common: Common::read(source)?,
            snapshots_table: required(source, "SNAPSHOTS_TABLE")?,
            snapshot_ttl: days(number(source, "SNAPSHOT_TTL_DAYS", 400, 1..=3650)?),
            // Empty is a choice here: everything is a change.
            volatile: Volatile::parse(&source.get("VOLATILE_FIELDS").unwrap_or_else(|| VOLATILE_FIELDS.to_owned())),
            filter: read(source, "EVENT_RULES", Filter::parse)?,
            redaction: Redaction {
                drop: read(source, "DROP_PATHS", Patterns::parse)?,
                hash: read(source, "HASH_PATHS", Patterns::parse)?,
            },
            event_bus_name: required(source, "EVENT_BUS_NAME")?,
            max_attempts: number(source, "MAX_ATTEMPTS", 8, 1..=1000)?,
            max_entry_bytes: size(number(source, "MAX_ENTRY_KIB", 256, 1..=256)?) * 1024,
            max_entities: size(number(source, "ENRICH_MAX_ENTITIES", 20, 1..=25)?),
            capillary_secret_id: required(source, "CAPILLARY_SECRET_ID")?,
            capillary: CapillaryConfig::read(source)?,
        })
    }
}

impl Common {
    fn read(source: &impl Source) -> Result<Self, ConfigError> {
        Ok(Self {
            function_name: optional(source, "AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "local".to_owned()),
            events_table: required(source, "EVENTS_TABLE")?,
            events_queue_url: required(source, "EVENTS_QUEUE_URL")?,
            dead_letter_queue_url: required(source, "DEAD_LETTER_QUEUE_URL")?,
            event_ttl: days(number(source, "EVENT_TTL_DAYS", 21, MIN_EVENT_TTL_DAYS..=3650)?),
        })
    }
}

impl CapillaryConfig {
    /// Reads what goes for the calls alone.
    ///
    /// # Errors
    /// The first variable that is missing or invalid.
    pub fn read(source: &impl Source) -> Result<Self, ConfigError> {
        Ok(Self {
            base_url: base_url(source, "CAPILLARY_BASE_URL")?,
            max_concurrency: size(number(source, "CAPILLARY_MAX_CONCURRENCY", 10, 1..=1000)?),
            requests_per_minute: number(source, "CAPILLARY_REQUESTS_PER_MINUTE", 600, 1..=1_000_000)?,
            replica_lag: Duration::from_secs(u64::from(number(source, "CAPILLARY_REPLICA_LAG_SECONDS", 5, 0..=900)?)),
            customer_source: optional(source, "CAPILLARY_CUSTOMER_SOURCE").unwrap_or_else(|| "ALL".to_owned()),
            // Empty is a choice here: ask for no embedded parts.
            customer_embed: source.get("CAPILLARY_CUSTOMER_EMBED").unwrap_or_else(|| "points,subscriptions".to_owned()),
            trusts_the_system: names_certificates(source),
        })
    }
}

/// Whether somebody says which certificates count: behind a proxy that reads along, those built in would not do.
pub(crate) fn names_certificates(source: &impl Source) -> bool {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().any(|name| optional(source, name).is_some())
}

pub(crate) fn optional(source: &impl Source, name: &str) -> Option<String> {
    source.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

pub(crate) fn required(source: &impl Source, name: &'static str) -> Result<String, ConfigError> {
    optional(source, name).ok_or(ConfigError::Missing(name))
}

/// A text with a syntax of its own; one that is not set is empty.
fn read<T, E: Display>(
    source: &impl Source,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    let text = source.get(name).unwrap_or_default();
    parse(&text).map_err(|error| ConfigError::Invalid { name, problem: error.to_string() })
}

fn number(
    source: &impl Source,
    name: &'static str,
    default: u32,
    allowed: std::ops::RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    let Some(text) = optional(source, name) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        _ => Err(ConfigError::Invalid {
            name,
            problem: format!("must be a whole number from {} to {}", allowed.start(), allowed.end()),
        }),
    }
}

/// Credentials go over this connection, so plain HTTP is taken for a program on the same machine only.
fn base_url(source: &impl Source, name: &'static str) -> Result<String, ConfigError> {
    let text = required(source, name)?;
    let invalid = |problem: &str| ConfigError::Invalid { name, problem: problem.to_owned() };
    let url =
        reqwest::Url::parse(&text).map_err(|_| invalid("must be an absolute URL such as https://eu.api.capillarytech.com"))?;
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err(invalid("must begin with https:// (http:// is for 127.0.0.1 only)")),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 24 * 60 * 60)
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    impl Source for HashMap<&str, &str> {
        fn get(&self, name: &str) -> Option<String> {
            HashMap::get(self, name).map(|value| (*value).to_owned())
        }
    }

    fn complete() -> HashMap<&'static str, &'static str> {
        HashMap::from([
            ("EVENTS_TABLE", "events"),
            ("EVENTS_QUEUE_URL", "http://127.0.0.1/events"),
            ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1/dead"),
            ("WEBHOOK_SECRET_ID", "webhook"),
            ("SNAPSHOTS_TABLE", "snapshots"),
            ("EVENT_BUS_NAME", "bus"),
            ("CAPILLARY_SECRET_ID", "capillary"),
            ("CAPILLARY_BASE_URL", "https://eu.api.capillarytech.com/"),
        ])
    }

    #[test]
    fn all_but_names_urls_and_secrets_have_defaults() {
        let config = EnricherConfig::read(&complete()).unwrap();
        assert_eq!(config.common.event_ttl, days(21));
        assert_eq!((config.max_attempts, config.max_entry_bytes, config.max_entities), (8, 262_144, 20));
        assert_eq!(config.capillary.base_url, "https://eu.api.capillarytech.com");
        assert_eq!(
            (config.capillary.customer_source.as_str(), config.capillary.customer_embed.as_str()),
            ("ALL", "points,subscriptions")
        );
        assert!(ReceiverConfig::read(&complete()).is_ok());
    }

    #[test]
    fn every_variable_that_must_be_set_is_named_when_it_is_not() {
        for name in [
            "EVENTS_TABLE",
            "EVENTS_QUEUE_URL",
            "DEAD_LETTER_QUEUE_URL",
            "SNAPSHOTS_TABLE",
            "EVENT_BUS_NAME",
            "CAPILLARY_SECRET_ID",
            "CAPILLARY_BASE_URL",
        ] {
            let mut source = complete();
            source.insert(name, " ");
            assert_eq!(EnricherConfig::read(&source), Err(ConfigError::Missing(name)));
        }
        let mut source = complete();
        source.remove("WEBHOOK_SECRET_ID");
        assert_eq!(ReceiverConfig::read(&source), Err(ConfigError::Missing("WEBHOOK_SECRET_ID")));
    }

    #[test]
    fn a_ledger_that_forgets_before_queue_and_sender_is_refused() {
        for days in ["14", "0", "-1", "x", "1e3"] {
            let mut source = complete();
            source.insert("EVENT_TTL_DAYS", days);
            let error = ReceiverConfig::read(&source).unwrap_err();
            assert_eq!(error.to_string(), "environment variable EVENT_TTL_DAYS must be a whole number from 15 to 3650");
        }
    }

    #[test]
    fn rules_and_patterns_are_empty_unless_set() {
        for empty in [None, Some(""), Some(" , ")] {
            let mut source = complete();
            source.extend(["EVENT_RULES", "DROP_PATHS", "HASH_PATHS"].into_iter().zip(empty.into_iter().cycle()));
            let config = EnricherConfig::read(&source).unwrap();
            assert_eq!((config.filter, config.redaction), (Filter::default(), Redaction::default()));
        }
        let mut source = complete();
        source.extend([("EVENT_RULES", "points*=pass"), ("DROP_PATHS", "mobile"), ("HASH_PATHS", "email")]);
        let config = EnricherConfig::read(&source).unwrap();
        let redaction = Redaction { drop: Patterns::parse("mobile").unwrap(), hash: Patterns::parse("email").unwrap() };
        assert_eq!((config.filter, config.redaction), (Filter::parse("points*=pass").unwrap(), redaction));
    }

    #[test]
    fn a_rule_or_pattern_that_cannot_be_read_is_named_with_its_variable() {
        for (name, value, problem) in [
            (
                "EVENT_RULES",
                "a=pass b=skip",
                "rule that can't be read: number 2, `b=skip`, has none of the actions enrich, pass, ignore",
            ),
            (
                "DROP_PATHS",
                "/mobile",
                "pattern that can't be read: number 1, `/mobile`, lies neither in /event nor in /entities/*/body",
            ),
            ("HASH_PATHS", "a//b", "pattern that can't be read: number 1, `a//b`, has a step without a name: * stands for any"),
        ] {
            let mut source = complete();
            source.insert(name, value);
            let error = EnricherConfig::read(&source).unwrap_err();
            assert_eq!(error.to_string(), format!("environment variable {name} has a {problem}"));
        }
    }

    #[test]
    fn credentials_do_not_travel_in_clear() {
        for (url, good) in
            [("http://eu.api.capillarytech.com", false), ("ftp://x", false), ("eu.api", false), ("http://127.0.0.1:4580", true)]
        {
            let mut source = complete();
            source.insert("CAPILLARY_BASE_URL", url);
            assert_eq!(EnricherConfig::read(&source).is_ok(), good, "{url}");
        }
    }
}
