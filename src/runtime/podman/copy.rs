//! Copies the files of a stopped data volume, as fast as many small files and a few large, mostly empty ones allow.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{AtFlags, FallocateFlags, Gid, Mode, OFlags, Uid};

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) bytes: u64,
    pub(super) reflinked: bool,
}

/// Threads that copy files; the work is mostly system calls on many small files.
const THREADS: usize = 2;
/// Files up to this size are read and written in one go.
const SMALL: u64 = 256 * 1024;
/// Larger ones in pieces of this size; what is all zeros is not written.
const PIECE: usize = 64 * 1024;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Copies a tree, replacing what is in `to`. Sockets, pipes and pid files stay behind. Once `stop` is set it ends with
/// `Interrupted`.
pub(super) fn copy_tree(from: &Path, to: &Path, stop: &AtomicBool) -> io::Result<Copied> {
    empty(to)?;
    let mut files = Vec::new();
    let mut directories = Vec::new();
    gather(from, to, &mut files, &mut directories)?;
    // Large ones first, so that the threads end together.
    files.sort_by_key(|f| f.size);
    let bytes = AtomicU64::new(0);
    let reflinked = AtomicBool::new(true);
    let queue = Mutex::new(files);
    let work = || -> io::Result<()> {
        let mut buffer = Vec::with_capacity(SMALL as usize);
        loop {
            let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
            let Some(file) = next else { return Ok(()) };
            if stop.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let cloned = file.copy(&mut buffer)?;
            reflinked.fetch_and(cloned, Ordering::Relaxed);
            bytes.fetch_add(file.size, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..THREADS).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let others = threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err(io::Error::other("a copying thread panicked"))));
        others.fold(mine, |all, one| all.and(one))
    })?;
    // Last: a directory that may not be written could not be filled, and filling changes its times.
    for (path, meta) in directories.iter().rev() {
        fs::set_permissions(path, meta.permissions())?;
        set_times(path, meta)?;
    }
    Ok(Copied { bytes: bytes.into_inner(), reflinked: reflinked.into_inner() })
}

struct Entry {
    from: PathBuf,
    to: PathBuf,
    size: u64,
}

impl Entry {
    /// Says whether the file system shares the blocks.
    fn copy(&self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut from = File::from(rustix::fs::open(&self.from, flags, Mode::empty())?);
        let meta = from.metadata()?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut to = File::from(rustix::fs::open(&self.to, flags, Mode::from_raw_mode(0o600))?);
        let cloned = if self.size == 0 || rustix::fs::ioctl_ficlone(&to, &from).is_ok() {
            true
        } else if self.size <= SMALL {
            buffer.clear();
            from.read_to_end(buffer)?;
            to.write_all(buffer)?;
            false
        } else {
            copy_large(&from, &to, &meta, buffer)?;
            false
        };
        own(&to, &meta)?;
        rustix::fs::fchmod(&to, Mode::from_raw_mode(meta.mode() & 0o7777))?;
        rustix::fs::futimens(&to, &timestamps(&meta))?;
        Ok(cloned)
    }
}

/// A WAL segment or a redo log is mostly zeros. Its blocks are reserved where the original has them, so that the server
/// never finds the disk full in the middle of it, and only what is not zero is written.
fn copy_large(from: &File, to: &File, meta: &fs::Metadata, buffer: &mut Vec<u8>) -> io::Result<()> {
    if meta.blocks() * 512 >= meta.len() {
        match rustix::fs::fallocate(to, FallocateFlags::empty(), 0, meta.len()) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    to.set_len(meta.len())?;
    buffer.resize(PIECE, 0);
    let mut offset = 0;
    while offset < meta.len() {
        let read = from.read_at(buffer, offset)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the template changed while it was copied"));
        }
        let piece = &buffer[..read];
        if *piece != ZEROS[..read] {
            to.write_all_at(piece, offset)?;
        }
        offset += read as u64;
    }
    Ok(())
}

fn gather(
    from: &Path,
    to: &Path,
    files: &mut Vec<Entry>,
    directories: &mut Vec<(PathBuf, fs::Metadata)>,
) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    rustix::fs::chown(to, Some(Uid::from_raw(meta.uid())), Some(Gid::from_raw(meta.gid())))?;
    directories.push((to.to_owned(), meta));
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let (source, target) = (entry.path(), to.join(&name));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fs::create_dir(&target)?;
            gather(&source, &target, files, directories)?;
        } else if kind.is_symlink() {
            let meta = entry.metadata()?;
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
            let (uid, gid) = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
            rustix::fs::chownat(rustix::fs::CWD, &target, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        } else if kind.is_file() && !is_pid_file(&name) {
            files.push(Entry { size: entry.metadata()?.len(), from: source, to: target });
        }
    }
    Ok(())
}

fn is_pid_file(name: &OsStr) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "pid")
}

fn own(file: &File, meta: &fs::Metadata) -> io::Result<()> {
    Ok(rustix::fs::fchown(file, Some(Uid::from_raw(meta.uid())), Some(Gid::from_raw(meta.gid())))?)
}

fn timestamps(meta: &fs::Metadata) -> rustix::fs::Timestamps {
    rustix::fs::Timestamps {
        last_access: rustix::fs::Timespec { tv_sec: meta.atime(), tv_nsec: meta.atime_nsec() },
        last_modification: rustix::fs::Timespec { tv_sec: meta.mtime(), tv_nsec: meta.mtime_nsec() },
    }
}

fn set_times(path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    let times = timestamps(meta);
    Ok(rustix::fs::utimensat(rustix::fs::CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Removes what an earlier, interrupted copy left.
pub(super) fn empty(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?; // does not follow links
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn write(path: &Path, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        fs::write(path, text).expect("file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
    }

    #[test]
    fn a_copy_has_the_same_files_modes_and_links_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        write(&from.join("17/docker/PG_VERSION"), "17", 0o600);
        let big = format!("{}{}{}", "x".repeat(100 * 1024), "\0".repeat(400 * 1024), "y".repeat(100 * 1024));
        write(&from.join("17/docker/big"), &big, 0o640);
        write(&from.join("17/docker/postmaster.pid"), "1", 0o600);
        std::os::unix::fs::symlink("big", from.join("17/docker/link")).expect("link");
        std::os::unix::net::UnixListener::bind(from.join("socket")).expect("socket");
        fs::set_permissions(from.join("17/docker"), fs::Permissions::from_mode(0o700)).expect("mode");
        write(&to.join("left/over"), "x", 0o600);

        for _ in 0..2 {
            let copied = copy_tree(&from, &to, &AtomicBool::new(false)).expect("copied");
            assert_eq!(copied.bytes, 600 * 1024 + 2);
        }
        let mode = |p: &str| fs::symlink_metadata(to.join(p)).expect(p).permissions().mode() & 0o7777;
        assert_eq!((mode("17/docker"), mode("17/docker/PG_VERSION"), mode("17/docker/big")), (0o700, 0o600, 0o640));
        assert_eq!(fs::read_link(to.join("17/docker/link")).expect("link"), Path::new("big"));
        assert_eq!(fs::read(to.join("17/docker/big")).expect("big"), big.as_bytes());
        for absent in ["left", "socket", "17/docker/postmaster.pid"] {
            assert!(!to.join(absent).exists(), "{absent}");
        }
        let time = |p: &Path| fs::metadata(p.join("17/docker")).expect("meta").mtime();
        assert_eq!(time(&from), time(&to));
        let stopped = copy_tree(&from, &to, &AtomicBool::new(true)).expect_err("stopped");
        assert_eq!(stopped.kind(), io::ErrorKind::Interrupted);
    }
}
