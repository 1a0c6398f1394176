//! The environment as types; read once, at the start.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::Value;

use crate::setup::Destination;
use crate::webhook::header_texts;

const BASIC_USER: &str = "sandbox-user";
const BASIC_PASSWORD: &str = "sandbox-password";
const WEBHOOK_URL: &str = "SANDBOX_WEBHOOK_URL";
const WEBHOOK_HEADERS_FILE: &str = "SANDBOX_WEBHOOK_HEADERS_FILE";

/// How this sandbox is reached, and by whom.
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) token_ttl: Duration,
    /// The one `Authorization` header that is let in beside OAuth tokens.
    pub(crate) basic_authorization: String,
    /// Where events go until a test or a developer says otherwise.
    pub(crate) webhook: Destination,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self, String> {
        Ok(Self {
            address: loopback_address(&variable("SANDBOX_ADDRESS", "127.0.0.1:4580"))?,
            key: variable("SANDBOX_KEY", "sandbox-key"),
            secret: variable("SANDBOX_SECRET", "sandbox-secret"),
            token_ttl: seconds("SANDBOX_TOKEN_TTL_SECONDS", "300")?,
            basic_authorization: basic_authorization(BASIC_USER, BASIC_PASSWORD),
            webhook: webhook(env::var(WEBHOOK_URL).ok(), env::var(WEBHOOK_HEADERS_FILE).ok())?,
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

fn webhook(url: Option<String>, headers_file: Option<String>) -> Result<Destination, String> {
    let headers = headers_file.map_or_else(|| Ok(BTreeMap::new()), |path| headers(&path))?;
    Destination::new(url, headers).map_err(|complaint| format!("{WEBHOOK_URL} or {WEBHOOK_HEADERS_FILE}: {complaint}"))
}

/// An object of names and values, or the receiver's secret, which has one beneath `headers`. No error repeats a value.
fn headers(path: &str) -> Result<BTreeMap<String, String>, String> {
    let text = fs::read(path).map_err(|error| format!("{WEBHOOK_HEADERS_FILE}: {path}: {error}"))?;
    let found = serde_json::from_slice::<Value>(&text).unwrap_or_default();
    let headers = found.get("headers").filter(|inner| inner.is_object()).unwrap_or(&found);
    header_texts(headers).ok_or_else(|| format!("{WEBHOOK_HEADERS_FILE}: {path}: no JSON object of header names and values"))
}
