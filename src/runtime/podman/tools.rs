//! The tools that set packet filters: where they are, and running one within bounds.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// None of them takes more than some ten milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Nft,
    IptablesRestore,
    Ip6tablesRestore,
    IptablesSave,
    Ip6tablesSave,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Tool::Nft => "nft",
            Tool::IptablesRestore => "iptables-restore",
            Tool::Ip6tablesRestore => "ip6tables-restore",
            Tool::IptablesSave => "iptables-save",
            Tool::Ip6tablesSave => "ip6tables-save",
        }
    }
}

/// Where it is. These directories are often not in the PATH of an ordinary user.
pub(super) fn find(tool: Tool) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(tool.name())).find(|file| file.is_file())
}

/// Runs it in the namespaces of the calling thread, with this input; its output.
///
/// # Errors
/// It is not there, or what it said.
pub(super) fn run(tool: Tool, arguments: &[&str], input: &str) -> Result<String, String> {
    let name = tool.name();
    let program = find(tool).ok_or_else(|| format!("{name} is not installed"))?;
    let mut command = Command::new(program);
    // Nothing of ours is for it; and iptables-legacy locks a file that belongs to root.
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    if let Some(lock) = lock_file() {
        command.env("XTABLES_LOCKFILE", lock);
    }
    let child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| format!("{name} cannot be run: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading says why on its standard error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let ended = wait(&mut child).map_err(|e| format!("{name}: {e}"))?;
    let text = |stream: Option<&mut dyn Read>| {
        let mut text = String::new();
        if let Some(stream) = stream {
            let _ = stream.read_to_string(&mut text);
        }
        text
    };
    if ended {
        return Ok(text(child.stdout.as_mut().map(|s| s as &mut dyn Read)));
    }
    let said = text(child.stderr.as_mut().map(|s| s as &mut dyn Read));
    Err(format!("{name} failed: {}", said.trim().lines().next().unwrap_or("it said nothing")))
}

fn lock_file() -> Option<OsString> {
    let directory = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").filter(|d| !d.is_empty())?);
    Some(directory.join("fluxdb-xtables.lock").into_os_string())
}

/// Waits for its end, and ends it where that takes too long; whether it succeeded. What it prints fits into a pipe.
fn wait(child: &mut Child) -> std::io::Result<bool> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if started.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
