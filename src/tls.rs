//! One provider of cryptography for all that speaks TLS.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Named wherever a configuration is made: which one a dependency would choose by itself depends on what else is built.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// For HTTPS to the public: certificates by well-known authorities.
pub fn public() -> ureq::tls::TlsConfig {
    ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider()).build()
}

#[cfg(test)]
pub mod authority;
#[cfg(test)]
pub mod testing;
