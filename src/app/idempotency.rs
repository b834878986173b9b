//! The same `Idempotency-Key` gives the first answer again.

use sha2::{Digest, Sha256};

use super::Caller;

use crate::domain::error::FieldError;
use crate::domain::{Error, ErrorKind, OperationId, Result};
use crate::store::idempotency::IdempotencyRow;
use crate::store::{self, Connection, Store};
use crate::vault::Vault;
use crate::vault::files::hex;

/// What makes a request the same request: its path with ids, its query but for `wait`, its body. SHA-256, hexadecimal;
/// this goes where a `body_sha256` is asked for (the route alone does not tell one instance from another).
pub fn fingerprint(path: &str, query: Option<&str>, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    let query =
        query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("wait"));
    for part in std::iter::once(path).chain(query) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(u64::MAX.to_be_bytes());
    hash.update(body);
    hex(&hash.finalize())
}

/// The answer that this key had before: status and body. `None` for a key that is new.
///
/// # Errors
/// `Invalid` for a key that is not 1 to 255 visible ASCII characters, or (`idempotency_key_reused`) that came with
/// another request before; `Conflict` (`idempotency_key_in_use`) while the first request has no answer yet.
pub async fn answer_for(
    store: &Store,
    vault: &Vault,
    caller: &Caller,
    key: &str,
    body_sha256: &str,
) -> Result<Option<(u16, Vec<u8>)>> {
    check_key(key)?;
    let (actor, wanted) = (owner(caller), key.to_owned());
    let Some(row) = store.read(move |db| store::idempotency::find(db, &actor, &wanted)).await? else {
        return Ok(None);
    };
    if row.route != caller.route || row.body_sha256 != body_sha256 {
        return Err(Error::new(
            ErrorKind::Invalid,
            "idempotency_key_reused",
            "This Idempotency-Key came with another request within the last 24 hours; use a new key for a new request.",
        ));
    }
    match (row.status, row.ciphertext) {
        (Some(status), Some(sealed)) => Ok(Some((status, vault.open_bytes(&context(&row.actor, key), &sealed)?))),
        _ => Err(store::idempotency::in_use(row.operation_id)),
    }
}

/// Reserves the caller's key, in the transaction of the change; nothing without one.
///
/// # Errors
/// `Conflict` (`idempotency_key_in_use`) when another request with it was quicker.
pub fn reserve(db: &Connection, caller: &Caller, operation: Option<OperationId>) -> Result<()> {
    match row(caller, operation) {
        Some(row) => store::idempotency::reserve(db, &row),
        None => Ok(()),
    }
}

/// What to reserve for this caller, where it brought a key.
pub(super) fn row(caller: &Caller, operation: Option<OperationId>) -> Option<IdempotencyRow> {
    caller.idempotency.as_ref().map(|key| IdempotencyRow {
        actor: owner(caller),
        key: key.key.clone(),
        route: caller.route.clone(),
        body_sha256: key.body_sha256.clone(),
        operation_id: operation,
        status: None,
        ciphertext: None,
    })
}

/// Keeps the answer to the caller's reserved key, sealed. Nothing without a key or a reservation: then nothing was
/// changed, and the same request may be tried again.
///
/// # Errors
/// `Internal` from SQLite.
pub async fn keep(store: &Store, vault: &Vault, caller: &Caller, status: u16, body: &[u8]) -> Result<()> {
    let Some(key) = caller.idempotency.as_ref().map(|k| k.key.clone()) else { return Ok(()) };
    let actor = owner(caller);
    let sealed = vault.seal_bytes(&context(&actor, &key), body)?;
    store.write(move |db| store::idempotency::complete(db, &actor, &key, status, &sealed)).await
}

/// Whose key it is. A token by its id: its name may belong to another one tomorrow, who must not read this answer.
fn owner(caller: &Caller) -> String {
    caller.identity.token_id.map_or_else(|| caller.identity.actor.clone(), |id| format!("token:{id}"))
}

fn context(actor: &str, key: &str) -> String {
    format!("idempotency:{actor}:{key}")
}

fn check_key(key: &str) -> Result<()> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let detail = "use 1 to 255 visible ASCII characters, such as a UUID".to_owned();
    let mut error = Error::new(ErrorKind::Invalid, "invalid_request", format!("The header Idempotency-Key: {detail}."));
    error.fields.push(FieldError { pointer: "Idempotency-Key".to_owned(), detail });
    Err(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app::caller::IdempotencyKey;
    use crate::app::{Permission, testing};
    use crate::domain::TokenId;

    fn caller(key: &str, body: &str) -> Caller {
        let mut caller = testing::caller(Permission::Write, None);
        caller.idempotency = Some(IdempotencyKey { key: key.into(), body_sha256: body.into() });
        caller
    }

    #[tokio::test]
    async fn the_second_request_gets_the_first_answer() {
        let world = testing::World::new();
        let (store, vault) = (&world.store, &world.vault);
        let me = caller("k", "one");
        let ask = |body: &'static str, me: Caller| async move { answer_for(store, vault, &me, "k", body).await };
        assert!(ask("one", me.clone()).await.unwrap().is_none());

        let operation = OperationId::generate();
        let by = me.clone();
        store.write(move |db| reserve(db, &by, Some(operation))).await.unwrap();
        let waiting = ask("one", me.clone()).await.unwrap_err();
        assert_eq!((waiting.code, waiting.operation), ("idempotency_key_in_use", Some(operation)));
        let by = me.clone();
        let twice = store.write(move |db| reserve(db, &by, None)).await.unwrap_err();
        assert_eq!(twice.code, "idempotency_key_in_use");

        keep(store, vault, &me, 202, br#"{"password":"shown-once"}"#).await.unwrap();
        assert_eq!(ask("one", me.clone()).await.unwrap().unwrap(), (202, br#"{"password":"shown-once"}"#.to_vec()));
        assert_eq!(ask("two", me.clone()).await.unwrap_err().code, "idempotency_key_reused");
        let mut elsewhere = me.clone();
        elsewhere.route = "DELETE /databases/{id}".into();
        assert_eq!(ask("one", elsewhere).await.unwrap_err().code, "idempotency_key_reused");
        let mut other = me.clone();
        other.identity.token_id = Some(TokenId::generate());
        assert!(ask("one", other).await.unwrap().is_none(), "keys of others are others' keys, even under one name");
    }

    #[tokio::test]
    async fn the_answer_is_not_readable_in_the_file() {
        let world = testing::World::new();
        let me = caller("k", "one");
        let by = me.clone();
        world.store.write(move |db| reserve(db, &by, None)).await.unwrap();
        keep(&world.store, &world.vault, &me, 201, b"canary-canary").await.unwrap();
        for entry in std::fs::read_dir(world.dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(13).any(|w| w == b"canary-canary"));
        }
    }

    #[tokio::test]
    async fn without_a_key_or_a_reservation_nothing_is_kept() {
        let world = testing::World::new();
        let plain = testing::caller(Permission::Write, None);
        let by = plain.clone();
        world.store.write(move |db| reserve(db, &by, None)).await.unwrap();
        keep(&world.store, &world.vault, &plain, 202, b"x").await.unwrap();
        let me = caller("k", "one");
        keep(&world.store, &world.vault, &me, 409, b"x").await.unwrap();
        assert!(answer_for(&world.store, &world.vault, &me, "k", "one").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn keys_are_visible_ascii() {
        let world = testing::World::new();
        let me = testing::caller(Permission::Write, None);
        for bad in ["", "with space", "tab\t", "ümlaut", "nul\0", &"x".repeat(256)] {
            let error = answer_for(&world.store, &world.vault, &me, bad, "one").await.unwrap_err();
            assert_eq!((error.kind, error.fields.len()), (ErrorKind::Invalid, 1), "{bad:?}");
        }
        assert!(answer_for(&world.store, &world.vault, &me, &"x".repeat(255), "one").await.unwrap().is_none());
    }

    #[test]
    fn a_fingerprint_tells_requests_apart_but_not_how_long_they_wait() {
        let one = fingerprint("/databases/1/start", Some("wait=5"), b"");
        assert_eq!(one, fingerprint("/databases/1/start", None, b"").as_str());
        assert_eq!(one.len(), 64);
        for other in [
            fingerprint("/databases/2/start", None, b""),
            fingerprint("/databases/1/start", Some("force=true"), b""),
            fingerprint("/databases/1/start", None, b"x"),
            fingerprint("/databases/1/star", None, b"t"),
        ] {
            assert_ne!(one, other);
        }
    }
}
