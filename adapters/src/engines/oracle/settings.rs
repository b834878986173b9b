//! Initialisation parameters of Oracle that users change. Names, ranges, defaults: the "Database Reference".

use std::collections::BTreeMap;

use super::{Oracle, ROOT, lines as answered, literal, sql};
use crate::Apply::{Dynamic, Restart};
use crate::{Answer, Beside, Call, Cx, Engine, Kind, Setting, Settings, Takes};

/// The edition allows 2 GB together.
pub(super) const SGA_MIB: u32 = 1408;
pub(super) const PGA_MIB: u32 = 512;

/// Defaults that are empty follow from the SKU or the edition.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    Setting::int("processes", 100, 2000, "", "", Restart, "Connections and background processes at once").takes(Takes::sessions(512)),
    Setting::int("pga_aggregate_target", 64, 1024, "MiB", "", Dynamic, "Memory for sorts and hashes of all sessions").takes(Takes::MEMORY),
    Setting::int("open_cursors", 50, 65_535, "", "300", Dynamic, "Cursors that a session may have open"),
    Setting::int("session_cached_cursors", 0, 65_535, "", "50", Restart, "Closed cursors that a session keeps").takes(Takes::NOTHING),
    Setting::choice("cursor_sharing", &["EXACT", "FORCE"], "EXACT", Dynamic, "FORCE takes literals for variables"),
    Setting::choice("optimizer_mode", &["ALL_ROWS", "FIRST_ROWS_1", "FIRST_ROWS_10", "FIRST_ROWS_100", "FIRST_ROWS_1000"], "ALL_ROWS", Dynamic, "What the optimizer is after"),
    Setting::int("optimizer_index_cost_adj", 1, 10_000, "", "100", Dynamic, "Cost of an index, in percent of what it would be"),
    Setting::int("optimizer_index_caching", 0, 100, "", "0", Dynamic, "Share of index blocks taken to be in memory, in percent"),
    Setting::int("optimizer_dynamic_sampling", 0, 11, "", "2", Dynamic, "How much is sampled when statistics are missing"),
    Setting::flag("optimizer_use_invisible_indexes", "false", Dynamic, "Use invisible indexes, too"),
    Setting::choice("statistics_level", &["BASIC", "TYPICAL", "ALL"], "TYPICAL", Dynamic, "How much is counted"),
    Setting::flag("timed_statistics", "true", Dynamic, "Measure times"),
    Setting::choice("result_cache_mode", &["MANUAL", "FORCE"], "MANUAL", Dynamic, "Which results are kept"),
    Setting::choice("parallel_degree_policy", &["MANUAL", "LIMITED", "AUTO"], "MANUAL", Dynamic, "Who decides on parallel work"),
    Setting::int("undo_retention", 0, 2_147_483_647, "s", "900", Dynamic, "How long old rows are kept for queries"),
    Setting::int("fast_start_mttr_target", 0, 3600, "s", "0", Dynamic, "Longest recovery after a crash; 0 = not aimed at"),
    Setting::int("ddl_lock_timeout", 0, 1_000_000, "s", "0", Dynamic, "How long DDL waits for a lock"),
    Setting::int("max_idle_time", 0, 2_147_483_647, "min", "0", Dynamic, "Ends sessions that are idle for longer; 0 = never"),
    Setting::int("max_idle_blocker_time", 0, 2_147_483_647, "min", "0", Dynamic, "The same for those that others wait for"),
    Setting::flag("deferred_segment_creation", "true", Dynamic, "Tables take no room before their first row"),
    Setting::flag("resource_limit", "true", Dynamic, "Limits of profiles count"),
    Setting::choice("recyclebin", &["ON", "OFF"], "ON", Restart, "Dropped tables can be brought back"),
    Setting::choice("nls_length_semantics", &["BYTE", "CHAR"], "BYTE", Restart, "What the length of a varchar2 counts"),
    Setting::choice("db_block_checking", &["OFF", "LOW", "MEDIUM", "FULL"], "OFF", Dynamic, "Check blocks when they change"),
];

fn spelled(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => format!("{value}M"),
        Kind::Text { .. } => literal(value),
        _ => value.to_uppercase(),
    }
}

/// Lines of `init.ora` for what the user has set.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let line = |(name, value): (&String, &String)| {
        let setting = CATALOGUE.iter().find(|s| s.name == name)?;
        Some(format!("{name}={}", spelled(setting, value)))
    };
    cx.settings.iter().filter_map(line).collect()
}

fn shown(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => {
            value.parse::<u64>().map_or_else(|_| value.to_owned(), |n| (n >> 20).to_string())
        }
        Kind::Boolean => value.eq_ignore_ascii_case("TRUE").to_string(),
        Kind::Choice { .. } => value.to_uppercase(),
        _ => value.to_owned(),
    }
}

impl Settings for Oracle {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        match setting.name {
            "processes" => self.max_connections(&cx.size).to_string(),
            "pga_aggregate_target" => PGA_MIB.to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn beside(&self, _cx: &Cx) -> Vec<Beside> {
        vec![Beside::memory("the SGA", SGA_MIB)]
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        let names: Vec<String> = CATALOGUE.iter().map(|s| literal(s.name)).collect();
        vec![
            sql(format!("SELECT name || chr(9) || value FROM v$parameter WHERE name IN ({})", names.join(", ")))
                .in_database(ROOT),
        ]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        answered(answers)
            .filter_map(|line| {
                let (name, value) = line.split_once('\t')?;
                let setting = CATALOGUE.iter().find(|s| s.name == name)?;
                Some((name.to_owned(), shown(setting, value)))
            })
            .collect()
    }

    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        // In memory only: the rendered file has it for the next start.
        let value = value.map_or_else(|| self.usual(cx, setting), str::to_owned);
        let text = format!("ALTER SYSTEM SET {} = {} SCOPE = MEMORY", setting.name, spelled(setting, &value));
        vec![sql(text).in_database(ROOT)]
    }
}
