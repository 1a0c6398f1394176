//! Each function may do what it does, and does what it may: its calls to AWS beside its role in the template.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::events::{of_customer, of_nobody};
use crate::support::fault_proxy::Call;
use crate::support::scripted_capillary::Reply;
use crate::support::stage::{NO_LAG, Stage, customer, customer_key};
use crate::support::world::World;
use crate::template::granted;

/// What Lambda itself does with a function's role: it feeds it from its queue, and writes its logs and traces
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
const LAMBDAS_OWN: [&str; 7] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
];

/// What a role lets a function do by itself.
fn may(role: &str) -> BTreeSet<(String, String)> {
    granted(role).into_iter().filter(|(action, _)| !LAMBDAS_OWN.contains(&action.as_str())).collect()
}

/// What was done, in the words of a policy.
fn done(world: &World) -> BTreeSet<(String, String)> {
    world.proxy.all_calls().iter().flat_map(|call| rights(world, call)).collect()
}

/// The rights that a call needs.
fn rights(world: &World, call: &Call) -> Vec<(String, String)> {
    let body: Value = serde_json::from_str(&call.body).expect("all of these services speak JSON");
    let right = |action: &str, name: &Value| {
        let name = name.as_str().unwrap_or_else(|| panic!("{} names nothing", call.operation));
        (action.to_owned(), world.in_the_template(name).to_owned())
    };
    let by_table = |action: &str| {
        let tables = body["RequestItems"].as_object().expect("RequestItems").keys();
        tables.map(|table| right(action, &json!(table))).collect::<Vec<_>>()
    };
    match call.operation.as_str() {
        "PutItem" | "UpdateItem" | "GetItem" | "DeleteItem" | "Scan" => {
            vec![right(&format!("dynamodb:{}", call.operation), &body["TableName"])]
        }
        "Query" => {
            let (action, table) = right("dynamodb:Query", &body["TableName"]);
            let index = body["IndexName"].as_str().map(|index| format!("{table}/index/{index}"));
            vec![(action, index.unwrap_or(table))]
        }
        "BatchGetItem" => by_table("dynamodb:BatchGetItem"),
        "BatchWriteItem" => by_table("dynamodb:BatchWriteItem"),
        // A transaction needs the rights of what is in it.
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().expect("TransactItems");
            let of_part = |part: &Value| {
                let (kind, part) = part.as_object().and_then(|part| part.iter().next()).expect("one kind of write");
                let action =
                    if kind == "ConditionCheck" { "dynamodb:ConditionCheckItem" } else { &format!("dynamodb:{kind}Item") };
                right(action, &part["TableName"])
            };
            parts.iter().map(of_part).collect()
        }
        "SendMessage" | "SendMessageBatch" => vec![right("sqs:SendMessage", &body["QueueUrl"])],
        "ChangeMessageVisibility" | "ChangeMessageVisibilityBatch" => {
            vec![right("sqs:ChangeMessageVisibility", &body["QueueUrl"])]
        }
        "PutEvents" => {
            let entries = body["Entries"].as_array().expect("Entries");
            entries.iter().map(|entry| right("events:PutEvents", &entry["EventBusName"])).collect()
        }
        "GetSecretValue" => vec![right("secretsmanager:GetSecretValue", &body["SecretId"])],
        other => panic!("no test knows what right {other} needs"),
    }
}

#[tokio::test]
async fn the_receiver_does_what_it_may_and_may_what_it_does() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(of_nobody("one").to_string()).await.accepted();
    receiver.deliver("no JSON").await.problem(400);
    assert_eq!(done(&world), may("ReceiverRole"));
}

#[tokio::test]
async fn the_enricher_does_what_it_may_and_may_what_it_does() {
    let stage = Stage::with(NO_LAG).await;
    let updated = |id: &str| of_customer("customerUpdated", id, 5);
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&updated("seen first")).await;
    stage.tell(&updated("nothing new")).await;
    stage.world.enqueue_raw("no JSON", &[]).await;
    stage.world.enrich(&stage.enricher).await.all_done();
    stage.capillary.next(5, Reply::Answer(503, String::new()));
    stage.attempt(&updated("in an outage")).await.all_back();
    stage.world.has_bills(&customer_key(5), 1).await;
    stage.capillary.always(5, Reply::error(8109));
    stage.tell(&updated("deleted")).await;
    assert_eq!(done(&stage.world), may("EnricherRole"));
}
