//! After the first start no file in volume or container holds a password in clear, nor does a process's environment.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fluxdb_adapters::{FILES_DIR, PasswordFile, SYSTEM_PASSWORD_FILE};

use super::basics::processes;
use super::scan::{self, Found};
use super::{Rig, Verdict, failed, not_offered};
use crate::domain::conformance::Outcome;
use crate::domain::{Error, Result};
use crate::runtime::ContainerSummary;

/// Larger files of a container are programs and libraries.
const LARGEST: u64 = 1 << 20;

/// Whose password a finding is.
const WHOSE: [&str; 2] = ["the system account's password", "the user's password"];

/// Who runs the server, as this host numbers it.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

pub(super) async fn secrets_at_rest(rig: &mut Rig) -> Verdict {
    let Some(volume) = rig.volume(rig.instance()?.id).await? else {
        return not_offered("the volume is on another machine");
    };
    let Some(detail) = rig.app.core.runtime.inspect(&rig.container()?).await? else {
        return failed("there is no container");
    };
    let cx = rig.cx().await?;
    let passwords: Vec<Vec<u8>> =
        [&cx.system, &cx.user].map(|account| account.password.expose().as_bytes().to_vec()).into();
    let (container, volume_path) = (detail.summary, rig.engine.facts().volume_path);
    let work = move || look(&container, &volume, volume_path, &passwords);
    let found = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    let declared = rig.engine.password_file(cx.version.id);
    match (found?, declared) {
        // Whoever reads it is the account's owner.
        (found, PasswordFile::EveryStart(why)) if rig.engine.facts().single_account && !found.is_empty() => {
            not_offered(format!("{}: {why}", found.join("; ")))
        }
        (found, declared) => judge(found, declared),
    }
}

/// The file that a server has to read at each start is said, not held against it.
fn judge(found: Vec<String>, declared: PasswordFile) -> Verdict {
    let file = format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE} holds ");
    let (known, others): (Vec<String>, Vec<String>) = found.into_iter().partition(|f| f.starts_with(&file));
    match (declared, others.is_empty(), known.is_empty()) {
        (_, true, true) => Ok(Outcome::Passed),
        (PasswordFile::EveryStart(why), true, false) => {
            not_offered(format!("only {FILES_DIR}/{SYSTEM_PASSWORD_FILE} holds it: {why}"))
        }
        (PasswordFile::EveryStart(_), false, _) => failed(others.join("; ")),
        _ => failed([known, others].concat().join("; ")),
    }
}

/// Every place where a password stands, as a sentence.
fn look(container: &ContainerSummary, volume: &Path, volume_path: &str, passwords: &[Vec<u8>]) -> Result<Vec<String>> {
    let pid = container.pid;
    let unreadable = |what: &str| {
        let what = what.to_owned();
        move |e: std::io::Error| Error::internal(e).context(what)
    };
    let mut found = Vec::new();
    for file in scan::files(volume, &[]).map_err(unreadable("the volume"))? {
        let held = scan::holds(&file.path, passwords).map_err(unreadable("the volume"))?;
        found.extend(held.into_iter().map(|who| format!("{volume_path}/{} holds {}", file.name, WHOSE[who])));
    }
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let about = std::fs::metadata(format!("/proc/{pid}")).map_err(unreadable("the server's process"))?;
    let owner = Owner { uid: about.uid(), gid: about.gid() };
    let inside = volume_path.trim_start_matches('/');
    let files = scan::files(&root, &["proc", "sys", inside].map(Path::new)).map_err(unreadable("the container"))?;
    for file in files.iter().filter(|f| f.about.len() < LARGEST && readable(f, owner)) {
        let held = scan::holds(&file.path, passwords).map_err(unreadable("the container"))?;
        found.extend(held.into_iter().map(|who| format!("/{} holds {}", file.name, WHOSE[who])));
    }
    for process in processes(container)? {
        for what in ["environ", "cmdline"] {
            // It may have ended.
            let Ok(bytes) = std::fs::read(format!("/proc/{process}/{what}")) else { continue };
            let held = scan::within(&mut bytes.as_slice(), passwords).map_err(Error::internal)?;
            let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            found.extend(held.into_iter().map(|who| format!("{what} of {} holds {}", name.trim(), WHOSE[who])));
        }
    }
    Ok(found)
}

/// Whether whoever runs the server may read it: what only root may is out of a tenant's reach.
fn readable(file: &Found, owner: Owner) -> bool {
    let (mode, uid, gid) = (file.about.mode(), file.about.uid(), file.about.gid());
    (uid == owner.uid && mode & 0o400 != 0) || (gid == owner.gid && mode & 0o040 != 0) || mode & 0o004 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_declared_file_is_forgiven() {
        let file = |who: &str| format!("/fluxdb/system-password holds {who}");
        let other = "/data/users.xml holds the user's password".to_owned();
        let every = PasswordFile::EveryStart("it has no other way");
        assert!(matches!(judge(vec![], PasswordFile::Absent), Ok(Outcome::Passed)));
        assert!(matches!(judge(vec![file(WHOSE[0])], every), Ok(Outcome::NotOffered(_))));
        assert!(judge(vec![file(WHOSE[0])], PasswordFile::FirstStart).is_err());
        assert!(judge(vec![file(WHOSE[0])], PasswordFile::Absent).is_err());
        assert!(judge(vec![file(WHOSE[0]), other], every).is_err());
    }

    #[test]
    fn what_only_root_may_read_is_not_the_servers() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("x");
        std::fs::write(&path, "x").expect("write");
        let about = std::fs::metadata(&path).expect("metadata");
        let (mine, other) = (Owner { uid: about.uid(), gid: about.gid() }, Owner { uid: 65_534, gid: 65_534 });
        for (mode, by_me, by_others) in
            [(0o600, true, false), (0o040, true, false), (0o004, true, true), (0, false, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            let file = scan::files(dir.path(), &[]).expect("files").remove(0);
            assert_eq!((readable(&file, mine), readable(&file, other)), (by_me, by_others), "{mode:o}");
        }
    }
}
