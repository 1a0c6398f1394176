//! `capctl secrets`: an operator fills and rotates secrets that nobody sees.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::support::capctl::Ran;
use crate::support::delivery::{AUTHORIZATION, Delivery, WEBHOOK_KEY};
use crate::support::fault_proxy::Fault;
use crate::support::world::World;

/// Stands in every value that the tests make up, so that no output may hold it.
const MARK: &str = "hush-919900112233";

impl World {
    async fn secret(&self, id: &str) -> Value {
        let answer = self.aws.secrets.get_secret_value().secret_id(id).send().await.expect("the secret is read");
        serde_json::from_str(answer.secret_string().expect("a text")).expect("JSON")
    }

    async fn webhook_secret(&self) -> Value {
        self.secret(&self.names.webhook_secret).await
    }

    async fn capillary_secret(&self) -> Value {
        self.secret(&self.names.capillary_secret).await
    }

    /// Runs `capctl secrets` with something on standard input; no value may be in its output.
    async fn secrets(&self, words: &[&str], input: &str) -> Ran {
        let ran = self.capctl_reads(&[&["secrets"], words].concat(), input).await;
        tells_nothing(&ran);
        ran
    }

    /// The same where it is done.
    async fn fill(&self, words: &[&str], input: &str) -> String {
        self.secrets(&[&["set"], words].concat(), input).await.text(0)
    }
}

#[track_caller]
fn tells_nothing(ran: &Ran) {
    let password = STANDARD.encode(format!("capillary:{MARK}"));
    for value in [MARK, &password, AUTHORIZATION, WEBHOOK_KEY, "sandbox-key", "sandbox-secret"] {
        assert!(!ran.all().contains(value), "a value is told: {}", ran.all());
    }
}

fn delivery(authorization: &str) -> Delivery {
    // Another event each time: one that is known is answered by what became of it.
    let body = json!({"eventName": "customerAdded", "eventId": uuid::Uuid::new_v4().to_string(), "orgId": 7}).to_string();
    Delivery::without_headers(body).header("authorization", authorization).header("x-webhook-key", WEBHOOK_KEY)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_is_rotated_without_a_delivery_refused() {
    let world = World::new().await;
    let new = format!("Bearer {MARK}");
    let running = world.receiver().await;
    assert_eq!(running.send(&delivery(AUTHORIZATION)).await.status, 200);

    let told = world.fill(&["webhook", "--header", "Authorization"], &format!("{new}\n")).await;
    assert!(told.contains("2 values accepted") && told.contains("wait five minutes"), "{told}");
    assert!(told.contains("--drop-old --header Authorization --hold-for 1h"), "{told}");
    let headers = json!({"authorization": [new, AUTHORIZATION], "x-webhook-key": [WEBHOOK_KEY]});
    assert_eq!(world.webhook_secret().await["headers"], headers, "the new one first, since that is what Capillary is given");
    for value in [&new, AUTHORIZATION] {
        assert_eq!(running.send(&delivery(value)).await.status, 200, "both are accepted at once");
    }

    let before = world.webhook_secret().await;
    let unguarded = [(&["--drop-old"][..], String::new()), (&["--file", "-"], json!({"headers": {"a": [MARK]}}).to_string())];
    for (words, input) in unguarded {
        let refused = world.secrets(&[&["set", "webhook"], words].concat(), &input).await;
        assert!(refused.error(2).contains("would be refused, and lost: add --hold-for 1h"), "{}", refused.all());
    }
    assert_eq!(world.webhook_secret().await, before, "what would turn somebody away is not written by mistake");
    let told = world.fill(&["webhook", "--drop-old", "--header", "authorization", "--no-hold"], "").await;
    assert!(told.contains("accepted no more"), "{told}");
    assert_eq!(world.webhook_secret().await["headers"]["authorization"], json!([new]));
    let next = world.receiver().await;
    assert_eq!(next.send(&delivery(&new)).await.status, 200);
    assert_eq!(next.send(&delivery(AUTHORIZATION)).await.status, 401);
    let again = world.fill(&["webhook", "--drop-old"], "").await;
    assert!(again.starts_with("unchanged ") && again.contains("no old value"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_becomes_the_header_of_basic_authentication() {
    let world = World::new().await;
    world.fill(&["webhook", "--basic", "capillary"], MARK).await;
    let expected = format!("Basic {}", STANDARD.encode(format!("capillary:{MARK}")));
    assert_eq!(world.webhook_secret().await["headers"]["authorization"][0], expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_made_up_is_printed_nowhere() {
    let world = World::new().await;
    let told = world.secrets(&["set", "webhook", "--header", "x-webhook-key", "--generate", "--json"], "").await;
    let value = world.webhook_secret().await["headers"]["x-webhook-key"][0].as_str().expect("a value").to_owned();
    assert!(value.len() >= 40 && value != WEBHOOK_KEY);
    assert!(!told.all().contains(&value[..8]), "not even a part of it");
    assert_eq!(told.json(0)["headers"][1], json!({"name": "x-webhook-key", "values": 2}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_capillary_does_not_send_yet_is_asked_for_under_a_hold() {
    let world = World::new().await;
    let before = world.webhook_secret().await;
    let refused = world.secrets(&["set", "webhook", "--header", "x-new"], MARK).await;
    assert!(refused.error(2).contains("--hold-for"));
    assert_eq!(world.webhook_secret().await, before);

    world.fill(&["webhook", "--header", "x-new", "--hold-for", "1h"], MARK).await;
    let receiver = world.receiver().await;
    assert_eq!(receiver.send(&delivery(AUTHORIZATION)).await.status, 429, "it comes again");
    assert_eq!(receiver.send(&delivery(AUTHORIZATION).header("x-new", MARK)).await.status, 200);
    let listed = world.secrets(&["list"], "").await.text(0);
    assert!(listed.contains("hold: wrong headers are answered 429"), "{listed}");

    world.fill(&["webhook", "--no-hold"], "").await;
    let receiver = world.receiver().await;
    assert_eq!(receiver.send(&delivery(AUTHORIZATION)).await.status, 401);
    world.fill(&["webhook", "--remove", "X-New"], "").await;
    assert_eq!(world.webhook_secret().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_for_one_org_stand_beside_the_others() {
    let world = World::new().await;
    let listed = world.secrets(&["list", "--json"], "").await.json(0);
    assert_eq!((&listed["capillary"]["default"], &listed["capillary"]["orgs"]), (&json!("oauth"), &json!([])));

    world.fill(&["capillary"], &format!("key\n{MARK}\n")).await;
    let one = json!({"key": "key", "secret": MARK});
    assert_eq!(world.capillary_secret().await, one);
    world.fill(&["capillary", "--org", "7", "--basic"], &format!("till.1\n{MARK}")).await;
    let seven = json!({"username": "till.1", "password": MARK});
    assert_eq!(world.capillary_secret().await, json!({"default": one, "orgs": {"7": seven}}));

    world.fill(&["capillary", "--hash-key-generate"], "").await;
    let key = world.capillary_secret().await["hashKey"].as_str().expect("a key").to_owned();
    let told = world.secrets(&["list"], "").await.text(0);
    assert!(told.contains("org 7: a user name and a password (Basic)") && told.contains("key of pseudonyms: there"), "{told}");
    assert!(!told.contains(&key[..8]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_pseudonyms_is_not_replaced_by_mistake() {
    let world = World::new().await;
    world.fill(&["capillary", "--hash-key-generate"], "").await;
    let before = world.capillary_secret().await;
    let without = json!({"key": "k", "secret": MARK}).to_string();
    for (words, input) in [(&["--hash-key-generate"][..], ""), (&["--file", "-"], without.as_str())] {
        let refused = world.secrets(&[&["set", "capillary"], words].concat(), input).await;
        assert!(refused.error(2).contains("--yes"), "{words:?}");
    }
    assert_eq!(world.capillary_secret().await, before);
    world.fill(&["capillary"], &format!("other\n{MARK}")).await;
    assert_eq!(world.capillary_secret().await["hashKey"], before["hashKey"], "new credentials leave it");
    world.fill(&["capillary", "--hash-key-generate", "--yes"], "").await;
    assert_ne!(world.capillary_secret().await["hashKey"], before["hashKey"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_filled_for_the_first_time() {
    let world = World::new().await;
    let name = format!("{}-empty", world.names.bus);
    world.aws.secrets.create_secret().name(&name).send().await.expect("a secret without a value");
    let both = [("WEBHOOK_SECRET_ID", name.as_str()), ("CAPILLARY_SECRET_ID", name.as_str())];
    let run = async |words: &[&str], input: &str| {
        let ran = world.start_capctl(&[&["secrets"], words].concat(), input, &both).await.end().await;
        tells_nothing(&ran);
        ran
    };
    assert!(run(&["list"], "").await.text(1).contains("not filled"));
    assert!(run(&["set", "capillary", "--hash-key-generate"], "").await.error(2).contains("credentials first"));
    let told = run(&["set", "webhook", "--header", "authorization"], MARK).await.text(0);
    assert!(told.contains("`capctl webhook register`"), "{told}");
    assert_eq!(world.secret(&name).await, json!({"headers": {"authorization": [MARK]}}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_fill_it_at_once_one_is_told_so() {
    let world = World::new().await;
    let name = format!("{}-empty", world.names.bus);
    world.aws.secrets.create_secret().name(&name).send().await.expect("a secret without a value");
    // Both find it empty, and both have written before either looks what counts.
    world.proxy.times("GetSecretValue", 4, Fault::Rendezvous(Arc::new(Barrier::new(2))));
    let changes = [("WEBHOOK_SECRET_ID", name.as_str())];
    let words = ["secrets", "set", "webhook", "--header", "authorization"];
    let (first, second) = (format!("{MARK}-1"), format!("{MARK}-2"));
    let (one, other) = (world.start_capctl(&words, &first, &changes).await, world.start_capctl(&words, &second, &changes).await);
    let (one, other) = tokio::join!(one.end(), other.end());
    tells_nothing(&one);
    tells_nothing(&other);
    let (winner, loser) = if one.code == 0 { (&first, &other) } else { (&second, &one) };
    assert!(loser.error(3).contains("somebody else changed it meanwhile"), "{}", loser.all());
    assert_eq!(world.secret(&name).await, json!({"headers": {"authorization": [winner]}}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_of_bytes_is_not_taken_for_an_empty_one() {
    let world = World::new().await;
    let name = format!("{}-bytes", world.names.bus);
    let bytes = aws_sdk_secretsmanager::primitives::Blob::new(MARK);
    world.aws.secrets.create_secret().name(&name).secret_binary(bytes).send().await.expect("a secret of bytes");
    let both = [("WEBHOOK_SECRET_ID", name.as_str()), ("CAPILLARY_SECRET_ID", name.as_str())];
    let run = async |words: &[&str], input: &str| {
        let ran = world.start_capctl(&[&["secrets"], words].concat(), input, &both).await.end().await;
        tells_nothing(&ran);
        ran
    };
    assert!(!run(&["list"], "").await.text(1).contains("not filled"));
    assert!(run(&["set", "webhook", "--header", "authorization"], MARK).await.error(2).contains("--file"));
    assert!(run(&["set", "capillary"], &format!("{MARK}\n{MARK}")).await.error(2).contains("--file"));
    let whole = json!({"headers": {"authorization": [MARK]}}).to_string();
    run(&["set", "webhook", "--file", "-"], &whole).await.text(0);
    assert_eq!(world.secret(&name).await, json!({"headers": {"authorization": [MARK]}}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_rotate_at_once_one_is_told_so() {
    let world = World::new().await;
    // Both have read before either writes.
    world.proxy.times("PutSecretValue", 2, Fault::Rendezvous(Arc::new(Barrier::new(2))));
    let words = ["secrets", "set", "webhook", "--header", "authorization"];
    let (first, second) = (format!("{MARK}-1"), format!("{MARK}-2"));
    let (one, other) = (world.start_capctl(&words, &first, &[]).await, world.start_capctl(&words, &second, &[]).await);
    let (one, other) = tokio::join!(one.end(), other.end());
    tells_nothing(&one);
    tells_nothing(&other);
    let (winner, loser) = if one.code == 0 { (&first, &other) } else { (&second, &one) };
    assert!(loser.error(3).contains("somebody else changed it meanwhile"), "{}", loser.all());
    assert_eq!(world.webhook_secret().await["headers"]["authorization"], json!([winner, AUTHORIZATION]));

    let versions = world.aws.secrets.list_secret_version_ids().secret_id(&world.names.webhook_secret);
    let versions = versions.send().await.expect("the versions");
    let named = |stage: &str| {
        versions.versions().iter().filter(|version| version.version_stages().iter().any(|name| name == stage)).count()
    };
    assert_eq!((named("AWSCURRENT"), named("AWSPREVIOUS")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_not_taken_for_somebody_else() {
    let world = World::new().await;
    for call in ["PutSecretValue", "UpdateSecretVersionStage"] {
        world.proxy.once(call, Fault::AnswerLost);
        let value = format!("{MARK}-{call}");
        world.fill(&["webhook", "--header", "authorization"], &value).await;
        assert_eq!(world.webhook_secret().await["headers"]["authorization"][0], value);
        assert!(world.proxy.calls(call).iter().any(|call| !call.is_done()), "no answer was lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_values_of_the_local_stack_are_refused_elsewhere() {
    let world = World::new().await;
    let before = world.webhook_secret().await;
    // Found by a variable of the service's own, it counts as somebody's account.
    let account = [("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", world.proxy.url())];
    let listed = world.start_capctl(&["secrets", "list"], "", &account).await.end().await;
    assert_eq!(listed.text(1).matches("which everybody knows").count(), 2, "both are found where they are");
    assert_eq!(world.secrets(&["list"], "").await.code, 0, "here they are fine");
    for (kind, file) in [("webhook", "local/secrets/webhook.json"), ("capillary", "local/secrets/capillary.json")] {
        let file = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        let refused = world.start_capctl(&["secrets", "set", kind, "--file", &file], "", &account).await.end().await;
        assert!(refused.error(2).contains("which everybody knows"), "{}", refused.all());
        tells_nothing(&refused);
    }
    assert_eq!(world.webhook_secret().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_no_value_is_told() {
    let world = World::new().await;
    world.fill(&["webhook", "--header", "authorization"], MARK).await;
    world.fill(&["capillary"], &format!("{MARK}\n{MARK}")).await;
    let before = (world.webhook_secret().await, world.capillary_secret().await);
    let no_sense = [
        (&["set", "webhook", "--file", "-"][..], format!("{{\"headers\": {MARK}")),
        (&["set", "webhook", "--file", "-"], json!({"headers": {"a": MARK}}).to_string()),
        (&["set", "webhook", "--file", "-"], json!({"headers": {"a": [""]}, "b": MARK}).to_string()),
        (&["set", "webhook", "--header", "authorization"], String::new()),
        (&["set", "webhook", "--header", "authorization"], "\n".to_owned()),
        (&["set", "webhook", "--header", "authorization"], format!("{MARK}\u{7f}")),
        (&["set", "webhook", "--header", "authorization"], format!("{MARK}\n{MARK}")),
        (&["set", "webhook", "--header", "not a name"], MARK.to_owned()),
        (&["set", "webhook", "--basic", "a:b"], MARK.to_owned()),
        (&["set", "webhook", "--hold-until", "2020-01-01T00:00:00Z"], String::new()),
        (&["set", "webhook", "--remove", "nobody"], String::new()),
        (&["set", "webhook"], MARK.to_owned()),
        (&["set", "webhook", MARK], String::new()),
        (&["set", "capillary", "--file", "-"], json!({"key": MARK}).to_string()),
        (&["set", "capillary", "--file", "-"], json!({"key": "k", "secret": "s", "hashKey": "hush-9199001122"}).to_string()),
        (&["set", "capillary"], MARK.to_owned()),
        (&["set", "capillary", "--org", "x"], MARK.to_owned()),
        (&["set", "capillary", "--file", "/nowhere"], String::new()),
    ];
    for (words, input) in no_sense {
        let ran = world.capctl_reads(&[&["secrets"], words].concat(), &input).await;
        assert!(!ran.error(2).is_empty(), "{words:?}");
        // What was typed as an argument, clap repeats to whoever typed it.
        if !words.contains(&MARK) {
            tells_nothing(&ran);
        }
    }
    for call in ["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"] {
        world.proxy.always(call, Fault::Refused(400, "InvalidRequestException"));
        let refused = world.secrets(&["set", "webhook", "--header", "authorization"], &format!("{MARK}-new")).await;
        assert!(refused.error(3).contains(call), "{}", refused.all());
        world.proxy.heal();
    }
    assert_eq!((world.webhook_secret().await, world.capillary_secret().await), before);

    for spoilt in [MARK.to_owned(), json!([MARK]).to_string(), json!({"headers": {"a": [MARK]}, MARK: 1}).to_string()] {
        world.webhook_secret_is(&spoilt).await;
        world.capillary_secret_is(&spoilt).await;
        world.secrets(&["list"], "").await.text(1);
        world.secrets(&["list", "--json"], "").await.json(1);
        assert!(world.secrets(&["set", "webhook", "--drop-old"], "").await.error(2).contains("--file"));
        world.secrets(&["set", "capillary"], &format!("{MARK}\n{MARK}")).await;
    }
}
