//! The webhooks of an org, through Capillary's API (facts 3.1, 5.2).

use http::Method;
use serde::Serialize;
use serde_json::Value;

use super::{entry::Entry, place::Place};
use crate::{capillary::Capillary, context::Context, output::Failure};

/// How far back deliveries are counted.
pub(super) const DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The webhooks of an org.
pub(super) struct Webhooks {
    capillary: Capillary,
    org_id: Option<i64>,
}

/// How many events a webhook had, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    pub(super) total: Option<u64>,
    pub(super) delivered: Option<u64>,
    pub(super) failed: Option<u64>,
    pub(super) retrying: Option<u64>,
    pub(super) pending: Option<u64>,
}

impl Webhooks {
    pub(super) fn of(context: &Context, org_id: Option<i64>) -> Result<Self, Failure> {
        Ok(Self { capillary: Capillary::of(&context.deployment, &context.aws)?, org_id })
    }

    pub(super) async fn all(&self) -> Result<Vec<Entry>, Failure> {
        let found = self.call(Method::GET, &["v3", "webHooks"], None).await?;
        let Value::Array(found) = found else {
            return Err(Failure::of("GET /v3/webHooks", "an answer without a list of webhooks"));
        };
        Ok(found.into_iter().filter_map(Entry::read).collect())
    }

    /// The webhook with that id, as it is now.
    pub(super) async fn read(&self, id: &str) -> Result<Entry, Failure> {
        let found = self.all().await?.into_iter().find(|entry| entry.id() == id);
        found.ok_or_else(|| Failure::of("GET /v3/webHooks", format!("the webhook {id} is not there")))
    }

    /// The webhook with that id, or the only one that sends to this deployment.
    pub(super) async fn meant(&self, id: Option<&str>, place: &Place) -> Result<Entry, Failure> {
        let is_meant = |entry: &Entry| id.map_or_else(|| place.is_sent_to_by(entry), |id| entry.id() == id);
        let mut found = self.all().await?.into_iter().filter(is_meant);
        match (found.next(), found.next(), id) {
            (Some(entry), None, _) => Ok(entry),
            (Some(_), Some(_), _) => Err(Failure::Usage(
                "several webhooks have this deployment's URL: say which with --id (see `capctl webhook list --all`)".to_owned(),
            )),
            (None, _, Some(id)) => Err(Failure::Usage(format!("there is no webhook {id}: see `capctl webhook list --all`"))),
            (None, _, None) => Err(Failure::Usage(
                "no webhook has this deployment's URL: make one with `capctl webhook register`, or name another with --id"
                    .to_owned(),
            )),
        }
    }

    /// Makes one; its id.
    pub(super) async fn add(&self, registration: &Value) -> Result<String, Failure> {
        let made = self.call(Method::POST, &["v3", "webHooks"], Some(registration)).await?;
        let id = made.get("webHookId").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| Failure::of("POST /v3/webHooks", "an answer without an id: see `capctl webhook list`"))
    }

    pub(super) async fn change(&self, entry: &Entry) -> Result<(), Failure> {
        self.call(Method::PUT, &["v3", "webHooks", entry.id()], Some(&entry.to_send())).await.map(drop)
    }

    /// The documented way: the entry stays.
    pub(super) async fn switch_off(&self, id: &str) -> Result<(), Failure> {
        self.call(Method::DELETE, &["v3", "webHooks", id], None).await.map(drop)
    }

    /// What became of the events of the last days.
    pub(super) async fn counts(&self, entry: &Entry, now_ms: i64) -> Result<Counts, Failure> {
        let path = ["v3", "events", "consumer-groups", entry.consumer_group_id(), "metrics"];
        let [start, end] = [now_ms.saturating_sub(DAYS * DAY_MS), now_ms].map(|time| time.to_string());
        let query = [("startDate", start.as_str()), ("endDate", end.as_str())];
        let answered = self.capillary.call(self.org_id, Method::GET, &path, &query, None).await?;
        let counted = answered.data("GET /v3/events/consumer-groups/…/metrics")?;
        let count = |name: &str| counted.get(name).and_then(Value::as_u64);
        Ok(Counts {
            total: count("totalEvents"),
            delivered: count("deliveredEvents"),
            failed: count("failedEvents"),
            retrying: count("retryingEvents"),
            pending: count("pendingEvents"),
        })
    }

    async fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        let call = format!("{method} /{}", path.join("/"));
        self.capillary.call(self.org_id, method, path, &[], body).await?.data(&call)
    }
}
