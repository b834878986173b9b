//! Seeds a volume from a template: from a copy that lies ready, or by copying now. Runs where the files may be read and
//! written: in the daemon when Podman runs as root, in the volume helper otherwise.
//!
//! Copying costs a tenth of a second and more, on a busy disk much more; moving a directory costs nothing. So after each
//! seeding the next copy is made ahead, beside the template's data in its own volume directory:
//!
//! ```text
//! volumes/TEMPLATE/_data              the template
//! volumes/TEMPLATE/filling            a copy that is being made; thrown away when it was interrupted
//! volumes/TEMPLATE/spare-BYTES[-r]    a whole copy on stable storage; moved to volumes/INSTANCE/_data
//! ```
//!
//! It goes when the template's volume goes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::copy::{Copied, copy_tree, empty};
use super::files::VolumeFiles;

/// Why a volume was not seeded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unseeded {
    /// The engine cannot make a copy its own; initialise in the ordinary way.
    Unfit(String),
    /// The files could not be copied.
    Failed(String),
}

/// The next copy is made when the instance that was just seeded has likely started.
const FILL_AFTER: Duration = Duration::from_secs(3);

/// Removing a template waits this long for the copy that is being made of it.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Templates for which a copy is being made by this process, with what stops it.
static FILLING: Mutex<BTreeMap<PathBuf, Arc<AtomicBool>>> = Mutex::new(BTreeMap::new());
/// Told when one of them is stopped or done.
static CHANGED: Condvar = Condvar::new();
/// For copies that nobody stops.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// Replaces what is in `to` by what is in `from`, with owners and modes, lets the engine make it its own, and puts it on
/// stable storage: what a database acknowledges later must not rest on files that a power cut takes away. Then has the
/// next copy made, and tells `report` if that fails.
pub(super) fn seed(from: &Path, to: &Path, engine: &str, unique: u64, report: fn(&str)) -> Result<Copied, Unseeded> {
    let seed = fluxdb_adapters::find(engine)
        .and_then(|e| e.seed())
        .ok_or_else(|| Unseeded::Unfit(format!("{engine} has no templates")))?;
    let failed = |e: io::Error| Unseeded::Failed(format!("{} to {}: {e}", from.display(), to.display()));
    // The helper of a daemon that was killed may still be copying into the same volume: it is waited for.
    let _alone = lock(to).map_err(failed)?;
    let spare = take_spare(from, to).map_err(failed)?;
    let copied = match spare {
        Some(copied) => copied,
        None => copy_tree(from, to, &GO_ON).map_err(failed)?,
    };
    let files = VolumeFiles::open(to, spare.is_some()).map_err(failed)?;
    seed.personalise(&files, unique).map_err(Unseeded::Unfit)?;
    if spare.is_none() {
        files.sync_all().map_err(failed)?;
    }
    fill_later(from.to_owned(), report);
    Ok(copied)
}

/// Holds the directory of a volume until it is dropped; ends with the process, too.
fn lock(data: &Path) -> io::Result<File> {
    let directory = File::open(data.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    rustix::fs::flock(&directory, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(directory)
}

/// Moves a copy that lies ready to `to`; `None` when there is none.
fn take_spare(from: &Path, to: &Path) -> io::Result<Option<Copied>> {
    let (Some(shelf), Some(target)) = (from.parent(), to.parent()) else { return Ok(None) };
    let Some((spare, copied)) = spares(shelf)?.into_iter().next() else { return Ok(None) };
    empty(to)?;
    match fs::rename(&spare, to) {
        Ok(()) => {}
        // Another seeding took it, or the volumes are on different file systems.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::CrossesDevices) => return Ok(None),
        Err(e) => return Err(e),
    }
    File::open(target)?.sync_all()?;
    File::open(shelf)?.sync_all()?;
    Ok(Some(copied))
}

/// Whole copies on the shelf of a template.
fn spares(shelf: &Path) -> io::Result<Vec<(PathBuf, Copied)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(shelf)? {
        let entry = entry?;
        if let Some(copied) = entry.file_name().to_str().and_then(parse) {
            found.push((entry.path(), copied));
        }
    }
    Ok(found)
}

fn name(copied: Copied) -> String {
    format!("spare-{}{}", copied.bytes, if copied.reflinked { "-r" } else { "" })
}

fn parse(name: &str) -> Option<Copied> {
    let rest = name.strip_prefix("spare-")?;
    let (bytes, reflinked) = rest.strip_suffix("-r").map_or((rest, false), |bytes| (bytes, true));
    Some(Copied { bytes: bytes.parse().ok()?, reflinked })
}

/// Makes the next copy in a thread of its own, once for each template at a time.
fn fill_later(from: PathBuf, report: fn(&str)) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut filling = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
    if filling.contains_key(&from) {
        return;
    }
    filling.insert(from.clone(), Arc::clone(&stop));
    drop(filling);
    std::thread::spawn(move || {
        let waiting = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = |_: &mut BTreeMap<_, _>| !stop.load(Ordering::Relaxed);
        drop(CHANGED.wait_timeout_while(waiting, FILL_AFTER, stopped));
        let outcome = fill(&from, &stop);
        FILLING.lock().unwrap_or_else(PoisonError::into_inner).remove(&from);
        CHANGED.notify_all();
        if let Err(error) = outcome
            && !stop.load(Ordering::Relaxed)
        {
            report(&format!("no spare copy of the template {}: {error}", from.display()));
        }
    });
}

/// Before a template's volume is removed: ends the making of a copy beside it, or the removal finds a directory that
/// grows. One that is not being copied is fine.
pub(super) fn stop_filling(from: &Path) {
    let filling = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stop) = filling.get(from) else { return };
    stop.store(true, Ordering::Relaxed);
    CHANGED.notify_all();
    drop(CHANGED.wait_timeout_while(filling, STOP_LIMIT, |filling| filling.contains_key(from)));
}

/// Makes a copy on the template's shelf, unless one is there.
fn fill(from: &Path, stop: &AtomicBool) -> io::Result<()> {
    let shelf = from.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if stop.load(Ordering::Relaxed) || !spares(shelf)?.is_empty() {
        return Ok(());
    }
    let filling = shelf.join("filling");
    match fs::create_dir(&filling) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {} // of a daemon that was killed; emptied by the copy
        Err(e) => return Err(e),
    }
    let made = copy_tree(from, &filling, stop).and_then(|copied| {
        rustix::fs::syncfs(File::open(&filling)?)?;
        fs::rename(&filling, shelf.join(name(copied)))?;
        File::open(shelf)?.sync_all()
    });
    if made.is_err() {
        // A full disk is not left fuller than it was.
        fs::remove_dir_all(&filling).or_else(|e| if filling.exists() { Err(e) } else { Ok(()) })?;
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(_: &str) {}

    /// A volume as MariaDB leaves it; its copies need nothing of their own.
    fn template(root: &Path) -> PathBuf {
        let data = root.join("template/_data");
        fs::create_dir_all(data.join("mysql")).expect("directory");
        fs::write(data.join("mysql/user.frm"), "accounts").expect("file");
        fs::write(data.join("ibdata1"), "x".repeat(1000)).expect("file");
        data
    }

    fn volume(root: &Path, name: &str) -> PathBuf {
        let data = root.join(name).join("_data");
        fs::create_dir_all(&data).expect("directory");
        fs::write(data.join("left over"), "").expect("file");
        data
    }

    #[test]
    fn a_spare_copy_is_used_once_and_is_the_same_as_a_fresh_one() {
        let root = tempfile::tempdir().expect("a directory");
        let from = template(root.path());
        fill(&from, &GO_ON).expect("filled");
        fill(&from, &GO_ON).expect("one is enough");
        assert_eq!(spares(&root.path().join("template")).expect("spares").len(), 1);
        let expected = Copied { bytes: 1008, reflinked: false };
        for name in ["one", "two"] {
            let to = volume(root.path(), name);
            let copied = seed(&from, &to, "mariadb", 1, silent).expect("seeded");
            assert_eq!(copied.bytes, expected.bytes);
            assert_eq!(fs::read_to_string(to.join("mysql/user.frm")).expect("file"), "accounts");
            assert!(!to.join("left over").exists());
            assert!(spares(&root.path().join("template")).expect("spares").is_empty(), "the first one took it");
        }
        assert!(from.join("ibdata1").exists(), "the template is untouched");
    }

    #[test]
    fn an_interrupted_copy_is_never_taken_for_a_whole_one() {
        let root = tempfile::tempdir().expect("a directory");
        let from = template(root.path());
        let half = root.path().join("template/filling");
        fs::create_dir_all(half.join("mysql")).expect("directory");
        let to = volume(root.path(), "one");
        seed(&from, &to, "mariadb", 1, silent).expect("seeded");
        assert!(to.join("ibdata1").exists());
        fill(&from, &GO_ON).expect("filled");
        assert!(!half.exists());
    }

    #[test]
    fn a_template_that_is_to_be_removed_is_left_alone_at_once() {
        let root = tempfile::tempdir().expect("a directory");
        let from = template(root.path());
        fill_later(from.clone(), silent);
        let begun = std::time::Instant::now();
        stop_filling(&from);
        stop_filling(&from);
        assert!(begun.elapsed() < FILL_AFTER, "it is not waited for");
        assert!(fill(&from, &AtomicBool::new(true)).is_ok());
        let shelf: Vec<_> = fs::read_dir(root.path().join("template")).expect("shelf").collect();
        assert_eq!(shelf.len(), 1, "nothing but the template");
    }

    #[test]
    fn an_engine_that_cannot_make_it_its_own_says_so() {
        let root = tempfile::tempdir().expect("a directory");
        let from = template(root.path());
        let to = volume(root.path(), "one");
        assert!(matches!(seed(&from, &to, "redis", 1, silent), Err(Unseeded::Unfit(_))));
        assert!(matches!(seed(&from, &to, "postgresql", 1, silent), Err(Unseeded::Unfit(_))));
        let missing = root.path().join("none/_data");
        assert!(matches!(seed(&missing, &to, "mariadb", 1, silent), Err(Unseeded::Failed(_))));
    }

    #[test]
    fn names_of_spares_say_what_was_copied() {
        for copied in [Copied { bytes: 7, reflinked: true }, Copied { bytes: 0, reflinked: false }] {
            assert_eq!(parse(&name(copied)), Some(copied));
        }
        assert_eq!(parse("_data"), None);
        assert_eq!(parse("filling"), None);
    }
}
