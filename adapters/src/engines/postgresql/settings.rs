//! Parameters that users of PostgreSQL change. Names, ranges, defaults: the manual's chapter "Server Configuration".

use std::collections::BTreeMap;

use super::Postgresql;
use crate::Apply::{Dynamic, Restart};
use crate::quote::{pg_ident, pg_literal};
use crate::{Answer, Call, Cx, Engine, Factor, Kind, Setting, Settings, Takes};

/// A hash takes `hash_mem_multiplier` times `work_mem`, and a parallel one shares as much as all its processes would have.
const PER_HASH: &[Factor] = &[Factor::Value("hash_mem_multiplier"), Factor::OneMore("max_parallel_workers_per_gather")];

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    // Connections
    Setting::int("max_connections", 10, 10_000, "", "", Restart, "Connections at once; each costs memory").takes(Takes::sessions(1024)),
    Setting::int("idle_in_transaction_session_timeout", 0, 86_400_000, "ms", "0", Dynamic, "Ends sessions that sit in an open transaction; 0 = never"),
    Setting::int("idle_session_timeout", 0, 86_400_000, "ms", "0", Dynamic, "Ends idle sessions outside of a transaction; 0 = never").not_in(&["13"]),
    Setting::int("statement_timeout", 0, 86_400_000, "ms", "0", Dynamic, "Ends statements that run longer; 0 = never"),
    Setting::int("lock_timeout", 0, 86_400_000, "ms", "0", Dynamic, "Ends statements that wait longer for a lock; 0 = never"),
    Setting::int("deadlock_timeout", 1, 3_600_000, "ms", "1000", Dynamic, "How long to wait for a lock before looking for a deadlock"),
    Setting::int("tcp_keepalives_idle", 0, 86_400, "s", "", Dynamic, "Seconds of silence before the first keepalive; 0 = the system's"),
    // Memory
    Setting::int("shared_buffers", 16, 1_048_576, "MiB", "", Restart, "Memory for the shared page cache").takes(Takes::MEMORY),
    Setting::int("work_mem", 64, 16_777_216, "KiB", "", Dynamic, "Memory for each sort or hash before it goes to disk").takes(Takes::WORK.times(PER_HASH)),
    Setting::int("maintenance_work_mem", 1, 65_536, "MiB", "", Dynamic, "Memory for VACUUM, CREATE INDEX and the like").takes(Takes::WORK),
    Setting::int("autovacuum_work_mem", -1, 65_536, "MiB", "-1", Dynamic, "Memory for each autovacuum worker; -1 = maintenance_work_mem")
        .least(1).takes(Takes::WORK.times(&[Factor::Value("autovacuum_max_workers")])),
    Setting::int("temp_buffers", 1, 16_384, "MiB", "8", Dynamic, "Memory for temporary tables of a session").takes(Takes::WORK),
    Setting::float("hash_mem_multiplier", 1.0, 1000.0, "2", Dynamic, "How many times work_mem a hash may use").takes(Takes::NOTHING),
    Setting::int("effective_cache_size", 1, 1_048_576, "MiB", "", Dynamic, "What the planner takes for the system's cache").takes(Takes::NOTHING),
    // Write-ahead log
    Setting::int("max_wal_size", 32, 1_048_576, "MiB", "", Dynamic, "Log between two automatic checkpoints").takes(Takes::STORAGE),
    Setting::int("min_wal_size", 32, 65_536, "MiB", "80", Dynamic, "Log files kept for reuse").takes(Takes::STORAGE),
    Setting::int("checkpoint_timeout", 30, 86_400, "s", "300", Dynamic, "Longest time between two automatic checkpoints"),
    Setting::float("checkpoint_completion_target", 0.0, 1.0, "0.9", Dynamic, "Share of that time over which a checkpoint is spread"),
    Setting::flag("synchronous_commit", "true", Dynamic, "Wait for the disk at each commit; without it a crash may lose the last transactions"),
    Setting::int("wal_keep_size", 0, 1_048_576, "MiB", "0", Dynamic, "Log kept for standbys").takes(Takes::STORAGE),
    Setting::int("max_slot_wal_keep_size", 0, 1_048_576, "MiB", "", Dynamic, "Most log that replication slots hold back").takes(Takes::STORAGE),
    Setting::choice("wal_level", &["replica", "logical"], "replica", Restart, "logical also serves logical decoding"),
    Setting::int("max_replication_slots", 0, 1000, "", "10", Restart, "Replication slots").takes(Takes::NOTHING),
    Setting::int("max_wal_senders", 0, 1000, "", "10", Restart, "Connections of standbys and log readers").takes(Takes::workers(1024)),
    // Planner and parallel work
    Setting::float("random_page_cost", 0.1, 100.0, "1.1", Dynamic, "Cost of a page read out of order, relative to one in order"),
    Setting::int("effective_io_concurrency", 0, 1000, "", "200", Dynamic, "Requests that the disk serves at once"),
    Setting::int("default_statistics_target", 1, 10_000, "", "100", Dynamic, "Detail of the planner's statistics"),
    Setting::flag("jit", "false", Dynamic, "Compile expressions of long queries"),
    Setting::int("max_worker_processes", 1, 1024, "", "", Restart, "Background processes").takes(Takes::workers(1024)),
    Setting::int("max_parallel_workers", 0, 1024, "", "", Dynamic, "Processes for parallel queries").takes(Takes::NOTHING),
    Setting::int("max_parallel_workers_per_gather", 0, 1024, "", "", Dynamic, "Processes for one parallel query").takes(Takes::NOTHING),
    Setting::int("max_parallel_maintenance_workers", 0, 1024, "", "2", Dynamic, "Processes for one CREATE INDEX or VACUUM").takes(Takes::NOTHING),
    // Autovacuum
    Setting::flag("autovacuum", "true", Dynamic, "Clean up by itself"),
    Setting::int("autovacuum_max_workers", 1, 1000, "", "3", Restart, "Tables cleaned up at once").takes(Takes::workers(1024)),
    Setting::int("autovacuum_naptime", 1, 86_400, "s", "60", Dynamic, "Pause between two looks at a database"),
    Setting::float("autovacuum_vacuum_scale_factor", 0.0, 100.0, "0.2", Dynamic, "Share of dead rows that starts a clean-up"),
    Setting::float("autovacuum_analyze_scale_factor", 0.0, 100.0, "0.1", Dynamic, "Share of changed rows that renews statistics"),
    Setting::int("autovacuum_vacuum_cost_limit", -1, 10_000, "", "-1", Dynamic, "Work before a pause; -1 = vacuum_cost_limit"),
    Setting::float("autovacuum_vacuum_cost_delay", -1.0, 100.0, "2", Dynamic, "Length of the pause in ms; -1 = vacuum_cost_delay"),
    // Limits, locks, logs
    Setting::int("max_locks_per_transaction", 10, 100_000, "", "", Restart, "Locks for each connection, on average").takes(Takes::MEMORY.each(270).times(&[Factor::Value("max_connections")])),
    Setting::int("max_prepared_transactions", 0, 10_000, "", "0", Restart, "Prepared (two-phase) transactions at once").takes(Takes::MEMORY.each(16 << 10)),
    Setting::int("temp_file_limit", 0, 1_048_576, "MiB", "", Dynamic, "Most temporary files of a session").takes(Takes::SPILL),
    Setting::int("log_min_duration_statement", -1, 86_400_000, "ms", "-1", Dynamic, "Log statements that run longer; -1 = none. They show literals"),
    Setting::flag("log_connections", "false", Dynamic, "Log each connection").not_in(&["18"]),
    Setting::flag("log_lock_waits", "false", Dynamic, "Log waits longer than deadlock_timeout"),
    Setting::int("log_autovacuum_min_duration", -1, 86_400_000, "ms", "600000", Dynamic, "Log clean-ups that run longer; -1 = none").not_in(&["13", "14"]),
    Setting::choice("default_transaction_isolation", &["read committed", "repeatable read", "serializable"], "read committed", Dynamic, "Isolation when a transaction does not say"),
    Setting::flag("default_transaction_read_only", "false", Dynamic, "Transactions cannot write unless they ask to"),
    Setting::text("timezone", 64, "UTC", Dynamic, "Time zone of sessions that do not set their own"),
    Setting::choice("bytea_output", &["hex", "escape"], "hex", Dynamic, "How binary values are shown"),
];

/// What the system account has whatever the user sets: a limit of a millisecond would otherwise be the last change ever.
const OWN: [(&str, &str); 6] = [
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("default_transaction_read_only", "off"),
    ("temp_file_limit", "-1"),
];

/// Bytes in a unit that the catalogue or `pg_settings` uses; 1 ms for times.
fn unit_size(unit: &str) -> Option<f64> {
    Some(match unit {
        "B" | "ms" => 1.0,
        "kB" | "KiB" => 1024.0,
        "8kB" => 8192.0,
        "MB" | "MiB" => 1024.0 * 1024.0,
        "16MB" => 16.0 * 1024.0 * 1024.0,
        "s" => 1000.0,
        "min" => 60_000.0,
        _ => return None,
    })
}

/// The value as PostgreSQL's configuration takes it.
fn spelled(setting: &Setting, value: &str) -> String {
    let unit = match setting.kind {
        // -1 and 0 are words, not amounts.
        Kind::Integer { unit, .. } if value != "-1" => match unit {
            "KiB" => "kB",
            "MiB" => "MB",
            other => other,
        },
        _ => "",
    };
    pg_literal(&format!("{value}{unit}")).trim_start().to_owned()
}

/// Lines of `postgresql.conf` for what the user has set.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let known = |name: &str| CATALOGUE.iter().find(|s| s.name == name);
    cx.settings.iter().filter_map(|(name, value)| Some(format!("{name} = {}", spelled(known(name)?, value)))).collect()
}

/// Instead of a unit: the value is as [`spelled`] wrote it.
const IN_FILE: &str = "file";

/// A value of `pg_settings`, or one from a file, in the catalogue's unit and words.
fn shown(setting: &Setting, value: &str, unit: &str) -> String {
    if unit == IN_FILE {
        return value
            .trim_end_matches(|c: char| matches!(setting.kind, Kind::Integer { .. }) && c.is_alphabetic())
            .into();
    }
    match setting.kind {
        Kind::Boolean => (value == "on").to_string(),
        Kind::Integer { unit: ours, .. } => match (value.parse::<f64>(), unit_size(unit), unit_size(ours)) {
            (Ok(n), Some(theirs), Some(ours)) if n >= 0.0 => (n * theirs / ours).trunc().to_string(),
            _ => value.to_owned(),
        },
        Kind::Float { .. } | Kind::Choice { .. } | Kind::Text { .. } => value.to_owned(),
    }
}

impl Settings for Postgresql {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        self.sku_value(cx, setting.name).unwrap_or_else(|| setting.default.to_owned())
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        let own = |name: &str| OWN.iter().any(|(own, _)| *own == name);
        let quoted = |own_ones: bool| {
            let names = CATALOGUE.iter().map(|s| s.name).filter(|n| own(n) == own_ones);
            names.map(pg_literal).collect::<Vec<_>>().join(", ")
        };
        vec![
            Call::sql(format!("SELECT name, setting, unit FROM pg_settings WHERE lower(name) IN ({})", quoted(false))),
            // This session has its own values; what others get stands in the files.
            Call::sql(format!(
                "SELECT s.name, coalesce(f.setting, s.boot_val), CASE WHEN f.setting IS NULL THEN s.unit ELSE '{IN_FILE}' END \
                 FROM pg_settings s LEFT JOIN pg_file_settings f ON f.name = s.name AND f.applied WHERE s.name IN ({})",
                quoted(true)
            )),
        ]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(|a| a.rows());
        rows.filter_map(|row| {
            let (name, value, unit) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?, row.get(2)?.as_deref());
            // The server writes TimeZone.
            let setting = CATALOGUE.iter().find(|s| s.name.eq_ignore_ascii_case(name))?;
            Some((setting.name.to_owned(), shown(setting, value, unit.unwrap_or(""))))
        })
        .collect()
    }

    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        // ALTER SYSTEM writes postgresql.auto.conf, which counts before the rendered file; so both always say the same.
        let change = match value {
            Some(value) => format!("ALTER SYSTEM SET {} = {}", setting.name, spelled(setting, value)),
            // The file of the running container may still hold what is taken back, so RESET would not be enough.
            None => {
                let value = self.usual(cx, setting);
                format!("ALTER SYSTEM SET {} = {}", setting.name, spelled(setting, &value))
            }
        };
        // What would end fluxdb's own sessions and statements does not count for its account.
        let own = OWN.iter().filter(|(name, _)| *name == setting.name);
        let system = pg_ident(&cx.system.username);
        let mut calls: Vec<Call> = own
            .flat_map(|(name, value)| {
                // The role's value counts in sessions that begin later, so this one needs its own.
                [format!("ALTER ROLE {system} SET {name} = {value}"), format!("SET SESSION {name} = {value}")]
                    .map(Call::sql)
            })
            .collect();
        calls.extend([Call::sql(change), Call::sql("SELECT pg_reload_conf()")]);
        calls
    }
}

impl Postgresql {
    /// What the SKU says, where the default depends on it.
    fn sku_value(&self, cx: &Cx, name: &str) -> Option<String> {
        let key = match name {
            "work_mem" => "work_mem_kib",
            "maintenance_work_mem" => "maintenance_work_mem_mib",
            "effective_cache_size" => "effective_cache_size_mib",
            "max_wal_size" => "max_wal_size_mib",
            "max_slot_wal_keep_size" => "max_slot_wal_keep_size_mib",
            "temp_file_limit" => "temp_file_limit_mib",
            "max_parallel_workers" => "max_parallel_workers",
            "max_parallel_workers_per_gather" => "max_parallel_workers_per_gather",
            "shared_buffers" => "shared_buffers_mib",
            "max_connections" => "max_connections",
            "max_worker_processes" => "max_worker_processes",
            "tcp_keepalives_idle" => return Some("0".into()),
            // The server's own; TimescaleDB's head says another.
            "max_locks_per_transaction" => return Some(if self.preload.is_some() { "256" } else { "64" }.into()),
            _ => return None,
        };
        Some(self.tuning(cx).get_attr(key).ok()?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_converted_both_ways() {
        let find = |name: &str| CATALOGUE.iter().find(|s| s.name == name).expect("known");
        assert_eq!(spelled(find("work_mem"), "4096"), "'4096kB'");
        assert_eq!(spelled(find("autovacuum_work_mem"), "-1"), "'-1'");
        assert_eq!(shown(find("shared_buffers"), "16384", "8kB"), "128");
        assert_eq!(shown(find("checkpoint_timeout"), "300", "s"), "300");
        assert_eq!(shown(find("temp_file_limit"), "-1", "kB"), "-1");
        assert_eq!(shown(find("jit"), "off", ""), "false");
        assert_eq!(shown(find("statement_timeout"), "5ms", IN_FILE), "5");
        assert_eq!(shown(find("default_transaction_read_only"), "true", IN_FILE), "true");
    }
}
