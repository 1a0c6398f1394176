//! HTTP on a loopback port of its own, for what stands in for Lambda, AWS and Capillary.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// One request, read to its end.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// `X-Amz-Target`, empty where there is none.
    pub(crate) target: String,
    pub(crate) body: Bytes,
    /// When its head was read.
    pub(crate) arrived: Instant,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into() }
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }
}

/// What answers the requests.
pub(crate) trait Service: Send + Sync + 'static {
    fn answer(&self, call: Call) -> impl Future<Output = Answer> + Send;
}

/// A server, which ends with this.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(service: Arc<impl Service>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                // An answer that waits for more bytes would be a latency of ours. A client that is gone is none of our business.
                let _ = stream.set_nodelay(true);
                let service = Arc::clone(&service);
                let answering = service_fn(move |request| respond(Arc::clone(&service), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answering));
            }
        });
        Ok(Self { address, connections, accepting })
    }

    /// Connections opened so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn respond(service: Arc<impl Service>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(status_only(StatusCode::BAD_REQUEST));
    };
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default().to_owned();
    let call = Call { method: head.method, path: head.uri.path().to_owned(), target, body: body.to_bytes(), arrived };
    let answer = service.answer(call).await;
    let mut response = Response::builder().status(answer.status).header(CONTENT_TYPE, "application/json");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(answer.body)).unwrap_or_else(|_| status_only(StatusCode::INTERNAL_SERVER_ERROR)))
}

fn status_only(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
