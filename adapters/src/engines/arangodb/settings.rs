//! Startup options that users of ArangoDB change. Names, types, defaults: the manual's table of `arangod` options, 3.11 and 3.12.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Arangodb;
use crate::Apply::Restart;
use crate::{Answer, Call, Cx, Setting, Settings, Takes};

const OLD: &[&str] = &["3.11"];
const TIB: i64 = 1 << 40;

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    // Memory
    Setting::int("rocksdb.block-cache-size", 33_554_432, TIB, "B", "", Restart, "Memory for blocks read from disk").takes(Takes::MEMORY),
    Setting::flag("rocksdb.enforce-block-cache-size-limit", "false", Restart, "Refuse reads that would go beyond that"),
    Setting::int("rocksdb.total-write-buffer-size", 67_108_864, TIB, "B", "", Restart, "Memory for all write buffers").takes(Takes::MEMORY),
    Setting::int("rocksdb.write-buffer-size", 4_194_304, TIB, "B", "", Restart, "Memory for one of them").takes(Takes::CEILING),
    Setting::int("rocksdb.max-write-buffer-number", 9, 1000, "", "13", Restart, "How many there may be").takes(Takes::NOTHING),
    Setting::int("cache.size", 16_777_216, TIB, "B", "", Restart, "Memory for edge and index entries").takes(Takes::MEMORY),
    Setting::int("cache.rebalancing-interval", 500_000, 3_600_000_000, "us", "2000000", Restart, "Pause between two divisions of it").takes(Takes::NOTHING),
    Setting::int("query.global-memory-limit", 0, TIB, "B", "", Restart, "Memory for all queries; 0 = no limit").takes(Takes::WORK),
    Setting::int("query.memory-limit", 0, TIB, "B", "", Restart, "Memory for one query; 0 = no limit").takes(Takes::CEILING),
    Setting::flag("query.memory-limit-override", "true", Restart, "A query may ask for more"),
    // Queries
    Setting::float("query.max-runtime", 0.0, 86_400.0, "0", Restart, "Ends queries that take longer, s; 0 = never"),
    Setting::float("query.slow-threshold", 0.0, 86_400.0, "10", Restart, "Queries that take longer, s, are slow"),
    Setting::float("query.slow-streaming-threshold", 0.0, 86_400.0, "10", Restart, "The same for those that stream"),
    Setting::flag("query.tracking", "true", Restart, "Keep lists of running and slow queries"),
    Setting::flag("query.tracking-with-querystring", "true", Restart, "With their text"),
    Setting::choice("query.cache-mode", &["off", "on", "demand"], "off", Restart, "Which results are remembered"),
    Setting::int("query.cache-entries", 0, 1_000_000, "", "128", Restart, "How many are, in a database").takes(Takes::NOTHING),
    Setting::int("query.optimizer-max-plans", 1, 10_000, "", "128", Restart, "Plans compared for a query"),
    Setting::int("query.max-parallelism", 1, 1024, "", "4", Restart, "Threads for one query"),
    Setting::flag("query.fail-on-warning", "false", Restart, "Warnings end a query"),
    // Writing
    Setting::flag("database.wait-for-sync", "false", Restart, "New collections wait for the disk at each write"),
    Setting::flag("database.extended-names", "false", Restart, "Names of collections and indexes may hold any letters"),
    Setting::int("rocksdb.sync-interval", 0, 60_000, "ms", "100", Restart, "Time until the log is on the disk; 0 = whenever"),
    Setting::int("rocksdb.max-total-wal-size", 16_777_216, TIB, "B", "83886080", Restart, "Log that forces buffers out").takes(Takes::STORAGE),
    Setting::float("rocksdb.wal-file-timeout", 1.0, 86_400.0, "10", Restart, "Seconds after which old logs go").takes(Takes::NOTHING),
    Setting::int("rocksdb.max-background-jobs", 2, 128, "", "", Restart, "Threads for flushes and compactions").takes(Takes::workers(1024)),
    Setting::int("rocksdb.compaction-read-ahead-size", 0, 1_073_741_824, "B", "2097152", Restart, "Bytes read at once by a compaction").takes(Takes::CEILING),
    Setting::flag("rocksdb.throttle", "true", Restart, "Slow down writes when compactions fall behind"),
    Setting::int("rocksdb.intermediate-commit-size", 1_048_576, TIB, "B", "536870912", Restart, "Size after which a large transaction is written in parts").takes(Takes::CEILING),
    Setting::int("rocksdb.intermediate-commit-count", 1000, 1_000_000_000, "", "1000000", Restart, "Operations after which it is"),
    Setting::float("transaction.streaming-idle-timeout", 1.0, 120.0, "60", Restart, "Ends stream transactions that nobody uses, s"),
    // Documents that expire
    Setting::int("ttl.frequency", 0, 86_400_000, "ms", "30000", Restart, "Pause between two looks for documents that are due; 0 = never"),
    Setting::int("ttl.max-total-removes", 1, 1_000_000_000, "", "1000000", Restart, "Most that one look removes"),
    Setting::int("ttl.max-collection-removes", 1, 1_000_000_000, "", "100000", Restart, "Most that it removes from one collection"),
    // Server
    Setting::int("server.maximal-threads", 8, 10_000, "", "", Restart, "Threads that serve requests").takes(Takes::workers(1024)),
    Setting::int("server.minimal-threads", 4, 1000, "", "4", Restart, "Threads that wait for them").takes(Takes::NOTHING),
    Setting::int("server.maximal-queue-size", 16, 100_000, "", "4096", Restart, "Requests that wait; more are refused").takes(Takes::NOTHING),
    Setting::float("server.session-timeout", 60.0, 31_536_000.0, "3600", Restart, "Life of a session in the web interface, s"),
    Setting::flag("server.statistics", "true", Restart, "Keep numbers about itself"),
    Setting::float("http.keep-alive-timeout", 0.0, 86_400.0, "300", Restart, "Ends idle connections, s"),
    Setting::int("http.compress-response-threshold", 0, 1_073_741_824, "B", "0", Restart, "Answers that are longer are compressed, if the client takes that; 0 = none").not_in(OLD).takes(Takes::NOTHING),
];

/// What counts: the user's value, the SKU's, the default.
pub(super) fn value(cx: &Cx, name: &str) -> String {
    let default = || CATALOGUE.iter().find(|s| s.name == name).map_or_else(String::new, |s| s.default.to_owned());
    cx.settings.get(name).cloned().or_else(|| by_size(cx, name)).unwrap_or_else(default)
}

fn by_size(cx: &Cx, name: &str) -> Option<String> {
    let memory = u64::from(cx.size.memory_mib);
    let bytes = |mib: u64| (mib << 20).to_string();
    // The manual's shares leave 2 GiB for the rest; small instances get less of everything.
    let write_buffers = (memory * 15 / 100).max(128);
    Some(match name {
        "rocksdb.block-cache-size" => bytes((memory * 3 / 10).max(64)),
        "rocksdb.total-write-buffer-size" => bytes(write_buffers),
        "rocksdb.write-buffer-size" => bytes((write_buffers / 16).clamp(8, 64)),
        "rocksdb.max-background-jobs" => cx.size.vcpu.max(2).to_string(),
        "cache.size" => bytes((memory / 10).max(32)),
        "query.global-memory-limit" => bytes(memory * 3 / 10),
        "query.memory-limit" => bytes(memory * 15 / 100),
        "server.maximal-threads" => (cx.size.vcpu * 2).max(16).to_string(),
        _ => return None,
    })
}

/// Every section of the configuration with its lines, what the user has set in its place.
pub(super) fn sections(cx: &Cx) -> BTreeMap<&'static str, Vec<String>> {
    let mut sections: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for setting in CATALOGUE.iter().filter(|s| !s.not_in.contains(&cx.version.id)) {
        if let Some((section, key)) = setting.name.split_once('.') {
            sections.entry(section).or_default().push(format!("{key} = {}", value(cx, setting.name)));
        }
    }
    sections
}

impl Settings for Arangodb {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        by_size(cx, setting.name).unwrap_or_else(|| setting.default.to_owned())
    }

    fn read(&self, cx: &Cx) -> Vec<Call> {
        if OLD.contains(&cx.version.id) { Vec::new() } else { vec![Call::get("/_admin/options")] }
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let Some(all) = answers.first() else { return BTreeMap::new() };
        let text = |value: &Value| match value {
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(n) => Some(n.to_string().trim_end_matches(".0").to_owned()),
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let known = CATALOGUE.iter().filter(|s| !s.not_in.contains(&cx.version.id));
        known.filter_map(|s| Some((s.name.to_owned(), text(all.json().get(s.name)?)?))).collect()
    }

    /// Options count from the next start on.
    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}
