//! Whether a delivery would arrive: the whole way through gateway, receiver and secret, with a body that nobody keeps.

use std::time::Duration;

use http::HeaderMap;
use reqwest::{Client, redirect};

use super::finding::Findings;
use crate::{context::Context, output::Failure};

const WHAT: &str = "receiver";
/// The receiver answers within 10 s, and a first start takes some more.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const LOOK: &str = "the saved queries `warnings and errors` and `answered 429, and why` tell what it lacks";

pub(super) async fn examine(context: &Context, headers: Option<&HeaderMap>, findings: &mut Findings) {
    let (url, headers) = match (context.deployment.name("EVENTS_URL"), headers) {
        (Ok(url), Some(headers)) => (url, headers),
        (Err(failure), _) => return findings.unknown(WHAT, &failure),
        // Told of the secret already.
        (_, None) => return,
    };
    match status(url, headers).await {
        // Refused for its emptiness, which is judged after the headers.
        Ok(400) => findings.good(WHAT, format!("takes deliveries at {url}")),
        Ok(401) => findings.bad(
            WHAT,
            format!("{url} refuses the headers of the secret"),
            "it rereads the secret within 30 s; else this is the URL of another deployment",
        ),
        Ok(429) => findings.bad(WHAT, format!("{url} answers 429: deliveries wait at Capillary"), LOOK),
        Ok(403 | 404) => findings.bad(
            WHAT,
            format!("there is no API at {url}"),
            "deploy the stack again; with a domain of your own, look at its DNS entry and base path",
        ),
        Ok(status) => findings.bad(WHAT, format!("{url} answers {status}"), LOOK),
        Err(failure) => {
            findings.bad(WHAT, failure.to_string(), "can it be reached from here? Capillary reaches it over the internet");
        }
    }
}

async fn status(url: &str, headers: &HeaderMap) -> Result<u16, Failure> {
    // Another part of the program may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(ANSWER_WITHIN).redirect(redirect::Policy::none()).build();
    let client = client.map_err(|_| Failure::of("the gateway", "no HTTP client"))?;
    let answer = client.post(url).headers(headers.clone()).send().await;
    let answer = answer.map_err(|error| {
        let cause = if error.is_timeout() { "no answer in time" } else { "no connection" };
        Failure::of(url, cause)
    })?;
    Ok(answer.status().as_u16())
}
