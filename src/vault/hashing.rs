//! argon2id with memory that goes back to the operating system.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use fluxdb_adapters::Secret;
use tokio::sync::Semaphore;

use crate::domain::{Error, Result};

/// KiB, passes, lanes: OWASP's second choice, which is kind to a small host.
const PARAMS: Params = Params::DEFAULT;
/// A stored hash that asks for more memory than this was not made by us.
const LARGEST_KIB: u32 = 64 * 1024;
const OUTPUT_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// A hash that no password has, as costly to verify as any: what an unknown name is verified against.
pub(crate) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWtub3dzLWl0$\
                                 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes that are computed at a time; each takes 19 MiB while it lasts.
const HASHES_AT_A_TIME: usize = 2;

/// Hashes passwords on blocking threads, few at a time. Needs no master key.
pub struct Hasher {
    turns: Arc<Semaphore>,
    hashes: AtomicU64,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(HASHES_AT_A_TIME)), hashes: AtomicU64::new(0) }
    }
}

impl Hasher {
    /// As [`super::Vault::hash_password`].
    ///
    /// # Errors
    /// `Internal`.
    pub async fn hash_password(&self, password: &Secret) -> Result<String> {
        let password = password.clone();
        self.on_thread(move || hash(password.expose().as_bytes())).await
    }

    /// As [`super::Vault::verify_password`].
    ///
    /// # Errors
    /// `Internal` for a hash that cannot be read.
    pub async fn verify_password(&self, password: &Secret, hash: &str) -> Result<bool> {
        let (password, hash) = (password.clone(), hash.to_owned());
        self.on_thread(move || verify(password.expose().as_bytes(), &hash)).await
    }

    /// How many were computed so far.
    pub(super) fn count(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    async fn on_thread<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let turn = self.turns.clone().acquire_owned().await.map_err(Error::internal)?;
        self.hashes.fetch_add(1, Ordering::Relaxed);
        // The turn ends with the work, also when the caller has gone away meanwhile.
        let work = move || {
            let result = work();
            drop(turn);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }
}

/// PHC string of the password under a fresh salt.
fn hash(password: &[u8]) -> Result<String> {
    let mut salt = [0_u8; SALT_BYTES];
    rand::fill(&mut salt);
    let output = compute(password, &salt, PARAMS)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&PARAMS).map_err(failed)?,
        salt: Some(Salt::new(&salt).map_err(failed)?),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// Whether the password belongs to the hash; compared in constant time.
fn verify(password: &[u8], hash: &str) -> Result<bool> {
    let hash = PasswordHash::new(hash).map_err(failed)?;
    let params = Params::try_from(&hash).map_err(failed)?;
    let ours = hash.algorithm == Algorithm::Argon2id.ident() && params.m_cost() <= LARGEST_KIB;
    let (Some(salt), Some(expected), true) = (hash.salt, hash.hash, ours) else {
        return Err(failed("not one of our hashes"));
    };
    Ok(compute(password, &salt, params)? == expected)
}

fn compute(password: &[u8], salt: &[u8], params: Params) -> Result<Output> {
    let blocks = params.block_count();
    // The allocator keeps what is freed below its largest mmap threshold (32 MiB), and an idle daemon would hold 19 MiB
    // per thread for ever. What is larger is mapped and unmapped; pages that are never touched cost nothing.
    let mut memory: Vec<Block> = Vec::with_capacity(blocks.max(40 * 1024));
    memory.resize(blocks, Block::new());
    let mut output = [0_u8; OUTPUT_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut output, &mut memory[..])
        .map_err(failed)?;
    Output::new(&output).map_err(failed)
}

fn failed(e: impl std::fmt::Display) -> Error {
    Error::internal(format!("argon2id: {e}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use argon2::PasswordVerifier;

    use super::*;

    #[test]
    fn a_hash_fits_its_password_only_and_never_repeats() {
        let one = hash(b"correct horse").unwrap();
        let two = hash(b"correct horse").unwrap();
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert!(verify(b"correct horse", &one).unwrap() && verify(b"correct horse", &two).unwrap());
        assert!(!verify(b"correct horsf", &one).unwrap());
        assert!(!verify(b"", NOBODY).unwrap());
    }

    #[test]
    fn others_can_verify_our_hashes() {
        let ours = hash(b"pw").unwrap();
        assert!(Argon2::default().verify_password(b"pw", ours.as_str()).is_ok());
    }

    #[test]
    fn a_hash_that_is_not_ours_is_an_error() {
        for bad in [
            "",
            "x",
            "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWtub3dzLWl0",
            "$argon2d$v=19$m=19456,t=2,p=1$bm9ib2R5LWtub3dzLWl0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=4000000,t=2,p=1$bm9ib2R5LWtub3dzLWl0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(verify(b"pw", bad).is_err(), "{bad}");
        }
    }
}
