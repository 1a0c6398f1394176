//! One HTTP client for the tests' own requests.

/// A client for local addresses; it looks at no proxy variables.
pub(crate) fn client() -> reqwest::Client {
    // The first one wins and the others are told so, which is no error here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("an HTTP client")
}

/// A port nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
