//! A small HTTP client whose every answer is compared with docs/openapi.json.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use fluxdb::api::BASE;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::contract;

/// No answer may take longer than this, waits included.
const DEADLINE: Duration = Duration::from_secs(30);

/// A request that is being put together.
pub struct Call {
    to: SocketAddr,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// To this path below the base (an absolute one when it starts with `//`).
    pub fn new(to: SocketAddr, method: Method, path: &str) -> Self {
        let path = path.strip_prefix('/').filter(|p| p.starts_with('/')).map_or(format!("{BASE}{path}"), str::to_owned);
        Self { to, method, path, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// With this header, replacing what was there.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// As the bearer of this token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// As nobody.
    pub fn anonymous(mut self) -> Self {
        self.headers.remove("authorization");
        self
    }

    /// With this JSON.
    pub fn json(self, body: &Value) -> Self {
        self.raw(body.to_string())
    }

    /// With this text, said to be JSON.
    pub fn raw(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        let (method, path) = (self.method.clone(), self.path.clone());
        let exchange = async {
            let (parts, body) = self.open().await.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Answer { status: parts.status, headers: parts.headers, body }
        };
        let answer = tokio::time::timeout(DEADLINE, exchange).await.expect("no answer in time");
        contract::check(&method, &path, &answer);
        answer
    }

    /// Sends it and hands over the answer while its body is still coming.
    pub async fn open(self) -> Response<Incoming> {
        let stream = TcpStream::connect(self.to).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        request.headers_mut().insert("host", HeaderValue::from_static("fluxdb.test"));
        sender.send_request(request).await.unwrap()
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// The problem of a refusal that must have this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }
}
