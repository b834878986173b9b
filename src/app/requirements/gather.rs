//! Looking at the host: files and a few bounded commands, no judgement.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::at_rest::{self, AtRest};
use super::parse;
use crate::config::Config;
use crate::domain::host::HostInfo;
use crate::runtime::ContainerRuntime;
use crate::vault::MASTER_KEY_VARIABLE;

const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// First line of `podman --version`.
    pub podman: Result<String, String>,
    /// What Podman says about the host, or why it does not.
    pub host: Result<HostInfo, String>,
    /// Whether it was asked through its socket.
    pub through_socket: bool,
    /// The daemon itself runs in a container: what this machine looks like says nothing about Podman's.
    pub in_container: bool,
    /// Effective user id.
    pub uid: u32,
    /// The user's name; the number where there is none.
    pub user: String,
    /// Ids granted in /etc/subuid.
    pub subuids: u64,
    /// Ids granted in /etc/subgid.
    pub subgids: u64,
    /// `newuidmap` and `newgidmap` are there.
    pub id_mapping_tools: bool,
    /// systemd runs.
    pub systemd: bool,
    /// The user's services run without a login.
    pub linger: bool,
    /// Controllers of the unified hierarchy beside cgroup v1 (a hybrid host).
    pub hybrid_controllers: String,
    /// /dev/net/tun can be opened, or why not.
    pub tun: Result<(), String>,
    /// `slirp4netns` or `pasta`.
    pub user_network: Option<&'static str>,
    /// A tool that closes outgoing traffic works in a network namespace of its own, or why not.
    pub packet_filter: Result<&'static str, String>,
    /// File system of the data directory: free and total bytes.
    pub data_disk: Option<(u64, u64)>,
    /// Whether the volumes are encrypted on the disk.
    pub at_rest: AtRest,
    /// Ports of the range that somebody listens on.
    pub taken_ports: BTreeSet<u16>,
    /// The registry answers on its port, or why not. `None`: not asked.
    pub registry: Option<Result<(), String>>,
    /// `mmdebstrap` is there.
    pub mmdebstrap: bool,
    /// Images in the store; `None`: not known.
    pub images: Option<usize>,
    /// The kernel says that the clock is kept in time.
    pub clock_synchronised: Option<bool>,
    /// Seconds since 1970.
    pub now: i64,
}

/// Looks at everything.
pub(super) async fn facts(runtime: Option<&dyn ContainerRuntime>, config: &Config) -> Facts {
    let uid = rustix::process::geteuid().as_raw();
    let passwd = read("/etc/passwd").await;
    let user = parse::user_name(&passwd, uid).unwrap_or_else(|| uid.to_string());
    let podman = run("podman", &["--version"]).await;
    let (host, images) = match runtime {
        Some(runtime) => {
            (runtime.host().await.map_err(|e| e.public), runtime.images().await.ok().map(|images| images.len()))
        }
        None => (host_by_command(config, podman.is_ok()).await, None),
    };
    let at_rest = encrypted(host.as_ref()).await;
    let registry = if config.images.pull { Some(reach(&config.images.registry).await) } else { None };
    let bind = config.endpoints.bind;
    let tables = format!("{}{}", read("/proc/net/tcp").await, read("/proc/net/tcp6").await);
    let range = config.endpoints.port_first..=config.endpoints.port_last;
    Facts {
        podman,
        host,
        through_socket: runtime.is_some(),
        in_container: in_container(),
        uid,
        subuids: parse::granted_ids(&read("/etc/subuid").await, &user, uid),
        subgids: parse::granted_ids(&read("/etc/subgid").await, &user, uid),
        id_mapping_tools: in_path("newuidmap") && in_path("newgidmap"),
        systemd: Path::new("/run/systemd/system").exists(),
        linger: Path::new("/var/lib/systemd/linger").join(&user).exists(),
        hybrid_controllers: read("/sys/fs/cgroup/unified/cgroup.controllers").await.trim().to_owned(),
        tun: open_tun().await,
        user_network: ["pasta", "slirp4netns"].into_iter().find(|tool| in_path(tool)),
        packet_filter: packet_filter(uid).await,
        data_disk: disk(&config.data.dir),
        at_rest,
        taken_ports: parse::taken_ports(&tables, bind).into_iter().filter(|port| range.contains(port)).collect(),
        registry,
        mmdebstrap: in_path("mmdebstrap"),
        images,
        clock_synchronised: clock_synchronised().await,
        now: jiff::Timestamp::now().as_second(),
        user,
    }
}

/// The first that works: it sets a rule in a namespace that is gone again with it. Where no namespace can be made in this way
/// (some distributions allow it to Podman alone) the tool is taken for one that works.
async fn packet_filter(uid: u32) -> Result<&'static str, String> {
    const TOOLS: [(&str, &[&str]); 2] = [
        ("nft", &["add table inet fluxdb"]),
        ("iptables", &["-w", "5", "-A", "OUTPUT", "-p", "tcp", "!", "--syn", "-j", "DROP"]),
    ];
    let mut failures = Vec::new();
    for (tool, rule) in TOOLS.iter().filter(|(tool, _)| in_path(tool)) {
        let new: &[&str] = if uid == 0 { &["--net"] } else { &["--net", "--user", "--map-root-user"] };
        // Where it is said in full, since an ordinary user's PATH often lacks sbin; the usual lock belongs to root.
        let places = ["/usr/sbin", "/sbin", "/usr/bin"].map(|directory| format!("{directory}/{tool}"));
        let program = places.into_iter().find(|p| Path::new(p).is_file()).unwrap_or_else(|| (*tool).to_owned());
        let prefix = ["--", "env", "XTABLES_LOCKFILE=/dev/null", program.as_str()];
        let arguments: Vec<&str> = new.iter().chain(&prefix).chain(*rule).copied().collect();
        match run("unshare", &arguments).await {
            Ok(_) => return Ok(tool),
            Err(why) if why.contains("unshare: ") || why.contains("cannot be run") => return Ok(tool),
            Err(why) => failures.push(why.replace("unshare failed", tool)),
        }
    }
    Err(if failures.is_empty() { "neither nft nor iptables is installed".into() } else { failures.join("; ") })
}

/// Whether Podman's volumes are encrypted on the disk.
pub(super) async fn encrypted(host: Result<&HostInfo, &String>) -> AtRest {
    let host = match host {
        Ok(host) => host,
        Err(why) => return AtRest::Unknown(why.clone()),
    };
    if !host.local || in_container() {
        return AtRest::Unknown("the volumes are on another machine, or seen from inside a container".into());
    }
    // Before the first volume there is no such directory.
    let asked = Path::new(&host.volume_path);
    let Some(dir) = asked.ancestors().find_map(|dir| dir.canonicalize().ok()).filter(|_| asked.is_absolute()) else {
        return AtRest::Unknown("Podman does not say where its volumes are".into());
    };
    match at_rest::of(Path::new("/"), &dir, has_policy(&dir)) {
        AtRest::Zfs(data_set) => {
            let said = run("zfs", &["get", "-H", "-o", "value", "encryption", &data_set]).await;
            at_rest::of_zfs(said, &data_set)
        }
        found => found,
    }
}

/// fscrypt: what is below has a key.
fn has_policy(dir: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, dir, AtFlags::empty(), StatxFlags::BASIC_STATS)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::ENCRYPTED))
}

async fn host_by_command(config: &Config, installed: bool) -> Result<HostInfo, String> {
    if !installed {
        return Err("Podman is not installed.".into());
    }
    let mut arguments = Vec::new();
    if let Some(url) = &config.podman.url {
        arguments.extend(["--url", url]);
    }
    arguments.extend(["info", "--format", "json"]);
    let json = run("podman", &arguments).await?;
    let host = parse::podman_info(&json).ok_or("`podman info` said something that is not understood.")?;
    Ok(HostInfo { local: config.podman.url.as_deref().is_none_or(|url| url.starts_with("unix:")), ..host })
}

/// Runs a command to its end, at most [`COMMAND_TIMEOUT`]; its output, or a sentence.
async fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let child = Command::new(program)
        .args(arguments)
        // Secrets of the daemon are not for what it starts, which may start what stays.
        .env_remove(MASTER_KEY_VARIABLE)
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("FLUXDB_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = timeout(COMMAND_TIMEOUT, child)
        .await
        .map_err(|_| format!("{program} does not answer within {} s", COMMAND_TIMEOUT.as_secs()))?
        .map_err(|e| format!("{program} cannot be run: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} failed: {}", said.trim().lines().last().unwrap_or_default()))
}

async fn read(path: &str) -> String {
    // What is not there says nothing; the judgement knows what that means.
    tokio::fs::read_to_string(path).await.unwrap_or_default()
}

async fn open_tun() -> Result<(), String> {
    let opened = tokio::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").await;
    opened.map(drop).map_err(|e| e.to_string())
}

async fn reach(registry: &str) -> Result<(), String> {
    let host = registry.split('/').next().unwrap_or_default();
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
    match timeout(CONNECT_TIMEOUT, tokio::net::TcpStream::connect(&address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(format!("{address}: {e}")),
        Err(_) => Err(format!("{address} does not answer within {} s", CONNECT_TIMEOUT.as_secs())),
    }
}

async fn clock_synchronised() -> Option<bool> {
    if tokio::fs::try_exists("/run/systemd/timesync/synchronized").await.unwrap_or(false) {
        return Some(true);
    }
    let said = run("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).await.ok()?;
    match said.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn in_container() -> bool {
    // Podman's file is hidden where /run is a tmpfs of its own; then the variable is there.
    let named = std::env::var("container").is_ok_and(|v| matches!(v.as_str(), "podman" | "oci" | "docker"));
    named || Path::new("/run/.containerenv").exists() || Path::new("/.dockerenv").exists()
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where mapping tools are is often not in the PATH of a service.
    let more = ["/usr/bin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).any(|dir| dir.join(program).is_file())
}

fn disk(dir: &Path) -> Option<(u64, u64)> {
    let there = dir.ancestors().find(|d| d.exists())?;
    let fs = rustix::fs::statvfs(there).ok()?;
    Some((fs.f_bavail.saturating_mul(fs.f_frsize), fs.f_blocks.saturating_mul(fs.f_frsize)))
}
