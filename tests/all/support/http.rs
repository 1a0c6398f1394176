//! One HTTP client for the tests' own requests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A client for local addresses; it looks at no proxy variables.
pub(crate) fn client() -> reqwest::Client {
    // The first one wins and the others are told so, which is no error here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("an HTTP client")
}

/// A port nobody listens on, and which is given to nobody else: it lies below those that the system hands out by itself, else a server
/// of another test could take it before the one that it is meant for.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another run at the same time begins elsewhere.
    let begin = u16::try_from(std::process::id() % 100).expect("below 100") * 100;
    (0..1000)
        .map(|_| 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
