//! The receiver's two calls and nothing else, with every lever that makes a start cheap: no system's certificates, one thread, no
//! default features, ring, settings straight from the environment, one HTTP client, and its connections opened before the first event.

use std::{
    borrow::Cow,
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Connector,
    tls::{self, TlsContext, TrustStore},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};
use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn};
use serde::{Deserialize, Serialize};

/// As PEM; see build.rs.
const ROOTS: &str = include_str!(concat!(env!("OUT_DIR"), "/amazon-roots.pem"));
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// What the two calls need of an event; the rest is skipped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    org_id: i64,
}

struct Stores {
    table: aws_sdk_dynamodb::Client,
    table_name: String,
    queue: aws_sdk_sqs::Client,
    queue_url: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let connector = connector()?;
    let region = env::var("AWS_REGION")?;
    let config = config(connector.clone(), region.clone())?;
    let stores = Stores {
        table: aws_sdk_dynamodb::Client::new(&config),
        table_name: env::var("EVENTS_TABLE")?,
        queue: aws_sdk_sqs::Client::new(&config),
        queue_url: env::var("EVENTS_QUEUE_URL")?,
    };
    let at =
        |service: &str| config.endpoint_url().map_or_else(|| format!("https://{service}.{region}.amazonaws.com"), str::to_owned);
    let opened = async { tokio::join!(open(&connector, at("dynamodb")), open(&connector, at("sqs"))) };
    // A call that fails opens its connection itself.
    let _ = tokio::time::timeout(CONNECT_WITHIN, opened).await;
    let stores = &stores;
    run(service_fn(|request: Request| take(stores, request))).await
}

fn connector() -> Result<SharedHttpConnector, Error> {
    let roots = TrustStore::empty().with_pem_certificate(ROOTS.as_bytes());
    let connector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_WITHIN).build())
        .sleep_impl(TokioSleep::new())
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .tls_context(TlsContext::builder().with_trust_store(roots).build()?)
        .build();
    Ok(SharedHttpConnector::new(connector))
}

fn config(connector: SharedHttpConnector, region: String) -> Result<SdkConfig, Error> {
    let credentials = Credentials::new(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
        env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    );
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::standard())
        .http_client(http_client_fn(move |_, _| connector.clone()));
    config.set_endpoint_url(env::var("AWS_ENDPOINT_URL").ok());
    Ok(config.build())
}

/// Leaves an open connection to an endpoint in the pool. It is the answer that matters, not what it says.
async fn open(connector: &SharedHttpConnector, url: String) {
    let mut request = HttpRequest::new(SdkBody::empty());
    if request.set_uri(url).is_ok() {
        let _ = connector.call(request).await;
    }
}

async fn take(stores: &Stores, request: Request) -> Result<Response<Body>, Error> {
    let trace = request.lambda_context_ref().and_then(|context| context.xray_trace_id.clone());
    let body = match request.into_body() {
        Body::Text(text) => text,
        Body::Binary(bytes) => String::from_utf8(bytes)?,
        _ => String::new(),
    };
    let Event { event_id: id, event_name: name, org_id } = serde_json::from_str(&body)?;
    let (id, name, org) = (&*id, &*name, org_id.to_string());
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
        let trace = MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build()?;
        send = send.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
    }
    send.send().await?;
    answer("accepted", id)
}

fn answer(status: &str, id: &str) -> Result<Response<Body>, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        status: &'a str,
        event_id: &'a str,
    }
    let body = serde_json::to_string(&Answer { status, event_id: id })?;
    Ok(Response::builder().status(200).header("content-type", "application/json").body(body.into())?)
}
