//! Whom a bearer token stands for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fluxdb_adapters::Secret;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::jwt::JwtVerifier;
use super::tokens;
use super::{Identity, Permission};
use crate::api::Token;
use crate::config::AuthConfig;
use crate::domain::{Error, ErrorKind, Result, TokenId};
use crate::store::{self, Store};
use crate::vault::{NOBODY, Vault};

mod failures;

use failures::Failures;

/// Verified tokens that are remembered.
const MOST_KNOWN: usize = 1024;
/// See [`Authenticator::trusted`].
const TRUSTED: Duration = Duration::from_secs(5);
/// `last_used_at` is written at most so often.
const TOUCH: SignedDuration = SignedDuration::from_mins(1);

/// Tells who calls. One for the whole daemon; share it in an `Arc`.
pub struct Authenticator {
    store: Store,
    vault: Arc<Vault>,
    jwt: Option<JwtVerifier>,
    /// After this a remembered token's row is read again: another program (`fluxdb token`) may have removed it.
    trusted: Duration,
    /// One unknown token is verified at a time, so that a flood of them takes one thread and 19 MiB, not all there is.
    gate: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// By SHA-256 of the whole token.
    known: HashMap<[u8; 32], Known>,
    failures: Failures,
    /// Grows with each removal; what was read before one is not remembered after it.
    removals: u64,
}

#[derive(Clone)]
struct Known {
    identity: Identity,
    lookup: String,
    hash: String,
    expires_at: Option<Timestamp>,
    read_at: Instant,
    used_at: Option<Timestamp>,
}

impl Authenticator {
    /// # Errors
    /// `Internal` (`config_invalid`) for a JWT section that cannot work.
    pub fn new(store: Store, vault: Arc<Vault>, config: AuthConfig) -> Result<Self> {
        Ok(Self {
            store,
            vault,
            jwt: config.jwt.map(JwtVerifier::new).transpose()?,
            trusted: TRUSTED,
            gate: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                known: HashMap::new(),
                failures: Failures::new(config.failures, config.failure_window_secs),
                removals: 0,
            }),
        })
    }

    /// Whom this token stands for. `bearer` is what follows `Bearer ` in the header; `None` without the header.
    ///
    /// A token that was verified before costs no argon2. Any other costs exactly one, known or not, and all that fail
    /// get the same answer.
    ///
    /// # Errors
    /// `Unauthenticated` (`unauthenticated`); `TooManyRequests` (`too_many_failures`) with the seconds to wait;
    /// `Forbidden` (`permission_denied`) for a good JWT without a permission of ours; `Unavailable`
    /// (`jwks_unavailable`) when the keys for JWTs cannot be had.
    pub async fn authenticate(&self, bearer: Option<&str>, ip: IpAddr) -> Result<Identity> {
        let Some(bearer) = bearer.map(str::trim).filter(|b| !b.is_empty()) else {
            // Not a guess, so it is neither counted nor made costly.
            return Err(unauthenticated());
        };
        if let Some(jwt) = self.jwt.as_ref().filter(|_| bearer.split('.').count() == 3) {
            return match jwt.verify(bearer).await {
                // Checking a signature is cheap: who has a good one passes even where others have failed too often.
                Err(e) if e.kind == ErrorKind::Unauthenticated => {
                    self.refuse_who_failed_too_often(ip)?;
                    self.state().failures.count(ip, Instant::now());
                    Err(e)
                }
                verified => verified,
            };
        }
        let digest: [u8; 32] = Sha256::digest(bearer.as_bytes()).into();
        if let Some(identity) = self.remembered(&digest).await? {
            return Ok(identity);
        }
        self.refuse_who_failed_too_often(ip)?;
        let _turn = self.gate.lock().await;
        // Meanwhile another request may have verified the same token, or this address may have failed.
        if let Some(identity) = self.remembered(&digest).await? {
            return Ok(identity);
        }
        self.refuse_who_failed_too_often(ip)?;
        match self.verify(bearer, digest).await? {
            Some(identity) => Ok(identity),
            None => {
                self.state().failures.count(ip, Instant::now());
                Err(unauthenticated())
            }
        }
    }

    /// Forgets a token that was removed; to be called after its removal is committed.
    pub fn forget(&self, id: TokenId) {
        let mut state = self.state();
        state.removals += 1;
        state.known.retain(|_, known| known.identity.token_id != Some(id));
    }

    /// Changes how long a remembered token is trusted without reading its row.
    #[cfg(test)]
    pub(super) fn trust_for(&mut self, time: Duration) {
        self.trusted = time;
    }

    /// From memory; its row is read again where that was a while ago.
    async fn remembered(&self, digest: &[u8; 32]) -> Result<Option<Identity>> {
        let known = self.state().known.get(digest).cloned();
        let Some(mut known) = known else { return Ok(None) };
        if known.read_at.elapsed() >= self.trusted {
            let lookup = known.lookup.clone();
            let row = self.store.read(move |db| store::tokens::find(db, &lookup)).await?;
            match row.filter(|row| row.hash == known.hash) {
                Some(row) => {
                    known.identity = identity(&row.token)?;
                    known.expires_at = expiry(&row.token)?;
                    known.read_at = Instant::now();
                }
                None => {
                    self.state().known.remove(digest);
                    return Ok(None);
                }
            }
        }
        if ended(known.expires_at) {
            self.state().known.remove(digest);
            return Ok(None);
        }
        self.note_use(&mut known);
        let identity = known.identity.clone();
        // Only where it still is: a removal in between stays one.
        if let Some(entry) = self.state().known.get_mut(digest) {
            *entry = known;
        }
        Ok(Some(identity))
    }

    /// From the store, at the cost of one argon2 whatever the token looks like.
    async fn verify(&self, bearer: &str, digest: [u8; 32]) -> Result<Option<Identity>> {
        let removals = self.state().removals;
        let (lookup, secret) = tokens::split(bearer).unwrap_or(("", bearer));
        let wanted = lookup.to_owned();
        let row = self.store.read(move |db| store::tokens::find(db, &wanted)).await?;
        let hash = row.as_ref().map_or(NOBODY, |row| row.hash.as_str());
        let fits = self.vault.verify_password(&Secret::new(secret), hash).await?;
        let Some(row) = row.filter(|_| fits) else { return Ok(None) };
        let expires_at = expiry(&row.token)?;
        if ended(expires_at) {
            return Ok(None);
        }
        let mut known = Known {
            identity: identity(&row.token)?,
            lookup: row.lookup,
            hash: row.hash,
            expires_at,
            read_at: Instant::now(),
            used_at: row.token.last_used_at.as_deref().and_then(|t| t.parse().ok()),
        };
        self.note_use(&mut known);
        let identity = known.identity.clone();
        let mut state = self.state();
        if state.removals == removals {
            make_room(&mut state.known);
            state.known.insert(digest, known);
        }
        Ok(Some(identity))
    }

    /// Writes `last_used_at`, beside the request: nobody waits for a disk because somebody was there.
    fn note_use(&self, known: &mut Known) {
        let now = Timestamp::now();
        let Some(id) = known.identity.token_id else { return };
        if known.used_at.is_some_and(|at| now.duration_since(at) < TOUCH) {
            return;
        }
        known.used_at = Some(now);
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(e) = store.write(move |db| store::tokens::touch(db, id, now)).await {
                tracing::warn!(token.id = %id, error = %e.story(), "could not note the use of the token {id}");
            }
        });
    }

    fn refuse_who_failed_too_often(&self, ip: IpAddr) -> Result<()> {
        let Some(secs) = self.state().failures.wait_secs(ip, Instant::now()) else { return Ok(()) };
        let mut error = Error::new(
            ErrorKind::TooManyRequests,
            "too_many_failures",
            "Too many requests with a token that is not valid came from this address; wait, then use a valid one.",
        );
        error.retry_after_secs = Some(secs);
        Err(error)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is whole, so what a panic left behind can be used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one answer to every token that is no good.
pub(super) fn unauthenticated() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "unauthenticated",
        "A valid token is needed: send the header `Authorization: Bearer TOKEN`.",
    )
}

fn identity(token: &Token) -> Result<Identity> {
    let permission = Permission::highest(token.permissions.iter().map(String::as_str))
        .ok_or_else(|| Error::internal(format!("token {} has no permission that is known", token.id)))?;
    Ok(Identity {
        actor: token.name.clone(),
        token_id: Some(token.id),
        permission,
        projects: (!token.projects.is_empty()).then(|| token.projects.clone()),
    })
}

fn expiry(token: &Token) -> Result<Option<Timestamp>> {
    let parse = |text: &str| text.parse().map_err(|e: jiff::Error| Error::internal(e).context("expiry of a token"));
    token.expires_at.as_deref().map(parse).transpose()
}

fn ended(expires_at: Option<Timestamp>) -> bool {
    expires_at.is_some_and(|at| at <= Timestamp::now())
}

fn make_room(known: &mut HashMap<[u8; 32], Known>) {
    if known.len() < MOST_KNOWN {
        return;
    }
    let oldest = known.iter().min_by_key(|(_, k)| k.read_at).map(|(digest, _)| *digest);
    if let Some(digest) = oldest {
        known.remove(&digest);
    }
}

#[cfg(test)]
mod tests;
