//! What an operator may set: one struct for each concern, with defaults that work on one Linux host.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub mod check;
pub mod keys;
pub mod load;

pub use load::{ConfigError, Flags, Loaded, load};

/// The whole configuration. File (TOML), then environment, then flags; the later wins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// HTTP server.
    pub server: ServerConfig,
    /// Where state is kept.
    pub data: DataConfig,
    /// The container runtime.
    pub podman: PodmanConfig,
    /// How much of the host may be promised.
    pub admission: AdmissionConfig,
    /// Where instances are published.
    pub endpoints: EndpointConfig,
    /// Where images come from.
    pub images: ImageConfig,
    /// Who may call.
    pub auth: AuthConfig,
    /// How long work may take.
    pub operations: OperationConfig,
    /// The audit log.
    pub audit: AuditConfig,
    /// Background workers.
    pub workers: WorkerConfig,
    /// Logs.
    pub log: LogConfig,
}

/// HTTP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Largest request body, bytes.
    pub body_limit_bytes: usize,
    /// Seconds that a request may take, waits (`?wait=`) and event streams aside.
    pub request_timeout_secs: u64,
    /// Seconds that a shutdown waits for requests and steps.
    pub shutdown_secs: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7620)),
            body_limit_bytes: 256 * 1024,
            request_timeout_secs: 30,
            shutdown_secs: 20,
        }
    }
}

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Directory for the database, the master key, the local token (0700). What is loaded for real ([`load`]) has
    /// `$XDG_DATA_HOME/fluxdb` or `~/.local/share/fluxdb` here when nobody set it; the bare default is for tests.
    pub dir: PathBuf,
    /// File with the master key, 32 bytes in hexadecimal; made in `dir` when absent there.
    pub master_key_file: Option<PathBuf>,
    /// Connections for reading.
    pub readers: usize,
}

impl DataConfig {
    /// The state: SQLite.
    pub fn state_file(&self) -> PathBuf {
        self.dir.join("fluxdb.sqlite")
    }

    /// The local administrator's token, for the command line (0600).
    pub fn admin_token_file(&self) -> PathBuf {
        self.dir.join("admin.token")
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from("data"), master_key_file: None, readers: 2 }
    }
}

/// The container runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PodmanConfig {
    /// `unix:///path` or `tcp://host:port`; found by itself when absent.
    pub url: Option<String>,
    /// Whether to run `podman system service` when no socket answers.
    pub manage_service: bool,
    /// Seconds that a short call may take.
    pub call_timeout_secs: u64,
    /// Whether `POST /podman/install` may install packages.
    pub allow_install: bool,
}

impl Default for PodmanConfig {
    fn default() -> Self {
        Self { url: None, manage_service: true, call_timeout_secs: 30, allow_install: false }
    }
}

/// How much of the host may be promised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdmissionConfig {
    /// How many times the processors may be promised.
    pub cpu_overcommit: f64,
    /// How many times the memory may be promised.
    pub memory_overcommit: f64,
    /// Memory that is never promised, MiB.
    pub memory_reserve_mib: u64,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self { cpu_overcommit: 4.0, memory_overcommit: 1.0, memory_reserve_mib: 1024 }
    }
}

/// Where instances are published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointConfig {
    /// Address that ports are published on; loopback unless changed.
    pub bind: std::net::IpAddr,
    /// Host name in connection strings; `bind` when absent.
    pub host: Option<String>,
    /// First port.
    pub port_first: u16,
    /// Last port.
    pub port_last: u16,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self { bind: std::net::IpAddr::from([127, 0, 0, 1]), host: None, port_first: 21_000, port_last: 28_999 }
    }
}

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageConfig {
    /// Registry of the official images.
    pub registry: String,
    /// Whether images may be pulled.
    pub pull: bool,
    /// Whether images may be built from distribution packages.
    pub build: bool,
    /// Own references: engine, then version, then reference. A reference given here is never built locally.
    pub overrides: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether to keep initialised data directories for quick creation.
    pub templates: bool,
}

impl Default for ImageConfig {
    fn default() -> Self {
        Self { registry: "docker.io".into(), pull: true, build: true, overrides: BTreeMap::new(), templates: true }
    }
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// JWTs of the Flux platform.
    pub jwt: Option<JwtConfig>,
    /// Failed tries of one address before it has to wait.
    pub failures: u32,
    /// Seconds over which they count.
    pub failure_window_secs: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { jwt: None, failures: 20, failure_window_secs: 60 }
    }
}

/// JWTs of the Flux platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Required `iss`.
    pub issuer: String,
    /// Required `aud`.
    pub audience: String,
    /// File with the keys.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Or where to fetch them; again when a key id is unknown, at most once a minute.
    #[serde(default)]
    pub jwks_url: Option<String>,
}

/// How long work may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationConfig {
    /// Seconds for an operation on an instance, images aside.
    pub instance_deadline_secs: u64,
    /// Seconds for getting an image.
    pub image_deadline_secs: u64,
    /// Seconds until a started server must answer.
    pub ready_deadline_secs: u64,
    /// Days that ended operations are kept.
    pub keep_days: u32,
}

impl Default for OperationConfig {
    fn default() -> Self {
        Self { instance_deadline_secs: 600, image_deadline_secs: 1800, ready_deadline_secs: 120, keep_days: 90 }
    }
}

/// The audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// Days that its lines are kept; 0 = for ever.
    pub keep_days: u32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { keep_days: 365 }
    }
}

/// Background workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Seconds between looks at every container; events come at once anyway.
    pub reconcile_period_secs: u64,
    /// Seconds between questions to every server whether it answers.
    pub health_period_secs: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { reconcile_period_secs: 15, health_period_secs: 10 }
    }
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Filter in the manner of `tracing`: `info`, `fluxdb=debug`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
