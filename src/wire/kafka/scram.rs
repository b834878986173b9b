//! SCRAM-SHA-512 (RFC 5802, RFC 7677) as Kafka speaks it: without channel binding, names and passwords as they are.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use fluxdb_adapters::{Account, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha512};

/// No channel binding, no other identity.
const HEADER: &str = "n,,";

/// A broker that asks for more wants to keep us busy; Kafka's own limit.
const MOST_ITERATIONS: u32 = 16_384;

/// What a broker keeps of a password.
pub(super) struct Kept {
    pub(super) salt: [u8; 24],
    pub(super) iterations: u32,
    pub(super) salted_password: [u8; 64],
}

/// Salts a new password.
pub(super) fn keep(password: &Secret) -> Kept {
    // A number of its own tells this password from the one before.
    let (salt, iterations) = (rand::random(), 8192 + u32::from(rand::random::<u16>() % 4096));
    Kept { salt, iterations, salted_password: salted(password, &salt, iterations) }
}

/// Salts a password that nobody knows.
pub(super) fn unusable(iterations: u32) -> Kept {
    let random: Vec<u8> = (0..64).map(|_| rand::random()).collect();
    let mut salted_password = [0; 64];
    salted_password.copy_from_slice(&random);
    Kept { salt: rand::random(), iterations, salted_password }
}

/// What makes this login differ from every other.
pub(super) fn nonce() -> String {
    BASE64.encode(rand::random::<[u8; 24]>())
}

/// One login.
pub(super) struct Login<'a> {
    password: &'a Secret,
    nonce: String,
    bare: String,
}

impl<'a> Login<'a> {
    pub(super) fn new(account: &'a Account, nonce: &str) -> Self {
        let username = account.username.replace('=', "=3D").replace(',', "=2C");
        Self { password: &account.password, nonce: nonce.to_owned(), bare: format!("n={username},r={nonce}") }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("{HEADER}{}", self.bare)
    }

    /// The second message, and what a server that knows the password answers to it.
    pub(super) fn answer(&self, challenge: &str) -> Result<(String, String), &'static str> {
        let field = |key: &str| challenge.split(',').find_map(|f| f.strip_prefix(key)).ok_or("a field is missing");
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        if !nonce.starts_with(&self.nonce) {
            return Err("the server answers another login");
        }
        let salt = BASE64.decode(salt).map_err(|_| "the salt is no base64")?;
        let iterations = iterations.parse().ok().filter(|n| (1..=MOST_ITERATIONS).contains(n));
        let salted = salted(self.password, &salt, iterations.ok_or("the iterations are out of bounds")?);
        let last = format!("c={},r={nonce}", BASE64.encode(HEADER));
        let signed = format!("{},{challenge},{last}", self.bare);
        let client_key = sign(&salted, b"Client Key");
        let mut proof = sign(&Sha512::digest(client_key), signed.as_bytes());
        proof.iter_mut().zip(client_key).for_each(|(p, k)| *p ^= k);
        let verifier = sign(&sign(&salted, b"Server Key"), signed.as_bytes());
        Ok((format!("{last},p={}", BASE64.encode(proof)), format!("v={}", BASE64.encode(verifier))))
    }
}

fn salted(password: &Secret, salt: &[u8], iterations: u32) -> [u8; 64] {
    pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password.expose().as_bytes(), salt, iterations)
}

fn sign(key: &[u8], text: &[u8]) -> [u8; 64] {
    // HMAC takes keys of every length.
    let mut mac = Hmac::<Sha512>::new_from_slice(key).unwrap_or_else(|_| unreachable!("every length is fine"));
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(username: &str) -> Account {
        Account { username: username.into(), password: Secret::new("pencil-Pa55") }
    }

    /// What a server does that keeps only what it should.
    fn server(first: &str, last: &str, kept: &Kept, challenge: &str) -> Option<String> {
        let (without_proof, proof) = last.split_once(",p=")?;
        let signed = format!("{},{challenge},{without_proof}", first.strip_prefix("n,,")?);
        let stored = Sha512::digest(sign(&kept.salted_password, b"Client Key"));
        let mut key: Vec<u8> = BASE64.decode(proof).ok()?;
        key.iter_mut().zip(sign(&stored, signed.as_bytes())).for_each(|(p, s)| *p ^= s);
        (Sha512::digest(key) == stored).then(|| {
            format!("v={}", BASE64.encode(sign(&sign(&kept.salted_password, b"Server Key"), signed.as_bytes())))
        })
    }

    #[test]
    fn a_server_that_keeps_the_salted_password_lets_it_in_and_no_other() {
        for (password, lets_in) in [("pencil-Pa55", true), ("pencil-Pa56", false), ("", false)] {
            let kept = keep(&Secret::new(password));
            let alice = account("alice");
            let login = Login::new(&alice, "abc");
            assert_eq!(login.first(), "n,,n=alice,r=abc");
            let challenge = format!("r=abcXYZ,s={},i={}", BASE64.encode(kept.salt), kept.iterations);
            let (last, verifier) = login.answer(&challenge).expect("an answer");
            assert!(last.starts_with("c=biws,r=abcXYZ,p="), "{last}");
            assert_eq!(server(&login.first(), &last, &kept, &challenge) == Some(verifier), lets_in, "{password}");
        }
    }

    #[test]
    fn challenges_that_are_not_for_us_are_refused_and_names_are_escaped() {
        let (alice, odd) = (account("alice"), account("a=b,c"));
        assert_eq!(Login::new(&odd, "x").first(), "n,,n=a=3Db=2Cc,r=x");
        let login = Login::new(&alice, "abc");
        for bad in ["", "r=xyz,s=AAAA,i=4096", "r=abcX,s=*,i=4096", "r=abcX,s=AAAA,i=99999999", "r=abcX,s=AAAA,i=0"] {
            assert!(login.answer(bad).is_err(), "{bad}");
        }
        assert_ne!(nonce(), nonce());
        assert!(!nonce().contains(','));
    }
}
