//! The receiver's two calls and nothing else: `lambda_http`, `aws-config` and the SDK with all their defaults, as a tutorial has them.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_sdk_sqs::types::MessageAttributeValue;
use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn, tracing};
use serde_json::Value;

struct Stores {
    table: aws_sdk_dynamodb::Client,
    table_name: String,
    queue: aws_sdk_sqs::Client,
    queue_url: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let stores = Stores {
        table: aws_sdk_dynamodb::Client::new(&config),
        table_name: env::var("EVENTS_TABLE")?,
        queue: aws_sdk_sqs::Client::new(&config),
        queue_url: env::var("EVENTS_QUEUE_URL")?,
    };
    let stores = &stores;
    run(service_fn(|request: Request| take(stores, request))).await
}

async fn take(stores: &Stores, request: Request) -> Result<Response<Body>, Error> {
    let trace = request.lambda_context_ref().and_then(|context| context.xray_trace_id.clone());
    let body = match request.into_body() {
        Body::Text(text) => text,
        Body::Binary(bytes) => String::from_utf8(bytes)?,
        _ => String::new(),
    };
    let event: Value = serde_json::from_str(&body)?;
    let id = event["eventId"].as_str().unwrap_or_default();
    let name = event["eventName"].as_str().unwrap_or_default();
    let org = event["orgId"].to_string();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let put = stores
        .table
        .put_item()
        .table_name(&stores.table_name)
        .item("eventId", AttributeValue::S(id.to_owned()))
        .item("v", AttributeValue::N("1".to_owned()))
        .item("status", AttributeValue::S("RECEIVED".to_owned()))
        .item("fingerprint", AttributeValue::S("0123456789abcdef".to_owned()))
        .item("eventName", AttributeValue::S(name.to_owned()))
        .item("orgId", AttributeValue::N(org.clone()))
        .item("receivedAt", AttributeValue::N(now_ms.to_string()))
        .item("claimId", AttributeValue::S("0123456789abcdef0123456789abcdef".to_owned()))
        .item("leaseUntil", AttributeValue::N((now_ms + 15_000).to_string()))
        .item("expiresAt", AttributeValue::N((now_ms / 1000 + 1_814_400).to_string()))
        .condition_expression("attribute_not_exists(eventId) OR expiresAt <= :s")
        .expression_attribute_values(":s", AttributeValue::N((now_ms / 1000).to_string()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match put {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) => {
            return answer("duplicate", id);
        }
        Err(error) => return Err(error.into()),
    }
    let attribute =
        |data_type: &str, value: &str| MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
    let mut send = stores
        .queue
        .send_message()
        .queue_url(&stores.queue_url)
        .message_body(&body)
        .message_attributes("v", attribute("Number", "1")?)
        .message_attributes("eventId", attribute("String", id)?)
        .message_attributes("eventName", attribute("String", name)?)
        .message_attributes("orgId", attribute("Number", &org)?)
        .message_attributes("receivedAt", attribute("Number", &now_ms.to_string())?);
    if let Some(trace) = trace {
        let trace = aws_sdk_sqs::types::MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build()?;
        send = send.message_system_attributes(aws_sdk_sqs::types::MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
    }
    send.send().await?;
    answer("accepted", id)
}

fn answer(status: &str, id: &str) -> Result<Response<Body>, Error> {
    let body = serde_json::json!({"status": status, "eventId": id}).to_string();
    Ok(Response::builder().status(200).header("content-type", "application/json").body(body.into())?)
}
