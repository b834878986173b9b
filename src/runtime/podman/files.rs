//! Access to the files of one stopped volume for the engines, which no path can leave.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use fluxdb_adapters::DataFiles;
use rustix::fs::{AtFlags, Mode, OFlags};

/// The files of one volume. No path leaves it: each part is opened below the last one, and no link is followed.
pub(super) struct VolumeFiles {
    root: OwnedFd,
    /// Whether each write is put on stable storage at once.
    durable: bool,
}

impl VolumeFiles {
    pub(super) fn open(root: &Path, durable: bool) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::open(root, flags, Mode::empty())?, durable })
    }

    /// Puts everything on stable storage: one call for the file system instead of one for each of a thousand files.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
    }

    fn at(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let mut here = self.root.try_clone()?;
        let mut parts = parts(path)?.into_iter().peekable();
        let through = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if parts.peek().is_none() {
            // The volume itself, as a description of its own: reading a directory moves its position.
            return Ok(rustix::fs::openat(&here, ".", through, Mode::empty())?);
        }
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() { through } else { flags | OFlags::NOFOLLOW | OFlags::CLOEXEC };
            here = rustix::fs::openat(here.as_fd(), part, flags, Mode::empty())?;
        }
        Ok(here)
    }
}

fn parts(path: &str) -> io::Result<Vec<&OsStr>> {
    let part = |c| match c {
        Component::Normal(name) => Ok(name),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leaves the volume"))
        }
    };
    Path::new(path).components().map(part).collect()
}

impl DataFiles for VolumeFiles {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        File::from(self.at(path, OFlags::RDONLY)?).read_to_end(&mut content)?;
        Ok(content)
    }

    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = File::from(self.at(path, OFlags::WRONLY)?);
        file.write_all_at(bytes, offset)?;
        if self.durable { file.sync_data() } else { Ok(()) }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let directory = rustix::fs::Dir::new(self.at(path, OFlags::RDONLY | OFlags::DIRECTORY)?)?;
        let mut names = Vec::new();
        for entry in directory {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let parts = parts(path)?;
        let Some((name, above)) = parts.split_last() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the volume itself cannot be removed"));
        };
        let above: PathBuf = above.iter().collect();
        let directory = self.at(&above.to_string_lossy(), OFlags::RDONLY | OFlags::DIRECTORY)?;
        match rustix::fs::unlinkat(&directory, *name, AtFlags::empty()) {
            Ok(()) if self.durable => Ok(rustix::fs::fsync(&directory)?),
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn write(path: &Path, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        fs::write(path, text).expect("file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
    }

    #[test]
    fn no_path_leaves_the_volume() {
        let dir = tempfile::tempdir().expect("a directory");
        let volume = dir.path().join("volume");
        write(&dir.path().join("outside/file"), "secret", 0o600);
        write(&volume.join("inside/file"), "data", 0o600);
        std::os::unix::fs::symlink("../outside", volume.join("link")).expect("link");
        std::os::unix::fs::symlink("../../outside/file", volume.join("inside/link")).expect("link");
        let files = VolumeFiles::open(&volume, true).expect("open");
        for path in ["../outside/file", "/etc/hostname", "link/file", "inside/link", "inside/../../outside/file"] {
            assert!(files.read(path).is_err(), "{path}");
            assert!(files.write_at(path, 0, b"x").is_err(), "{path}");
        }
        assert_eq!(files.read("inside/file").expect("read"), b"data");
        files.write_at("inside/file", 1, b"4").expect("write");
        assert_eq!(files.read("inside/file").expect("read"), b"d4ta");
        let mut names = files.list("").expect("list");
        names.sort();
        assert_eq!(names, ["inside", "link"]);
        files.remove("inside/file").expect("remove");
        files.remove("inside/file").expect("twice is fine");
        files.remove("link").expect("the link itself");
        assert!(dir.path().join("outside/file").exists());
        assert!(files.remove("../outside/file").is_err() && files.remove("").is_err());
    }
}
