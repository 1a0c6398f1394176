//! The environment as types; read once, at the start.

use std::env;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

const BASIC_USER: &str = "sandbox-user";
const BASIC_PASSWORD: &str = "sandbox-password";

/// How this sandbox is reached, and by whom.
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) token_ttl: Duration,
    /// The one `Authorization` header that is let in beside OAuth tokens.
    pub(crate) basic_authorization: String,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self, String> {
        Ok(Self {
            address: loopback_address(&variable("SANDBOX_ADDRESS", "127.0.0.1:4580"))?,
            key: variable("SANDBOX_KEY", "sandbox-key"),
            secret: variable("SANDBOX_SECRET", "sandbox-secret"),
            token_ttl: seconds("SANDBOX_TOKEN_TTL_SECONDS", "300")?,
            basic_authorization: basic_authorization(BASIC_USER, BASIC_PASSWORD),
        })
    }
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn seconds(name: &str, default: &str) -> Result<Duration, String> {
    let value = variable(name, default);
    let seconds = value.parse().map_err(|_| format!("{name}: {value:?} is no number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}

/// Its credentials are known to everyone, so nobody but this machine may reach it.
fn loopback_address(value: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        value.parse().map_err(|_| format!("SANDBOX_ADDRESS: {value:?} is no address such as 127.0.0.1:4580"))?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(format!("SANDBOX_ADDRESS: {value} is not a loopback address; the sandbox listens on nothing else"))
    }
}

/// Capillary's form of Basic authentication: the password goes as its MD5, in lower-case hex.
fn basic_authorization(user: &str, password: &str) -> String {
    let mut pair = format!("{user}:");
    for byte in Md5::digest(password.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(pair, "{byte:02x}");
    }
    format!("Basic {}", STANDARD.encode(pair))
}
