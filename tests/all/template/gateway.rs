//! The way in: what the gateway answers by itself, its one path, its limits.

use serde_json::{Map, Value};

use super::{properties, resources_of_type};

fn gateway_responses() -> &'static Map<String, Value> {
    properties("EventsApi")["Body"]["x-amazon-apigateway-gateway-responses"]
        .as_object()
        .expect("the API's body has gateway responses")
}

#[test]
fn every_gateway_answer_to_trouble_that_passes_is_429_with_retry_after() {
    for kind in [
        "DEFAULT_5XX",
        "API_CONFIGURATION_ERROR",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
        "THROTTLED",
        "QUOTA_EXCEEDED",
        "ACCESS_DENIED",
        "WAF_FILTERED",
    ] {
        let response =
            gateway_responses().get(kind).unwrap_or_else(|| panic!("no gateway response {kind}: the sender would not resend"));
        assert_eq!(response["statusCode"], "429", "{kind}");
        let retry_after = response["responseParameters"]["gatewayresponse.header.Retry-After"].as_str().unwrap_or_default();
        let seconds: Option<u32> =
            retry_after.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).and_then(|text| text.parse().ok());
        assert!(seconds.is_some_and(|seconds| seconds > 0), "{kind}: Retry-After is {retry_after:?}, should be quoted seconds");
    }
}

#[test]
fn gateway_answers_that_stay_final_are_404_and_no_others_are_set() {
    for (kind, response) in gateway_responses() {
        let status = &response["statusCode"];
        if kind == "MISSING_AUTHENTICATION_TOKEN" || kind == "INVALID_SIGNATURE" {
            assert_eq!(status, "404", "{kind} is what the gateway says where there is no such path");
        } else {
            assert_eq!(status, "429", "{kind} is neither a missing path nor trouble that passes");
        }
    }
    // It would turn 413 and malformed requests into 429, and so block the sender's lane for a week.
    assert!(!gateway_responses().contains_key("DEFAULT_4XX"), "DEFAULT_4XX changes every 4xx that has no response of its own");
    assert!(gateway_responses().contains_key("MISSING_AUTHENTICATION_TOKEN"));
}

#[test]
fn gateway_answers_have_json_bodies_that_say_their_own_status() {
    for (kind, response) in gateway_responses() {
        let text =
            response["responseTemplates"]["application/json"].as_str().unwrap_or_else(|| panic!("{kind} has no JSON body"));
        let body: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{kind}: {error} in {text}"));
        assert_eq!(body["status"].to_string(), response["statusCode"].as_str().unwrap_or_default(), "{kind}");
    }
}

#[test]
fn the_api_is_regional_takes_bytes_and_has_one_path_and_method() {
    let api = properties("EventsApi");
    assert_eq!(api["EndpointConfiguration"]["Types"][0], "REGIONAL");
    assert_eq!(
        api["Body"]["x-amazon-apigateway-binary-media-types"],
        serde_json::json!(["*/*"]),
        "bodies must come as the bytes they are"
    );
    let paths = api["Body"]["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/events"]);
    assert_eq!(paths["/events"].as_object().expect("methods").keys().collect::<Vec<_>>(), ["post"]);
}

#[test]
fn the_stage_is_throttled_and_traced_and_the_only_one() {
    let stages = resources_of_type("AWS::ApiGateway::Stage");
    assert_eq!(stages.len(), 1, "a second stage would be a way in without limits");
    let (_, stage) = stages[0];
    assert_eq!(stage["MethodSettings"].as_array().map(Vec::len), Some(1), "settings of one method would go before those of all");
    let settings = &stage["MethodSettings"][0];
    assert_eq!((&settings["ResourcePath"], &settings["HttpMethod"]), (&Value::from("/*"), &Value::from("*")));
    for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
        assert_eq!(settings[limit]["Ref"], limit, "{limit} is a parameter");
    }
    assert_eq!(stage["TracingEnabled"], true);
    // The gateway's own logs would hold what the functions keep out of theirs: bodies, and the headers that are the secret.
    assert!(settings["DataTraceEnabled"] != true && settings["LoggingLevel"].is_null() && stage["AccessLogSetting"].is_null());
}
