//! What can be said about everything but instances.

use clap::{Args, Subcommand};

use super::WaitArgs;

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
#[command(
    after_help = "Lines are kept for audit.keep_days days of the configuration (365 unless set; 0 = for ever). What is older is\nremoved every hour. The list ends with how old the oldest line is."
)]
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
