//! A copied PostgreSQL data directory gets its own system identifier.

use super::Postgresql;
use crate::{DataFiles, Seed};

/// Offset of `xlp_sysid` in the long header on the first page of each WAL segment: magic u16, info u16, timeline u32,
/// page address u64, remaining length u32, padding (src/include/access/xlog_internal.h, `XLogLongPageHeaderData`).
const WAL_SYSTEM_ID_OFFSET: usize = 24;

impl Seed for Postgresql {
    /// Gives the copy its own system identifier, as `pg_createsubscriber` does with `pg_resetwal`: it stands at the start
    /// of `global/pg_control` (guarded by a CRC-32C) and in the first page of each WAL segment (no checksum there).
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
        let new = unique.to_le_bytes();

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
        control[..8].copy_from_slice(&new);
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
}
