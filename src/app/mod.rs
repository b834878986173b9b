//! Use cases, one file a resource: the thick layer. HTTP, command line and workers call these and nothing below.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::api::WorkerStatus;
use crate::domain::Result;
use crate::ops::Core;

pub mod abilities;
pub mod accept;
pub mod access;
pub mod actions;
pub mod activation;
pub mod audit;
pub mod auth;
mod budget;
pub mod caller;
pub mod connection;
pub mod create;
pub mod events;
pub mod idempotency;
pub mod images;
pub mod instances;
mod jwt;
pub mod lifecycle;
pub mod operations;
mod ports;
pub mod requirements;
mod settings;
pub mod system;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;
pub mod views;

pub use crate::vault;
pub use crate::vault::passwords;

pub use caller::{Caller, Identity, Permission};

/// Everything that a request can ask for.
pub struct App {
    /// The parts below.
    pub core: Arc<Core>,
    /// Who may call.
    pub auth: auth::Authenticator,
    /// False while the module is disabled in Flux: reads work, changes do not, nothing runs in the background.
    pub enabled: bool,
    started: Instant,
    workers: Mutex<BTreeMap<&'static str, WorkerStatus>>,
    problems: Mutex<BTreeMap<&'static str, Vec<String>>>,
}

impl App {
    /// Puts the use cases on top of the parts.
    ///
    /// # Errors
    /// `Internal` (`config_invalid`) for a JWT section that cannot work.
    pub fn new(core: Arc<Core>, enabled: bool) -> Result<Self> {
        let auth = auth::Authenticator::new(core.store.clone(), core.vault.clone(), core.config.auth.clone())?;
        Ok(Self { core, auth, enabled, started: Instant::now(), workers: Mutex::default(), problems: Mutex::default() })
    }

    /// Notes how a worker's last run went.
    pub fn worker_ran(&self, name: &'static str, took: std::time::Duration, result: &Result<String>) {
        let status = WorkerStatus {
            name: name.to_owned(),
            last_run_at: Some(jiff::Timestamp::now().to_string()),
            last_duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            detail: match result {
                Ok(detail) => detail.clone(),
                Err(e) => e.public.clone(),
            },
            ok: result.is_ok(),
        };
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).insert(name, status);
    }

    /// Replaces what a worker found wrong; shown in `/status` until it is found right.
    pub fn set_problems(&self, about: &'static str, problems: Vec<String>) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).insert(about, problems);
    }
}
