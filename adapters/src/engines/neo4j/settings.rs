//! Parameters of `neo4j.conf`. Names and defaults: the operations manual's "Configuration settings".

use std::collections::BTreeMap;

use serde_json::json;

use super::{Neo4j, cypher, text, values};
use crate::Apply::Restart;
use crate::{Answer, Beside, Call, Cx, Engine, Kind, Setting, Settings, Takes};

/// Defaults that are empty follow from the SKU. All count after a restart: in the Community edition a change at run time
/// would be lost with it.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::int("server.memory.pagecache.size", 16, 1_048_576, "MiB", "", Restart, "Memory for pages of the store").takes(Takes::MEMORY),
    Setting::int("dbms.memory.transaction.total.max", 16, 1_048_576, "MiB", "", Restart, "Memory of all transactions together").takes(Takes::HEAP_CEILING),
    Setting::int("db.memory.transaction.max", 0, 1_048_576, "MiB", "0", Restart, "Memory of one transaction; 0 = no limit")
        .least(16).takes(Takes::HEAP_CEILING),
    Setting::int("db.transaction.timeout", 0, 86_400, "s", "0", Restart, "Ends transactions that run longer; 0 = never"),
    Setting::int("db.lock.acquisition.timeout", 0, 86_400, "s", "0", Restart, "How long to wait for a lock; 0 = for ever"),
    Setting::int("db.transaction.concurrent.maximum", 0, 100_000, "", "1000", Restart, "Transactions at once; 0 = no limit"),
    Setting::int("db.transaction.bookmark_ready_timeout", 1, 3600, "s", "30", Restart, "How long to wait for what a bookmark names"),
    Setting::int("server.bolt.thread_pool_min_size", 1, 1000, "", "5", Restart, "Threads kept for Bolt").takes(Takes::NOTHING),
    Setting::int("server.bolt.thread_pool_max_size", 10, 10_000, "", "", Restart, "Threads for Bolt").takes(Takes::sessions(512)),
    Setting::int("server.bolt.thread_pool_keep_alive", 1, 86_400, "s", "300", Restart, "How long an idle thread is kept").takes(Takes::NOTHING),
    Setting::choice("db.checkpoint", &["PERIODIC", "CONTINUOUS"], "PERIODIC", Restart, "When a checkpoint is made"),
    Setting::int("db.checkpoint.interval.time", 1, 86_400, "s", "900", Restart, "Time between two checkpoints"),
    Setting::int("db.checkpoint.interval.tx", 1, 100_000_000, "", "100000", Restart, "Transactions between two checkpoints"),
    Setting::int("db.checkpoint.iops.limit", -1, 1_000_000, "", "600", Restart, "Writes of a checkpoint in a second; -1 = no limit"),
    Setting::int("db.tx_log.rotation.size", 1, 4096, "MiB", "", Restart, "Size of a transaction log file").takes(Takes::STORAGE.each(2)),
    Setting::flag("db.tx_log.preallocate", "true", Restart, "Transaction log files get their space at once"),
    Setting::choice("db.logs.query.enabled", &["OFF", "INFO", "VERBOSE"], "OFF", Restart, "Log queries; they show literals"),
    Setting::int("db.logs.query.threshold", 0, 86_400, "s", "0", Restart, "Log queries that run longer"),
    Setting::flag("db.logs.query.parameter_logging_enabled", "true", Restart, "Log the parameters of queries"),
    Setting::int("dbms.cypher.min_replan_interval", 0, 86_400, "s", "10", Restart, "Shortest life of a plan"),
    Setting::float("dbms.cypher.statistics_divergence_threshold", 0.0, 1.0, "0.75", Restart, "Change of statistics that makes a plan stale"),
    Setting::choice("dbms.cypher.planner", &["DEFAULT", "COST"], "DEFAULT", Restart, "Planner"),
    Setting::flag("dbms.cypher.forbid_exhaustive_shortestpath", "false", Restart, "Refuse a slow shortestPath"),
    Setting::flag("dbms.cypher.forbid_shortestpath_common_nodes", "true", Restart, "Refuse shortestPath from a node to itself"),
    Setting::flag("dbms.cypher.hints_error", "false", Restart, "A hint that cannot be followed is an error"),
    Setting::flag("dbms.cypher.lenient_create_relationship", "false", Restart, "CREATE without both nodes makes nothing"),
    Setting::int("dbms.security.auth_max_failed_attempts", 0, 1000, "", "3", Restart, "Wrong passwords before a user must wait; 0 = any number"),
    Setting::int("dbms.security.auth_lock_time", 0, 86_400, "s", "5", Restart, "How long a user must wait then"),
    Setting::int("db.index_sampling.update_percentage", 0, 100, "%", "5", Restart, "Change of an index that renews its statistics").takes(Takes::NOTHING),
    Setting::flag("db.index_sampling.background_enabled", "true", Restart, "Statistics of indexes are renewed by themselves"),
    Setting::int("dbms.routing_ttl", 1, 86_400, "s", "300", Restart, "How long drivers keep the server's address"),
];

/// Asks for the values of some settings, in the order of their names.
pub(super) fn show(names: &[&str]) -> Call {
    cypher(
        "neo4j",
        "SHOW SETTINGS YIELD name, value WHERE name IN $names RETURN value, name ORDER BY name",
        &json!({ "names": names }),
    )
}

/// MiB as the server shows them.
pub(super) fn mib_shown(mib: u32) -> String {
    bytes_shown(f64::from(mib) * 1024.0 * 1024.0)
}

fn bytes_shown(bytes: f64) -> String {
    let units = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)];
    units
        .iter()
        .find(|(_, size)| bytes >= *size)
        .map_or_else(|| format!("{bytes}B"), |(unit, size)| format!("{:.2}{unit}", bytes / size))
}

/// Lines of `neo4j.conf` for what the user has set.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let line = |(name, value): (&String, &String)| {
        let setting = CATALOGUE.iter().find(|s| s.name == name)?;
        let unit = match setting.kind {
            Kind::Integer { unit: "MiB", .. } => "m",
            Kind::Integer { unit: "s", .. } => "s",
            _ => "",
        };
        Some(format!("{name}={value}{unit}"))
    };
    cx.settings.iter().filter_map(line).collect()
}

/// `1m40s`, `500ms`, `0s` in seconds.
fn seconds(shown: &str) -> Option<f64> {
    let mut rest = shown;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = &rest[digits..];
        let end = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let factor = match &unit[..end] {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += rest[..digits].parse::<f64>().ok()? * factor;
        rest = &unit[end..];
    }
    Some(total)
}

/// `512.00MiB`, `0B` in MiB.
fn mebibytes(shown: &str) -> Option<f64> {
    let digits = shown.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let factor = match &shown[digits..] {
        "B" => 1.0 / 1_048_576.0,
        "KiB" => 1.0 / 1024.0,
        "MiB" => 1.0,
        "GiB" => 1024.0,
        "TiB" => 1_048_576.0,
        _ => return None,
    };
    Some(shown[..digits].parse::<f64>().ok()? * factor)
}

impl Settings for Neo4j {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        let memory = cx.size.memory_mib;
        match setting.name {
            "server.memory.pagecache.size" => super::pagecache_mib(memory).to_string(),
            // The server's own: 70 % of the heap.
            "dbms.memory.transaction.total.max" => (super::heap_mib(memory) * 7 / 10).to_string(),
            "server.bolt.thread_pool_max_size" => self.max_connections(&cx.size).to_string(),
            "db.tx_log.rotation.size" => super::tx_log_mib(&cx.size).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        vec![Beside::heap(super::heap_mib(cx.size.memory_mib))]
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![show(&CATALOGUE.iter().map(|s| s.name).collect::<Vec<_>>())]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(values);
        rows.filter_map(|row| {
            let (value, name) = (text(row.first()?), text(row.get(1)?));
            let setting = CATALOGUE.iter().find(|s| s.name == name)?;
            let value = match setting.kind {
                Kind::Integer { unit: "MiB", .. } => mebibytes(&value)?.round().to_string(),
                Kind::Integer { unit: "s", .. } => seconds(&value)?.to_string(),
                _ => value,
            };
            Some((name, value))
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
    fn amounts_are_read_as_the_server_shows_them() {
        assert_eq!(seconds("16m40s"), Some(1000.0));
        assert_eq!(seconds("0s"), Some(0.0));
        assert_eq!(mebibytes("1.50GiB"), Some(1536.0));
        assert_eq!(mib_shown(512), "512.00MiB");
    }
}
