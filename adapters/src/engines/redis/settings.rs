//! Parameters that users of the Redis family change. Names, ranges, defaults: the commented `redis.conf` of 7.2.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Resp;
use crate::Apply::{Dynamic, Immutable, Restart};
use crate::{Answer, Call, Cx, Kind, Setting, Settings, Takes};

const POLICIES: &[&str] = &[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

/// Versions of before Redis 7.0 (KeyDB 6.3 is one), and those of before 7.2.
const OLD: &[&str] = &["6.2", "6.3"];
const BEFORE_7_2: &[&str] = &["6.2", "6.3", "7.0"];
/// Valkey since 8; no Redis has these numbers.
const VALKEY_8: &[&str] = &["8.1", "9.1"];

/// When a snapshot is written, unless the user says otherwise.
const SAVE: &str = "3600 1 300 100 60 10000";

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    // Memory
    Setting::int("maxmemory", 16, 1_048_576, "MiB", "", Dynamic, "Memory for data; more than 65 % of the instance's leaves too little for snapshots").takes(Takes::MEMORY),
    Setting::choice("maxmemory-policy", POLICIES, "noeviction", Dynamic, "What is thrown away when that is full"),
    Setting::int("maxmemory-samples", 1, 64, "", "5", Dynamic, "Keys looked at for each one thrown away").takes(Takes::NOTHING),
    Setting::int("maxmemory-eviction-tenacity", 0, 100, "", "10", Dynamic, "Effort for throwing away").takes(Takes::NOTHING),
    Setting::int("maxmemory-clients", 0, 1_048_576, "MiB", "0", Dynamic, "Memory for all connections; 0 = no limit").not_in(OLD).takes(Takes::MEMORY),
    Setting::int("lfu-log-factor", 0, 1000, "", "10", Dynamic, "How slowly the counter of uses grows"),
    Setting::int("lfu-decay-time", 0, 100_000, "min", "1", Dynamic, "Minutes after which the counter of uses falls"),
    Setting::flag("lazyfree-lazy-eviction", "true", Dynamic, "Free memory of keys thrown away in the background"),
    Setting::flag("lazyfree-lazy-expire", "true", Dynamic, "Free memory of expired keys in the background"),
    Setting::flag("lazyfree-lazy-server-del", "true", Dynamic, "Free memory of overwritten keys in the background"),
    Setting::flag("lazyfree-lazy-user-del", "true", Dynamic, "DEL works like UNLINK"),
    Setting::flag("lazyfree-lazy-user-flush", "true", Dynamic, "FLUSHALL and FLUSHDB work like their ASYNC forms"),
    // Connections
    Setting::int("maxclients", 16, 10_000, "", "", Dynamic, "Connections at once").takes(Takes::clients(20)),
    Setting::int("timeout", 0, 86_400, "s", "0", Dynamic, "Ends idle connections; 0 = never"),
    Setting::int("tcp-keepalive", 0, 86_400, "s", "300", Dynamic, "Seconds of silence before a keepalive; 0 = none"),
    Setting::int("client-query-buffer-limit", 1, 16_384, "MiB", "1024", Dynamic, "Longest request").takes(Takes::NOTHING),
    Setting::int("proto-max-bulk-len", 1, 16_384, "MiB", "512", Dynamic, "Longest value").takes(Takes::NOTHING),
    Setting::int("tracking-table-max-keys", 0, 100_000_000, "", "1000000", Dynamic, "Keys remembered for client-side caches; 0 = no limit"),
    // Durability
    Setting::flag("appendonly", "true", Dynamic, "Keep a log of all writes; without it a crash loses what came after the last snapshot"),
    Setting::choice("appendfsync", &["always", "everysec", "no"], "everysec", Dynamic, "When the log is on the disk for sure"),
    Setting::flag("no-appendfsync-on-rewrite", "false", Dynamic, "Do not wait for the disk while a snapshot is written"),
    Setting::int("auto-aof-rewrite-percentage", 0, 10_000, "", "100", Dynamic, "Growth of the log, in per cent, after which it is written anew; 0 = never").takes(Takes::NOTHING),
    Setting::int("auto-aof-rewrite-min-size", 1, 65_536, "MiB", "64", Dynamic, "Smallest log that is written anew").takes(Takes::STORAGE),
    Setting::flag("aof-load-truncated", "true", Dynamic, "Start although the end of the log is missing"),
    Setting::flag("aof-use-rdb-preamble", "true", Dynamic, "Begin a new log with a snapshot: shorter, faster to load"),
    Setting::flag("aof-timestamp-enabled", "false", Dynamic, "Note the time in the log, for recovery to a moment").not_in(OLD),
    Setting::text("save", 128, SAVE, Dynamic, "Pairs of seconds and changes after which a snapshot is written; empty = never"),
    Setting::flag("rdbcompression", "true", Dynamic, "Compress snapshots"),
    Setting::flag("rdbchecksum", "true", Restart, "Put a checksum in snapshots"),
    Setting::flag("stop-writes-on-bgsave-error", "true", Dynamic, "Refuse writes after a snapshot failed"),
    Setting::int("repl-backlog-size", 1, 16_384, "MiB", "10", Dynamic, "Log kept for replicas that were away").takes(Takes::MEMORY),
    // Work
    Setting::int("databases", 1, 10_000, "", "16", Immutable, "Numbered databases"),
    Setting::int("io-threads", 1, 16, "", "", Restart, "Threads that read and write connections").not_in(&["6.3"]).takes(Takes::workers(1024)),
    Setting::int("hz", 1, 500, "", "10", Dynamic, "Background rounds a second"),
    Setting::flag("dynamic-hz", "true", Dynamic, "More rounds with more connections").not_in(VALKEY_8),
    Setting::int("active-expire-effort", 1, 10, "", "1", Dynamic, "Effort for finding expired keys"),
    Setting::flag("activerehashing", "true", Dynamic, "Spend a hundredth of the time on making tables smaller"),
    // So long nobody is answered, fluxdb included.
    Setting::int("lua-time-limit", 100, 10_000, "ms", "5000", Dynamic, "After this long a script can be stopped by others"),
    Setting::text("notify-keyspace-events", 16, "", Dynamic, "Events about keys: letters of K E g $ l s h z x e n t d m A; empty = none"),
    // Encodings
    Setting::int("hash-max-listpack-entries", 0, 1_000_000, "", "512", Dynamic, "Largest hash in the dense encoding").not_in(OLD),
    Setting::int("hash-max-listpack-value", 0, 1_000_000, "", "64", Dynamic, "Longest field in it").not_in(OLD),
    Setting::int("list-max-listpack-size", -5, 1_000_000, "", "-2", Dynamic, "Entries of a list node; -1 to -5 = 4 to 64 KiB").not_in(OLD).takes(Takes::NOTHING),
    Setting::int("list-compress-depth", 0, 1_000_000, "", "0", Dynamic, "Nodes at each end of a list that stay uncompressed; 0 = all"),
    Setting::int("set-max-intset-entries", 0, 1_000_000, "", "512", Dynamic, "Largest set of numbers in the dense encoding"),
    Setting::int("set-max-listpack-entries", 0, 1_000_000, "", "128", Dynamic, "Largest set in the dense encoding").not_in(BEFORE_7_2),
    Setting::int("zset-max-listpack-entries", 0, 1_000_000, "", "128", Dynamic, "Largest sorted set in the dense encoding").not_in(OLD),
    Setting::int("zset-max-listpack-value", 0, 1_000_000, "", "64", Dynamic, "Longest member in it").not_in(OLD),
    Setting::int("hll-sparse-max-bytes", 0, 16_000, "B", "3000", Dynamic, "Longest HyperLogLog in the sparse encoding").takes(Takes::NOTHING),
    Setting::int("stream-node-max-bytes", 0, 1_048_576, "B", "4096", Dynamic, "Size of a stream's node; 0 = no limit").takes(Takes::NOTHING),
    Setting::int("stream-node-max-entries", 0, 1_000_000, "", "100", Dynamic, "Entries of a stream's node; 0 = no limit"),
    // What is watched
    Setting::int("slowlog-log-slower-than", -1, 3_600_000_000, "us", "10000", Dynamic, "Note commands that take longer; -1 = none"),
    Setting::int("slowlog-max-len", 0, 100_000, "", "128", Dynamic, "Notes kept of slow commands"),
    Setting::int("latency-monitor-threshold", 0, 3_600_000, "ms", "0", Dynamic, "Note events that take longer; 0 = none"),
    Setting::flag("latency-tracking", "true", Dynamic, "Keep a histogram for each command").not_in(OLD),
    Setting::int("acllog-max-len", 0, 100_000, "", "128", Dynamic, "Notes kept of refused commands"),
];

/// The value as the configuration takes it.
fn spelled(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => format!("{value}mb"),
        Kind::Boolean => if value == "true" { "yes" } else { "no" }.to_owned(),
        Kind::Integer { .. } | Kind::Float { .. } | Kind::Choice { .. } | Kind::Text { .. } => value.to_owned(),
    }
}

/// An answered value in the catalogue's unit and words.
fn shown(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => {
            value.parse::<i64>().map_or_else(|_| value.to_owned(), |bytes| (bytes / 1_048_576).to_string())
        }
        Kind::Boolean => (value == "yes").to_string(),
        Kind::Integer { .. } | Kind::Float { .. } | Kind::Choice { .. } | Kind::Text { .. } => value.to_owned(),
    }
}

/// Lines of the configuration for what the user has set; `save` is not a line that a later one overrides.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let set = cx.settings.iter().filter(|(name, _)| *name != "save");
    set.filter_map(|(name, value)| {
        let setting = CATALOGUE.iter().find(|s| s.name == name)?;
        Some(format!("{name} \"{}\"", spelled(setting, value)))
    })
    .collect()
}

/// What follows `save` in each line of the configuration: one pair, which every version understands.
pub(super) fn save_points(cx: &Cx) -> Vec<String> {
    let text = cx.settings.get("save").map_or(SAVE, String::as_str);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { vec!["\"\"".to_owned()] } else { words.chunks(2).map(|pair| pair.join(" ")).collect() }
}

/// Names and values of a `CONFIG GET`: a flat list, or a map.
pub(super) fn pairs(answer: &Answer) -> Vec<(&str, &str)> {
    match answer.json() {
        Value::Array(all) => all.chunks(2).filter_map(|p| Some((p.first()?.as_str()?, p.get(1)?.as_str()?))).collect(),
        Value::Object(all) => all.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The only value in the answer to a `CONFIG GET` of one name.
pub(super) fn only(answer: &Answer) -> Option<String> {
    pairs(answer).first().map(|(_, value)| (*value).to_owned())
}

impl Settings for Resp {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        match setting.name {
            "maxmemory" => super::maxmemory_mib(&cx.size).to_string(),
            "maxclients" => super::max_connections(&cx.size).to_string(),
            "io-threads" => super::threads(&cx.size).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        // Several names in one call are not understood before 7.0.
        vec![Call::resp(&["CONFIG", "GET", "*"])]
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let known = CATALOGUE.iter().filter(|s| !s.not_in.contains(&cx.version.id));
        let values: BTreeMap<&str, &str> = answers.iter().flat_map(pairs).collect();
        known.filter_map(|s| Some((s.name.to_owned(), shown(s, values.get(s.name)?)))).collect()
    }

    /// Nothing is written by the server: the rendered configuration holds the value at the next start.
    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        let value = value.map_or_else(|| self.usual(cx, setting), str::to_owned);
        vec![Call::resp(&["CONFIG", "SET", setting.name, &spelled(setting, &value)])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_words_are_converted_both_ways() {
        let find = |name: &str| CATALOGUE.iter().find(|s| s.name == name).expect("known");
        assert_eq!(spelled(find("maxmemory"), "64"), "64mb");
        assert_eq!(shown(find("maxmemory"), "67108864"), "64");
        assert_eq!(spelled(find("appendonly"), "false"), "no");
        assert_eq!(shown(find("appendonly"), "yes"), "true");
        assert_eq!(shown(find("hll-sparse-max-bytes"), "3000"), "3000");
    }
}
