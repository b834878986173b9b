//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0  done                          6  no daemon answers
  1  failed                        7  the operation failed or was cancelled
  2  the command cannot be so      8  still going on when --timeout was over
  3  no such thing                 9  the host has no room for it
  4  something is in the way      10  not possible now, the same may work later
  5  not permitted               130  interrupted (operations go on)

Environment: FLUXDB_URL, FLUXDB_TOKEN, FLUXDB_PROJECT, FLUXDB_DATA_DIR, FLUXDB_CONFIG, NO_COLOR.
The local daemon's own token is used when FLUXDB_TOKEN is not set.";

/// Databases as a service on this machine: create, run and look after database servers in rootless Podman.
#[derive(Debug, Parser)]
#[command(name = "fluxdb", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What goes with every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What goes with every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Address of the daemon [default: the local one]
    #[arg(
        long,
        global = true,
        env = "FLUXDB_URL",
        hide_env = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub url: Option<String>,
    /// Project in which names are looked up and instances are created
    #[arg(long, global = true, env = "FLUXDB_PROJECT", hide_env = true, help_heading = "Global options")]
    pub project: Option<String>,
    /// Print the API's JSON instead of tables
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Directory of the daemon's state
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub data_dir: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    #[command(
        after_help = "Examples:\n  fluxdb serve\n  fluxdb serve --listen 127.0.0.1:7620 --data-dir ./data\n  fluxdb serve --log-format json --log-filter fluxdb=debug"
    )]
    Serve(super::serve::ServeArgs),
    /// Print the OpenAPI document of the HTTP API
    #[command(after_help = "Examples:\n  fluxdb openapi > openapi.json")]
    Openapi,
    /// Copies and edits files of volumes, in the user namespace of rootless Podman; the daemon starts it
    #[command(name = "__volume-helper", hide = true)]
    VolumeHelper,
    /// Make a database server
    #[command(
        after_help = "Examples:\n  fluxdb create demo --engine postgresql\n  fluxdb create shop --engine mariadb --sku D2s --storage 100 --label team=web --protect\n  printf %s \"$PW\" | fluxdb create cache --engine valkey --password-stdin\n  fluxdb create demo --engine postgresql --dry-run"
    )]
    Create(CreateArgs),
    /// Show every instance
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fluxdb list\n  fluxdb list --engine postgresql --state RUNNING\n  fluxdb list --label team=web --json"
    )]
    List(ListArgs),
    /// Show one instance
    #[command(after_help = "Examples:\n  fluxdb show demo\n  fluxdb show demo --json | jq .limits")]
    Show(NameArg),
    /// Start a stopped instance
    #[command(after_help = "Examples:\n  fluxdb start demo\n  fluxdb start demo --no-wait")]
    Start(ChangeArgs),
    /// Stop an instance; its data stays
    #[command(after_help = "Examples:\n  fluxdb stop demo")]
    Stop(ChangeArgs),
    /// Stop an instance and start it
    #[command(after_help = "Examples:\n  fluxdb restart demo --timeout 60")]
    Restart(ChangeArgs),
    /// Delete an instance with its data
    #[command(
        visible_alias = "rm",
        after_help = "Examples:\n  fluxdb delete demo          (asks for the name)\n  fluxdb delete demo --yes\n  fluxdb update demo --no-protect && fluxdb delete demo"
    )]
    Delete(DeleteArgs),
    /// Give an instance another SKU or more storage; restarts it
    #[command(after_help = "Examples:\n  fluxdb resize demo --sku D2s\n  fluxdb resize demo --storage 200")]
    Resize(ResizeArgs),
    /// Change name, labels or protection of an instance; nothing restarts
    #[command(
        after_help = "Examples:\n  fluxdb update demo --label team=web --unlabel trial\n  fluxdb update demo --protect\n  fluxdb update demo --rename shop"
    )]
    Update(UpdateArgs),
    /// Open the engine's own shell in the instance's container
    #[command(
        after_help = "Runs podman, so it works on the machine (and for the Podman) that the container is on.\n\nExamples:\n  fluxdb connect demo\n  fluxdb connect demo -- -c 'SELECT version()'\n  fluxdb connect demo < schema.sql"
    )]
    Connect(ConnectArgs),
    /// Print the connection string and nothing else
    #[command(
        after_help = "Examples:\n  fluxdb url demo\n  psql \"$(fluxdb url demo --reveal)\"\n  fluxdb url demo --reveal --format env > .env"
    )]
    Url(UrlArgs),
    /// Show the engines and their versions
    #[command(after_help = "Examples:\n  fluxdb engines\n  fluxdb engines postgresql")]
    Engines(EnginesArgs),
    /// Show the sizes, and what this host makes of them
    #[command(after_help = "Examples:\n  fluxdb skus")]
    Skus,
    /// Show, pull and build images
    #[command(subcommand)]
    Images(ImagesCommand),
    /// Show, follow and cancel long-running work
    #[command(subcommand, visible_alias = "ops")]
    Operations(OperationsCommand),
    /// Print what happens, as it happens
    #[command(after_help = "Examples:\n  fluxdb events\n  fluxdb events --instance demo --json")]
    Events(EventsArgs),
    /// Say how this host is set up, and what to do about what is missing
    #[command(
        after_help = "Asks the daemon; where none answers, looks for itself. Ends with 1 when something required is missing.\n\nExamples:\n  fluxdb doctor\n  fluxdb doctor --local --json"
    )]
    Doctor(DoctorArgs),
    /// Show how the daemon is
    #[command(after_help = "Examples:\n  fluxdb status\n  fluxdb status --json")]
    Status,
    /// Make, show and delete API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show who did what, newest first
    #[command(after_help = "Examples:\n  fluxdb audit --limit 20\n  fluxdb audit --instance demo")]
    Audit(AuditArgs),
    /// Enable the module: check the host, prepare the state
    #[command(after_help = "Examples:\n  fluxdb enable\n  fluxdb enable --install-podman")]
    Enable(EnableArgs),
    /// Disable the module: no more changes; instances and data stay
    #[command(after_help = "Examples:\n  fluxdb disable")]
    Disable,
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  fluxdb completions bash > ~/.local/share/bash-completion/completions/fluxdb\n  fluxdb completions zsh > ~/.zfunc/_fluxdb"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

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
    /// Refuse deletion until it is switched off
    #[arg(long)]
    pub protect: bool,
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
#[derive(Debug, Default, Args)]
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

/// `fluxdb engines`
#[derive(Debug, Args)]
pub struct EnginesArgs {
    /// Show one engine's versions and abilities
    pub engine: Option<String>,
}

/// `fluxdb images`
#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// Show what is there and what could be got
    #[command(visible_alias = "ls", after_help = "Examples:\n  fluxdb images list")]
    List,
    /// Pull an image from its registry
    #[command(after_help = "Examples:\n  fluxdb images pull postgresql 17")]
    Pull(ImageArgs),
    /// Build an image out of distribution packages
    #[command(after_help = "Examples:\n  fluxdb images build valkey")]
    Build(ImageArgs),
}

/// `fluxdb images pull`, `build`
#[derive(Debug, Args)]
pub struct ImageArgs {
    /// Engine
    pub engine: String,
    /// Version [default: the engine's]
    pub version: Option<String>,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `fluxdb operations`
#[derive(Debug, Subcommand)]
pub enum OperationsCommand {
    /// Show operations, newest first
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fluxdb operations list --instance demo\n  fluxdb operations list --state failed"
    )]
    List {
        /// Only of this instance
        #[arg(long)]
        instance: Option<String>,
        /// Only in this state
        #[arg(long, value_parser = ["pending", "running", "succeeded", "failed", "cancelling", "cancelled"])]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one operation with its steps
    #[command(after_help = "Examples:\n  fluxdb operations show 0190a5b2-...")]
    Show {
        /// Its id
        id: String,
    },
    /// Wait for an operation and show its steps as they end
    #[command(after_help = "Examples:\n  fluxdb operations follow 0190a5b2-... --timeout 60")]
    Follow {
        /// Its id
        id: String,
        /// Seconds to wait; the operation goes on afterwards
        #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
        timeout: u64,
    },
    /// Stop an operation and take back what it has done
    #[command(after_help = "Examples:\n  fluxdb operations cancel 0190a5b2-...")]
    Cancel {
        /// Its id
        id: String,
        /// Whether to wait.
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// `fluxdb events`
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Only of this instance
    #[arg(long)]
    pub instance: Option<String>,
}

/// `fluxdb doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Do not ask the daemon
    #[arg(long)]
    pub local: bool,
}

/// `fluxdb token`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it; it is shown this once
    #[command(
        after_help = "Examples:\n  fluxdb token create grafana\n  fluxdb token create ci --write --only-project ci --expires-days 90"
    )]
    Create {
        /// Its name
        name: String,
        /// Allow changes too (databases:write); without it: reading only
        #[arg(long)]
        write: bool,
        /// Limit it to this project; may be given again
        #[arg(long, value_name = "PROJECT")]
        only_project: Vec<String>,
        /// Days until it stops working [default: never]
        #[arg(long, value_name = "DAYS")]
        expires_days: Option<u32>,
    },
    /// Show the tokens, without their secrets
    #[command(visible_alias = "ls", after_help = "Examples:\n  fluxdb token list")]
    List,
    /// Delete a token; it stops working at once
    #[command(visible_alias = "rm", after_help = "Examples:\n  fluxdb token delete grafana")]
    Delete {
        /// Its name or id
        name: String,
    },
    /// Make a new local administrator token; the old one stops working
    #[command(
        after_help = "Works on the state in the data directory, for when admin.token was lost. Restart a daemon that runs: it\nmay know the old token for some minutes yet.\n\nExamples:\n  fluxdb token reset-admin"
    )]
    ResetAdmin,
}

/// `fluxdb audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only about this instance
    #[arg(long)]
    pub instance: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// `fluxdb enable`
#[derive(Debug, Args)]
pub struct EnableArgs {
    /// Install Podman with apt-get when it is missing (as root, or through sudo without a password)
    #[arg(long)]
    pub install_podman: bool,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".into()),
    }
}
