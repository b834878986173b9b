//! The small client for what `podman-api` gets wrong: create, inspect, secrets, and what only needs one JSON answer.
//!
//! One connection for each request (a new one costs well under a millisecond), path pinned to `/v4.3.1/libpod`, which
//! every server from 4.3 on answers in the same shape. 304 is success.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use super::address::Address;
use super::fault::Fault;

/// No answer that we ask for comes near it.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// The client.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) address: Address,
    pub(super) timeout: Duration,
}

/// What goes with a request.
pub(super) enum Body {
    None,
    Json(serde_json::Value),
    /// As it is; for secrets.
    Text(String),
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    cause: String,
    #[serde(default)]
    message: String,
}

impl Raw {
    /// The JSON answer of a GET.
    pub(super) async fn get<T: DeserializeOwned>(&self, call: &'static str, path: &str) -> Result<T, Fault> {
        parse(&self.send(call, Method::GET, path, Body::None, self.timeout).await?)
    }

    /// Proof of life.
    pub(super) async fn ping(&self) -> Result<(), Fault> {
        self.send("ping", Method::GET, "/_ping", Body::None, self.timeout).await.map(|_| ())
    }

    /// Whether a GET of `.../exists` says so.
    pub(super) async fn exists(&self, call: &'static str, path: &str) -> Result<bool, Fault> {
        match self.send(call, Method::GET, path, Body::None, self.timeout).await {
            Ok(_) => Ok(true),
            Err(Fault::Refused(404, _)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Sends a POST; the answer as it came.
    pub(super) async fn post(&self, call: &'static str, path: &str, body: Body) -> Result<Bytes, Fault> {
        self.post_within(call, path, body, self.timeout).await
    }

    /// The same with a limit of its own.
    pub(super) async fn post_within(
        &self,
        call: &'static str,
        path: &str,
        body: Body,
        limit: Duration,
    ) -> Result<Bytes, Fault> {
        self.send(call, Method::POST, path, body, limit).await
    }

    /// Sends a DELETE.
    pub(super) async fn delete(&self, call: &'static str, path: &str) -> Result<(), Fault> {
        self.send(call, Method::DELETE, path, Body::None, self.timeout).await.map(|_| ())
    }

    async fn send(
        &self,
        call: &'static str,
        method: Method,
        path: &str,
        body: Body,
        limit: Duration,
    ) -> Result<Bytes, Fault> {
        tokio::time::timeout(limit, self.exchange(method, path, body))
            .await
            .unwrap_or(Err(Fault::TimedOut(call, limit)))
    }

    async fn exchange(&self, method: Method, path: &str, body: Body) -> Result<Bytes, Fault> {
        match &self.address {
            Address::Unix(socket) => talk(connect_unix(socket).await?, method, path, body).await,
            Address::Tcp(host) => talk(connect_tcp(host).await?, method, path, body).await,
        }
    }
}

impl Raw {
    /// Sends a POST and takes the connection over for what follows.
    pub(super) async fn upgrade(
        &self,
        path: &str,
        body: serde_json::Value,
    ) -> Result<impl AsyncRead + AsyncWrite + use<>, Fault> {
        match &self.address {
            Address::Unix(socket) => take_over(connect_unix(socket).await?, path, body).await,
            Address::Tcp(host) => take_over(connect_tcp(host).await?, path, body).await,
        }
    }
}

async fn take_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    path: &str,
    body: serde_json::Value,
) -> Result<TokioIo<Upgraded>, Fault> {
    let cut = |e: hyper::Error| Fault::Unavailable(e.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
    // Ends with the exchange: upgraded, refused, or because the sender was dropped.
    let connection = AbortOnDropHandle::new(tokio::spawn(connection.with_upgrades()));
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/v4.3.1/libpod{path}"))
        .header("Host", "d")
        .header("Content-Type", "application/json")
        .header("Connection", "Upgrade")
        .header("Upgrade", "tcp")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|e| Fault::Garbled(e.to_string()))?;
    let response = sender.send_request(request).await.map_err(cut)?;
    let status = response.status().as_u16();
    if status == 101 {
        return hyper::upgrade::on(response).await.map(TokioIo::new).map_err(cut);
    }
    let answer = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
    drop(connection);
    Err(refused(status, &answer.map_err(|e| Fault::Unavailable(e.to_string()))?.to_bytes()))
}

async fn connect_tcp(host: &str) -> Result<TcpStream, Fault> {
    TcpStream::connect(host).await.map_err(|e| Fault::Unavailable(format!("{host}: {e}")))
}

pub(super) async fn connect_unix(socket: &Path) -> Result<UnixStream, Fault> {
    UnixStream::connect(socket).await.map_err(|e| Fault::Unavailable(format!("{}: {e}", socket.display())))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: Method,
    path: &str,
    body: Body,
) -> Result<Bytes, Fault> {
    let cut = |e: hyper::Error| Fault::Unavailable(e.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
    let (kind, bytes) = match body {
        Body::None => (None, Bytes::new()),
        Body::Json(value) => (Some("application/json"), Bytes::from(value.to_string())),
        // curl's usual form type is refused here by Podman.
        Body::Text(text) => (Some("text/plain"), Bytes::from(text)),
    };
    let mut request = Request::builder().method(method).uri(format!("/v4.3.1/libpod{path}")).header("Host", "d");
    if let Some(kind) = kind {
        request = request.header("Content-Type", kind);
    }
    let request = request.body(Full::new(bytes)).map_err(|e| Fault::Garbled(e.to_string()))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(cut)?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
        let answer = answer.map_err(|e| Fault::Unavailable(e.to_string()))?.to_bytes();
        if status.is_success() || status.as_u16() == 304 {
            return Ok(answer);
        }
        Err(refused(status.as_u16(), &answer))
    };
    // The connection is driven here and not in a task of its own, so that dropping the future ends it.
    let mut connection = std::pin::pin!(connection);
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            Err(error) => Err(cut(error)),
            // All that came was read; what is left is to be collected.
            Ok(()) => exchange.await,
        },
    }
}

fn refused(status: u16, answer: &[u8]) -> Fault {
    let text = match serde_json::from_slice::<Refusal>(answer) {
        Ok(refusal) => format!("{}: {}", refusal.message, refusal.cause),
        Err(_) => String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned(),
    };
    Fault::Refused(status, text)
}

fn parse<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_slice(answer);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|e| Fault::Garbled(e.to_string()))
}

/// A name as a part of a path: everything but the unreserved characters is escaped.
pub(super) fn escape(name: &str) -> String {
    fluxdb_adapters::quote::percent(name)
}
