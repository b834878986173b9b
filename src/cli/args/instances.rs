//! What can be said about instances.

use clap::{Args, ValueEnum};

/// An instance.
#[derive(Debug, Args)]
pub struct NameArg {
    /// Name or id of the instance
    pub name: String,
}

/// Whether to wait for the operation.
#[derive(Clone, Copy, Debug, Args)]
pub struct WaitArgs {
    /// Wait until it is done (the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait; print the operation's id
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    /// Seconds to wait; the operation goes on afterwards
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

impl WaitArgs {
    /// Whether to wait.
    pub fn waits(self) -> bool {
        !self.no_wait
    }
}

/// `fluxdb create`
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name: lower case letters, digits and -, at most 63
    pub name: String,
    /// Engine, see `fluxdb engines`
    #[arg(long, short)]
    pub engine: String,
    /// Version [default: the engine's]
    #[arg(long)]
    pub version: Option<String>,
    /// Size, see `fluxdb skus` [default: B1ms]
    #[arg(long)]
    pub sku: Option<String>,
    /// Storage in GiB [default: the SKU's]
    #[arg(long, value_name = "GIB")]
    pub storage: Option<u32>,
    /// Region [default: local]
    #[arg(long)]
    pub region: Option<String>,
    /// Port on this host [default: a free one]
    #[arg(long)]
    pub port: Option<u16>,
    /// First database [default: the engine's]
    #[arg(long)]
    pub database: Option<String>,
    /// First account [default: the engine's]
    #[arg(long)]
    pub username: Option<String>,
    /// Read the account's password from standard input (or set FLUXDB_NEW_PASSWORD) [default: a strong one is made]
    #[arg(long)]
    pub password_stdin: bool,
    /// A label; may be given again
    #[arg(long = "label", short, value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// An engine setting; may be given again
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = label)]
    pub settings: Vec<(String, String)>,
    /// Refuse deletion until it is switched off
    #[arg(long)]
    pub protect: bool,
    /// Open outgoing traffic: the server may reach more than its clients
    #[arg(long)]
    pub egress: bool,
    /// Show what would be made, and make nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `fluxdb list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this engine
    #[arg(long, short)]
    pub engine: Option<String>,
    /// Only this state: CREATING, RUNNING, UPDATING, STOPPED, ERROR, DELETING
    #[arg(long, ignore_case = true, value_parser = ["CREATING", "RUNNING", "UPDATING", "STOPPED", "ERROR", "DELETING"])]
    pub state: Option<String>,
    /// Only with this label
    #[arg(long, short, value_name = "KEY=VALUE")]
    pub label: Option<String>,
    /// Only this region
    #[arg(long)]
    pub region: Option<String>,
    /// Only names that contain this
    #[arg(long, short)]
    pub query: Option<String>,
}

/// `fluxdb start`, `stop`, `restart`
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Name or id of the instance
    pub name: String,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `fluxdb restart`
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Give the server the account again with which fluxdb logs in: for when it refuses fluxdb
    #[arg(long)]
    pub repair_account: bool,
    /// Which instance, and whether to wait.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `fluxdb delete`
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Name or id of the instance
    pub name: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `fluxdb resize`
#[derive(Debug, Args)]
#[group(id = "size", required = true, multiple = true, args = ["sku", "storage"])]
pub struct ResizeArgs {
    /// Name or id of the instance
    pub name: String,
    /// New SKU, see `fluxdb skus`
    #[arg(long)]
    pub sku: Option<String>,
    /// New storage in GiB; never less than before
    #[arg(long, value_name = "GIB")]
    pub storage: Option<u32>,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `fluxdb update`
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Name or id of the instance
    pub name: String,
    /// New name
    #[arg(long, value_name = "NAME")]
    pub rename: Option<String>,
    /// Set a label; may be given again
    #[arg(long = "label", short, value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Remove a label; may be given again
    #[arg(long, value_name = "KEY")]
    pub unlabel: Vec<String>,
    /// Refuse deletion
    #[arg(long, conflicts_with = "no_protect")]
    pub protect: bool,
    /// Allow deletion
    #[arg(long)]
    pub no_protect: bool,
    /// Open outgoing traffic, without a restart: the server may reach more than its clients
    #[arg(long, conflicts_with = "no_egress")]
    pub egress: bool,
    /// Close outgoing traffic again, without a restart
    #[arg(long)]
    pub no_egress: bool,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `fluxdb connect`
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// Name or id of the instance
    pub name: String,
    /// Arguments for the engine's shell
    #[arg(last = true)]
    pub args: Vec<String>,
}

/// `fluxdb url`
#[derive(Debug, Args)]
pub struct UrlArgs {
    /// Name or id of the instance
    pub name: String,
    /// Print the password too; noted in the audit log
    #[arg(long)]
    pub reveal: bool,
    /// Spelling
    #[arg(long, short, value_enum, default_value_t = UrlFormat::Uri)]
    pub format: UrlFormat,
    /// Database [default: the instance's first]
    #[arg(long)]
    pub database: Option<String>,
}

/// Spellings of a connection string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UrlFormat {
    /// The engine's URI
    Uri,
    /// JDBC
    Jdbc,
    /// Shell variables
    Env,
    /// A command line
    Cli,
    /// YAML
    Yaml,
    /// .NET
    Dotnet,
}

impl UrlFormat {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uri => "uri",
            Self::Jdbc => "jdbc",
            Self::Env => "env",
            Self::Cli => "cli",
            Self::Yaml => "yaml",
            Self::Dotnet => "dotnet",
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".into()),
    }
}
