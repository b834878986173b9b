//! Which JWTs are taken and which are not. Every key is made here.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://flux.test";
const AUDIENCE: &str = "databases";

fn rsa_key() -> &'static EncodingKey {
    static KEY: OnceLock<EncodingKey> = OnceLock::new();
    KEY.get_or_init(|| rsa_of(2048))
}

fn rsa_of(bits: usize) -> EncodingKey {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).unwrap();
    EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes())
}

/// PKCS#8 of a private key of 32 bytes behind this beginning.
fn pkcs8(beginning: &[u8]) -> Vec<u8> {
    let mut key = [0_u8; 32];
    rand::fill(&mut key);
    key[0] &= 0x7F; // below the order of P-256
    [beginning, &key].concat()
}

fn ed_key() -> EncodingKey {
    EncodingKey::from_ed_der(&pkcs8(b"\x30\x2E\x02\x01\x00\x30\x05\x06\x03\x2B\x65\x70\x04\x22\x04\x20"))
}

fn ec_key() -> EncodingKey {
    EncodingKey::from_ec_der(&pkcs8(
        b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07\
          \x04\x27\x30\x25\x02\x01\x01\x04\x20",
    ))
}

fn public(kid: Option<&str>, key: &EncodingKey, algorithm: Algorithm) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = kid.map(str::to_owned);
    jwk
}

fn claims() -> Value {
    let now = get_current_timestamp();
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "nbf": now - 5, "exp": now + 300,
           "permissions": ["databases:read", "databases:write", "other:thing"]})
}

/// The claims with one changed, or removed where it is null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn sign(algorithm: Algorithm, kid: Option<&str>, claims: &Value, key: &EncodingKey) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    encode(&header, claims, key).unwrap()
}

struct Scene {
    dir: tempfile::TempDir,
    verifier: JwtVerifier,
}

impl Scene {
    fn new(keys: &[Jwk]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jwks.json");
        let config =
            JwtConfig { issuer: ISSUER.into(), audience: AUDIENCE.into(), jwks_file: Some(path), jwks_url: None };
        let scene = Self { dir, verifier: JwtVerifier::new(config).unwrap() };
        scene.publish(json!({"keys": keys}).to_string().as_str());
        scene
    }

    fn publish(&self, text: &str) {
        std::fs::write(self.dir.path().join("jwks.json"), text).unwrap();
    }

    async fn refuses(&self, token: &str) -> bool {
        match self.verifier.verify(token).await {
            Err(e) => {
                assert!(!e.story().contains("alice") && !e.story().contains(token), "{e:?}");
                e.kind == ErrorKind::Unauthenticated && e.public == unauthenticated().public
            }
            Ok(_) => false,
        }
    }
}

#[tokio::test]
async fn good_ones_are_taken_whatever_the_kind_of_their_key() {
    let (ec, ed) = (ec_key(), ed_key());
    let kinds = [(Algorithm::RS256, rsa_key(), "r"), (Algorithm::ES256, &ec, "c"), (Algorithm::EdDSA, &ed, "d")];
    let scene = Scene::new(&kinds.map(|(algorithm, key, kid)| public(Some(kid), key, algorithm)));
    for (algorithm, key, kid) in kinds {
        let identity = scene.verifier.verify(&sign(algorithm, Some(kid), &claims(), key)).await.unwrap();
        assert_eq!((identity.actor.as_str(), identity.permission), ("jwt:alice", Permission::Write));
        assert!(identity.token_id.is_none() && identity.projects.is_none());
    }
    // The name of one key and the signature of another.
    assert!(scene.refuses(&sign(Algorithm::ES256, Some("r"), &claims(), &ec)).await);
    assert!(scene.refuses(&sign(Algorithm::EdDSA, Some("d"), &claims(), &ed_key())).await);
}

#[tokio::test]
async fn permissions_and_projects_are_read_in_both_spellings() {
    let ed = ed_key();
    let scene = Scene::new(&[public(Some("k"), &ed, Algorithm::EdDSA)]);
    let verify = async |claims: Value| scene.verifier.verify(&sign(Algorithm::EdDSA, Some("k"), &claims, &ed)).await;
    let read = verify(with("permissions", json!("other:thing databases:read"))).await.unwrap();
    assert_eq!(read.permission, Permission::Read);
    for none in [json!([]), json!(""), json!("databases:rule DATABASES:READ"), Value::Null] {
        let error = verify(with("permissions", none)).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Forbidden, "permission_denied"));
    }
    let limited = verify(with("projects", json!(["red", "blue"]))).await.unwrap();
    assert_eq!(limited.projects.unwrap(), ["red", "blue"]);
    assert_eq!(verify(with("projects", json!("red blue"))).await.unwrap().projects.unwrap().len(), 2);
    assert_eq!(verify(with("projects", json!([]))).await.unwrap().projects.unwrap().len(), 0, "a limit to nothing");
    let many = verify(with("aud", json!(["else", AUDIENCE]))).await.unwrap();
    assert_eq!(many.actor, "jwt:alice");
}

#[tokio::test]
async fn bad_claims_are_refused() {
    let ed = ed_key();
    let scene = Scene::new(&[public(Some("k"), &ed, Algorithm::EdDSA)]);
    let now = get_current_timestamp();
    let cases = [
        ("exp", json!(now - 120)),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("nbf", json!(now + 120)),
        ("iss", json!("https://evil.test")),
        ("iss", Value::Null),
        ("aud", json!("else")),
        ("aud", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", json!("x".repeat(201))),
        ("sub", json!(7)),
        ("permissions", json!(7)),
        ("projects", json!([1])),
    ];
    for (name, value) in cases {
        let token = sign(Algorithm::EdDSA, Some("k"), &with(name, value.clone()), &ed);
        assert!(scene.refuses(&token).await, "{name} = {value}");
    }
}

#[tokio::test]
async fn forged_and_malformed_ones_are_refused() {
    let ed = ed_key();
    let scene = Scene::new(&[public(Some("k"), &ed, Algorithm::EdDSA), public(Some("r"), rsa_key(), Algorithm::RS256)]);
    let good = sign(Algorithm::EdDSA, Some("k"), &claims(), &ed);
    let parts: Vec<&str> = good.split('.').collect();
    let other = sign(Algorithm::EdDSA, Some("k"), &with("sub", json!("root")), &ed_key());
    let body = other.split('.').nth(1).unwrap();
    let none = "eyJhbGciOiJub25lIn0"; // {"alg":"none"}
    let modulus = match public(None, rsa_key(), Algorithm::RS256).algorithm {
        AlgorithmParameters::RSA(rsa) => rsa.n,
        _ => unreachable!("an RSA key"),
    };
    let forged = [
        other.clone(),
        format!("{}.{}.{}", parts[0], body, parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        sign(Algorithm::EdDSA, Some("unknown"), &claims(), &ed),
        sign(Algorithm::EdDSA, None, &claims(), &ed_key()),
        // The public key as a shared secret.
        sign(Algorithm::HS256, Some("r"), &claims(), &EncodingKey::from_secret(modulus.as_bytes())),
        sign(Algorithm::RS512, Some("r"), &claims(), rsa_key()),
        sign(Algorithm::PS256, Some("r"), &claims(), rsa_key()),
        "a.b.c".into(),
        "..".into(),
        format!("{}.{}", good, parts[2]),
        format!("{}.{}.{}", parts[0], "x".repeat(9000), parts[2]),
    ];
    for token in &forged {
        assert!(scene.refuses(token).await, "{token}");
    }
    assert!(!scene.refuses(&good).await);
}

#[tokio::test]
async fn a_key_that_is_not_meant_for_it_is_not_used() {
    let ed = ed_key();
    let token = sign(Algorithm::EdDSA, Some("k"), &claims(), &ed);
    let mut for_encryption = public(Some("k"), &ed, Algorithm::EdDSA);
    for_encryption.common.public_key_use = Some(PublicKeyUse::Encryption);
    assert!(Scene::new(&[for_encryption]).refuses(&token).await);
    let twin = public(Some("k"), &ed_key(), Algorithm::EdDSA);
    let doubtful = Scene::new(&[public(Some("k"), &ed, Algorithm::EdDSA), twin]);
    assert!(doubtful.refuses(&token).await, "two keys of one name");

    let weak = rsa_of(1024);
    let scene = Scene::new(&[public(Some("w"), &weak, Algorithm::RS256)]);
    assert!(scene.refuses(&sign(Algorithm::RS256, Some("w"), &claims(), &weak)).await);

    let nameless = Scene::new(&[public(None, &ed, Algorithm::EdDSA)]);
    assert!(!nameless.refuses(&sign(Algorithm::EdDSA, None, &claims(), &ed)).await, "one key needs no name");
}

#[tokio::test]
async fn a_changed_file_is_read_again_and_unknown_keys_in_it_do_no_harm() {
    let (old, new) = (ed_key(), ed_key());
    let scene = Scene::new(&[public(Some("old"), &old, Algorithm::EdDSA)]);
    let (by_old, by_new) =
        (sign(Algorithm::EdDSA, Some("old"), &claims(), &old), sign(Algorithm::EdDSA, Some("new"), &claims(), &new));
    assert!(!scene.refuses(&by_old).await && scene.refuses(&by_new).await);
    let strange = json!({"kty": "XYZ", "alg": "ML-DSA-99", "use": "sig", "kid": "future"});
    scene.publish(&json!({"keys": [strange, public(Some("new"), &new, Algorithm::EdDSA)]}).to_string());
    assert!(scene.refuses(&by_old).await && !scene.refuses(&by_new).await);
    scene.publish("half a fi");
    assert!(!scene.refuses(&by_new).await, "a file that is being written does not shut everybody out");
    std::fs::remove_file(scene.dir.path().join("jwks.json")).unwrap();
    assert!(!scene.refuses(&by_new).await);
}

#[tokio::test]
async fn without_any_keys_it_is_unavailable_not_refused() {
    let scene = Scene::new(&[]);
    std::fs::remove_file(scene.dir.path().join("jwks.json")).unwrap();
    let token = sign(Algorithm::EdDSA, Some("k"), &claims(), &ed_key());
    let error = scene.verifier.verify(&token).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "jwks_unavailable"));
}

#[tokio::test]
async fn keys_are_fetched_once_a_minute_at_most() {
    let ed = ed_key();
    let body = json!({"keys": [public(Some("k"), &ed, Algorithm::EdDSA)]}).to_string();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            ASKED.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 2048];
            let _read = stream.read(&mut request);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    let config = JwtConfig { issuer: ISSUER.into(), audience: AUDIENCE.into(), jwks_file: None, jwks_url: Some(url) };
    let verifier = JwtVerifier::new(config).unwrap();
    for _ in 0..5 {
        verifier.verify(&sign(Algorithm::EdDSA, Some("k"), &claims(), &ed)).await.unwrap();
        let stranger = sign(Algorithm::EdDSA, Some("unknown"), &claims(), &ed);
        assert_eq!(verifier.verify(&stranger).await.unwrap_err().kind, ErrorKind::Unauthenticated);
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    verifier.keys.lock().await.tried_at = Some(Instant::now() - FETCH_EVERY);
    assert!(verifier.verify(&sign(Algorithm::EdDSA, Some("unknown"), &claims(), &ed)).await.is_err());
    assert_eq!(ASKED.load(Ordering::SeqCst), 2, "an unknown name is a reason to look again");
}

#[test]
fn a_section_that_cannot_be_safe_is_refused() {
    let section = |file: Option<&str>, url: Option<&str>| JwtConfig {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        jwks_file: file.map(Into::into),
        jwks_url: url.map(Into::into),
    };
    for good in ["https://flux.test/jwks", "http://127.0.0.1:8080/jwks", "http://[::1]/jwks", "http://localhost/jwks"] {
        assert!(JwtVerifier::new(section(None, Some(good))).is_ok(), "{good}");
    }
    for bad in
        ["http://flux.test/jwks", "http://127.0.0.1.evil.test/", "ftp://flux.test/", "file:///etc", "", "https://"]
    {
        assert_eq!(JwtVerifier::new(section(None, Some(bad))).err().unwrap().code, "config_invalid", "{bad}");
    }
    assert!(JwtVerifier::new(section(None, None)).is_err());
    assert!(JwtVerifier::new(section(Some("a"), Some("https://b"))).is_err());
    assert!(JwtVerifier::new(JwtConfig { issuer: String::new(), ..section(Some("a"), None) }).is_err());
}

#[tokio::test]
async fn keys_are_fetched_only_from_a_server_that_proves_itself() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/jwks.json", listener.local_addr().unwrap().port());
    let fetched = tokio::task::spawn_blocking(move || download(&url));
    let acceptor = crate::tls::authority::Authority::of("127.0.0.1").acceptor();
    let heard = acceptor.accept(listener.accept().await.unwrap().0).await;
    let error = fetched.await.unwrap().unwrap_err();
    assert!(heard.is_err() && error.to_string().contains("UnknownIssuer"), "{error}");
}
