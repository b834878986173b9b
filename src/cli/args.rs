//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod instances;
mod others;

pub use instances::*;
pub use others::*;

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
    #[command(
        after_help = "Examples:\n  fluxdb restart demo --timeout 60\n  fluxdb restart demo --repair-account   (the server refuses fluxdb: \"login_refused\")"
    )]
    Restart(RestartArgs),
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
    /// Try an engine on this host: every promise of fluxdb, on a real server in a container of its own
    #[command(
        after_help = "Works without a daemon, with a state and label of its own, and removes everything afterwards.\nEnds with 1 when a check failed.\n\nExamples:\n  fluxdb conformance postgresql\n  fluxdb conformance mongodb --version 8.0\n  fluxdb conformance oracle --image registry.example/oracle-free:23 --sku B2s"
    )]
    Conformance(super::conformance::ConformanceArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  fluxdb completions bash > ~/.local/share/bash-completion/completions/fluxdb\n  fluxdb completions zsh > ~/.zfunc/_fluxdb"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}
