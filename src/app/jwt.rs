//! Whom a JWT of the Flux platform stands for.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jsonwebtoken::errors::ErrorKind as JwtError;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::auth::unauthenticated;
use super::{Identity, Permission};
use crate::config::JwtConfig;
use crate::domain::{Error, ErrorKind, Result};

/// Signatures that are accepted; none with a shared secret, and never `none`.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
const LONGEST_TOKEN: usize = 8192;
const LARGEST_JWKS_BYTES: u64 = 256 * 1024;
/// Shortest modulus in base64url characters: 2048 bits.
const SHORTEST_RSA: usize = 341;
/// Clocks of two hosts may differ by so much.
const LEEWAY_SECS: u64 = 30;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two fetches, whatever asks for them.
const FETCH_EVERY: Duration = Duration::from_secs(60);
/// Fetched keys are fetched again after this, so that a withdrawn one goes.
const FRESH: Duration = Duration::from_secs(600);

/// Verifies JWTs by the keys of a JWKS.
pub(super) struct JwtVerifier {
    config: JwtConfig,
    keys: tokio::sync::Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    set: Option<Arc<Vec<Jwk>>>,
    /// Of the file that `set` was read from.
    stamp: Option<(SystemTime, u64)>,
    tried_at: Option<Instant>,
    fetched_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    permissions: Option<Words>,
    projects: Option<Words>,
}

/// A list, or words in one text with spaces between.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    Text(String),
}

impl Words {
    fn words(&self) -> Vec<&str> {
        match self {
            Words::List(list) => list.iter().map(String::as_str).collect(),
            Words::Text(text) => text.split_ascii_whitespace().collect(),
        }
    }
}

impl JwtVerifier {
    pub(super) fn new(config: JwtConfig) -> Result<Self> {
        let wrong = |text: &str| Err(Error::new(ErrorKind::Internal, "config_invalid", text));
        if config.issuer.is_empty() || config.audience.is_empty() {
            return wrong("auth.jwt needs an issuer and an audience that are not empty.");
        }
        match (&config.jwks_file, &config.jwks_url) {
            (Some(_), None) => {}
            (None, Some(url)) if is_safe(url) => {}
            (None, Some(_)) => {
                return wrong("auth.jwt.jwks_url must begin with https:// (http:// only to a loopback address).");
            }
            (Some(_), Some(_)) | (None, None) => {
                return wrong("auth.jwt needs exactly one of jwks_file and jwks_url.");
            }
        }
        Ok(Self { config, keys: tokio::sync::Mutex::default() })
    }

    /// # Errors
    /// `Unauthenticated` with one text for all that is wrong with the token; `Forbidden` without a permission of ours;
    /// `Unavailable` when the keys cannot be had.
    pub(super) async fn verify(&self, token: &str) -> Result<Identity> {
        if token.len() > LONGEST_TOKEN {
            return Err(refused("longer than allowed"));
        }
        let header = decode_header(token).map_err(|e| refused(reason(&e)))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(refused("signature of a kind that is not accepted"));
        }
        let Some(key) = self.key(header.kid.as_deref(), header.alg).await? else {
            return Err(refused("signed with a key that is not in the JWKS"));
        };
        let mut rules = Validation::new(header.alg);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_issuer(&[&self.config.issuer]);
        rules.set_audience(&[&self.config.audience]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY_SECS;
        let claims = decode::<Claims>(token, &key, &rules).map_err(|e| refused(reason(&e)))?.claims;
        identity(claims)
    }

    /// The key that this token names, fit for its algorithm.
    async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Option<DecodingKey>> {
        let set = self.set(kid).await?;
        let mut fit =
            set.iter().filter(|k| kid.is_none() || k.common.key_id.as_deref() == kid).filter(|k| fits(k, algorithm));
        let (first, second) = (fit.next(), fit.next());
        match (first, second) {
            (Some(key), None) => {
                DecodingKey::from_jwk(key).map(Some).map_err(|e| refused("its key cannot be used").context(reason(&e)))
            }
            // Without a name, or with one that two keys bear, there is no telling which key is meant.
            _ => Ok(None),
        }
    }

    /// The keys, read or fetched again where that is due.
    async fn set(&self, kid: Option<&str>) -> Result<Arc<Vec<Jwk>>> {
        let mut keys = self.keys.lock().await;
        match (&self.config.jwks_file, &self.config.jwks_url) {
            (Some(path), _) => keys.read(path).await,
            (None, Some(url)) => keys.fetch(url, kid).await,
            (None, None) => Err(Error::internal("a JWT section without keys")),
        }
    }
}

impl Keys {
    async fn read(&mut self, path: &Path) -> Result<Arc<Vec<Jwk>>> {
        let read = async {
            let meta = tokio::fs::metadata(path).await?;
            let stamp = (meta.modified()?, meta.len());
            if self.stamp != Some(stamp) || self.set.is_none() {
                let text = tokio::fs::read_to_string(path).await?;
                self.set = Some(Arc::new(parse(&text)?));
                self.stamp = Some(stamp);
            }
            std::io::Result::Ok(())
        };
        if let Err(e) = read.await {
            // A file that is being replaced: the keys that were good a moment ago go on.
            tracing::warn!(path = %path.display(), error = %e, "could not read the keys for JWTs");
        }
        self.set.clone().ok_or_else(no_keys)
    }

    async fn fetch(&mut self, url: &str, kid: Option<&str>) -> Result<Arc<Vec<Jwk>>> {
        let has = |kid| self.set.iter().any(|set| set.iter().any(|k| k.common.key_id.as_deref() == Some(kid)));
        let known = kid.map_or(self.set.is_some(), has);
        let due = !known || self.fetched_at.is_none_or(|at| at.elapsed() >= FRESH);
        let allowed = self.tried_at.is_none_or(|at| at.elapsed() >= FETCH_EVERY);
        if due && allowed {
            self.tried_at = Some(Instant::now());
            let from = url.to_owned();
            match tokio::task::spawn_blocking(move || download(&from)).await.map_err(Error::internal)? {
                Ok(set) => {
                    self.set = Some(Arc::new(set));
                    self.fetched_at = Some(Instant::now());
                }
                Err(e) => tracing::warn!(%url, error = %e, "could not fetch the keys for JWTs"),
            }
        }
        self.set.clone().ok_or_else(no_keys)
    }
}

fn identity(claims: Claims) -> Result<Identity> {
    if claims.sub.is_empty() || claims.sub.len() > 200 || claims.sub.chars().any(char::is_control) {
        return Err(refused("a subject that cannot be shown"));
    }
    let permissions = claims.permissions.as_ref().map(Words::words).unwrap_or_default();
    let Some(permission) = Permission::highest(permissions) else {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "permission_denied",
            "The token is valid, but its permissions hold neither databases:read nor databases:write.",
        ));
    };
    Ok(Identity {
        actor: format!("jwt:{}", claims.sub),
        token_id: None,
        permission,
        // An empty list is a limit to nothing; only an absent one is no limit.
        projects: claims.projects.map(|p| p.words().into_iter().map(str::to_owned).collect()),
    })
}

/// Whether a key may be used for this signature.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let named = key.common.key_algorithm.is_none_or(|a| a == KeyAlgorithm::from(algorithm));
    let kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(rsa), Algorithm::RS256) => rsa.n.len() >= SHORTEST_RSA,
        (AlgorithmParameters::EllipticCurve(_), Algorithm::ES256) => true,
        (AlgorithmParameters::OctetKeyPair(_), Algorithm::EdDSA) => true,
        _ => false,
    };
    signs && named && kind
}

/// Keys that cannot be read are left out: a JWKS may hold kinds that we do not know.
fn parse(text: &str) -> std::io::Result<Vec<Jwk>> {
    #[derive(Deserialize)]
    struct Raw {
        keys: Vec<serde_json::Value>,
    }
    let raw: Raw = serde_json::from_str(text)?;
    Ok(raw.keys.into_iter().filter_map(|k| serde_json::from_value(k).ok()).collect())
}

fn download(url: &str) -> std::io::Result<Vec<Jwk>> {
    let agent = ureq::Agent::config_builder()
        .tls_config(crate::tls::public())
        .timeout_global(Some(FETCH_TIMEOUT))
        .max_redirects(0)
        .build()
        .new_agent();
    let mut answer = agent.get(url).call().map_err(std::io::Error::other)?;
    if answer.status().as_u16() != 200 {
        return Err(std::io::Error::other(format!("status {}", answer.status())));
    }
    let text =
        answer.body_mut().with_config().limit(LARGEST_JWKS_BYTES).read_to_string().map_err(std::io::Error::other)?;
    parse(&text)
}

/// Keys that anybody on the way could replace are no keys.
fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => loopback,
        _ => false,
    }
}

/// The same answer for all; the operator's log learns why, but nothing of the token.
fn refused(why: &'static str) -> Error {
    unauthenticated().context(why)
}

fn reason(e: &jsonwebtoken::errors::Error) -> &'static str {
    match e.kind() {
        JwtError::ExpiredSignature => "expired",
        JwtError::ImmatureSignature => "not valid yet",
        JwtError::InvalidIssuer => "another issuer",
        JwtError::InvalidAudience => "another audience",
        JwtError::InvalidSignature => "the signature does not fit",
        JwtError::MissingRequiredClaim(_) => "a claim is missing",
        JwtError::InvalidClaimFormat(_) => "a claim has another form",
        _ => "not a JWT that can be read",
    }
}

fn no_keys() -> Error {
    Error::unavailable("jwks_unavailable", "The keys that verify JWTs cannot be had right now; try again in a while.")
}

#[cfg(test)]
mod tests;
