//! The JSON of the HTTP API: what goes in and out. Shared by the server and the command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::admission::Admission;
use crate::domain::container::ContainerSpec;
use crate::domain::host::HostLimits;
use crate::domain::instance::{Desired, StoredError};
use crate::domain::operation::{OperationKind, OperationState, Progress, StepState};
use crate::domain::{InstanceId, OperationId, TokenId};

mod masked;

/// Path below which every route lives.
pub const BASE: &str = "/api/modules/databases";

/// RFC 9457 problem details.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// URI reference of the problem's documentation.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short text that depends on the code only.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened here and what to do.
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// Stable slug for programs.
    pub code: String,
    /// Finds the request in the daemon's log.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Places in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// The operation in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
}

/// A place in the request and what is wrong there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemField {
    /// JSON pointer into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The things.
    pub items: Vec<T>,
    /// Give it as `page_token` for the next page; null on the last.
    pub next_page_token: Option<String>,
}

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
    /// Extra marks, such as `END_OF_LIFE` or `LIMITS_NOT_ENFORCED`.
    pub badges: Vec<String>,
    /// Each action, and why it is not possible now.
    pub allowed_actions: Vec<AllowedAction>,
    /// What this engine can do here.
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

/// The settings of an instance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// Everything that can be changed.
    pub items: Vec<SettingView>,
    /// Why `effective` is missing; null when the server answered.
    #[schema(required)]
    pub degraded: Option<String>,
}

/// One parameter of an engine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingView {
    /// The engine's own name.
    pub name: String,
    /// `integer`, `float`, `boolean`, `choice`, `text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Where the smallest number is a word of its own (0 = no limit): the smallest of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Unit of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The words of a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// What counts when nobody says otherwise; absent where that depends on the SKU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `dynamic` (at once), `restart` (fluxdb restarts the server), `immutable` (at creation only).
    pub apply: String,
    /// One line.
    pub meaning: String,
    /// What the user has set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// What counts in the running server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
}

/// Replaces the settings that the user has set; what is absent goes back to the default.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSettings {
    /// Values by name, as text: numbers in the setting's unit, `true` or `false`.
    pub settings: BTreeMap<String, String>,
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

/// Asks for an instance.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstance {
    /// 1 to 63 characters: lower case letters, digits, `-`; starts with a letter, ends with a letter or digit.
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$")]
    pub name: String,
    /// Engine id, see `/engines`.
    pub engine: String,
    /// Version id; the engine's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SKU id, see `/skus`; `B1ms` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Storage in GiB; the SKU's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 16384)]
    pub storage_gib: Option<u32>,
    /// Tenant; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where; `local` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The user's own labels: at most 64, keys and values at most 63 characters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// First database; the engine's default when absent. Only for engines with named databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// First account; the engine's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its password, 12 to 128 printable characters; a strong one is made when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Engine settings by name, see `/engines/{engine}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Published port; one is chosen when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1024, maximum = 65535)]
    pub port: Option<u16>,
    /// Refuses deletion until it is switched off.
    #[serde(default)]
    pub deletion_protection: bool,
}

/// Changes an instance; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchInstance {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$")]
    pub name: Option<String>,
    /// New labels; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// New SKU; restarts a running instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// More storage in GiB; never less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 16384)]
    pub storage_gib: Option<u32>,
    /// Refuse deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
}

/// Answer to a change.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// What to follow; null when nothing long had to be done.
    #[schema(required)]
    pub operation: Option<Operation>,
    /// The instance as it is now; null when the operation is not about one, or it is gone.
    #[schema(required)]
    pub instance: Option<Instance>,
    /// The account's password, in the answer to a create only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// What a create would do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DryRun {
    /// The instance as it would be shown.
    pub instance: Instance,
    /// Rendered files by path; passwords are `***`.
    pub files: BTreeMap<String, String>,
    /// The container as it would be asked of the runtime.
    #[schema(value_type = Object)]
    pub container: ContainerSpec,
    /// Whether there is room.
    pub admission: Admission,
    /// Where the image would come from: `present`, `pull`, `build`.
    pub image_source: String,
}

/// Long-running work.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// On which instance.
    pub instance_id: Option<InstanceId>,
    /// Where it stands.
    pub state: OperationState,
    /// The current step, or a line about it.
    pub phase: String,
    /// Its steps so far.
    pub steps: Vec<OperationStep>,
    /// How far the current step is.
    pub progress: Progress,
    /// After this it is given up.
    pub deadline_at: String,
    /// Whether it may be cancelled now.
    pub cancellable: bool,
    /// Why it failed.
    pub error: Option<StoredError>,
    /// Who asked.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
}

/// A step of an operation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperationStep {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: StepState,
    /// When it was begun.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// A line for people.
    pub detail: String,
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

/// `GET /status`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Module id and name, from module.json.
    pub module: String,
    /// Name.
    pub name: String,
    /// Version of fluxdb.
    pub version: String,
    /// Installation id: in the names and labels of all that this daemon makes.
    pub installation: String,
    /// Whether the module is enabled.
    pub enabled: bool,
    /// Seconds since start.
    pub uptime_secs: u64,
    /// `ok`, or `degraded` with `problems`.
    pub status: String,
    /// Whether the runtime answers.
    pub podman_reachable: bool,
    /// How many instances are in each state.
    pub instances: BTreeMap<String, u64>,
    /// What is wrong, in sentences: orphans found, workers that fail, a runtime that is away.
    pub problems: Vec<String>,
    /// The background workers.
    pub workers: Vec<WorkerStatus>,
}

/// One background worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WorkerStatus {
    /// Its name.
    pub name: String,
    /// When it last ran.
    pub last_run_at: Option<String>,
    /// How long that took, ms.
    pub last_duration_ms: u64,
    /// What it did or why it failed.
    pub detail: String,
    /// Whether the last run went well.
    pub ok: bool,
}

/// One check of the host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Requirement {
    /// Stable name.
    pub name: String,
    /// Whether it is met.
    pub ok: bool,
    /// Whether instances cannot run without it.
    pub required: bool,
    /// What was found.
    pub detail: String,
    /// What to do; empty when it is met.
    pub fix: String,
}

/// `GET /requirements`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Requirements {
    /// Whether all that is required is met.
    pub ok: bool,
    /// The checks.
    pub items: Vec<Requirement>,
}

/// `GET /system-info`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemInfo {
    /// Processors.
    pub cpus: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Memory that the daemon leaves alone, MiB.
    pub memory_reserve_mib: u64,
    /// Swap, MiB.
    pub swap_mib: u64,
    /// Disk of the runtime's store, bytes.
    pub disk_total_bytes: u64,
    /// Free there, bytes.
    pub disk_free_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// Distribution.
    pub distribution: String,
    /// `amd64`, `arm64`.
    pub arch: String,
    /// vCPUs that may be promised in all.
    pub vcpu_allocatable: u64,
    /// vCPUs promised.
    pub vcpu_allocated: u64,
    /// Memory that may be promised in all, MiB.
    pub memory_mib_allocatable: u64,
    /// Memory promised, MiB.
    pub memory_mib_allocated: u64,
}

/// `GET /podman/status`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PodmanStatus {
    /// Whether it answers.
    pub reachable: bool,
    /// Why not.
    pub error: Option<String>,
    /// Version.
    pub version: String,
    /// Where.
    pub socket: String,
    /// As an ordinary user.
    pub rootless: bool,
    /// Storage driver.
    pub storage_driver: String,
    /// Bytes in all.
    pub storage_total_bytes: u64,
    /// Bytes free.
    pub storage_free_bytes: u64,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Controllers that containers may use.
    pub cgroup_controllers: Vec<String>,
    /// `systemd` or `cgroupfs`.
    pub cgroup_manager: String,
    /// `crun`, `runc`.
    pub oci_runtime: String,
    /// `netavark`, `cni`.
    pub network_backend: String,
    /// Whether limits can be enforced.
    pub limits_enforced: bool,
    /// Why not, and what to do.
    pub limits_reason: Option<String>,
}

/// An engine in the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EngineView {
    /// Id.
    pub id: String,
    /// Name.
    pub title: String,
    /// `relational`, `document`, `key_value`, ...
    pub category: String,
    /// Licence note.
    pub license: String,
    /// Versions, newest first.
    pub versions: Vec<EngineVersion>,
    /// The default.
    pub default_version: String,
    /// Ports.
    pub ports: BTreeMap<String, u16>,
    /// Abilities.
    pub capabilities: BTreeMap<String, bool>,
    /// The least memory, MiB.
    pub minimum_memory_mib: u32,
    /// `real` (the conformance suite passed on a real server), `protocol_only` (on another server that speaks its
    /// protocol) or `not_yet`: the best of its versions.
    pub verified: String,
    /// What a user should know before choosing it.
    pub caveats: Vec<String>,
    /// Roles of inner users: `null` where it is offered, otherwise why not. Empty where users cannot be made.
    pub roles: BTreeMap<String, Option<String>>,
    /// Parameters that can be changed.
    pub settings: Vec<SettingView>,
}

/// A version in the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EngineVersion {
    /// Id.
    pub id: String,
    /// Image, with registry or the operator's own.
    pub image: String,
    /// Day after which upstream fixes nothing.
    pub end_of_life: String,
    /// Whether that day has passed.
    pub ended: bool,
    /// Whether it can be built here, without a registry.
    pub buildable: bool,
    /// As of the engine, for this version.
    pub verified: String,
}

/// A SKU, and what it becomes on this host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SkuView {
    /// Id.
    pub id: String,
    /// `B`, `D`, `E`, `F`.
    pub series: String,
    /// What the series is for.
    pub title: String,
    /// vCPUs.
    pub vcpu: u32,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Default storage, GiB.
    pub storage_gib: u32,
    /// Whether this host has room for one now.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Whether this host enforces its limits.
    pub enforced: bool,
    /// What is asked of this host.
    pub limits: HostLimits,
}

/// An image: present, or could be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImageView {
    /// Engine id.
    pub engine: String,
    /// Version id.
    pub version: String,
    /// Name under which it is present, or would be pulled.
    pub reference: String,
    /// Whether it is in the store.
    pub present: bool,
    /// Its id; empty when it is not present.
    pub digest: String,
    /// Bytes; 0 when it is not present.
    pub size_bytes: u64,
    /// Whether it can be built from distribution packages.
    pub buildable: bool,
    /// Whether an initialised data directory is kept for quick creation.
    pub template: bool,
}

/// Asks for an image.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageRequest {
    /// Engine id.
    pub engine: String,
    /// Version id; the engine's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

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

/// Something changed (Server-Sent Events; the SSE `event` is `kind`, its `id` is `id`).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Grows; give the last one as `Last-Event-ID`.
    pub id: u64,
    /// `instance`, `operation`, or `reset` (events were missed: read all again).
    pub kind: String,
    /// When.
    pub at: String,
    /// Project, for visibility.
    pub project: String,
    /// Which instance.
    pub instance_id: Option<InstanceId>,
    /// Which operation.
    pub operation_id: Option<OperationId>,
    /// The new state.
    pub state: String,
    /// A line for people.
    pub detail: String,
}
