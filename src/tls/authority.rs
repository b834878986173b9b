//! A certificate authority for tests, with one server's certificate; also part of the tests on real servers.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Its own certificate, and one that it signed.
pub struct Authority {
    /// Its own certificate, PEM.
    pub pem: String,
    /// The server's certificate, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
}

impl Authority {
    /// With a certificate for a server of this name or address.
    pub fn of(server: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority");
        let key = KeyPair::generate().expect("key");
        let server = CertificateParams::new(vec![server.to_owned()]).expect("name");
        let certificate = server.signed_by(&key, &issuer).expect("certificate");
        Self { pem: issuer.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
