//! `capctl webhook`, as somebody before a terminal uses it: against a sandbox of the test's own, with secrets of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::capctl::{Capctl, Ran};
use crate::support::capillary::Capillary;
use crate::support::stack::{Aws, Stack};
use crate::support::wait::poll;

const HERE: &str = "http://127.0.0.1:9/v1/events";
/// The values of the webhook secret: no output has any of them.
const PRESENT: &str = "Basic cHJlc2VudDp2YWx1ZQ==";
const OLDER: &str = "Basic b2xkZXI6dmFsdWU=";
const KEY: &str = "webhook-key-of-this-test";
/// What somebody else's webhook sends.
const STRANGER: &str = "Basic c3RyYW5nZXI6dmFsdWU=";

/// An operator with a deployment: its secrets, and the Capillary that it belongs to.
struct Operator {
    capillary: Capillary,
    aws: Aws,
    stack: Stack,
    events_url: String,
    webhook_secret: String,
    capillary_secret: String,
}

/// What a run of `capctl` came to.
struct Run(Ran);

impl Operator {
    async fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let stack = Stack::load();
        let aws = Aws::connect(&stack).await;
        let name = format!("capctl-webhook-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let headers = json!({"headers": {"authorization": [PRESENT, OLDER], "x-webhook-key": [KEY]}});
        let credentials = json!({"key": "sandbox-key", "secret": "sandbox-secret"});
        let [webhook_secret, capillary_secret] = [format!("{name}-headers"), format!("{name}-capillary")];
        for (id, text) in [(&webhook_secret, &headers), (&capillary_secret, &credentials)] {
            aws.secrets.create_secret().name(id).secret_string(text.to_string()).send().await.expect("a secret is made");
        }
        Self { capillary: Capillary::start().await, aws, stack, events_url: HERE.to_owned(), webhook_secret, capillary_secret }
    }

    /// The deployed stack's, as far as deliveries are concerned.
    async fn of_the_stack() -> Self {
        let operator = Self::new().await;
        let [events_url, webhook_secret] = ["/eventsUrl", "/outputs/WebhookSecretArn"].map(|place| operator.stack.text(place));
        Self { events_url, webhook_secret, ..operator }
    }

    async fn headers_are(&self, headers: Value) {
        let text = json!({"headers": headers}).to_string();
        let put = self.aws.secrets.put_secret_value().secret_id(&self.webhook_secret).secret_string(text);
        put.send().await.expect("the secret is put");
    }

    /// Runs `capctl webhook …`.
    async fn runs(&self, arguments: &[&str]) -> Run {
        let ran = Capctl::with_secrets(&self.stack, self.capillary.url())
            .with("EVENTS_URL", &self.events_url)
            .with("WEBHOOK_SECRET_ID", &self.webhook_secret)
            .with("CAPILLARY_SECRET_ID", &self.capillary_secret)
            .run(&[&["webhook"], arguments].concat())
            .await;
        let bare = [PRESENT, OLDER, KEY, STRANGER, "sandbox-secret"].map(|value| value.trim_start_matches("Basic "));
        ran.keeps_secret(&bare);
        Run(ran)
    }

    /// The same with `--json`.
    async fn asks(&self, arguments: &[&str]) -> Run {
        let run = self.runs(&[arguments, &["--json"]].concat()).await;
        assert!(run.json().is_object(), "no JSON: {}", run.said());
        run
    }

    /// The only webhook that there is.
    async fn webhook(&self) -> Value {
        let [webhook] = <[Value; 1]>::try_from(self.capillary.webhooks().await).expect("one webhook");
        webhook
    }

    /// Somebody changes the only webhook, in Capillary's own pages.
    async fn somebody_sets(&self, members: Value) {
        let path = format!("/v3/webHooks/{}", self.webhook().await["webHookId"].as_str().expect("an id"));
        self.capillary.say(Method::PUT, &path, Some(members)).await;
    }

    /// A webhook that is not this deployment's.
    async fn anothers(&self, name: &str, kind: &str, active: bool) -> Value {
        let registration = json!({
            "name": name, "eventNames": ["pointsIssued"], "webHookType": kind, "methodType": "POST", "active": active,
            "webHookUrl": if kind == "HTTP" { "https://me:hidden@hooks.example.net/a?token=hidden" } else { " " },
            "webHookHeaders": {"Authorization": STRANGER}, "maxAllowedConnections": 5, "customerIdentifiersToBeEnriched": [],
        });
        self.capillary.say(Method::POST, "/v3/webHooks", Some(registration)).await
    }
}

impl Run {
    /// Everything that it said, on whichever stream.
    fn said(&self) -> String {
        self.0.all()
    }

    #[track_caller]
    fn json(&self) -> Value {
        self.0.object()
    }

    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        self.0.text(code);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        // Lines are wrapped nowhere, so words stand together.
        assert!(self.said().contains(words), "{words:?} is not said:\n{}", self.said());
        self
    }

    /// What wants mending, in one text.
    fn findings(&self) -> String {
        let json = self.json();
        let of_list = json["webhooks"].as_array().into_iter().flatten().map(|webhook| &webhook["findings"]);
        let all = of_list.chain([&json["webhook"]["findings"], &json["findings"]]).filter_map(Value::as_array).flatten();
        all.map(|finding| format!("{} → {}\n", finding["what"], finding["remedy"])).collect()
    }
}

#[tokio::test]
async fn a_webhook_is_registered_with_the_deployments_url_and_the_secrets_first_values() {
    let operator = Operator::new().await;
    operator.runs(&["list"]).await.ends_with(1).says("no webhook sends to this deployment").says("capctl webhook register");

    let run = operator.runs(&["register", "--name", "events"]).await.ends_with(0).says("Registered, and read back.");
    assert!(run.said().contains("authorization, x-webhook-key"), "{}", run.said());
    let webhook = operator.webhook().await;
    assert_eq!((&webhook["name"], &webhook["webHookUrl"]), (&json!("events"), &json!(HERE)));
    assert_eq!((&webhook["webHookType"], &webhook["methodType"]), (&json!("HTTP"), &json!("POST")));
    assert_eq!(webhook["webHookHeaders"], json!({"authorization": PRESENT, "x-webhook-key": KEY}));
    assert_eq!((&webhook["maxAllowedConnections"], &webhook["active"]), (&json!(10), &json!(true)));
    assert_eq!(webhook["eventNames"].as_array().expect("names").len(), 78, "the whole catalogue");

    operator.runs(&["list"]).await.ends_with(0).says("this deployment").says("78 events: the whole catalogue").says("0 events");
}

#[tokio::test]
async fn what_is_registered_delivers_to_the_deployed_receiver() {
    let operator = Operator::of_the_stack().await;
    let run = operator.runs(&["register", "--events", "customerAdded"]).await.ends_with(0);
    for (name, value) in operator.stack.webhook_headers() {
        assert!(run.said().contains(&name) && !run.said().contains(&value), "{name} is not named, or its value is told");
    }
    let request_id = operator.capillary.change(&format!("customers/{}", 900_000_000 + std::process::id()), json!({})).await;
    let path = format!("/v3/webHooks/eventLog/requestId/{request_id}");
    let delivered = poll(Duration::from_secs(30), async || {
        let rows = operator.capillary.say(Method::GET, &path, None).await;
        rows[0]["eventEndTimestamp"].is_string().then_some(rows)
    });
    let rows = delivered.await.expect("the event is delivered");
    assert_eq!(rows[0]["consumerResponse"]["webhookHttpStatus"], 200.0);
    let listed = operator.asks(&["list"]).await.ends_with(0);
    assert_eq!(listed.json()["webhooks"][0]["counts"]["delivered"], 1);
}

#[tokio::test]
async fn events_are_chosen_and_spelled_as_capillary_spells_them() {
    let operator = Operator::new().await;
    operator.asks(&["register", "--events", "couponissue,customeradded,cartAbandoned", "--connections", "3"]).await.ends_with(0);
    let webhook = operator.webhook().await;
    assert_eq!(webhook["eventNames"], json!(["CouponIssue", "customerAdded", "cartAbandoned"]));
    assert_eq!(webhook["maxAllowedConnections"], 3);
    let listed = operator.asks(&["list"]).await.ends_with(0);
    assert_eq!(listed.json()["webhooks"][0]["notSubscribed"].as_array().expect("names").len(), 76);

    operator.asks(&["update", "--events", "enriched"]).await.ends_with(0);
    let names = operator.webhook().await["eventNames"].to_string();
    assert!(names.contains("cardUpdated") && !names.contains("promotionCreated") && !names.contains("cartAbandoned"), "{names}");
    operator.asks(&["update", "--add", "promotioncreated", "--remove", "CARDUPDATED"]).await.ends_with(0);
    let names = operator.webhook().await["eventNames"].to_string();
    assert!(!names.contains("cardUpdated") && names.contains("promotionCreated"), "{names}");
}

#[tokio::test]
async fn what_capillary_did_not_take_is_told() {
    let operator = Operator::new().await;
    operator.runs(&["register", "--events", "customerAdded"]).await.ends_with(0);
    operator.capillary.forms(json!({"eventNames": "fixed"})).await;
    let run = operator.asks(&["update", "--add", "tierUpgraded", "--connections", "4"]).await.ends_with(1);
    assert!(run.findings().contains("did not take the events"), "{}", run.said());
    let webhook = operator.webhook().await;
    assert_eq!((&webhook["eventNames"], &webhook["maxAllowedConnections"]), (&json!(["customerAdded"]), &json!(4)));
}

#[tokio::test]
async fn what_is_registered_already_is_checked_and_left_alone() {
    let operator = Operator::new().await;
    operator.runs(&["register", "--events", "customerAdded"]).await.ends_with(0);
    let before = operator.webhook().await;
    operator.runs(&["register"]).await.ends_with(0).says("A webhook sends here already; nothing was changed.");
    let asked_for_more = operator.asks(&["register", "--events", "customerAdded,tierUpgraded"]).await.ends_with(1);
    assert!(asked_for_more.findings().contains("tierUpgraded"), "{}", asked_for_more.said());
    assert_eq!(operator.webhook().await, before);

    operator.somebody_sets(json!({"webHookHeaders": {"authorization": STRANGER, "x-webhook-key": KEY}})).await;
    let before = operator.webhook().await;
    operator.runs(&["register"]).await.ends_with(1).says("the receiver refuses").says("capctl webhook update --headers");
    assert_eq!(operator.webhook().await, before);
}

#[tokio::test]
async fn an_empty_header_row_is_found_and_left_out_and_all_else_stays() {
    let operator = Operator::new().await;
    operator.runs(&["register"]).await.ends_with(0);
    let headers = json!({"": "", "Authorization": PRESENT, "x-webhook-key": KEY, "x-other": "o"});
    operator.somebody_sets(json!({"webHookHeaders": headers, "neoEnrichment": {"label": "flow"}, "slaInSeconds": 30})).await;
    let before = operator.webhook().await;

    let listed = operator.runs(&["list"]).await.ends_with(1).says("a header row is empty").says("(empty row)");
    assert!(listed.said().contains("leaves the row out"), "{}", listed.said());
    operator.runs(&["update"]).await.ends_with(0).says("leave out the empty row");
    let mut expected = before.clone();
    expected["webHookHeaders"] = json!({"Authorization": PRESENT, "x-webhook-key": KEY, "x-other": "o"});
    let mut after = operator.webhook().await;
    after["attribution"] = expected["attribution"].clone();
    assert_eq!(after, expected);
    operator.runs(&["update"]).await.ends_with(0).says("There is nothing to change.");
}

#[tokio::test]
async fn a_header_is_rotated_between_the_two_steps_at_the_secret() {
    let operator = Operator::new().await;
    operator.headers_are(json!({"authorization": [OLDER], "x-webhook-key": [KEY]})).await;
    operator.runs(&["register"]).await.ends_with(0);

    operator.headers_are(json!({"authorization": [PRESENT, OLDER], "x-webhook-key": [KEY]})).await;
    operator.runs(&["list"]).await.ends_with(1).says("authorization has an older value");
    let dry = operator.asks(&["update", "--headers", "--dry-run"]).await.ends_with(0);
    assert_eq!(dry.json()["what"], "wouldUpdate");
    assert_eq!(dry.json()["changes"], json!([{"member": "webHookHeaders", "set": ["authorization"], "removed": []}]));
    assert_eq!(operator.webhook().await["webHookHeaders"]["authorization"], OLDER, "a dry run changes nothing");
    operator.runs(&["update", "--headers"]).await.ends_with(0);
    assert_eq!(operator.webhook().await["webHookHeaders"]["authorization"], PRESENT);

    operator.headers_are(json!({"authorization": [PRESENT], "x-webhook-key": [KEY]})).await;
    operator.runs(&["list"]).await.ends_with(0);
}

#[tokio::test]
async fn it_is_switched_off_and_on_again() {
    let operator = Operator::new().await;
    operator.runs(&["register"]).await.ends_with(0);
    operator.runs(&["pause"]).await.ends_with(0).says("not documented").says("capctl webhook update --resume");
    assert_eq!(operator.webhook().await["active"], false);
    let calls = operator.capillary.calls("/v3/webHooks/").await;
    assert!(calls.iter().any(|call| call["method"] == "DELETE"), "the documented way to switch off: {calls:?}");
    operator.runs(&["pause"]).await.ends_with(0).says("switched off already");
    operator.runs(&["list"]).await.ends_with(1).says("Capillary sends nothing");
    operator.runs(&["update", "--connections", "4"]).await.ends_with(1).says("switched off");
    assert_eq!(operator.webhook().await["active"], false, "only --resume switches it on");
    operator.runs(&["update", "--resume"]).await.ends_with(0);
    assert_eq!(operator.webhook().await["active"], true);
}

#[tokio::test]
async fn other_webhooks_are_listed_without_what_could_be_a_secret_in_their_urls() {
    let operator = Operator::new().await;
    operator.runs(&["register"]).await.ends_with(0);
    operator.anothers("their orders", "HTTP", true).await;
    operator.anothers("their past", "HTTP", false).await;
    operator.anothers("their queue", "QUEUE_INT", true).await;
    let few =
        operator.runs(&["list"]).await.ends_with(0).says("their orders").says("https://hooks.example.net/a?…").says("2 more");
    assert!(!few.said().contains("their past") && !few.said().contains("their queue"), "{}", few.said());
    let all = operator.runs(&["list", "--all"]).await.ends_with(0).says("their past").says("their queue").says("QUEUE_INT");
    for run in [few, all, operator.asks(&["list", "--all"]).await] {
        assert!(!run.said().contains("hidden"), "{}", run.said());
    }
}

#[tokio::test]
async fn a_webhook_that_moves_away_leaves_the_headers_of_the_secret_behind() {
    let operator = Operator::new().await;
    operator.runs(&["register", "--events", "customerAdded"]).await.ends_with(0);
    operator.somebody_sets(json!({"webHookHeaders": {"Authorization": PRESENT, "x-webhook-key": KEY, "x-other": "o"}})).await;
    let elsewhere = "http://127.0.0.1:9/elsewhere";
    let dry = operator.runs(&["update", "--url", elsewhere, "--dry-run"]).await.ends_with(0);
    dry.says("leave out Authorization, x-webhook-key").says("Another place must not learn");
    assert_eq!(operator.webhook().await["webHookHeaders"]["Authorization"], PRESENT, "a dry run changes nothing");

    operator.runs(&["update", "--url", elsewhere]).await.ends_with(0).says("Another place must not learn");
    let moved = operator.webhook().await;
    assert_eq!((&moved["webHookUrl"], &moved["webHookHeaders"]), (&json!(elsewhere), &json!({"x-other": "o"})));
}

#[tokio::test]
async fn a_slash_in_the_end_of_the_url_is_found_and_taken_away() {
    let operator = Operator::new().await;
    operator.runs(&["register", "--events", "customerAdded"]).await.ends_with(0);
    let with_a_slash = format!("{HERE}/");
    operator.somebody_sets(json!({"webHookUrl": with_a_slash})).await;
    let id = operator.webhook().await["webHookId"].as_str().expect("an id").to_owned();
    let listed = operator.asks(&["list"]).await.ends_with(1);
    assert!(listed.findings().contains("but for a slash") && listed.findings().contains(&id), "{}", listed.said());
    operator.runs(&["register"]).await.ends_with(2).says(&format!("capctl webhook update --id {id} --url"));
    operator.runs(&["update", "--id", &id, "--url"]).await.ends_with(0);
    assert_eq!(operator.webhook().await["webHookUrl"], HERE);
    operator.runs(&["update", "--url", &with_a_slash]).await.ends_with(2).says("slash");
    operator.runs(&["list"]).await.ends_with(0);
}

#[tokio::test]
async fn the_consumer_group_is_listed_for_the_comparison_with_the_event_log() {
    let operator = Operator::new().await;
    operator.runs(&["register"]).await.ends_with(0);
    let group = operator.webhook().await["consumerGroupId"].as_str().expect("a group").to_owned();
    assert_eq!(operator.asks(&["list"]).await.ends_with(0).json()["webhooks"][0]["consumerGroupId"], json!(group));
    operator.runs(&["list"]).await.ends_with(0).says(&group);
}

#[tokio::test]
async fn a_webhook_is_switched_off_without_the_webhook_secret() {
    let mut operator = Operator::new().await;
    operator.runs(&["register"]).await.ends_with(0);
    operator.webhook_secret = "no-such-secret".to_owned();
    operator.runs(&["list"]).await.ends_with(2).says("never filled");
    operator.runs(&["pause"]).await.ends_with(0);
    assert_eq!(operator.webhook().await["active"], false);
    operator.runs(&["pause"]).await.ends_with(0).says("switched off already");
}

#[tokio::test]
async fn somebody_elses_webhook_keeps_its_method_and_needs_no_secret_of_ours() {
    let mut operator = Operator::new().await;
    let other = operator.anothers("theirs", "HTTP", true).await;
    let id = other["webHookId"].as_str().expect("an id");
    operator.somebody_sets(json!({"methodType": "PUT"})).await;
    operator.webhook_secret = "no-such-secret".to_owned();
    operator.runs(&["update", "--id", id, "--connections", "7"]).await.ends_with(0);
    let changed = operator.webhook().await;
    assert_eq!((&changed["methodType"], &changed["maxAllowedConnections"]), (&json!("PUT"), &json!(7)));
    assert_eq!(changed["webHookHeaders"], other["webHookHeaders"]);
}

#[tokio::test]
async fn somebody_elses_webhook_does_not_learn_the_headers() {
    let operator = Operator::new().await;
    let other = operator.anothers("theirs", "HTTP", true).await;
    let id = other["webHookId"].as_str().expect("an id");
    operator.runs(&["update"]).await.ends_with(2).says("capctl webhook register");
    operator.runs(&["update", "--id", id, "--headers"]).await.ends_with(2).says("another place");
    operator.runs(&["update", "--id", id]).await.ends_with(2);
    assert_eq!(operator.webhook().await, other);
    // Whoever wants it to be this deployment's says so.
    operator.runs(&["update", "--id", id, "--url", "--headers"]).await.ends_with(0);
    let moved = operator.webhook().await;
    assert_eq!((&moved["webHookUrl"], &moved["webHookHeaders"]["Authorization"]), (&json!(HERE), &json!(PRESENT)));
}

#[tokio::test]
async fn two_webhooks_that_send_here_are_told_apart_by_their_ids() {
    let operator = Operator::new().await;
    operator.runs(&["register", "--name", "first"]).await.ends_with(0);
    let other = operator.anothers("second", "HTTP", true).await;
    let id = other["webHookId"].as_str().expect("an id");
    operator.runs(&["update", "--id", id, "--url", "--headers"]).await.ends_with(0);
    operator.runs(&["list"]).await.ends_with(1).says("several webhooks send here");
    operator.runs(&["pause"]).await.ends_with(2).says("--id");
    operator.runs(&["pause", "--id", id]).await.ends_with(0);
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_tried() {
    let operator = Operator::new().await;
    operator.anothers("events", "HTTP", true).await;
    operator.runs(&["register", "--name", "events"]).await.ends_with(2).says("has the name events already");
    assert_eq!(operator.capillary.webhooks().await.len(), 1);
}

#[tokio::test]
async fn counts_are_left_out_where_capillary_does_not_tell_them() {
    let operator = Operator::new().await;
    operator.runs(&["register"]).await.ends_with(0);
    let counted = operator.asks(&["list"]).await.ends_with(0);
    assert_eq!(counted.json()["webhooks"][0]["counts"]["total"], 0);
    operator.capillary.fault("/v3/events", json!({"kind": "status", "status": 403})).await;
    let uncounted = operator.asks(&["list"]).await.ends_with(0);
    assert_eq!(uncounted.json()["webhooks"][0]["counts"], Value::Null);
    assert!(uncounted.json()["notes"][0].as_str().is_some_and(|note| note.contains("403")), "{}", uncounted.said());
}

#[tokio::test]
async fn what_makes_no_sense_and_what_is_refused_end_with_codes_of_their_own() {
    let operator = Operator::new().await;
    for arguments in [
        &["register", "--connections", "0"][..],
        &["register", "--events", ","],
        &["update", "--id", "nobody"],
        &["pause"],
        &[],
        &["switch"],
    ] {
        operator.runs(arguments).await.ends_with(2);
    }
    operator.runs(&["register", "--events", "customerAdded"]).await.ends_with(0);
    operator.runs(&["update", "--remove", "customerAdded"]).await.ends_with(2).says("at least one event");
    operator.capillary.fault("/v3/webHooks", json!({"kind": "status", "status": 503})).await;
    for arguments in [&["list"][..], &["register"], &["update"], &["pause"]] {
        operator.runs(arguments).await.ends_with(3).says("503");
    }
    operator.capillary.heal().await;
    operator.headers_are(json!({})).await;
    operator.runs(&["list"]).await.ends_with(2).says("names no header").says("capctl secrets set webhook");
}
