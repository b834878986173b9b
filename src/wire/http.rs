//! HTTP/1.1: InfluxDB, ClickHouse, CouchDB, Elasticsearch and their like. A session is the account; nothing is asked
//! of the server before the first call.

use async_trait::async_trait;
use fluxdb_adapters::{Account, Answer, Call, Http as Request, HttpAuth, Request as Any};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, redirect};

use super::Target;
use super::fault::{Fault, with_causes};
use super::session::Session;
use super::transport::{LIMIT, SILENCE, nobody};
use super::veil::veil;

/// No answer that we ask for comes near it.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// ClickHouse answers errors with a status that says little, and its own number here.
const CLICKHOUSE_CODE: &str = "x-clickhouse-exception-code";

/// Its TIMEOUT_EXCEEDED.
const CLICKHOUSE_TOO_SLOW: &str = "159";

/// Its AUTHENTICATION_FAILED, which comes as 403.
const CLICKHOUSE_LOGIN: &str = "516";

pub(super) struct Http {
    client: Client,
    base: String,
    auth: HttpAuth,
    account: Account,
}

impl Http {
    /// Connects to nothing yet.
    pub(super) fn open(to: &Target) -> Result<Self, Fault> {
        let lost = |why: String| Fault::Unreachable(why);
        let tls = match &to.tls {
            Some(trust) => trust.config().as_ref().clone(),
            None => nobody().map_err(|e| lost(e.to_string()))?,
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            // The password goes to this server and to no other: neither where it points to nor through a proxy.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(LIMIT)
            .tcp_keepalive(SILENCE)
            .tcp_keepalive_interval(SILENCE)
            .tcp_keepalive_retries(3)
            .pool_max_idle_per_host(1)
            .user_agent("fluxdb")
            .build()
            .map_err(|e| lost(told(e)))?;
        let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
        let scheme = if to.tls.is_some() { "https" } else { "http" };
        let base = format!("{scheme}://{host}:{}", to.port);
        Ok(Self { client, base, auth: to.http_auth, account: to.account.clone() })
    }

    async fn send(&self, request: &Request) -> Result<Response, Fault> {
        // The URL standard would tidy these up, and the request would go somewhere else.
        let path = request.path.split(['?', '#']).next().unwrap_or_default();
        let dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if !path.starts_with('/') || request.path.contains(['#', '\\']) || path.split('/').any(dots) {
            return Err(Fault::Refused("path".into(), "a name cannot be part of a path".into()));
        }
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|_| Fault::WrongProtocol)?;
        let mut sent = self.client.request(method, format!("{}{}", self.base, request.path));
        if let Some(body) = &request.body {
            sent = sent.header(CONTENT_TYPE, request.content_type).body(body.expose().to_owned());
        }
        let auth = if request.anonymous { HttpAuth::None } else { self.auth };
        let password = self.account.password.expose();
        sent = match auth {
            HttpAuth::Basic => sent.basic_auth(&self.account.username, Some(password)),
            HttpAuth::Bearer => sent.bearer_auth(password),
            HttpAuth::Header(name) => sent.headers(header(name, password)?),
            HttpAuth::None => sent,
        };
        for (name, value) in &request.headers {
            sent = sent.headers(header(name, value.expose())?);
        }
        sent.send().await.map_err(|e| Fault::Unreachable(told(e)))
    }
}

#[async_trait]
impl Session for Http {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Any::Http(request) = &call.request else { return Err(Fault::WrongProtocol) };
        let response = self.send(request).await?;
        let status = response.status();
        let exception = text_of(response.headers(), CLICKHOUSE_CODE);
        let json = text_of(response.headers(), CONTENT_TYPE.as_str()).contains("json");
        let body = whole(response).await?;
        if status.is_success() && exception.is_empty() {
            return Ok(answer(json, body));
        }
        let sent = request.body.as_ref().map(|b| b.expose()).unwrap_or_default();
        let words = veil(&String::from_utf8_lossy(&body), &self.account, sent);
        Err(classify(call, request.anonymous, status.as_str(), &exception, words))
    }
}

/// A header whose value is left out of every debugging output.
fn header(name: &'static str, value: &str) -> Result<HeaderMap, Fault> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Fault::WrongProtocol)?;
    let unsayable = || Fault::Refused("header".into(), format!("the value of the header {name} cannot be sent"));
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unsayable())?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(name, value)]))
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
}

async fn whole(mut response: Response) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| Fault::Unreachable(told(e)))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Fault::Refused("answer_too_large".into(), "the answer is larger than 16 MiB".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// JSON where the server says so or it looks like a document (CouchDB calls it plain text); a line of JSON each is text.
fn answer(json: bool, body: Vec<u8>) -> Answer {
    if (json || matches!(body.first(), Some(b'{' | b'[')))
        && let Ok(value) = serde_json::from_slice(&body)
    {
        return Answer::Json(value);
    }
    Answer::Text(String::from_utf8(body).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// What the call has words for stays a refusal, so that those count.
fn classify(call: &Call, anonymous: bool, status: &str, exception: &str, words: String) -> Fault {
    let expected = |code: &&str| call.tolerate.contains(code) || call.not_yet.contains(code);
    if let Some(code) = [exception, status].into_iter().find(expected) {
        return Fault::Refused(code.to_owned(), words);
    }
    match status {
        _ if exception == CLICKHOUSE_LOGIN => Fault::LoginRefused(words),
        _ if exception == CLICKHOUSE_TOO_SLOW => Fault::TooSlow(words),
        "401" if !anonymous => Fault::LoginRefused(words),
        // Too many requests; a gateway or the server itself is starting or full.
        "429" | "502" | "503" => Fault::Unreachable(format!("{status}: {words}")),
        _ => Fault::Refused(status.to_owned(), words),
    }
}

/// Without the URL, which is the caller's own.
fn told(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

#[cfg(test)]
mod tests;
