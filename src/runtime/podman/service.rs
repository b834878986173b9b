//! Our own `podman system service`, for hosts where no Podman socket is kept by the system.
//!
//! It is a process of its own and outlives the daemon: the next one finds its socket and uses it again. When it dies it
//! is started again. Settings of the host (runtime, ulimits) come from containers.conf, through the environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::raw::Raw;

/// How long a service that was started may take to answer.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Between two starts; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Keeps the service running for as long as this value lives; the process itself stays.
#[derive(Debug)]
pub(super) struct Service {
    socket: PathBuf,
    poke: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    /// Begins to keep it running, and waits a while for its first answer.
    pub(super) async fn keep(raw: Raw, socket: PathBuf, log: PathBuf) -> Self {
        let poke = Arc::new(Notify::new());
        let keeper = Keeper { raw: raw.clone(), socket: socket.clone(), log, child: None };
        let task = tokio::spawn(keeper.run(Arc::clone(&poke)));
        if !answers_soon(&raw).await {
            warn!(socket = %socket.display(), "podman system service does not answer yet");
        }
        Self { socket, poke, task }
    }

    /// Says that the socket did not answer.
    pub(super) fn poke(&self) {
        self.poke.notify_one();
    }

    /// Ends the process that listens on our socket. Containers go on.
    pub(super) async fn end(&self) {
        self.task.abort();
        let Ok(stream) = super::raw::connect_unix(&self.socket).await else { return };
        let pid = stream.peer_cred().ok().and_then(|c| c.pid()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM)
        {
            warn!(%error, "could not end podman system service");
        }
    }
}

struct Keeper {
    raw: Raw,
    socket: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Keeper {
    async fn run(mut self, poke: Arc<Notify>) {
        let mut pause = FIRST_PAUSE;
        loop {
            if answers(&self.raw).await {
                pause = FIRST_PAUSE;
            } else {
                self.restart().await;
                if answers_soon(&self.raw).await {
                    info!(socket = %self.socket.display(), "podman system service answers");
                } else {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            tokio::select! {
                () = ended(&mut self.child) => warn!("podman system service ended; starting it again"),
                () = poke.notified() => {}
            }
        }
    }

    async fn restart(&mut self) {
        if let Some(mut stuck) = self.child.take()
            && let Err(error) = stuck.kill().await
        {
            warn!(%error, "could not end a podman system service that does not answer");
        }
        if let Err(error) = tokio::fs::remove_file(&self.socket).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            warn!(%error, socket = %self.socket.display(), "could not remove the old socket");
        }
        match spawn(&self.socket, &self.log) {
            Ok(child) => self.child = Some(child),
            Err(error) => warn!(%error, "could not start podman system service; is podman installed?"),
        }
    }
}

/// Ends when the child does; never when there is none (a service that an earlier daemon started).
async fn ended(child: &mut Option<Child>) {
    match child {
        Some(running) => {
            if let Err(error) = running.wait().await {
                warn!(%error, "could not wait for podman system service");
            }
            *child = None;
        }
        None => std::future::pending().await,
    }
}

fn spawn(socket: &Path, log: &Path) -> std::io::Result<Child> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new("podman");
    command
        .args(["system", "service", "--time=0"])
        .arg(format!("unix://{}", socket.display()))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .kill_on_drop(false);
    clean_environment(&mut command);
    command.spawn()
}

/// What is meant for the daemon alone does not reach what it starts: its own settings and secrets, the service manager's
/// sockets (conmon would report readiness in our name), and where to find Podman.
pub(super) fn clean_environment(command: &mut Command) {
    const KEPT: [&str; 3] = ["FLUXDB_DEBIAN_MIRROR", "FLUXDB_DEBIAN_SECURITY_MIRROR", "FLUXDB_IMAGE_CACHE"];
    for (key, _) in std::env::vars_os() {
        let Some(name) = key.to_str() else { continue };
        let ours = name.starts_with("FLUXDB_") && !KEPT.contains(&name);
        let managers =
            ["NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "CREDENTIALS_DIRECTORY"].iter().any(|p| name.starts_with(p));
        if ours || managers || name == "CONTAINER_HOST" {
            command.env_remove(&key);
        }
    }
}

async fn answers(raw: &Raw) -> bool {
    let quick = Raw { timeout: Duration::from_secs(5), ..raw.clone() };
    quick.ping().await.is_ok()
}

async fn answers_soon(raw: &Raw) -> bool {
    let deadline = tokio::time::Instant::now() + START_LIMIT;
    while tokio::time::Instant::now() < deadline {
        if answers(raw).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
