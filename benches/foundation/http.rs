//! One keep-alive connection to the daemon.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;

use crate::daemon::Daemon;

pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    token: String,
}

impl Client {
    pub async fn connect(daemon: &Daemon) -> Self {
        let address = daemon.address;
        Self { sender: Self::dial(address).await, address, token: daemon.token.clone() }
    }

    async fn dial(address: SocketAddr) -> SendRequest<Full<Bytes>> {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Status and body of one request below the base path.
    pub async fn send(&mut self, method: Method, path: &str, body: &str) -> (u16, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", fluxdb::api::BASE))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        // The daemon closes a connection that lay idle for long.
        if self.sender.ready().await.is_err() {
            self.sender = Self::dial(self.address).await;
        }
        let response = self.sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }
}
