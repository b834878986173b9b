//! Who asks, and what they may.

use crate::api::AuditEntry;
use crate::domain::{Error, ErrorKind, InstanceId, OperationId, Result, TokenId};

/// A permission of the module; as in module.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// `databases:read`
    Read,
    /// `databases:write`; implies read.
    Write,
}

impl Permission {
    /// As it is spelled.
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Read => "databases:read",
            Permission::Write => "databases:write",
        }
    }

    /// The permission with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Permission::Read, Permission::Write].into_iter().find(|p| p.as_str() == text)
    }

    /// The highest of those that are ours.
    pub fn highest<'a>(spelled: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        spelled.into_iter().filter_map(Self::parse).max()
    }
}

/// Whom a token or JWT stands for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Token name, or `jwt:<subject>`.
    pub actor: String,
    /// Token id; `None` for a JWT.
    pub token_id: Option<TokenId>,
    /// The highest permission.
    pub permission: Permission,
    /// Projects it is limited to; `None` = all.
    pub projects: Option<Vec<String>>,
}

/// An `Idempotency-Key` that came with the request and has no answer yet; reserved in the transaction of the change.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The client's key.
    pub key: String,
    /// SHA-256 of the body, hexadecimal.
    pub body_sha256: String,
}

/// One request's caller: identity and where it came from, for the audit log.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whom the token stands for.
    pub identity: Identity,
    /// Address.
    pub ip: String,
    /// `User-Agent`, cut at 200 characters.
    pub user_agent: String,
    /// Method and path template: `POST /databases/{id}/start`.
    pub route: String,
    /// Key to reserve with the change.
    pub idempotency: Option<IdempotencyKey>,
}

impl Caller {
    /// Refuses who may not.
    ///
    /// # Errors
    /// `Forbidden` (`permission_denied`).
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.identity.permission >= permission {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Forbidden,
            "permission_denied",
            format!("This needs the permission {}; ask an administrator for a token that has it.", permission.as_str()),
        ))
    }

    /// Whether things of this project may be seen.
    pub fn sees(&self, project: &str) -> bool {
        self.identity.projects.as_ref().is_none_or(|p| p.iter().any(|x| x == project))
    }

    /// A line for the audit log.
    pub fn audit(
        &self,
        instance_id: Option<InstanceId>,
        operation_id: Option<OperationId>,
        params: serde_json::Value,
        result: &str,
    ) -> AuditEntry {
        AuditEntry {
            id: 0,
            at: jiff::Timestamp::now().to_string(),
            actor: self.identity.actor.clone(),
            token_id: self.identity.token_id,
            ip: self.ip.clone(),
            user_agent: self.user_agent.clone(),
            route: self.route.clone(),
            instance_id,
            operation_id,
            params,
            result: result.to_owned(),
        }
    }
}
