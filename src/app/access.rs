//! Who may call and what is written down about it, as methods of [`App`]: tokens, audit, idempotency keys.

use std::net::IpAddr;

use super::caller::{Caller, Identity};
use super::instances::{page_limit, page_token};
use super::{App, audit, idempotency, tokens};
use crate::api::{AuditEntry, CreateToken, CreatedToken, Page, Token};
use crate::domain::{Error, InstanceId, Result, TokenId};

impl App {
    /// Whom a bearer token stands for.
    ///
    /// # Errors
    /// As [`super::auth::Authenticator::authenticate`].
    pub async fn authenticate(&self, bearer: Option<&str>, ip: IpAddr) -> Result<Identity> {
        self.auth.authenticate(bearer, ip).await
    }

    /// Makes a token.
    ///
    /// # Errors
    /// As [`tokens::create_token`].
    pub async fn create_token(&self, caller: &Caller, request: CreateToken) -> Result<CreatedToken> {
        tokens::create_token(&self.core.store, &self.core.vault, caller, request).await
    }

    /// Tokens that the caller may see.
    ///
    /// # Errors
    /// As [`tokens::list_tokens`].
    pub async fn list_tokens(&self, caller: &Caller) -> Result<Page<Token>> {
        tokens::list_tokens(&self.core.store, caller).await
    }

    /// Removes a token.
    ///
    /// # Errors
    /// As [`tokens::delete_token`].
    pub async fn delete_token(&self, caller: &Caller, id: TokenId) -> Result<()> {
        tokens::delete_token(&self.core.store, &self.auth, caller, id).await
    }

    /// A page of the audit log, newest first.
    ///
    /// # Errors
    /// As [`audit::list_audit`]; `Invalid` for a page that makes no sense.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        instance: Option<InstanceId>,
        token: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<AuditEntry>> {
        let (before, limit) = (page_token(token)?, page_limit(limit)?);
        audit::list_audit(&self.core.store, caller, instance, before, limit).await
    }

    /// Notes a change that a known caller asked for and did not get.
    pub async fn audit_refusal(&self, caller: &Caller, instance: Option<InstanceId>, error: &Error) {
        // What the caller may not see it cannot have named: the line is about no project then.
        let record = instance.and_then(|id| self.core.registry.record(id)).filter(|r| caller.sees(&r.project));
        let project = record.map(|r| r.project.clone()).unwrap_or_default();
        audit::refused(&self.core.store, caller, &project, instance, error).await;
    }

    /// The answer that a key had before.
    ///
    /// # Errors
    /// As [`idempotency::answer_for`].
    pub async fn idempotent_answer(
        &self,
        caller: &Caller,
        key: &str,
        fingerprint: &str,
    ) -> Result<Option<(u16, Vec<u8>)>> {
        idempotency::answer_for(&self.core.store, &self.core.vault, caller, key, fingerprint).await
    }

    /// Keeps the answer under the caller's key; nothing without one.
    ///
    /// # Errors
    /// `Internal` from SQLite.
    pub async fn keep_answer(&self, caller: &Caller, status: u16, body: &[u8]) -> Result<()> {
        idempotency::keep(&self.core.store, &self.core.vault, caller, status, body).await
    }
}
