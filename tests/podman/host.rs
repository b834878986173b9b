//! Commands on the host, as root or as the service's own user; and what is left in a Podman store.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Who runs Podman.
#[derive(Clone, Debug)]
pub struct Account {
    uid: u32,
    gid: u32,
    name: String,
    pub home: PathBuf,
}

impl Account {
    /// Whoever runs the tests.
    pub fn own() -> Self {
        Self::named(&sh("id -un"))
    }

    /// The ordinary user that `scripts/prepare-host` makes. Without it a test that needs it fails.
    pub fn service() -> Self {
        Self::named("fluxdb")
    }

    fn named(name: &str) -> Self {
        let entry = sh(&format!("getent passwd {name}"));
        let fields: Vec<&str> = entry.split(':').collect();
        assert_eq!(fields.len(), 7, "there is no user {name}; run scripts/prepare-host as root");
        Self {
            uid: fields[2].parse().unwrap(),
            gid: fields[3].parse().unwrap(),
            name: name.to_owned(),
            home: fields[5].into(),
        }
    }

    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Gives a file or directory to this user.
    pub fn own_path(&self, path: &std::path::Path) {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).unwrap();
    }

    /// A command that runs as this user, in their home, with nothing of our environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", &self.home)
            .env("USER", &self.name)
            .env("LOGNAME", &self.name)
            .env("LANG", "C.UTF-8")
            .current_dir(&self.home);
        if !self.is_root() {
            let runtime_dir = format!("/run/user/{}", self.uid);
            assert!(std::path::Path::new(&runtime_dir).is_dir(), "no {runtime_dir}; run scripts/prepare-host as root");
            command.env("XDG_RUNTIME_DIR", runtime_dir).uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Output of a shell command as this user; its failure is not an error.
    pub fn sh(&self, script: &str) -> String {
        output(self.command("timeout").args(["120", "sh", "-c", script]))
    }

    /// The same; its failure is one.
    #[track_caller]
    pub fn must(&self, script: &str) -> String {
        let output = self.command("timeout").args(["120", "sh", "-c", script]).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What bears this owner's label or name: containers, secrets, and volumes other than `kept`.
    pub fn left_over(&self, owner: &str, kept: &[String]) -> Vec<String> {
        assert!(!owner.is_empty());
        let filter = format!("label=fluxdb.owner={owner}");
        let containers = self.must(&format!("podman ps -a --format '{{{{.Names}}}}' --filter {filter}"));
        let volumes = self.must(&format!("podman volume ls -q --filter {filter}"));
        let secrets = self.must("podman secret ls --format '{{.Name}}'");
        let ours = format!("fluxdb-{owner}-");
        containers
            .lines()
            .chain(volumes.lines().filter(|v| !kept.iter().any(|k| k == v)))
            .chain(secrets.lines().filter(|s| s.starts_with(&ours)))
            .map(str::to_owned)
            .collect()
    }

    /// Removes whatever bears this owner's label or name.
    pub fn sweep(&self, owner: &str) {
        let filter = format!("label=fluxdb.owner={owner}");
        self.sh(&format!("podman ps -aq --filter {filter} | xargs -r podman rm -f -t 2"));
        self.sh(&format!("podman volume ls -q --filter {filter} | xargs -r podman volume rm -f"));
        self.sh(&format!(
            "podman secret ls --format '{{{{.Name}}}}' | grep -F fluxdb-{owner}- | xargs -r podman secret rm"
        ));
    }
}

/// Ends the `podman system service` on this socket, which outlives the daemon that started it.
pub fn end_service(socket: &std::path::Path) {
    let socket = format!("unix://{}", socket.display());
    for pid in processes() {
        let argv = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let argv: Vec<&[u8]> = argv.split(|b| *b == 0).collect();
        if argv.first().is_some_and(|a| a.ends_with(b"podman")) && argv.contains(&socket.as_bytes()) {
            sh(&format!("kill {pid}"));
        }
    }
}

/// Every process there is now.
pub fn processes() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Output of a shell command; its failure is not an error.
pub fn sh(script: &str) -> String {
    output(Command::new("timeout").args(["120", "sh", "-c", script]))
}

fn output(command: &mut Command) -> String {
    String::from_utf8_lossy(&command.output().unwrap().stdout).trim().to_owned()
}
