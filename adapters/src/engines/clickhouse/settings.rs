//! Parameters that users of ClickHouse change: of queries (at once, by a settings profile), of the server and of tables
//! (in the configuration). Names and defaults: `system.settings`, `system.server_settings`, `system.merge_tree_settings`.

use std::collections::BTreeMap;

use super::{Clickhouse, OLD, cell, is_old, query, rows, statement};
use crate::Apply::{Dynamic, Restart};
use crate::quote::{mysql_literal, xml_text};
use crate::{Answer, Beside, Call, Cx, Engine, Factor, Kind, Setting, Settings, Size, Takes};

/// Of tables; what else needs a restart is of the server.
const OF_TABLES: [&str; 6] = [
    "parts_to_delay_insert",
    "parts_to_throw_insert",
    "max_parts_in_total",
    "max_bytes_to_merge_at_max_space_in_pool",
    "min_bytes_for_wide_part",
    "merge_with_ttl_timeout",
];

const NEW: &[&str] = &[OLD];

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    // Limits of a query; fluxdb's own account has the same ones, so the smallest values leave it room
    Setting::int("max_memory_usage", 64, 1_048_576, "MiB", "", Dynamic, "Memory of one query").takes(Takes::CEILING),
    Setting::int("max_memory_usage_for_user", 64, 1_048_576, "MiB", "", Dynamic, "Memory of all queries of a user").takes(Takes::CEILING),
    Setting::int("max_bytes_before_external_group_by", 0, 1_048_576, "MiB", "", Dynamic, "Memory of GROUP BY before it goes to disk; 0 = never").takes(Takes::CEILING),
    Setting::int("max_bytes_before_external_sort", 0, 1_048_576, "MiB", "", Dynamic, "Memory of ORDER BY before it goes to disk; 0 = never").takes(Takes::CEILING),
    Setting::int("max_bytes_in_join", 0, 1_048_576, "MiB", "0", Dynamic, "Memory of the right side of a JOIN; 0 = no limit").takes(Takes::CEILING),
    Setting::int("max_execution_time", 0, 86_400, "s", "0", Dynamic, "Ends queries that run longer; 0 = never"),
    Setting::int("max_threads", 1, 256, "", "", Dynamic, "Threads of one query").takes(Takes::workers(0).times(&[Factor::Value("max_concurrent_queries")])),
    Setting::int("max_insert_threads", 0, 64, "", "0", Dynamic, "Threads of one INSERT SELECT").not_in(NEW).takes(Takes::NOTHING),
    Setting::int("max_concurrent_queries_for_user", 0, 10_000, "", "0", Dynamic, "Queries of a user at once; 0 = no limit").least(10),
    Setting::int("max_rows_to_read", 0, 1_000_000_000_000, "", "0", Dynamic, "Rows that a query may read; 0 = no limit").least(100_000),
    Setting::int("max_bytes_to_read", 0, 1_073_741_824, "MiB", "0", Dynamic, "Data that a query may read; 0 = no limit").least(64).takes(Takes::NOTHING),
    Setting::int("max_result_rows", 0, 1_000_000_000_000, "", "0", Dynamic, "Rows of an answer; 0 = no limit").least(10_000),
    Setting::int("max_result_bytes", 0, 1_073_741_824, "MiB", "0", Dynamic, "Size of an answer; 0 = no limit").least(16).takes(Takes::NOTHING),
    Setting::int("max_query_size", 1024, 1_073_741_824, "bytes", "262144", Dynamic, "Longest text of a query, without the data of an INSERT").takes(Takes::NOTHING),
    Setting::int("max_ast_elements", 100, 10_000_000, "", "50000", Dynamic, "Largest syntax tree of a query"),
    Setting::int("max_partitions_per_insert_block", 0, 100_000, "", "100", Dynamic, "Partitions that one block of an INSERT may touch; 0 = no limit").not_in(NEW).takes(Takes::NOTHING),
    Setting::int("max_temporary_data_on_disk_size_for_query", 0, 1_073_741_824, "MiB", "0", Dynamic, "Temporary files of a query; 0 = no limit").not_in(NEW).takes(Takes::SPILL),
    Setting::int("priority", 0, 100, "", "0", Dynamic, "Queries with a smaller number go first; 0 = no priorities"),
    // Reading, writing
    Setting::int("max_block_size", 1024, 1_048_576, "", "65409", Dynamic, "Rows that are worked on together").takes(Takes::NOTHING),
    Setting::int("max_insert_block_size", 1024, 100_000_000, "", "1048449", Dynamic, "Rows of a block of an INSERT").takes(Takes::NOTHING),
    Setting::int("min_insert_block_size_rows", 0, 100_000_000, "", "1048449", Dynamic, "Smaller blocks of an INSERT are put together, by rows").takes(Takes::NOTHING),
    Setting::flag("async_insert", "false", Dynamic, "Gather small INSERTs of many clients").not_in(NEW),
    Setting::flag("wait_for_async_insert", "true", Dynamic, "Answer gathered INSERTs when they are stored").not_in(NEW),
    Setting::flag("use_uncompressed_cache", "false", Dynamic, "Keep uncompressed blocks for short queries"),
    Setting::flag("join_use_nulls", "false", Dynamic, "Missing rows of an outer JOIN are NULL, as in standard SQL"),
    Setting::choice("date_time_input_format", &["basic", "best_effort", "best_effort_us"], "basic", Dynamic, "How dates are read").not_in(&[OLD]),
    Setting::choice("totals_mode", &["before_having", "after_having_exclusive", "after_having_inclusive", "after_having_auto"], "after_having_exclusive", Dynamic, "How WITH TOTALS counts with HAVING"),
    Setting::flag("log_queries", "true", Dynamic, "Keep a log of queries in system.query_log").not_in(NEW),
    // Of every query it would grow as fast as a client can ask; what is logged is kept for seven days.
    Setting::int("log_queries_min_query_duration_ms", 100, 86_400_000, "ms", "1000", Dynamic, "Only of queries that run longer").not_in(NEW),
    Setting::int("send_timeout", 1, 86_400, "s", "300", Dynamic, "Longest wait until a client takes data"),
    Setting::int("receive_timeout", 1, 86_400, "s", "300", Dynamic, "Longest wait until a client sends data"),
    // Server
    Setting::int("max_connections", 16, 65_536, "", "", Restart, "Connections at once").takes(Takes::sessions(64)),
    Setting::int("max_concurrent_queries", 20, 10_000, "", "", Restart, "Queries at once"),
    Setting::int("max_server_memory_usage", 256, 1_048_576, "MiB", "", Restart, "Memory of the whole server").not_in(NEW).takes(Takes::CEILING),
    Setting::int("mark_cache_size", 8, 1_048_576, "MiB", "", Restart, "Cache of marks, the index into column files").takes(Takes::MEMORY),
    Setting::int("uncompressed_cache_size", 0, 1_048_576, "MiB", "0", Restart, "Cache of uncompressed blocks, for use_uncompressed_cache").takes(Takes::MEMORY),
    Setting::int("background_pool_size", 4, 64, "", "", Restart, "Merges and mutations at once").not_in(NEW).takes(Takes::workers(1024)),
    Setting::int("max_table_size_to_drop", 0, 1_073_741_824, "MiB", "0", Restart, "Larger tables cannot be dropped; 0 = no limit").takes(Takes::NOTHING),
    Setting::int("max_partition_size_to_drop", 0, 1_073_741_824, "MiB", "0", Restart, "Larger partitions cannot be dropped; 0 = no limit").takes(Takes::NOTHING),
    Setting::int("keep_alive_timeout", 0, 3600, "s", "30", Restart, "How long idle HTTP connections are kept"),
    // Tables
    Setting::int("parts_to_delay_insert", 10, 100_000, "", "1000", Restart, "Parts of a partition from which INSERTs are slowed down"),
    Setting::int("parts_to_throw_insert", 20, 100_000, "", "3000", Restart, "Parts of a partition from which INSERTs are refused"),
    Setting::int("max_parts_in_total", 100, 10_000_000, "", "100000", Restart, "Parts of a table from which INSERTs are refused").not_in(NEW),
    Setting::int("max_bytes_to_merge_at_max_space_in_pool", 1024, 1_048_576, "MiB", "153600", Restart, "Largest part that a merge makes").takes(Takes::NOTHING),
    Setting::int("min_bytes_for_wide_part", 0, 1024, "MiB", "10", Restart, "Smaller parts are kept in one file").not_in(NEW).takes(Takes::NOTHING),
    Setting::int("merge_with_ttl_timeout", 0, 31_536_000, "s", "14400", Restart, "Pause between two merges that remove expired rows").not_in(NEW),
];

/// Names and values as they stand in the files.
pub(super) struct Sections {
    pub(super) server: Vec<(String, String)>,
    pub(super) merge_tree: Vec<(String, String)>,
    pub(super) profile: Vec<(String, String)>,
}

pub(super) fn server_memory_mib(size: &Size) -> u32 {
    size.memory_mib / 100 * 85
}

fn concurrent_queries(size: &Size) -> u32 {
    (10 * size.vcpu).max(20)
}

fn merges(size: &Size) -> u32 {
    (2 * size.vcpu).clamp(4, 16)
}

fn thread_pool(size: &Size) -> u32 {
    (size.memory_mib / 2).clamp(1000, 10_000)
}

/// What the files say: the size says, and over it what the user has set.
pub(super) fn sections(cx: &Cx, connections: u32) -> Sections {
    let (memory, cpus) = (cx.size.memory_mib, cx.size.vcpu);
    let mut server = vec![
        ("max_connections", connections.to_string()),
        ("max_concurrent_queries", concurrent_queries(&cx.size).to_string()),
        ("mark_cache_size", mib(memory / 16)),
        ("uncompressed_cache_size", "0".into()),
        ("max_table_size_to_drop", "0".into()),
        ("max_partition_size_to_drop", "0".into()),
        ("keep_alive_timeout", "30".into()),
    ];
    let mut merge_tree =
        vec![("parts_to_delay_insert", "1000".to_owned()), ("parts_to_throw_insert", "3000".to_owned())];
    let pool = merges(&cx.size);
    if !is_old(cx) {
        server.extend([
            ("max_server_memory_usage", mib(server_memory_mib(&cx.size))),
            ("index_mark_cache_size", mib(memory / 32)),
            ("primary_index_cache_size", mib(memory / 16)),
            ("compiled_expression_cache_size", mib((memory / 64).clamp(8, 128))),
            ("max_thread_pool_size", thread_pool(&cx.size).to_string()),
            ("background_pool_size", pool.to_string()),
            ("background_schedule_pool_size", (8 * cpus).clamp(16, 128).to_string()),
            ("background_common_pool_size", "4".into()),
            ("background_fetches_pool_size", "2".into()),
            ("background_move_pool_size", "2".into()),
            ("background_message_broker_schedule_pool_size", "2".into()),
            ("background_distributed_schedule_pool_size", "2".into()),
            ("background_buffer_flush_schedule_pool_size", "2".into()),
        ]);
        // The server refuses to start when these are more than twice background_pool_size.
        let pool = cx.settings.get("background_pool_size").and_then(|v| v.parse().ok()).unwrap_or(pool);
        merge_tree.extend([
            ("number_of_free_entries_in_pool_to_lower_max_size_of_merge", pool.min(8).to_string()),
            ("number_of_free_entries_in_pool_to_execute_mutation", (pool * 3 / 2).min(20).to_string()),
            ("number_of_free_entries_in_pool_to_execute_optimize_entire_partition", (pool * 3 / 2).min(25).to_string()),
        ]);
    }
    let mut profile = vec![
        ("max_memory_usage", mib(memory / 2)),
        ("max_bytes_before_external_group_by", mib(memory / 4)),
        ("max_bytes_before_external_sort", mib(memory / 4)),
        ("max_threads", cpus.to_string()),
        ("max_memory_usage_for_user", mib(server_memory_mib(&cx.size))),
    ];
    if !is_old(cx) {
        profile.push(("log_queries_min_query_duration_ms", "1000".into()));
    }
    let of_tables = |s: &Setting| OF_TABLES.contains(&s.name);
    Sections {
        server: with_user(cx, server, |s| s.apply == Restart && !of_tables(s)),
        merge_tree: with_user(cx, merge_tree, of_tables),
        profile: with_user(cx, profile, |s| s.apply == Dynamic),
    }
}

/// The user's values instead of ours: an element that is there twice would count once only.
fn with_user(cx: &Cx, ours: Vec<(&str, String)>, here: impl Fn(&Setting) -> bool) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for (setting, value) in set_by_user(cx).filter(|(s, _)| here(s)) {
        all.insert(setting.name.to_owned(), xml_text(&spelled(setting, value)));
    }
    all.into_iter().collect()
}

fn set_by_user(cx: &Cx) -> impl Iterator<Item = (&'static Setting, &String)> {
    cx.settings.iter().filter_map(|(name, value)| Some((CATALOGUE.iter().find(|s| s.name == name)?, value)))
}

fn mib(amount: u32) -> String {
    (u64::from(amount) << 20).to_string()
}

/// The value as ClickHouse takes it.
fn spelled(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => {
            value.parse::<u64>().map_or_else(|_| value.to_owned(), |n| (n << 20).to_string())
        }
        Kind::Boolean => if value == "true" { "1" } else { "0" }.to_owned(),
        _ => value.to_owned(),
    }
}

/// A value of the server in the catalogue's unit and words.
fn shown(setting: &Setting, value: &str) -> String {
    // Numbers that follow from the machine are shown as auto(2) or 'auto(2)'.
    let value = value.trim_matches('\'').strip_prefix("auto(").map_or(value, |v| v.trim_end_matches(')'));
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => {
            value.parse::<u64>().map_or_else(|_| value.to_owned(), |n| (n >> 20).to_string())
        }
        Kind::Boolean => (value == "1" || value == "true").to_string(),
        _ => value.to_owned(),
    }
}

impl Settings for Clickhouse {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        let size = &cx.size;
        let number = match setting.name {
            "max_memory_usage" => size.memory_mib / 2,
            "max_bytes_before_external_group_by" | "max_bytes_before_external_sort" => size.memory_mib / 4,
            "max_memory_usage_for_user" | "max_server_memory_usage" => server_memory_mib(size),
            "mark_cache_size" => size.memory_mib / 16,
            "max_threads" => size.vcpu,
            "max_concurrent_queries" => concurrent_queries(size),
            "max_connections" => self.max_connections(size),
            "background_pool_size" => merges(size),
            _ => return setting.default.to_owned(),
        };
        number.to_string()
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        // Its threads wait in a pool of this size, whatever they are for.
        if is_old(cx) { Vec::new() } else { vec![Beside::processes("threads of the pool", thread_pool(&cx.size))] }
    }

    fn read(&self, cx: &Cx) -> Vec<Call> {
        let names: Vec<String> = CATALOGUE.iter().map(|s| mysql_literal(s.name)).collect();
        let names = names.join(", ");
        let tables: &[&str] = if is_old(cx) {
            &["settings", "merge_tree_settings"]
        } else {
            &["settings", "server_settings", "merge_tree_settings"]
        };
        tables
            .iter()
            .map(|t| query(None, &format!("SELECT name, value FROM system.{t} WHERE name IN ({names})")))
            .collect()
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let read = |row: &serde_json::Value| {
            let (name, value) = (cell(row, 0)?, cell(row, 1)?);
            let setting = CATALOGUE.iter().find(|s| s.name == name && !s.not_in.contains(&cx.version.id))?;
            Some((name, shown(setting, &value)))
        };
        answers.iter().flat_map(rows).filter_map(read).collect()
    }

    fn change(&self, cx: &Cx, setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        if is_old(cx) || setting.apply != Dynamic {
            return Vec::new();
        }
        // A profile for everyone counts over the file's, which cannot be changed in a running server; it says all at once.
        let all: Vec<String> = set_by_user(cx)
            .filter(|(s, _)| s.apply == Dynamic)
            .map(|(s, value)| format!("{} = {}", s.name, mysql_literal(&spelled(s, value))))
            .collect();
        let settings = if all.is_empty() { String::new() } else { format!("SETTINGS {} ", all.join(", ")) };
        vec![statement(None, format!("CREATE SETTINGS PROFILE OR REPLACE fluxdb_settings {settings}TO ALL"))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_converted_both_ways() {
        let find = |name: &str| CATALOGUE.iter().find(|s| s.name == name).expect("known");
        assert_eq!(spelled(find("max_memory_usage"), "2"), "2097152");
        assert_eq!(shown(find("max_memory_usage"), "2097152"), "2");
        assert_eq!(shown(find("max_threads"), "'auto(2)'"), "2");
        assert_eq!(shown(find("async_insert"), "1"), "true");
        assert_eq!(shown(find("max_execution_time"), "30"), "30");
    }
}
