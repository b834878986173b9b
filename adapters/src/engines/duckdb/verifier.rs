//! SCRAM-SHA-256 (RFC 5802, RFC 7677): what a server keeps of a password instead of the password.

use sha2::{Digest, Sha256};

use crate::Secret;

/// As in images/duckdb/accounts.py, which answers logins with it.
const ITERATIONS: u32 = 4096;

/// With it a server knows whether a client knows the password; nobody can log in with it.
pub(super) struct Verifier {
    /// base64.
    pub(super) salt: String,
    /// Hash of the client's key, hexadecimal.
    pub(super) stored: String,
    /// The server's key, hexadecimal.
    pub(super) server: String,
}

/// The salt follows from `unique`, so that a rendered file is the same each time.
pub(super) fn verifier(password: &Secret, unique: u128) -> Verifier {
    let digest = Sha256::new().chain_update(b"scram salt").chain_update(unique.to_be_bytes()).finalize();
    // 15 bytes, which base64 writes without padding.
    of(password.expose(), &digest[..15])
}

fn of(password: &str, salt: &[u8]) -> Verifier {
    let salted = salted(password.as_bytes(), salt);
    Verifier {
        salt: base64(salt),
        stored: hex(&Sha256::digest(hmac(&salted, &[b"Client Key"]))),
        server: hex(&hmac(&salted, &[b"Server Key"])),
    }
}

/// PBKDF2 with one block, for a result as long as the hash.
fn salted(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &1u32.to_be_bytes()]);
    let mut all = last;
    for _ in 1..ITERATIONS {
        last = hmac(password, &[&last]);
        all.iter_mut().zip(last).for_each(|(a, l)| *a ^= l);
    }
    all
}

/// RFC 2104, for hashes with blocks of 64 bytes.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36));
    parts.iter().for_each(|part| inner.update(part));
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner.finalize()).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Whole groups of three bytes.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0usize, |all, b| all << 8 | usize::from(*b));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63]))
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_server_itself_would_make() {
        // From images/duckdb/accounts.py, which uses Python's hashlib and hmac.
        let made = of("pencil and a p\u{e4}per", b"fifteen bytes !");
        assert_eq!(
            [made.salt.as_str(), made.stored.as_str(), made.server.as_str()],
            [
                "ZmlmdGVlbiBieXRlcyAh",
                "af34f1576c37acb9f98e58f7e677429aef0b83eb7073e877fa40ee5657b55f04",
                "684ee05752e5f3c4212333186568b3aa36bf15a674140e8eabf13f9cd55ab601"
            ]
        );
        assert!(of(&"long".repeat(30), b"123456789012345").stored != made.stored);
    }
}
