//! The one HTTP client of all AWS clients, and its connections opened before they are needed.

use std::time::Duration;

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use aws_smithy_types::byte_stream::ByteStream;
use futures_util::future::join_all;

use super::{SetupError, environment::Environment};

/// The certificates that vouch for AWS's endpoints: those that Amazon Trust Services recommends to whoever keeps a trust store of
/// their own (<https://www.amazontrust.com/repository/>). To read the system's some 150 from their files would take ten times as long
/// as all else in a start.
const AMAZON_ROOTS: &str = include_str!("roots.pem");

/// A client that keeps its connections, and connects within that time.
pub(super) fn connector(environment: &Environment, connect_within: Duration) -> Result<SharedHttpConnector, SetupError> {
    let trust_store = if environment.trusts_the_system {
        TrustStore::default()
    } else {
        TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
    };
    let tls = TlsContext::builder().with_trust_store(trust_store).build().map_err(|_| SetupError::HttpClient)?;
    let settings = HttpConnectorSettings::builder().connect_timeout(connect_within).build();
    let builder = Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::Ring));
    Ok(SharedHttpConnector::new(builder.tls_context(tls).build()))
}

/// The client as the SDK wants it: whatever settings a service asks with, it gets this one.
pub(super) fn client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

/// Opens a connection to each of these, all at once, within that time. Whatever goes wrong will go wrong again when the connection is
/// needed, and is told then.
///
/// Each is asked for its root without a signature: endpoints answer that with a word or an error, and no service counts it.
pub(super) async fn open(connector: &SharedHttpConnector, urls: Vec<String>, within: Duration) {
    let requests = urls.into_iter().map(async |url| {
        let mut request = HttpRequest::empty();
        if request.set_uri(url).is_ok()
            && let Ok(answer) = connector.call(request).await
        {
            // Only a connection whose answer was read is used again.
            let _ = ByteStream::new(answer.into_body()).collect().await;
        }
    });
    let _ = tokio::time::timeout(within, join_all(requests)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::hex;
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};
    use std::{
        collections::HashMap,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use crate::aws::{Aws, RECEIVER_LIMITS, Service};

    /// A service on this machine that counts connections, and answers all with an empty object or never.
    async fn service(answers: bool) -> (Aws, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answers));
            }
        });
        let source = HashMap::from([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "k"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_ENDPOINT_URL", url.as_str()),
        ]);
        (Aws::read(&source, RECEIVER_LIMITS).unwrap(), connections)
    }

    async fn serve(mut stream: TcpStream, answers: bool) {
        let mut bytes = [0; 8192];
        while let Ok(1..) = stream.read(&mut bytes).await {
            if answers {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn what_was_opened_is_what_the_first_call_goes_over() {
        let (aws, connections) = service(true).await;
        aws.open_connections(&[Service::DynamoDb, Service::Sqs], Duration::from_secs(10)).await;
        assert_eq!(connections.load(Ordering::SeqCst), 2);
        aws.dynamodb().get_item().table_name("t").send().await.unwrap();
        assert_eq!(connections.load(Ordering::SeqCst), 2, "a call opened one more");
    }

    #[tokio::test]
    async fn a_service_that_never_answers_holds_no_start_up() {
        let (aws, connections) = service(false).await;
        aws.open_connections(&[Service::DynamoDb, Service::EventBridge], Duration::from_millis(200)).await;
        assert_eq!(connections.load(Ordering::SeqCst), 2);
    }

    /// As <https://www.amazontrust.com/repository/> has them: a certificate that differs from these is nobody's to trust.
    const FINGERPRINTS: [&str; 5] = [
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ];

    #[test]
    fn the_certificates_are_amazons() {
        let certificates = AMAZON_ROOTS.split("-----BEGIN CERTIFICATE-----").skip(1).map(|rest| {
            let base64 = rest.split_once("-----END CERTIFICATE-----").unwrap().0.split_whitespace().collect::<String>();
            hex(Sha256::digest(BASE64_STANDARD.decode(base64).unwrap()).iter())
        });
        assert_eq!(certificates.collect::<Vec<_>>(), FINGERPRINTS);
    }
}
