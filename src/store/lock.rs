//! Only one daemon works on a data directory.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::domain::{Error, ErrorKind, Result};

/// Name of the lock's file in the data directory.
pub const LOCK_FILE: &str = "daemon.lock";

/// Held while a daemon runs. The kernel lets it go when the process ends, however it ends; the file stays.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock of this directory, which must exist, or refuses at once.
    ///
    /// # Errors
    /// `Conflict` (`already_running`) while another process holds it; `Internal` (`store_unreachable`).
    pub fn take(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(LOCK_FILE);
        let unreachable = |e: std::io::Error| {
            let text = format!("The lock {} cannot be taken; check the directory's owner.", path.display());
            Error::new(ErrorKind::Internal, "store_unreachable", text).caused_by(e)
        };
        // Closed on exec, as every file of Rust: what the daemon starts does not hold the lock on.
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(unreachable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::conflict(
                "already_running",
                format!(
                    "Another fluxdb daemon works on {}; stop it first, or name another directory with --data-dir.",
                    data_dir.display()
                ),
            )),
            Err(e) => Err(unreachable(e.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataLock::take(dir.path()).unwrap();
        assert_eq!(DataLock::take(dir.path()).unwrap_err().code, "already_running");
        drop(first);
        DataLock::take(dir.path()).unwrap();
        assert_eq!(DataLock::take(&dir.path().join("missing")).unwrap_err().code, "store_unreachable");
    }
}
