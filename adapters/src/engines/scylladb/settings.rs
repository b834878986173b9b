//! Parameters that users of ScyllaDB change. Names and defaults: the manual's chapter "Configuration Parameters".

use std::collections::BTreeMap;

use crate::Apply::Restart;
use crate::{Answer, Cx, Setting, Takes};

#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    // Timeouts
    Setting::int("read_request_timeout_in_ms", 10, 600_000, "ms", "5000", Restart, "Longest read of one row or partition"),
    Setting::int("range_request_timeout_in_ms", 10, 600_000, "ms", "10000", Restart, "Longest read over partitions"),
    Setting::int("write_request_timeout_in_ms", 10, 600_000, "ms", "2000", Restart, "Longest write"),
    Setting::int("counter_write_request_timeout_in_ms", 10, 600_000, "ms", "5000", Restart, "Longest write of a counter"),
    Setting::int("cas_contention_timeout_in_ms", 10, 600_000, "ms", "1000", Restart, "How long a conditional write tries against others"),
    Setting::int("truncate_request_timeout_in_ms", 10, 3_600_000, "ms", "60000", Restart, "Longest TRUNCATE"),
    Setting::int("request_timeout_in_ms", 10, 600_000, "ms", "10000", Restart, "Longest request of another kind"),
    // Warnings and limits
    Setting::int("batch_size_warn_threshold_in_kb", 1, 65_536, "KiB", "128", Restart, "Batches that are larger are logged").takes(Takes::NOTHING),
    Setting::int("batch_size_fail_threshold_in_kb", 1, 65_536, "KiB", "1024", Restart, "Batches that are larger are refused").takes(Takes::NOTHING),
    Setting::int("tombstone_warn_threshold", 1, 10_000_000, "", "1000", Restart, "Deleted rows that a read passes before it is logged"),
    Setting::int("query_tombstone_page_limit", 1, 10_000_000, "", "10000", Restart, "Deleted rows after which a page of an answer ends"),
    Setting::int("max_concurrent_requests_per_shard", 1, 1_000_000, "", "1000000", Restart, "Requests at once for each processor"),
    Setting::int("max_clustering_key_restrictions_per_query", 1, 100_000, "", "100", Restart, "Combinations of clustering keys in a query"),
    Setting::int("max_partition_key_restrictions_per_query", 1, 100_000, "", "100", Restart, "Combinations of partition keys in a query"),
    // Compaction
    Setting::int("compaction_throughput_mb_per_sec", 0, 4096, "MiB/s", "0", Restart, "How fast compactions write; 0 = no limit"),
    Setting::flag("compaction_enforce_min_threshold", "false", Restart, "Compact only as many files as the table's min_threshold says"),
    Setting::int("compaction_large_partition_warning_threshold_mb", 1, 1_048_576, "MiB", "1000", Restart, "Partitions that are larger are noted").takes(Takes::NOTHING),
    Setting::int("compaction_large_row_warning_threshold_mb", 1, 1_048_576, "MiB", "10", Restart, "Rows that are larger are noted").takes(Takes::NOTHING),
    Setting::int("compaction_large_cell_warning_threshold_mb", 1, 1_048_576, "MiB", "1", Restart, "Cells that are larger are noted").takes(Takes::NOTHING),
    Setting::int("compaction_rows_count_warning_threshold", 1, 1_000_000_000, "", "100000", Restart, "Partitions with more rows are noted"),
    // Disk
    Setting::int("commitlog_sync_period_in_ms", 10, 60_000, "ms", "10000", Restart, "A crash of the machine loses at most this much of what was written"),
    Setting::flag("auto_snapshot", "true", Restart, "Keep the files of dropped and truncated tables"),
    Setting::flag("incremental_backups", "false", Restart, "Keep a link to each file that is written out"),
    Setting::flag("enable_cache", "true", Restart, "Keep rows in memory"),
    // Rights
    Setting::int("permissions_validity_in_ms", 100, 3_600_000, "ms", "10000", Restart, "How long rights are remembered"),
    Setting::int("permissions_update_interval_in_ms", 100, 3_600_000, "ms", "2000", Restart, "How often remembered rights are read anew"),
];

/// Lines of `scylla.yaml`.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let value = |s: &Setting| cx.settings.get(s.name).map_or(s.default, String::as_str).to_owned();
    CATALOGUE.iter().map(|s| format!("{}: {}", s.name, value(s))).collect()
}

/// The table of the configuration holds JSON: texts are quoted there.
pub(super) fn parse(answers: &[Answer]) -> BTreeMap<String, String> {
    let rows = answers.iter().flat_map(|a| a.rows());
    rows.filter_map(|row| {
        let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
        let setting = CATALOGUE.iter().find(|s| s.name == name)?;
        Some((setting.name.to_owned(), value.trim_matches('"').to_owned()))
    })
    .collect()
}
