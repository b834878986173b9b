//! Secrets at rest: the master key, ciphertexts under it, argon2id hashes.

pub(crate) mod files;
mod hashing;
pub mod passwords;

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use fluxdb_adapters::Secret;

use files::{hex, unhex, write_private};
pub use hashing::Hasher;
pub(crate) use hashing::NOBODY;

use crate::domain::{Error, ErrorKind, Result};
use crate::store::{Store, meta};

/// Environment variable with the master key, hexadecimal.
pub const MASTER_KEY_VARIABLE: &str = "FLUXDB_MASTER_KEY";
/// Name of the master key among the service manager's credentials.
pub const MASTER_KEY_CREDENTIAL: &str = "fluxdb-master-key";
/// Name of the master key's file in the data directory.
pub const MASTER_KEY_FILE: &str = "master.key";

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// First byte of every ciphertext: AES-256-GCM, nonce of 12 bytes, under the one master key.
const VERSION: u8 = 1;
const CHECK: &str = "master key check";

/// Seals and opens secrets under the master key, and hashes passwords.
pub struct Vault {
    cipher: Aes256Gcm,
    /// Where the key came from, for error texts.
    source: String,
    hasher: Hasher,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// Finds the master key and proves that this state was written under it.
    ///
    /// Looked for in this order: `FLUXDB_MASTER_KEY`, the service manager's credential `fluxdb-master-key`,
    /// `master_key_file`, `master.key` in `data_dir`. The last is made where the state holds no secrets yet.
    ///
    /// # Errors
    /// `Internal` with what to do: `master_key_missing`, `master_key_exposed` (others may read the file),
    /// `master_key_invalid`, `master_key_mismatch` (another key than the one the state was written under).
    pub async fn open(store: &Store, data_dir: &Path, master_key_file: Option<&Path>) -> Result<Arc<Self>> {
        Self::open_with(store, data_dir, master_key_file, &|name| std::env::var_os(name)).await
    }

    async fn open_with(
        store: &Store,
        data_dir: &Path,
        master_key_file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Arc<Self>> {
        let check = store.read(|db| meta::get(db, meta::MASTER_KEY_CHECK)).await?;
        let (key, source) = find_key(data_dir, master_key_file, environment, check.is_none())?;
        let vault = Self::with_key(key, source);
        match check {
            Some(check) => {
                let sealed = unhex(&check).ok_or_else(|| vault.mismatch("the check value is not hexadecimal"))?;
                vault.open_sealed(CHECK, &sealed)?;
            }
            None => {
                let sealed = hex(&vault.seal(CHECK, &Secret::new(CHECK))?);
                store.write(move |db| meta::set(db, meta::MASTER_KEY_CHECK, &sealed)).await?;
            }
        }
        Ok(Arc::new(vault))
    }

    /// A vault under this key; `source` says in error texts where it came from.
    pub fn with_key(key: [u8; KEY_BYTES], source: impl Into<String>) -> Self {
        Self { cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(key)), source: source.into(), hasher: Hasher::default() }
    }

    /// Encrypts with a fresh nonce. `context` says whose secret it is (`credential:<instance>:<role>:<username>`);
    /// it is not secret, and the ciphertext opens under the same context only.
    ///
    /// # Errors
    /// `Internal`, which does not happen below 64 GiB.
    pub fn seal(&self, context: &str, secret: &Secret) -> Result<Vec<u8>> {
        self.seal_bytes(context, secret.expose().as_bytes())
    }

    /// The same for bytes.
    pub(crate) fn seal_bytes(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0_u8; NONCE_BYTES];
        rand::fill(&mut nonce);
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| Error::internal("AES-GCM refused to encrypt").context(context))?;
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Decrypts what [`Vault::seal`] made under the same context.
    ///
    /// # Errors
    /// `Internal` (`master_key_mismatch`): another key, another context, or bytes that were changed.
    pub fn open_sealed(&self, context: &str, sealed: &[u8]) -> Result<Secret> {
        let plain = self.open_bytes(context, sealed)?;
        String::from_utf8(plain)
            .map(Secret::new)
            .map_err(|_| Error::internal("a stored secret is not UTF-8").context(context))
    }

    /// The same for bytes.
    pub(crate) fn open_bytes(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let Some((&VERSION, rest)) = sealed.split_first() else {
            return Err(self.mismatch("the ciphertext has no known format").context(context));
        };
        let Some((nonce, ciphertext)) = rest.split_first_chunk::<NONCE_BYTES>() else {
            return Err(self.mismatch("the ciphertext is too short").context(context));
        };
        let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
        self.cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| self.mismatch("the ciphertext does not open").context(context))
    }

    /// argon2id hash of a password, as PHC string. Takes some 20 ms of a processor and 19 MiB, on a blocking thread; few at a time.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn hash_password(&self, password: &Secret) -> Result<String> {
        self.hasher.hash_password(password).await
    }

    /// Whether the password belongs to the hash. Costs as much as [`Vault::hash_password`], right or wrong.
    ///
    /// # Errors
    /// `Internal` for a hash that cannot be read.
    pub async fn verify_password(&self, password: &Secret, hash: &str) -> Result<bool> {
        self.hasher.verify_password(password, hash).await
    }

    /// How many hashes were computed so far: what tests of constant cost count.
    pub fn hashes(&self) -> u64 {
        self.hasher.count()
    }

    /// What hashes, for places that seal nothing.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    fn mismatch(&self, why: &'static str) -> Error {
        Error::new(
            ErrorKind::Internal,
            "master_key_mismatch",
            format!(
                "A stored secret does not open with the master key from {}: this state was written under another key, or \
                 was changed by hand. Put the key back that belongs to this data directory ({MASTER_KEY_FILE} of the \
                 same backup), or restore the state that belongs to this key.",
                self.source
            ),
        )
        .context(why)
    }
}

type Found = ([u8; KEY_BYTES], String);

fn find_key(
    data_dir: &Path,
    master_key_file: Option<&Path>,
    environment: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    may_make: bool,
) -> Result<Found> {
    if let Some(text) = environment(MASTER_KEY_VARIABLE) {
        let source = format!("the environment variable {MASTER_KEY_VARIABLE}");
        return Ok((parse(&text.to_string_lossy(), &source)?, source));
    }
    if let Some(path) = environment("CREDENTIALS_DIRECTORY").map(|d| Path::new(&d).join(MASTER_KEY_CREDENTIAL))
        && path.exists()
    {
        // The service manager made it readable for this service alone; its mode bits vary.
        return read(&path);
    }
    let path = master_key_file.map_or_else(|| data_dir.join(MASTER_KEY_FILE), PathBuf::from);
    match path.metadata() {
        Ok(meta) if meta.mode() & 0o077 != 0 => Err(key_error(
            "master_key_exposed",
            format!(
                "Others may read the master key {}. Run `chmod 600` on it; if they may have read it, rotate the \
                 passwords of all instances.",
                path.display()
            ),
        )),
        Ok(_) => read(&path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && master_key_file.is_none() && may_make => make(path),
        Err(e) => Err(key_error(
            "master_key_missing",
            format!(
                "The master key {} cannot be read, and without it the stored passwords cannot be opened. Put it back \
                 from the backup of the data directory, or name its place with data.master_key_file.",
                path.display()
            ),
        )
        .caused_by(e)),
    }
}

fn read(path: &Path) -> Result<Found> {
    let source = format!("the file {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| {
        key_error("master_key_missing", format!("The master key in {source} cannot be read.")).caused_by(e)
    })?;
    Ok((parse(&text, &source)?, source))
}

fn make(path: PathBuf) -> Result<Found> {
    let mut key = [0_u8; KEY_BYTES];
    rand::fill(&mut key);
    write_private(&path, &format!("{}\n", hex(&key))).map_err(|e| {
        key_error(
            "master_key_missing",
            format!("A master key could not be written to {}; check the directory's owner and space.", path.display()),
        )
        .caused_by(e)
    })?;
    tracing::info!(path = %path.display(), "made a master key; back it up with the data directory, apart from the state");
    let source = format!("the file {}", path.display());
    Ok((key, source))
}

fn parse(text: &str, source: &str) -> Result<[u8; KEY_BYTES]> {
    unhex(text.trim()).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        key_error(
            "master_key_invalid",
            format!("The master key in {source} is not {KEY_BYTES} bytes in hexadecimal ({} digits).", KEY_BYTES * 2),
        )
    })
}

fn key_error(code: &'static str, text: String) -> Error {
    Error::new(ErrorKind::Internal, code, text)
}

#[cfg(test)]
mod tests;
