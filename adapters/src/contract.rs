//! The shape that every engine adapter has: a table of facts, a few required functions, optional abilities.

use std::fmt;

use serde::Serialize;

/// A value that must not be shown: passwords, rendered files, SQL that carries a password.
///
/// `Debug` is dull and there is no `Display` or `Serialize`; [`Secret::expose`] is easy to grep for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not be shown.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Every caller is a place to review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// What an engine is for; groups the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// SQL, tables, transactions.
    Relational,
    /// Keys and values, mostly in memory.
    KeyValue,
}

/// The protocol that `fluxdb` itself speaks to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// PostgreSQL frontend/backend protocol 3.
    Postgres,
    /// MySQL client/server protocol.
    Mysql,
    /// Redis serialisation protocol.
    Resp,
}

/// How `images/<engine>/` can build this version out of distribution packages.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LocalImage {
    /// The Debian suite that carries the packages.
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

/// A port that the server listens on inside its container.
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
    /// Size limit in MiB.
    pub size_mib: u32,
}

/// How to end the server cleanly.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// Signal number for the main process (2 = SIGINT, 15 = SIGTERM).
    pub signal: i32,
    /// Seconds until it is killed.
    pub grace_secs: u32,
}

/// The least that the engine runs with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Open files.
    pub nofile: u32,
}

/// A configuration file that is rendered for each instance.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// File name below [`FILES_DIR`].
    pub name: &'static str,
    /// minijinja source, by `include_str!`.
    pub source: &'static str,
}

/// Where rendered files and passwords appear in every container (a small tmpfs, each file 0400 for the engine's user).
pub const FILES_DIR: &str = "/fluxdb";

/// File below [`FILES_DIR`] with the password of the system account.
pub const SYSTEM_PASSWORD_FILE: &str = "system-password";

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
    /// Newest first.
    pub versions: &'static [Version],
    /// One of `versions`.
    pub default_version: &'static str,
    /// The first is where clients connect.
    pub ports: &'static [Port],
    /// Who runs the server.
    pub user: User,
    /// Where the data volume is mounted.
    pub volume_path: &'static str,
    /// Writable memory-backed directories.
    pub tmpfs: &'static [Tmpfs],
    /// `/dev/shm` in MiB.
    pub shm_mib: u32,
    /// How it is ended.
    pub stop: Stop,
    /// The least it runs with.
    pub floor: Floor,
    /// Rendered files.
    pub templates: &'static [Template],
    /// The account `fluxdb` itself uses; users never get its password.
    pub system_user: &'static str,
    /// The user's account when the request names none.
    pub default_username: &'static str,
    /// The user's database when the request names none; `None` where the engine has no named databases.
    pub default_database: Option<&'static str>,
    /// Capabilities beyond none at all, each with its reason. Empty for every engine so far.
    pub extra_caps: &'static [(&'static str, &'static str)],
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

/// What an instance may use, as its SKU says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Storage in GiB.
    pub storage_gib: u32,
}

/// An account with its password.
#[derive(Clone, Debug)]
pub struct Account {
    /// Name as the engine knows it.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// All that an adapter needs to know about one instance.
#[derive(Clone, Debug)]
pub struct Cx {
    /// Version id, one of [`Facts::versions`].
    pub version: &'static Version,
    /// What the SKU grants.
    pub size: Size,
    /// The account `fluxdb` uses.
    pub system: Account,
    /// The user's account.
    pub user: Account,
    /// The user's database; `None` where the engine has none.
    pub database: Option<String>,
}

/// A file for the container, placed at [`FILES_DIR`]`/name`.
#[derive(Clone, Debug)]
pub struct File {
    /// File name.
    pub name: &'static str,
    /// Text.
    pub content: Secret,
}

/// How the server is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Arguments for the image's entrypoint. Never holds a secret.
    pub argv: Vec<String>,
    /// Environment. Never holds a secret: passwords travel in `files`.
    pub env: Vec<(&'static str, String)>,
    /// Files below [`FILES_DIR`].
    pub files: Vec<File>,
}

/// One request to the server, over [`Facts::protocol`].
#[derive(Clone, Debug)]
pub struct Call {
    /// What to send.
    pub request: Request,
    /// Error codes (SQLSTATE, MySQL error number, RESP error prefix) that mean "already so".
    pub tolerate: &'static [&'static str],
}

/// What to send; a [`Secret`] because it may carry a password.
#[derive(Clone, Debug)]
pub enum Request {
    /// A statement for a SQL server.
    Sql(Secret),
    /// A command and its arguments for a RESP server.
    Resp(Vec<Secret>),
}

impl Call {
    /// A statement whose errors all count.
    pub fn sql(text: impl Into<String>) -> Self {
        Self { request: Request::Sql(Secret::new(text)), tolerate: &[] }
    }

    /// A RESP command whose errors all count.
    pub fn resp(words: &[&str]) -> Self {
        Self { request: Request::Resp(words.iter().map(|w| Secret::new(*w)).collect()), tolerate: &[] }
    }

    /// The same call, where these error codes mean "already so".
    pub fn tolerating(mut self, codes: &'static [&'static str]) -> Self {
        self.tolerate = codes;
        self
    }
}

/// The spellings of a connection string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UriFormat {
    /// The engine's URI.
    Uri,
    /// A JDBC URL.
    Jdbc,
    /// Shell variables, a line each.
    Env,
    /// A command line for the engine's own client; the password is asked for or taken from the environment.
    Cli,
    /// YAML mapping.
    Yaml,
    /// .NET connection string.
    Dotnet,
}

impl UriFormat {
    /// Every format.
    pub const ALL: [UriFormat; 6] = [Self::Uri, Self::Jdbc, Self::Env, Self::Cli, Self::Yaml, Self::Dotnet];
}

/// Where a client connects and as whom.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    /// Host name or address.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
    /// Account and password.
    pub account: &'a Account,
    /// Database; `None` where the engine has none.
    pub database: Option<&'a str>,
}

/// A command to run inside the container, for people: the engine's own shell.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Program and arguments; no secret.
    pub argv: Vec<String>,
    /// The environment variable from which the program takes the password.
    pub password_env: &'static str,
}

/// What a name is for; the rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// An inner database.
    Database,
    /// An inner user.
    User,
}

/// One engine.
pub trait Engine: Sync + Send {
    /// The table of facts.
    fn facts(&self) -> &'static Facts;

    /// Values for the templates, for this size.
    fn tuning(&self, cx: &Cx) -> minijinja::Value;

    /// How the server is started. Rendered files come with it.
    ///
    /// # Errors
    /// A template that names what `tuning` does not give; a defect, found by the contract tests.
    fn launch(&self, cx: &Cx) -> Result<Launch, render::RenderError>;

    /// The cheapest query that proves an authenticated session; its answer does not matter.
    fn ping(&self) -> Call;

    /// Brings a freshly initialised or freshly copied server to what the user asked for: account and database.
    /// Run as the system account; every call may be run again.
    fn provision(&self, cx: &Cx) -> Vec<Call>;

    /// Gives the account the new password. Run as the system account.
    fn set_password(&self, account: &Account) -> Vec<Call>;

    /// How clients connect, in the asked spelling; `None` where the engine has no such spelling.
    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret>;

    /// The engine's own shell.
    fn shell(&self, username: &str, database: Option<&str>) -> Shell;

    /// Says what is wrong with a name, by the engine's own rules.
    ///
    /// # Errors
    /// A sentence for the user.
    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String>;

    /// Connections that this size allows; what the rendered configuration says.
    fn max_connections(&self, size: &Size) -> u32;

    /// Present when an initialised data directory can be copied for the next instance.
    fn seed(&self) -> Option<&dyn Seed> {
        None
    }
}

/// Access to the files of a stopped data volume; implemented where the files are.
pub trait DataFiles {
    /// Reads a whole file; path relative to the volume's root.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>>;
    /// Overwrites `bytes` at `offset` of an existing file.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> std::io::Result<()>;
    /// Names in a directory, not sorted.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn list(&self, path: &str) -> std::io::Result<Vec<String>>;
    /// Removes a file; a missing one is fine.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn remove(&self, path: &str) -> std::io::Result<()>;
}

/// An initialised data directory may be copied: what must differ in each copy.
pub trait Seed: Sync {
    /// Makes a copy its own: fresh identifiers. `unique` is random.
    ///
    /// # Errors
    /// A sentence; the copy is then thrown away and the instance is initialised in the ordinary way.
    fn personalise(&self, files: &dyn DataFiles, unique: u64) -> Result<(), String>;
}

use crate::render;
