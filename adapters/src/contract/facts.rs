//! Everything about an engine that is not a decision.

use serde::Serialize;

/// What an engine is for; groups the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// SQL, tables, transactions.
    Relational,
    /// JSON documents.
    Document,
    /// Keys and values, mostly in memory.
    KeyValue,
    /// Partitioned rows over many columns.
    WideColumn,
    /// Measurements over time.
    TimeSeries,
    /// Full-text and vector search.
    Search,
    /// Nodes and edges.
    Graph,
    /// Columns, for large scans.
    Analytical,
    /// An embedded engine behind a server.
    Embedded,
    /// Logs of messages.
    Streaming,
}

/// The protocol that `fluxdb` itself speaks to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// PostgreSQL frontend/backend protocol 3.
    Postgres,
    /// MySQL client/server protocol.
    Mysql,
    /// Redis serialisation protocol.
    Resp,
    /// MongoDB wire protocol.
    Mongo,
    /// Cassandra's native protocol, version 4.
    Cql,
    /// Tabular data stream: SQL Server.
    Tds,
    /// Kafka's protocol, with SASL/SCRAM.
    Kafka,
    /// HTTP/1.1; how the account is shown is in [`Facts::http_auth`].
    Http,
    /// None that a driver without native libraries speaks: the engine's own client, run inside the container.
    Exec,
}

/// How an account is shown to an HTTP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpAuth {
    /// User name and password.
    Basic,
    /// `Authorization: Bearer PASSWORD`; the name is ours alone.
    Bearer,
    /// This header holds the password; the name is ours alone.
    Header(&'static str),
    /// The server asks nobody. Its port must stay on loopback.
    None,
}

/// How `images/<engine>/` can build this version where no registry answers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LocalImage {
    /// The Debian suite that the image is made of.
    pub suite: &'static str,
}

/// One version that can be created.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Version {
    /// What users write: `17`, `10.11`.
    pub id: &'static str,
    /// Repository and pinned tag of the official image, without a registry host: `library/postgres:17.11`.
    pub reference: &'static str,
    /// Day after which upstream fixes nothing, `YYYY-MM-DD`.
    pub end_of_life: &'static str,
    /// Present when the image can also be built here.
    pub local: Option<LocalImage>,
}

/// A port that the server listens on inside its container. Each is published.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Port {
    /// What speaks there: `sql`, `resp`, `http`.
    pub name: &'static str,
    /// TCP port number.
    pub number: u16,
}

/// The user that runs the server inside the container. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// User id in the container.
    pub uid: u32,
    /// Group id in the container.
    pub gid: u32,
}

/// A directory that must be writable although the root file system is not; lives in memory.
#[derive(Clone, Copy, Debug)]
pub struct Tmpfs {
    /// Absolute path in the container.
    pub path: &'static str,
    /// Size limit in MiB for a small instance; from 16 on it grows with the memory ([`crate::budget::tmpfs_mib`]), against
    /// which it counts.
    pub size_mib: u32,
    /// Whether programs may be run from it: only for servers that unpack native libraries there.
    pub exec: bool,
}

impl Tmpfs {
    /// A directory for data: nothing may be run from it.
    pub const fn new(path: &'static str, size_mib: u32) -> Self {
        Self { path, size_mib, exec: false }
    }

    /// A directory from which a server loads what it unpacked (JVM engines with native libraries).
    pub const fn exec(path: &'static str, size_mib: u32) -> Self {
        Self { path, size_mib, exec: true }
    }
}

/// How to end the server cleanly.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// Signal number for the main process (2 = SIGINT, 15 = SIGTERM).
    pub signal: i32,
    /// Seconds until it is killed.
    pub grace_secs: u32,
    /// What the log says after a clean shutdown; `None` where it says nothing.
    pub says: Option<&'static str>,
}

/// The least that the engine runs with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processes and threads, beside one for each connection.
    pub pids: u32,
    /// Open files.
    pub nofile: u32,
}

/// A configuration file that is rendered for each instance.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// File name below [`super::FILES_DIR`].
    pub name: &'static str,
    /// minijinja source, by `include_str!`.
    pub source: &'static str,
}

/// Everything about an engine that is not a decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Stable id: lower case letters and digits.
    pub id: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What it is for.
    pub category: Category,
    /// Licence of the server and what it means for a service.
    pub license: &'static str,
    /// How `fluxdb` talks to it.
    pub protocol: Protocol,
    /// How the account is shown where `protocol` is HTTP; without meaning elsewhere.
    pub http_auth: HttpAuth,
    /// Newest first.
    pub versions: &'static [Version],
    /// One of `versions`.
    pub default_version: &'static str,
    /// The first is where clients connect. All are published.
    pub ports: &'static [Port],
    /// Index in `ports` of the one that speaks `protocol`; mostly 0.
    pub control_port: usize,
    /// Who runs the server.
    pub user: User,
    /// Where the data volume is mounted.
    pub volume_path: &'static str,
    /// Writable memory-backed directories.
    pub tmpfs: &'static [Tmpfs],
    /// `/dev/shm` in MiB, where it does not grow with the instance ([`super::Engine::shm_mib`]).
    pub shm_mib: u32,
    /// How it is ended.
    pub stop: Stop,
    /// The least it runs with.
    pub floor: Floor,
    /// Rendered files.
    pub templates: &'static [Template],
    /// The account `fluxdb` itself uses; users never get its password (but see `single_account`).
    pub system_user: &'static str,
    /// The user's account when the request names none.
    pub default_username: &'static str,
    /// The user's database when the request names none; `None` where the engine has no named databases.
    pub default_database: Option<&'static str>,
    /// The server knows one account only: `system_user` and `default_username` are the same, and so is the password.
    pub single_account: bool,
    /// Capabilities beyond none at all, each with its reason. Empty for every engine so far.
    pub extra_caps: &'static [(&'static str, &'static str)],
    /// What a user should know before choosing it: what is missing here and was not seen elsewhere.
    pub caveats: &'static [&'static str],
}

impl Facts {
    /// The version with this id.
    pub fn version(&self, id: &str) -> Option<&'static Version> {
        self.versions.iter().find(|v| v.id == id)
    }

    /// The port where clients connect.
    pub fn port(&self) -> &'static Port {
        &self.ports[0]
    }
}
