//! Parameters that users of Cassandra change, by the names of `cassandra.yaml` since 4.1. All count after a restart:
//! in the running server only JMX could change them.

use std::collections::BTreeMap;

use super::Cassandra;
use crate::Apply::Restart;
use crate::{Answer, Beside, Call, Cx, Kind, Setting, Settings, Takes};

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    // Threads
    Setting::int("concurrent_reads", 2, 1024, "", "", Restart, "Reads at once").takes(Takes::workers(512)),
    Setting::int("concurrent_writes", 2, 1024, "", "", Restart, "Writes at once").takes(Takes::workers(512)),
    Setting::int("concurrent_counter_writes", 2, 1024, "", "", Restart, "Writes of counters at once").takes(Takes::workers(512)),
    Setting::int("concurrent_materialized_view_writes", 2, 1024, "", "", Restart, "Writes of materialized views at once").takes(Takes::workers(512)),
    Setting::int("concurrent_compactors", 1, 64, "", "", Restart, "Compactions at once").takes(Takes::workers(1024)),
    Setting::int("compaction_throughput", 0, 4096, "MiB/s", "64", Restart, "How fast compactions write; 0 = no limit"),
    // Connections
    Setting::int("native_transport_max_threads", 1, 4096, "", "", Restart, "Requests of clients at once").takes(Takes::workers(512)),
    Setting::int("native_transport_max_concurrent_connections", 8, 100_000, "", "", Restart, "Connections at once").takes(Takes::clients(16)),
    Setting::int("native_transport_max_concurrent_connections_per_ip", -1, 100_000, "", "-1", Restart, "Connections at once from one address; -1 = no limit").takes(Takes::NOTHING),
    Setting::int("native_transport_max_frame_size", 1, 256, "MiB", "16", Restart, "Largest request").takes(Takes::HEAP_CEILING),
    Setting::int("native_transport_idle_timeout", 0, 86_400_000, "ms", "0", Restart, "Silent connections are closed after this time; 0 = never"),
    // Timeouts
    Setting::int("read_request_timeout", 10, 600_000, "ms", "5000", Restart, "Longest read of one row or partition"),
    Setting::int("range_request_timeout", 10, 600_000, "ms", "10000", Restart, "Longest read over partitions"),
    Setting::int("write_request_timeout", 10, 600_000, "ms", "2000", Restart, "Longest write"),
    Setting::int("counter_write_request_timeout", 10, 600_000, "ms", "5000", Restart, "Longest write of a counter"),
    Setting::int("cas_contention_timeout", 10, 600_000, "ms", "1000", Restart, "How long a conditional write tries against others"),
    Setting::int("truncate_request_timeout", 10, 3_600_000, "ms", "60000", Restart, "Longest TRUNCATE"),
    Setting::int("request_timeout", 10, 600_000, "ms", "10000", Restart, "Longest request of another kind"),
    Setting::int("slow_query_log_timeout", 0, 600_000, "ms", "500", Restart, "Log queries that take longer; 0 = none"),
    // Warnings and limits
    Setting::int("tombstone_warn_threshold", 1, 10_000_000, "", "1000", Restart, "Deleted rows that a read passes before it is logged"),
    Setting::int("tombstone_failure_threshold", 1, 10_000_000, "", "100000", Restart, "Deleted rows that a read passes before it is ended"),
    Setting::int("batch_size_warn_threshold", 1, 65_536, "KiB", "5", Restart, "Batches that are larger are logged").takes(Takes::NOTHING),
    Setting::int("batch_size_fail_threshold", 1, 65_536, "KiB", "50", Restart, "Batches that are larger are refused").takes(Takes::NOTHING),
    Setting::int("unlogged_batch_across_partitions_warn_threshold", 1, 100_000, "", "10", Restart, "Unlogged batches over more partitions are logged"),
    Setting::int("max_value_size", 1, 2047, "MiB", "256", Restart, "Largest value").takes(Takes::HEAP_CEILING),
    Setting::int("column_index_size", 1, 1024, "KiB", "4", Restart, "Rows of this size get an entry in a partition's index").takes(Takes::NOTHING),
    // Memory
    Setting::int("memtable_heap_space", 16, 65_536, "MiB", "", Restart, "Memory for fresh writes in the heap").takes(Takes::HEAP),
    Setting::int("memtable_offheap_space", 16, 65_536, "MiB", "", Restart, "Memory for fresh writes outside of the heap").takes(Takes::MEMORY),
    Setting::int("file_cache_size", 32, 65_536, "MiB", "", Restart, "Memory for pieces of files").takes(Takes::MEMORY),
    Setting::int("key_cache_size", 0, 65_536, "MiB", "", Restart, "Memory for the places of keys in files; 0 = off").takes(Takes::HEAP),
    Setting::int("key_cache_save_period", 0, 86_400, "s", "14400", Restart, "How often these are saved for the next start; 0 = never").takes(Takes::NOTHING),
    Setting::int("row_cache_size", 0, 65_536, "MiB", "0", Restart, "Memory for whole rows, where a table asks for it; 0 = off").takes(Takes::MEMORY),
    Setting::int("counter_cache_size", 0, 65_536, "MiB", "8", Restart, "Memory for counters; 0 = off").takes(Takes::HEAP),
    // Commit log and files
    Setting::int("commitlog_sync_period", 10, 60_000, "ms", "10000", Restart, "A crash of the machine loses at most this much of what was written"),
    Setting::int("commitlog_total_space", 64, 1_048_576, "MiB", "", Restart, "Commit log on the disk before tables are written out").takes(Takes::STORAGE),
    Setting::flag("auto_snapshot", "true", Restart, "Keep the files of dropped and truncated tables"),
    Setting::flag("snapshot_before_compaction", "false", Restart, "Keep the files of before each compaction"),
    Setting::flag("incremental_backups", "false", Restart, "Keep a link to each file that is written out"),
    Setting::flag("trickle_fsync", "false", Restart, "Write large files to the disk piece by piece"),
    // Features and rights
    Setting::flag("materialized_views_enabled", "false", Restart, "Materialized views can be made"),
    Setting::flag("sasi_indexes_enabled", "false", Restart, "SASI indexes can be made"),
    Setting::int("permissions_validity", 100, 3_600_000, "ms", "2000", Restart, "How long rights are remembered"),
    Setting::int("roles_validity", 100, 3_600_000, "ms", "2000", Restart, "How long roles are remembered"),
    Setting::int("credentials_validity", 100, 3_600_000, "ms", "2000", Restart, "How long passwords are remembered"),
];

/// Names in 4.0 that are not the present one with the unit behind it.
const OLD: [(&str, &str); 4] = [
    ("materialized_views_enabled", "enable_materialized_views"),
    ("sasi_indexes_enabled", "enable_sasi_indexes"),
    ("compaction_throughput", "compaction_throughput_mb_per_sec"),
    ("key_cache_save_period", "key_cache_save_period"),
];

/// The name that this version has for it.
fn name_in(version: &str, setting: &Setting) -> String {
    if version != "4.0" {
        return setting.name.to_owned();
    }
    if let Some((_, old)) = OLD.iter().find(|(new, _)| *new == setting.name) {
        return (*old).to_owned();
    }
    match setting.kind {
        Kind::Integer { unit: "ms", .. } => format!("{}_in_ms", setting.name),
        Kind::Integer { unit: "KiB", .. } => format!("{}_in_kb", setting.name),
        Kind::Integer { unit: "MiB", .. } => format!("{}_in_mb", setting.name),
        _ => setting.name.to_owned(),
    }
}

/// The value as `cassandra.yaml` takes it.
fn spelled(version: &str, setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit, .. } if version != "4.0" => format!("{value}{unit}"),
        _ => value.to_owned(),
    }
}

/// Lines of `cassandra.yaml`: what the SKU says, what is not the server's own default, and what the user has set instead.
pub(super) fn lines(cx: &Cx, by_sku: &[(&'static str, String)]) -> Vec<String> {
    let version = cx.version.id;
    let value = |s: &Setting| {
        let sku = || by_sku.iter().find(|(name, _)| *name == s.name).map(|(_, v)| v.clone());
        cx.settings.get(s.name).cloned().or_else(sku).unwrap_or_else(|| s.default.to_owned())
    };
    CATALOGUE.iter().map(|s| format!("{}: {}", name_in(version, s), spelled(version, s, &value(s)))).collect()
}

/// Milliseconds or bytes in a unit that the server or the catalogue uses.
fn unit_size(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 0.000_001,
        "us" => 0.001,
        "ms" | "B" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "KiB" => 1024.0,
        "MiB" | "MiB/s" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// A value of `system_views.settings` in the catalogue's unit and words.
fn shown(setting: &Setting, value: &str) -> String {
    let Kind::Integer { unit: ours, .. } = setting.kind else { return value.to_owned() };
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    match (number.parse::<f64>(), unit_size(unit), unit_size(ours)) {
        (Ok(n), Some(theirs), Some(ours)) => (n * theirs / ours).round().to_string(),
        (Ok(n), None, _) if unit.is_empty() => n.round().to_string(),
        _ => value.to_owned(),
    }
}

impl Settings for Cassandra {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        let sku = super::defaults(cx).into_iter().find(|(name, _)| *name == setting.name);
        sku.map_or_else(|| setting.default.to_owned(), |(_, value)| value)
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        vec![Beside::heap(super::heap_mib(&cx.size))]
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT name, value FROM system_views.settings")]
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(|a| a.rows());
        rows.filter_map(|row| {
            let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
            let setting = CATALOGUE.iter().find(|s| name_in(cx.version.id, s) == name)?;
            Some((setting.name.to_owned(), shown(setting, value)))
        })
        .collect()
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelled_and_shown_in_their_units() {
        let find = |name: &str| CATALOGUE.iter().find(|s| s.name == name).expect("known");
        assert_eq!(spelled("5.0", find("key_cache_size"), "50"), "50MiB");
        assert_eq!(spelled("4.0", find("key_cache_size"), "50"), "50");
        assert_eq!(name_in("4.0", find("key_cache_size")), "key_cache_size_in_mb");
        assert_eq!(name_in("4.0", find("auto_snapshot")), "auto_snapshot");
        assert_eq!(shown(find("key_cache_save_period"), "4h"), "14400");
        assert_eq!(shown(find("compaction_throughput"), "64.0MiB/s"), "64");
        assert_eq!(shown(find("max_value_size"), "256MiB"), "256");
        assert_eq!(shown(find("native_transport_max_concurrent_connections_per_ip"), "-1"), "-1");
    }
}
