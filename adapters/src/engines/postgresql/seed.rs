//! A copied PostgreSQL data directory gets its own system identifier.

use sha2::{Digest, Sha256};

use super::Postgresql;
use crate::{DataFiles, Seed};

/// `mock_authentication_nonce` in `ControlFileData` (src/include/catalog/pg_control.h): what the server derives the salts of unknown
/// accounts from. It is the last field before the checksum; since 18 a `bool` stands before it, so that three bytes of padding follow.
const NONCE: usize = 32;
const PADDING_SINCE_18: usize = 3;

/// Offset of `xlp_sysid` in the long header on the first page of each WAL segment: magic u16, info u16, timeline u32,
/// page address u64, remaining length u32, padding (src/include/access/xlog_internal.h, `XLogLongPageHeaderData`).
const WAL_SYSTEM_ID_OFFSET: usize = 24;

impl Seed for Postgresql {
    /// Gives the copy its own system identifier, as `pg_createsubscriber` does with `pg_resetwal`: it stands at the start
    /// of `global/pg_control` (guarded by a CRC-32C) and in the first page of each WAL segment (no checksum there). SQL shows it
    /// as a signed number, so its first bit stays clear. The nonce is drawn anew as well.
    fn personalise(&self, files: &dyn DataFiles, unique: u64) -> Result<(), String> {
        let major = files
            .list("")
            .map_err(|e| e.to_string())?
            .into_iter()
            .find(|name| name.parse::<u32>().is_ok())
            .ok_or("no data directory in the template")?;
        let root = format!("{major}/docker");
        let control_path = format!("{root}/global/pg_control");
        let mut control = files.read(&control_path).map_err(|e| e.to_string())?;
        let crc_at = control_crc_offset(&control).ok_or("pg_control has no checksum where one is expected")?;
        let old: [u8; 8] = control[..8].try_into().map_err(|_| "pg_control is too short")?;
        let new = (unique >> 1).max(1).to_le_bytes();
        let version: u32 = major.parse().unwrap_or_default();
        let nonce_at = nonce_offset(version, crc_at).ok_or("pg_control is too short")?;
        let nonce = Sha256::new()
            .chain_update(unique.to_le_bytes())
            .chain_update(&control[nonce_at..nonce_at + NONCE])
            .finalize();

        let wal_dir = format!("{root}/pg_wal");
        for name in files.list(&wal_dir).map_err(|e| e.to_string())? {
            if name.len() != 24 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
                continue; // archive_status, summaries
            }
            let path = format!("{wal_dir}/{name}");
            let segment = files.read(&path).map_err(|e| e.to_string())?;
            let id = segment.get(WAL_SYSTEM_ID_OFFSET..WAL_SYSTEM_ID_OFFSET + 8).ok_or("a WAL segment is too short")?;
            if id == old {
                files.write_at(&path, WAL_SYSTEM_ID_OFFSET as u64, &new).map_err(|e| e.to_string())?;
            } else if id.iter().any(|b| *b != 0) {
                return Err(format!("WAL segment {name} belongs to another cluster"));
            }
        }
        if control[nonce_at + NONCE..crc_at].iter().any(|b| *b != 0) {
            return Err("pg_control has another layout than is known".into());
        }
        control[..8].copy_from_slice(&new);
        control[nonce_at..nonce_at + NONCE].copy_from_slice(&nonce);
        let crc = crc32c::crc32c(&control[..crc_at]);
        control[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        files.write_at(&control_path, 0, &control[..crc_at + 4]).map_err(|e| e.to_string())
    }
}

/// Where `ControlFileData.crc` stands; it is the last field, and the structure's length differs between majors, so it is
/// found as the only place that holds the CRC-32C of everything before it.
fn control_crc_offset(control: &[u8]) -> Option<usize> {
    (128..512.min(control.len().saturating_sub(4)))
        .step_by(4)
        .find(|&at| control[at..at + 4] == crc32c::crc32c(&control[..at]).to_le_bytes())
}

fn nonce_offset(major: u32, crc_at: usize) -> Option<usize> {
    crc_at.checked_sub(NONCE + if major >= 18 { PADDING_SINCE_18 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_checksum_is_found_wherever_it_stands() {
        for at in [200, 264, 288, 296] {
            let mut control: Vec<u8> = (0..8192u32).map(|i| (i % 251) as u8).collect();
            let crc = crc32c::crc32c(&control[..at]);
            control[at..at + 4].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(control_crc_offset(&control), Some(at));
        }
    }

    /// What a copy is made of: a control file as the majors have it, and one segment of WAL.
    struct Volume(std::cell::RefCell<std::collections::BTreeMap<String, Vec<u8>>>);

    impl DataFiles for Volume {
        fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
            self.0.borrow().get(path).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
        }
        fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
            let (mut files, at) = (self.0.borrow_mut(), usize::try_from(offset).map_err(std::io::Error::other)?);
            let file = files.get_mut(path).ok_or(std::io::ErrorKind::NotFound)?;
            file[at..at + bytes.len()].copy_from_slice(bytes);
            Ok(())
        }
        fn list(&self, path: &str) -> std::io::Result<Vec<String>> {
            let files = self.0.borrow();
            let inside = files.keys().filter_map(|k| {
                if path.is_empty() { Some(k.as_str()) } else { k.strip_prefix(path)?.strip_prefix('/') }
            });
            Ok(inside.filter_map(|k| k.split('/').next().map(str::to_owned)).collect())
        }
        fn remove(&self, path: &str) -> std::io::Result<()> {
            self.0.borrow_mut().remove(path);
            Ok(())
        }
    }

    #[test]
    fn a_copy_has_its_own_identifier_and_nonce() {
        // Where 17 and 18 have the nonce and the checksum, as pg_controldata and the bytes of real clusters say.
        for (major, nonce_at, crc_at) in [("17", 256, 288), ("18", 257, 292)] {
            let mut control = vec![0_u8; 8192];
            control[..256].iter_mut().enumerate().for_each(|(i, b)| *b = u8::try_from(i % 251).unwrap_or_default());
            control[nonce_at..nonce_at + 32].fill(7);
            let crc = crc32c::crc32c(&control[..crc_at]);
            control[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
            let mut segment = vec![0_u8; 64];
            segment[24..32].copy_from_slice(&control[..8]);
            let (path, wal) =
                (format!("{major}/docker/global/pg_control"), format!("{major}/docker/pg_wal/{}", "0".repeat(24)));
            let volume = Volume(
                [(path.clone(), control.clone()), (wal.clone(), segment)]
                    .into_iter()
                    .collect::<std::collections::BTreeMap<_, _>>()
                    .into(),
            );
            crate::find("postgresql")
                .and_then(|e| e.seed())
                .expect("copied")
                .personalise(&volume, u64::MAX)
                .expect("as known");
            let new = volume.read(&path).expect("there");
            assert!(new[..8] != control[..8] && new[7] & 0x80 == 0, "{major}: the identifier");
            assert_ne!(new[nonce_at..nonce_at + 32], control[nonce_at..nonce_at + 32], "{major}: the nonce");
            assert_eq!(new[8..nonce_at], control[8..nonce_at], "{major}: nothing else");
            assert_eq!(new[crc_at..crc_at + 4], crc32c::crc32c(&new[..crc_at]).to_le_bytes(), "{major}: the checksum");
            assert_eq!(volume.read(&wal).expect("there")[24..32], new[..8], "{major}: the log");
        }
    }
}
