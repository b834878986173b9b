//! Talks HTTP to the daemon.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use fluxdb_adapters::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use super::exit::{CliError, Exit, Result};
use crate::api::BASE;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than a daemon takes for any request that does not wait for an operation.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// A page of a list; at most [`PAGES`] of them are read.
const PAGE: &str = "500";
const PAGES: usize = 1000;
const BODY_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// A connection to a daemon.
pub struct Client {
    agent: Agent,
    root: String,
    token: Option<Secret>,
    /// Where the token was looked for; said when the daemon refuses.
    token_source: String,
}

/// An answer: JSON, and its ETag.
#[derive(Debug)]
pub struct Answer {
    /// Body; null where there is none.
    pub body: Value,
    /// For `If-Match`.
    pub etag: Option<String>,
}

/// A request beyond a plain read.
#[derive(Debug)]
pub struct Change<'a> {
    /// `POST`, `PATCH`, `DELETE`.
    pub method: &'static str,
    /// Path below the module's base.
    pub path: &'a str,
    /// Body.
    pub body: Option<Value>,
    /// Only if it is still the one that was read.
    pub if_match: Option<String>,
}

impl Client {
    /// A client of the daemon at `url` (the local one when absent). The local token is only sent to this machine.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(url: Option<&str>, env: &BTreeMap<String, String>, listen: &str, token_file: &Path) -> Result<Self> {
        let default = format!("http://{listen}");
        let url = url.filter(|u| !u.is_empty()).unwrap_or(&default);
        let root = url.trim_end_matches('/').trim_end_matches(BASE).to_owned();
        let host = host_of(&root).ok_or_else(|| {
            CliError::usage(format!("{url:?} is not an address of a daemon; write it like http://127.0.0.1:7620"))
        })?;
        let local = is_loopback(host);
        let (token, token_source) = find_token(env, local, token_file);
        let mut config = Agent::config_builder()
            .tls_config(crate::tls::public())
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("fluxdb-cli/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT));
        if local {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent(), root, token, token_source })
    }

    /// Reads.
    ///
    /// # Errors
    /// The problem that was answered, or that nobody answers.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer> {
        let request = self.request("GET", path, query)?;
        answer(self.run_twice(&request, None)?)
    }

    /// Reads as a type.
    ///
    /// # Errors
    /// As [`Client::get`]; also an answer that is not of this type.
    pub fn read<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        typed(self.get(path, query)?.body)
    }

    /// Reads a list to its end, or until there are `limit`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn list(&self, path: &str, query: &[(&str, &str)], limit: Option<usize>) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut page_token = None::<String>;
        let size = limit.map_or(PAGE.to_owned(), |n| n.clamp(1, 500).to_string());
        for _ in 0..PAGES {
            let mut query = query.to_vec();
            query.push(("limit", &size));
            if let Some(token) = &page_token {
                query.push(("page_token", token));
            }
            let (more, next) = page(self.get(path, &query)?.body)?;
            items.extend(more);
            page_token = next;
            if page_token.is_none() || limit.is_some_and(|n| items.len() >= n) {
                break;
            }
        }
        items.truncate(limit.unwrap_or(usize::MAX));
        Ok(items)
    }

    /// Reads a list that has no pages.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        let (items, _) = page(self.get(path, &[])?.body)?;
        items.into_iter().map(typed).collect()
    }

    /// Changes something. Sent again once when the connection breaks: the daemon knows a repeated POST or DELETE by
    /// its `Idempotency-Key`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn change(&self, change: Change<'_>, query: &[(&str, &str)]) -> Result<Answer> {
        let mut request = self.request(change.method, change.path, query)?;
        if change.method != "PATCH" {
            request.push(("idempotency-key", uuid::Uuid::now_v7().to_string()));
        }
        request.extend(change.if_match.map(|etag| ("if-match", etag)));
        answer(self.run_twice(&request, change.body.as_ref())?)
    }

    /// Opens an endless answer, after `last_event`. A read that gets nothing for `silence` is an error.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn stream(&self, path: &str, last_event: Option<&str>, silence: Duration) -> Result<impl Read + use<>> {
        let mut request = self.request("GET", path, &[])?;
        request.push(("accept", "text/event-stream".into()));
        request.extend(last_event.map(|id| ("last-event-id", id.to_owned())));
        let built = build(&request, ())?;
        let built = self.agent.configure_request(built).timeout_per_read(Some(silence)).build();
        let response = self.agent.run(built).map_err(|e| self.unreachable(&e))?;
        if response.status().is_success() {
            return Ok(response.into_body().into_with_config().limit(u64::MAX).reader());
        }
        Err(answer(response).err().unwrap_or_else(|| CliError::failed("the daemon answered what was not asked")))
    }

    /// Whether the token crosses a network without TLS.
    pub fn exposes_token(&self) -> bool {
        self.token.is_some() && self.root.starts_with("http://") && !host_of(&self.root).is_some_and(is_loopback)
    }

    /// Address of the daemon.
    pub fn address(&self) -> &str {
        &self.root
    }

    fn request(&self, method: &'static str, path: &str, query: &[(&str, &str)]) -> Result<Vec<(&'static str, String)>> {
        let mut uri = format!("{}{BASE}{path}", self.root);
        for (i, (name, value)) in query.iter().enumerate() {
            let separator = if i == 0 { '?' } else { '&' };
            uri.push_str(&format!("{separator}{name}={}", fluxdb_adapters::quote::percent(value)));
        }
        let mut parts = vec![(":method", method.to_owned()), (":uri", uri), ("accept", "application/json".into())];
        if let Some(token) = &self.token {
            parts.push(("authorization", format!("Bearer {}", token.expose())));
        }
        Ok(parts)
    }

    fn run_twice(&self, request: &[(&'static str, String)], body: Option<&Value>) -> Result<Response<Body>> {
        let repeatable = !request.iter().any(|(name, value)| *name == ":method" && value == "PATCH");
        match self.run_once(request, body) {
            Err(ureq::Error::Io(e)) if repeatable && e.kind() != std::io::ErrorKind::ConnectionRefused => {
                self.run_once(request, body)
            }
            first => first,
        }
        .map_err(|e| self.unreachable(&e))
        .and_then(|response| self.explain_refusal(response))
    }

    fn run_once(
        &self,
        request: &[(&'static str, String)],
        body: Option<&Value>,
    ) -> Result<Response<Body>, ureq::Error> {
        match body {
            Some(body) => {
                let mut request = request.to_vec();
                request.push(("content-type", "application/json".into()));
                let built = build(&request, body.to_string()).map_err(|e| ureq::Error::BadUri(e.message))?;
                self.agent.run(self.agent.configure_request(built).timeout_global(Some(CALL_TIMEOUT)).build())
            }
            None => {
                let built = build(request, ()).map_err(|e| ureq::Error::BadUri(e.message))?;
                self.agent.run(self.agent.configure_request(built).timeout_global(Some(CALL_TIMEOUT)).build())
            }
        }
    }

    fn explain_refusal(&self, response: Response<Body>) -> Result<Response<Body>> {
        if response.status() != 401 {
            return Ok(response);
        }
        Err(answer(response).err().map_or_else(
            || CliError::new(Exit::NotPermitted, "The daemon does not know this token."),
            |e| e.note(self.token_source.clone()),
        ))
    }

    fn unreachable(&self, error: &ureq::Error) -> CliError {
        CliError::new(Exit::Unreachable, format!("No daemon answers at {}: {error}.", self.root))
            .note("Start one with `fluxdb serve`, or name another with --url or FLUXDB_URL. `fluxdb doctor` looks at this host.")
    }
}

fn build<B>(parts: &[(&'static str, String)], body: B) -> Result<Request<B>> {
    let mut builder = Request::builder();
    for (name, value) in parts {
        builder = match *name {
            ":method" => builder.method(value.as_str()),
            ":uri" => builder.uri(value.as_str()),
            name => builder.header(name, value.as_str()),
        };
    }
    builder.body(body).map_err(|e| CliError::usage(format!("this request cannot be sent: {e}")))
}

fn answer(mut response: Response<Body>) -> Result<Answer> {
    let status = response.status().as_u16();
    let etag = response.headers().get("etag").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let text = response
        .body_mut()
        .with_config()
        .limit(BODY_LIMIT_BYTES)
        .read_to_string()
        .map_err(|e| CliError::new(Exit::Unreachable, format!("The daemon's answer broke off: {e}.")))?;
    if !(200..300).contains(&status) {
        return Err(CliError::from_answer(status, &text));
    }
    let body = if text.trim().is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
    let body = body.map_err(|e| {
        CliError::failed(format!("The daemon's answer is not JSON: {e}."))
            .note("Is the address right (--url, FLUXDB_URL)?")
    })?;
    Ok(Answer { body, etag })
}

/// Reads JSON as a type of the API.
///
/// # Errors
/// The daemon is of another version than this program.
pub fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| {
        CliError::failed(format!("The daemon's answer is not understood: {e}."))
            .note("Are daemon and command line of the same version? See `fluxdb status` and `fluxdb --version`.")
    })
}

/// A type of the API as JSON.
///
/// # Errors
/// None in practice: the API's types are plain data.
pub fn json<T: Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| CliError::failed(e.to_string()))
}

fn page(body: Value) -> Result<(Vec<Value>, Option<String>)> {
    match body {
        Value::Array(items) => Ok((items, None)),
        Value::Object(mut map) => {
            let next = map.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
            Ok((typed(map.remove("items").unwrap_or_default())?, next))
        }
        _ => Err(CliError::failed("The daemon's answer is not a list.")),
    }
}

fn find_token(env: &BTreeMap<String, String>, local: bool, file: &Path) -> (Option<Secret>, String) {
    if let Some(token) = env.get("FLUXDB_TOKEN").filter(|t| !t.trim().is_empty()) {
        return (Some(Secret::new(token.trim())), "The token was taken from FLUXDB_TOKEN.".into());
    }
    if !local {
        let source = "FLUXDB_TOKEN is not set; the local daemon's own token is not sent to another machine.";
        return (None, source.into());
    }
    match std::fs::read_to_string(file) {
        Ok(token) => (
            Some(Secret::new(token.trim())),
            format!("The token was taken from {}; `fluxdb token reset-admin` makes a new one.", file.display()),
        ),
        Err(e) => (
            None,
            format!(
                "FLUXDB_TOKEN is not set and {} cannot be read: {e}. Does the daemon use another --data-dir or run as another user?",
                file.display()
            ),
        ),
    }
}

fn host_of(root: &str) -> Option<&str> {
    let authority = root.strip_prefix("http://").or_else(|| root.strip_prefix("https://"))?.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty() && !authority.contains('@')).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_token_is_not_sent_to_other_machines() {
        let none = BTreeMap::new();
        let file = Path::new("/nonexistent/admin.token");
        let (token, source) = find_token(&none, false, file);
        assert!(token.is_none() && source.contains("not sent to another machine"));
        let env = BTreeMap::from([("FLUXDB_TOKEN".to_owned(), " t \n".to_owned())]);
        assert_eq!(find_token(&env, false, file).0.map(|t| t.expose().to_owned()), Some("t".into()));
        for (url, local) in [
            ("http://127.0.0.1:7620", true),
            ("http://[::1]:7620", true),
            ("http://localhost", true),
            ("https://db.example.org/x", false),
            ("http://127.0.0.1.example.org", false),
        ] {
            assert_eq!(host_of(url).map(is_loopback), Some(local), "{url}");
        }
        assert_eq!(host_of("http://127.0.0.1@example.org"), None);
        assert_eq!(host_of("ftp://x"), None);
    }

    #[test]
    fn both_shapes_of_a_list_are_read() {
        assert_eq!(page(serde_json::json!([1, 2])).map(|(items, _)| items.len()).ok(), Some(2));
        let (items, next) = page(serde_json::json!({"items": [1], "next_page_token": "x"})).expect("a page");
        assert_eq!((items.len(), next.as_deref()), (1, Some("x")));
    }
}
