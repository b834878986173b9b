//! What the tests of the use cases share.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{Caller, Identity, Permission};
use crate::store::Store;
use crate::vault::Vault;

/// A store in a directory of its own, and a vault.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) vault: Arc<Vault>,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("fluxdb.sqlite"), 1).unwrap();
        Self { dir, store, vault: Arc::new(Vault::with_key([7; 32], "a test")) }
    }
}

/// Somebody with this permission, limited to these projects.
pub(crate) fn caller(permission: Permission, projects: Option<&[&str]>) -> Caller {
    Caller {
        identity: Identity {
            actor: "tester".into(),
            token_id: None,
            permission,
            projects: projects.map(|p| p.iter().map(|&p| p.to_owned()).collect()),
        },
        ip: "192.0.2.9".into(),
        user_agent: "tests".into(),
        route: "POST /tests".into(),
        idempotency: None,
    }
}
