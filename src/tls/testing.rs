//! The server's side of TLS, for tests.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;

impl Authority {
    /// The server's certificate and key.
    pub fn pair(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect::<Result<_, _>>();
        (chain.expect("certificate"), PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("key"))
    }

    /// A server that shows it.
    pub fn acceptor(&self) -> TlsAcceptor {
        let (chain, key) = self.pair();
        let config = ServerConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        TlsAcceptor::from(Arc::new(config.expect("configuration")))
    }
}
