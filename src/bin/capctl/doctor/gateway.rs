//! Whether a delivery would arrive: the whole way through gateway, receiver and secret, with a body that nobody keeps.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Client, redirect};

use super::finding::Findings;
use crate::{context::Context, output::Failure, webhook::Headers};

const WHAT: &str = "receiver";
/// The receiver answers within 10 s, and a first start takes some more.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const LOOK: &str = "the saved queries `warnings and errors` and `answered 429, and why` tell what it lacks";

pub(super) async fn examine(context: &Context, ours: Option<&Headers>, findings: &mut Findings) {
    let (url, headers) = match (context.deployment.name("EVENTS_URL"), ours.and_then(headers)) {
        (Ok(url), Some(headers)) => (url, headers),
        (Err(failure), _) => return findings.unknown(WHAT, &failure),
        // Told of the secret already.
        (_, None) => return,
    };
    match answer(url, &headers).await {
        Ok(answer) => judge(url, &answer, findings),
        Err(failure) => {
            findings.bad(WHAT, failure.to_string(), "can it be reached from here? Capillary reaches it over the internet");
        }
    }
}

/// Those of a delivery, each with the value that Capillary is to send.
fn headers(ours: &Headers) -> Option<HeaderMap> {
    let sent = ours.to_send().map(|(name, value)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some((name.parse::<HeaderName>().ok()?, value))
    });
    sent.collect()
}

/// What came back.
struct Answer {
    status: u16,
    /// Whether it is of the form in which the receiver tells what is wrong; what stands before it has forms of its own.
    is_of_the_receiver: bool,
}

fn judge(url: &str, answer: &Answer, findings: &mut Findings) {
    match answer.status {
        // Refused for its emptiness, which is judged after the headers.
        400 if answer.is_of_the_receiver => findings.good(WHAT, format!("takes deliveries at {url}")),
        400 => findings.bad(
            WHAT,
            format!("{url} answers 400, and not as the receiver does: something before it refuses deliveries"),
            "is it this deployment's URL? Look at what stands before the gateway: a proxy, a firewall, a domain of your own",
        ),
        401 => findings.bad(
            WHAT,
            format!("{url} refuses the headers of the secret"),
            "it rereads the secret within 30 s; else this is the URL of another deployment",
        ),
        429 => findings.bad(WHAT, format!("{url} answers 429: deliveries wait at Capillary"), LOOK),
        403 | 404 => findings.bad(
            WHAT,
            format!("there is no API at {url}"),
            "deploy the stack again; with a domain of your own, look at its DNS entry and base path",
        ),
        status => findings.bad(WHAT, format!("{url} answers {status}"), LOOK),
    }
}

async fn answer(url: &str, headers: &HeaderMap) -> Result<Answer, Failure> {
    // Another part of the program may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(ANSWER_WITHIN).redirect(redirect::Policy::none()).build();
    let client = client.map_err(|_| Failure::of("the gateway", "no HTTP client"))?;
    let answer = client.post(url).headers(headers.clone()).send().await;
    let answer = answer.map_err(|error| {
        let cause = if error.is_timeout() { "no answer in time" } else { "no connection" };
        Failure::of(url, cause)
    })?;
    let is_of_the_receiver = answer.headers().get(header::CONTENT_TYPE).is_some_and(is_problem);
    Ok(Answer { status: answer.status().as_u16(), is_of_the_receiver })
}

/// Whether a body is one of RFC 9457, parameters such as its charset aside.
fn is_problem(content_type: &HeaderValue) -> bool {
    let media_type = content_type.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/problem+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, content_type: &'static str) -> String {
        let mut findings = Findings::default();
        let is_of_the_receiver = is_problem(&HeaderValue::from_static(content_type));
        judge("https://hooks.example.net/v1/events", &Answer { status, is_of_the_receiver }, &mut findings);
        serde_json::to_string(&findings).unwrap()
    }

    #[test]
    fn only_the_receivers_own_400_says_that_deliveries_arrive() {
        for ours in ["application/problem+json", "application/problem+json; charset=utf-8", "Application/Problem+JSON"] {
            assert!(told(400, ours).contains("takes deliveries"), "{ours}");
        }
        for anothers in ["application/json", "text/html", "", "application/problem+jsonp"] {
            let told = told(400, anothers);
            assert!(told.contains("\"bad\"") && told.contains("something before it"), "{anothers}: {told}");
        }
        assert!(told(200, "application/problem+json").contains("\"bad\""));
    }
}
