//! Instances: what they are and how they stand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::egress::Egress;
use crate::domain::host::HostLimits;
use crate::domain::instance::{Desired, StoredError};
use crate::domain::{InstanceId, OperationId};

/// State that users see; computed, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Being made.
    Creating,
    /// Serving.
    Running,
    /// Being changed, started or repaired.
    Updating,
    /// Not serving, as asked.
    Stopped,
    /// Not as asked; `last_error` says why.
    Error,
    /// Being removed.
    Deleting,
}

impl State {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Creating => "CREATING",
            State::Running => "RUNNING",
            State::Updating => "UPDATING",
            State::Stopped => "STOPPED",
            State::Error => "ERROR",
            State::Deleting => "DELETING",
        }
    }
}

/// Whether the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Health {
    /// An authenticated query was answered: after the start, and at every health check since.
    Up,
    /// The last health checks, one or two, were not answered.
    Degraded,
    /// It does not run, though it should, or three health checks in a row were not answered.
    Down,
    /// Not known (just started, Podman away, or it should not run).
    Unknown,
}

/// A database server that we run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Unique within the project.
    pub name: String,
    /// Engine id.
    pub engine: String,
    /// Version id.
    pub version: String,
    /// What it runs.
    pub image: ImageRef,
    /// SKU id.
    pub sku: String,
    /// What the SKU grants.
    pub size: InstanceSize,
    /// Tenant.
    pub project: String,
    /// Where.
    pub region: String,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// What the user wants.
    pub desired: Desired,
    /// Where it stands.
    pub state: State,
    /// Whether it answers.
    pub health: Health,
    /// Why the last health check was not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_reason: Option<String>,
    /// Extra marks, such as `END_OF_LIFE`, `LIMITS_NOT_ENFORCED`, `EGRESS_OPEN` or `EGRESS_NOT_ENFORCED`.
    pub badges: Vec<String>,
    /// Each action, and why it is not possible now.
    pub allowed_actions: Vec<AllowedAction>,
    /// What can be done with this instance: true only where its engine and version can and a route offers it.
    pub capabilities: BTreeMap<String, bool>,
    /// Where clients connect.
    pub endpoint: Endpoint,
    /// Everything that is published, `endpoint` first.
    pub endpoints: Vec<PublishedPort>,
    /// The user's account.
    pub username: String,
    /// The user's database, where the engine has named ones.
    pub database: Option<String>,
    /// What limits are asked for and what the kernel really enforces.
    pub limits: Limits,
    /// What the server can reach besides its clients.
    pub network: Network,
    /// Refuses deletion.
    pub deletion_protection: bool,
    /// When it was asked for.
    pub created_at: String,
    /// Last change.
    pub updated_at: String,
    /// The operation that holds it now.
    pub current_operation: Option<OperationId>,
    /// The last failure that still matters.
    pub last_error: Option<StoredError>,
}

/// An image by name and content.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImageRef {
    /// Name.
    pub reference: String,
    /// Content.
    pub digest: String,
}

/// What a SKU grants.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InstanceSize {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Storage in GiB.
    pub storage_gib: u32,
    /// Client connections.
    pub connections: u32,
}

/// An action, and why it is not possible now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AllowedAction {
    /// `start`, `stop`, `restart`, `resize`, `delete`.
    pub name: String,
    /// Whether it is possible now.
    pub enabled: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Where clients connect.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Connection string without the password.
    pub uri_masked: String,
}

/// Something that the server listens on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PublishedPort {
    /// What speaks there: `sql`, `http`, ...
    pub name: String,
    /// Address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// What limits are asked for and what the kernel really enforces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Memory, CPU and processes were read back from the cgroup and are as asked.
    pub enforced: bool,
    /// Why not, and what to do; or what else of the SKU this host cannot do.
    pub reason: Option<String>,
    /// What the SKU asks.
    pub asked: HostLimits,
    /// What the cgroup files say; empty while it does not run.
    pub effective: HostLimits,
}

/// What the server can reach besides its clients: asked for, and what the kernel really enforces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Network {
    /// `closed` unless it was opened with `egress`.
    pub egress: Egress,
    /// The rules were read back from the container's network namespace and are as asked; false while it does not run.
    pub enforced: bool,
    /// Why not, and what to do.
    pub reason: Option<String>,
}

/// A connection string.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ConnectionString {
    /// `uri`, `jdbc`, `env`, `cli`, `yaml`, `dotnet`.
    pub format: String,
    /// The text; the password is `***` unless revealed.
    pub value: String,
    /// Whether the password is in it.
    pub revealed: bool,
    /// Account.
    pub username: String,
    /// The password alone; only when revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}
