//! What MongoDB says about itself: `serverStatus` and the sizes of its databases.

use serde_json::{Value, json};

use super::{Mongodb, admin};
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Ours, its unit, where it stands in `serverStatus`, what it is multiplied by.
const FIELDS: [(&str, &str, &str, f64); 18] = [
    ("connections", "count", "/connections/current", 1.0),
    ("connections_total", "count", "/connections/totalCreated", 1.0),
    ("inserts_total", "count", "/opcounters/insert", 1.0),
    ("reads_total", "count", "/opcounters/query", 1.0),
    ("updates_total", "count", "/opcounters/update", 1.0),
    ("deletes_total", "count", "/opcounters/delete", 1.0),
    ("getmores_total", "count", "/opcounters/getmore", 1.0),
    ("commands_total", "count", "/opcounters/command", 1.0),
    ("cache_bytes", "bytes", "/wiredTiger/cache/bytes currently in the cache", 1.0),
    ("cache_max_bytes", "bytes", "/wiredTiger/cache/maximum bytes configured", 1.0),
    ("memory_resident_bytes", "bytes", "/mem/resident", 1_048_576.0),
    ("operations_waiting", "count", "/globalLock/currentQueue/total", 1.0),
    ("page_faults_total", "count", "/extra_info/page_faults", 1.0),
    ("network_in_bytes_total", "bytes", "/network/bytesIn", 1.0),
    ("network_out_bytes_total", "bytes", "/network/bytesOut", 1.0),
    ("cursors_open", "count", "/metrics/cursor/open/total", 1.0),
    ("assertions_user_total", "count", "/asserts/user", 1.0),
    ("uptime_seconds", "seconds", "/uptime", 1.0),
];

/// `serverStatus` without what nobody asks for here.
pub(super) fn status() -> Call {
    let leave_out = ["locks", "repl", "sharding", "storageEngine", "tcmalloc", "transactions"];
    admin("serverStatus", &json!(1), &leave_out.map(|section| (section, json!(0))))
}

/// Numbers beyond what JSON carries safely come as `{"$numberLong": "1"}`.
fn number(value: &Value, at: &str) -> Option<f64> {
    let value = value.pointer(at)?;
    value.as_f64().or_else(|| value.pointer("/$numberLong")?.as_str()?.parse().ok())
}

impl Metrics for Mongodb {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![status(), admin("listDatabases", &json!(1), &[])]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let [status, databases] = answers else { return Vec::new() };
        let status = status.json();
        let at = |path: &str| number(status, path);
        let mut metrics: Vec<Metric> = FIELDS
            .iter()
            .filter_map(|(name, unit, path, times)| Some(Metric { name, unit, value: at(path)? * times }))
            .collect();
        let mut add = |name, unit, value: Option<f64>| metrics.extend(value.map(|value| Metric { name, unit, value }));
        let operations = ["insert", "query", "update", "delete", "getmore", "command"];
        let operations: Option<f64> = operations.iter().map(|n| at(&format!("/opcounters/{n}"))).sum();
        add("queries_total", "count", operations);
        let available = at("/connections/current").zip(at("/connections/available"));
        add("connections_max", "count", available.map(|(current, free)| current + free));
        let read = at("/wiredTiger/cache/pages read into cache");
        let pages = read.zip(at("/wiredTiger/cache/pages requested from the cache"));
        let ratio = pages.map(|(read, asked)| if asked > 0.0 { (1.0 - read / asked).max(0.0) } else { 1.0 });
        add("cache_hit_ratio", "ratio", ratio);
        add("data_bytes", "bytes", number(databases.json(), "/totalSize"));
        metrics
    }
}
