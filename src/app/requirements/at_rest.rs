//! Whether what lies in Podman's volumes is encrypted on the disk: read from the kernel's tables of mounts and block devices.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AtRest {
    /// Encrypted, by this.
    Yes(String),
    /// Nothing on this host encrypts it; what lies there.
    No(String),
    /// Why nobody can tell.
    Unknown(String),
    /// A data set of ZFS, whose own tool has to be asked.
    Zfs(String),
}

/// A file system on a loop device lies in a file of another one, and so on; deeper is a circle.
const DEEPEST: u32 = 8;

/// File systems that encrypt what they hold.
const ENCRYPTING: [&str; 4] = ["ecryptfs", "fuse.gocryptfs", "fuse.encfs", "fuse.securefs"];

/// File systems whose disk is another machine's.
const ELSEWHERE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse.sshfs"];

/// Whether files below `dir` are encrypted. `root` is `/`; `by_file_system`: the directory itself has an encryption policy.
pub(super) fn of(root: &Path, dir: &Path, by_file_system: bool) -> AtRest {
    if by_file_system {
        return AtRest::Yes("the file system encrypts this directory (fscrypt)".into());
    }
    let Ok(mounts) = std::fs::read_to_string(root.join("proc/self/mountinfo")) else {
        return AtRest::Unknown("the mounts of this host cannot be read".into());
    };
    let host = Host { root, mounts: mounts.lines().filter_map(Mount::parse).collect() };
    host.directory(dir, DEEPEST)
}

/// One line of mountinfo.
struct Mount {
    /// `253:0`
    device: String,
    at: PathBuf,
    kind: String,
    source: String,
}

impl Mount {
    /// `36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw`
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(2);
        let (device, at) = (fields.next()?.to_owned(), unescaped(fields.nth(1)?));
        let mut fields = after.split(' ');
        Some(Self { device, at: at.into(), kind: fields.next()?.to_owned(), source: unescaped(fields.next()?) })
    }
}

/// Blanks and backslashes are octal there.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

struct Host<'a> {
    root: &'a Path,
    mounts: Vec<Mount>,
}

impl Host<'_> {
    fn directory(&self, dir: &Path, deep: u32) -> AtRest {
        // Of several mounts at one place the last one is seen.
        let within = self.mounts.iter().filter(|m| dir.starts_with(&m.at));
        let Some(mount) = within.max_by_key(|m| m.at.as_os_str().len()) else {
            return AtRest::Unknown(format!("{} is on no file system that is known", dir.display()));
        };
        let kind = mount.kind.as_str();
        if ENCRYPTING.contains(&kind) {
            return AtRest::Yes(format!("{kind} at {}", mount.at.display()));
        }
        if ELSEWHERE.contains(&kind) {
            return AtRest::Unknown(format!("the disk below {} is another machine's ({kind})", mount.at.display()));
        }
        match kind {
            "zfs" => AtRest::Zfs(mount.source.clone()),
            "tmpfs" | "ramfs" => AtRest::Unknown(format!("{} is in memory", mount.at.display())),
            "btrfs" => self.of_btrfs(mount, deep),
            _ => match self.device_of(mount) {
                Some(device) => self.device(&device, deep),
                None => AtRest::Unknown(format!("what is below {} ({kind}) is not a block device", mount.at.display())),
            },
        }
    }

    /// Its number is none of a device; its parts are listed where the file system is.
    fn of_btrfs(&self, mount: &Mount, deep: u32) -> AtRest {
        let Some(device) = self.device_of(mount) else {
            return AtRest::Unknown(format!("the devices of the btrfs at {} are not known", mount.at.display()));
        };
        let name = device.file_name().map(ToOwned::to_owned).unwrap_or_default();
        for file_system in entries(&self.root.join("sys/fs/btrfs")) {
            let parts: Vec<PathBuf> =
                entries(&file_system.join("devices")).iter().filter_map(|p| p.canonicalize().ok()).collect();
            if parts.iter().any(|p| p.file_name() == Some(&name)) {
                return all(parts.iter().map(|part| self.device(part, deep)));
            }
        }
        self.device(&device, deep)
    }

    /// Its directory in sysfs.
    fn device_of(&self, mount: &Mount) -> Option<PathBuf> {
        if !mount.device.starts_with("0:") {
            return self.root.join("sys/dev/block").join(&mount.device).canonicalize().ok();
        }
        let source = Path::new(&mount.source).strip_prefix("/dev").ok()?;
        let node = self.root.join("dev").join(source).canonicalize().ok()?;
        self.root.join("sys/class/block").join(node.file_name()?).canonicalize().ok()
    }

    /// A block device, or what it is made of.
    fn device(&self, device: &Path, deep: u32) -> AtRest {
        let name = device.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(deep) = deep.checked_sub(1) else {
            return AtRest::Unknown(format!("{name} lies on too many others"));
        };
        let text = |file: &str| std::fs::read_to_string(device.join(file)).unwrap_or_default().trim().to_owned();
        let uuid = text("dm/uuid");
        if let Some(how) = uuid.strip_prefix("CRYPT-").and_then(|rest| rest.split('-').next()) {
            // Both check what they read, and hide nothing.
            if !["VERITY", "INTEGRITY"].contains(&how) {
                return AtRest::Yes(format!("{name} is {} (dm-crypt, {how})", text("dm/name")));
            }
        }
        let slaves = entries(&device.join("slaves"));
        if !slaves.is_empty() {
            let slaves = slaves.iter().filter_map(|slave| slave.canonicalize().ok());
            return all(slaves.map(|slave| self.device(&slave, deep)));
        }
        let file = text("loop/backing_file");
        if !file.is_empty() {
            return self.directory(Path::new(&file), deep);
        }
        match device.parent() {
            Some(disk) if device.join("partition").exists() => self.device(disk, deep),
            _ => AtRest::No(format!("{name} is a disk that this host does not encrypt")),
        }
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// What is spread over several is encrypted when all of them are.
fn all(parts: impl Iterator<Item = AtRest>) -> AtRest {
    let mut how = BTreeSet::new();
    let mut doubt = None;
    for part in parts {
        match part {
            AtRest::Yes(by) => {
                how.insert(by);
            }
            AtRest::No(why) => return AtRest::No(why),
            other => doubt = Some(other),
        }
    }
    match doubt {
        Some(doubt) => doubt,
        None if how.is_empty() => AtRest::Unknown("what it is made of is not known".into()),
        None => AtRest::Yes(how.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// What `zfs get -H -o value encryption` says.
pub(super) fn of_zfs(said: Result<String, String>, data_set: &str) -> AtRest {
    match said.as_deref().map(str::trim) {
        Ok("off") => AtRest::No(format!("the ZFS data set {data_set} is not encrypted")),
        Ok(cipher) if !cipher.is_empty() && cipher != "-" => AtRest::Yes(format!("ZFS data set {data_set}, {cipher}")),
        Ok(_) => AtRest::Unknown(format!("zfs says nothing about {data_set}")),
        Err(why) => AtRest::Unknown(why.to_owned()),
    }
}

#[cfg(test)]
mod tests;
