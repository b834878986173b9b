//! Accepts connections and serves them until shutdown, then lets the open ones finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, info, warn};

use super::{Http, router};
use crate::app::App;

/// Time for a request's line and headers, so that a silent client does not hold a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a failed accept (out of file descriptors, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves the API until `shutdown`; then takes no new request, ends waits and event streams, and gives open requests
/// `server.shutdown_secs` to finish.
pub async fn serve(app: Arc<App>, listener: TcpListener, shutdown: CancellationToken) {
    let server = Arc::new(app.core.config.server.clone());
    let grace = Duration::from_secs(server.shutdown_secs);
    let service = router::service(Http { app, server, shutdown: shutdown.clone() });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve_connection(service.clone(), stream, peer, shutdown.clone()));
                }
                Err(e) => {
                    warn!(error = %e, "could not accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    info!(open = connections.len(), "no new requests are taken; waiting for open ones");
    let finished = tokio::time::timeout(grace, async { while connections.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        warn!(open = connections.len(), "requests were cut off: they took longer than [server] shutdown_secs");
    }
}

async fn serve_connection(service: Router, stream: TcpStream, peer: SocketAddr, shutdown: CancellationToken) {
    if let Err(e) = stream.set_nodelay(true) {
        debug!(error = %e, "TCP_NODELAY could not be set");
    }
    let handle = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), handle);
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = outcome {
        debug!(error = %e, %peer, "a connection ended badly");
    }
}
