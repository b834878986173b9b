//! The way to a server: TCP, and TLS where the server's certificate is to be proven.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Target;
use super::fault::Fault;
use crate::domain::{Error, ErrorKind, Result};

/// To connect, and to agree on a key.
pub(super) const LIMIT: Duration = Duration::from_secs(3);

/// After so long without a word the other side's kernel is asked whether it is there; three times.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// The authorities whose certificates prove a server, and no others. With it a connection is encrypted or not made: the
/// certificate must be signed by one of them and be for the host that is connected to (also where that is an address).
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    /// MongoDB's driver reads it itself.
    file: PathBuf,
    pem: Vec<u8>,
    config: Arc<ClientConfig>,
}

impl Trust {
    /// The certificates in this PEM file, of which there must be one at least. The file must stay where it is: one
    /// driver reads it again for each connection.
    ///
    /// # Errors
    /// `Invalid` (`certificates_unusable`) when it cannot be read, holds none, or one that is no certificate.
    pub fn load(file: &Path) -> Result<Self> {
        let unusable = |why: String| {
            let message = format!("The certificates in {} cannot be used: {why}.", file.display());
            Error::new(ErrorKind::Invalid, "certificates_unusable", message)
        };
        let pem = std::fs::read(file).map_err(|e| unusable(e.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|e| unusable(e.to_string()))?;
            roots.add(certificate).map_err(|e| unusable(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unusable("it holds none in PEM format".into()));
        }
        let config = Arc::new(configured(roots).map_err(Error::internal)?);
        Ok(Self(Arc::new(Inner { file: file.to_owned(), pem, config })))
    }

    pub(super) fn file(&self) -> &Path {
        &self.0.file
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        self.0.pem.clone()
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.0.config.clone()
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Trust").field(&self.0.file).finish()
    }
}

/// TLS 1.2 and 1.3.
fn configured(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(crate::tls::provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// For drivers that want a configuration also where nothing is encrypted: it trusts nobody.
pub(super) fn nobody() -> Result<ClientConfig, rustls::Error> {
    configured(RootCertStore::empty())
}

/// Bytes to and from a server.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection for the protocols that speak TLS from the first byte on.
pub(super) async fn connect(to: &Target) -> Result<Box<dyn Io>, Fault> {
    let work = async {
        let stream = dial(to).await?;
        let Some(trust) = &to.tls else { return Ok::<Box<dyn Io>, Fault>(Box::new(stream)) };
        let name = ServerName::try_from(to.host.clone()).map_err(lost)?;
        Ok(Box::new(TlsConnector::from(trust.config()).connect(name, stream).await.map_err(lost)?))
    };
    tokio::time::timeout(LIMIT, work).await.map_err(|_| lost("no connection within 3 s"))?
}

/// A connection without TLS, for the protocols that agree on it first.
pub(super) async fn dial(to: &Target) -> Result<TcpStream, Fault> {
    let connected = tokio::time::timeout(LIMIT, TcpStream::connect((to.host.as_str(), to.port))).await;
    let stream = connected.map_err(|_| lost("no connection within 3 s"))?.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    keep_alive(&stream).map_err(lost)?;
    Ok(stream)
}

/// A container that is gone with its network never closes a connection; a question would wait for ever.
fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE)?;
    sockopt::set_tcp_keepintvl(stream, SILENCE)?;
    sockopt::set_tcp_keepcnt(stream, 3)
}

fn lost(why: impl ToString) -> Fault {
    Fault::Unreachable(why.to_string())
}

#[cfg(test)]
mod tests;
