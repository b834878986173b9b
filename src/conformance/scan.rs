//! Looking through files: of volumes, and of what a container sees.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use memchr::memmem;

/// What is read at a time.
const PIECE: usize = 1 << 20;

/// A regular file.
pub(super) struct Found {
    /// Below where the search began.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) about: Metadata,
}

/// Every regular file below `root`, but for these directories of it. Links are not followed, files that go away meanwhile left out.
///
/// # Errors
/// A directory that may not be read.
pub(super) fn files(root: &Path, without: &[&Path]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() && !without.iter().any(|w| path == root.join(w)) {
                open.push(path);
            } else if about.is_file() {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                found.push(Found { name, path, about });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Which of these are in the file; nothing where it is gone.
///
/// # Errors
/// A file that may not be read.
pub(super) fn holds(path: &Path, wanted: &[Vec<u8>]) -> Result<Vec<usize>> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    within(&mut file, wanted)
}

/// The same for whatever can be read.
pub(super) fn within(from: &mut impl Read, wanted: &[Vec<u8>]) -> Result<Vec<usize>> {
    let finders: Vec<_> = wanted.iter().map(memmem::Finder::new).collect();
    let overlap = wanted.iter().map(Vec::len).max().unwrap_or_default().saturating_sub(1);
    let mut found = vec![false; wanted.len()];
    let (mut piece, mut filled) = (vec![0; PIECE + overlap], 0);
    loop {
        let read = match from.read(&mut piece[filled..]) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        filled += read;
        if read == 0 || filled == piece.len() {
            for (found, finder) in found.iter_mut().zip(&finders) {
                *found |= finder.find(&piece[..filled]).is_some();
            }
            // What is cut here may go on in the next piece.
            let kept = filled.min(overlap);
            piece.copy_within(filled - kept..filled, 0);
            filled = kept;
        }
        if read == 0 {
            return Ok(found.iter().enumerate().filter(|(_, found)| **found).map(|(at, _)| at).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_cut_between_two_pieces_is_found() {
        let wanted = [b"the secret".to_vec(), b"another".to_vec()];
        for at in [0, 1, PIECE - 5, PIECE, PIECE + 3, 2 * PIECE + 4] {
            let mut bytes = vec![b'x'; 3 * PIECE];
            bytes[at..at + 10].copy_from_slice(b"the secret");
            assert_eq!(within(&mut bytes.as_slice(), &wanted).unwrap(), [0], "{at}");
        }
        assert!(within(&mut b"the secre".as_slice(), &wanted).unwrap().is_empty());
        assert!(within(&mut b"".as_slice(), &[]).unwrap().is_empty());
    }

    #[test]
    fn only_regular_files_are_listed_and_nothing_outside() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("x"), "the secret").unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::create_dir_all(dir.path().join("proc")).unwrap();
        for name in ["a/b/c", "proc/d", "e"] {
            std::fs::write(dir.path().join(name), "the secret").unwrap();
        }
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        let found = files(dir.path(), &[Path::new("proc")]).unwrap();
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a/b/c", "e"]);
        assert_eq!(holds(&found[0].path, &[b"secret".to_vec()]).unwrap(), [0]);
        assert!(holds(&dir.path().join("gone"), &[b"secret".to_vec()]).unwrap().is_empty());
    }
}
