//! Who may do what, and who did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{InstanceId, OperationId, TokenId};

/// An API token, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Id.
    pub id: TokenId,
    /// Name.
    pub name: String,
    /// `databases:read`, `databases:write`.
    pub permissions: Vec<String>,
    /// Projects it is limited to; empty = all.
    pub projects: Vec<String>,
    /// When it stops working.
    pub expires_at: Option<String>,
    /// When it was last used (to the minute).
    pub last_used_at: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// A permission as it is spelled; says so in the OpenAPI document.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub enum PermissionName {
    /// See everything but passwords.
    #[serde(rename = "databases:read")]
    Read,
    /// Change everything; implies read.
    #[serde(rename = "databases:write")]
    Write,
}

/// Asks for a token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// 1 to 63 characters; unique.
    #[schema(min_length = 1, max_length = 63)]
    pub name: String,
    /// `databases:read`, `databases:write`; at least one.
    #[schema(value_type = Vec<PermissionName>, min_items = 1)]
    pub permissions: Vec<String>,
    /// Projects to limit it to; all when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// Days until it stops working; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

/// A new token: the only time that its secret is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token.
    pub token: Token,
    /// Its secret.
    pub secret: String,
}

/// One line of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Sequence number.
    pub id: i64,
    /// When.
    pub at: String,
    /// Token name, or the subject of a JWT.
    pub actor: String,
    /// Token id; null for a JWT.
    pub token_id: Option<TokenId>,
    /// Address of the caller.
    pub ip: String,
    /// User agent.
    pub user_agent: String,
    /// Method and route.
    pub route: String,
    /// On which instance.
    pub instance_id: Option<InstanceId>,
    /// Which operation came of it.
    pub operation_id: Option<OperationId>,
    /// Parameters, without secrets.
    #[schema(value_type = Object)]
    pub params: serde_json::Value,
    /// `accepted`, or the code of the refusal.
    pub result: String,
}
