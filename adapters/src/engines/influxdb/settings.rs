//! Parameters of InfluxDB, all in its configuration: `section.name` in version 1, plain names in version 2.

use std::collections::BTreeMap;

use super::{Influxdb, is_two, rows_of, series, show, two};
use crate::Apply::Restart;
use crate::{Answer, Call, Cx, Engine, Kind, Setting, Settings, Size, Takes};

const NOT_TWO: &[&str] = &["2.8", "2.7"];
const NOT_ONE: &[&str] = &["1.12", "1.11", "1.8", "1.6"];

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    // Version 1
    Setting::int("data.cache-max-memory-size", 16, 65_536, "MiB", "", Restart, "Written points kept in memory for each shard; beyond it writes are refused").not_in(NOT_TWO).takes(Takes::MEMORY),
    Setting::int("data.cache-snapshot-memory-size", 1, 4096, "MiB", "25", Restart, "Points in memory from which they are written to a file").not_in(NOT_TWO).takes(Takes::CEILING),
    Setting::int("data.cache-snapshot-write-cold-duration", 1, 86_400, "s", "600", Restart, "Pause in writing after which they are written to a file").not_in(NOT_TWO).takes(Takes::NOTHING),
    Setting::int("data.compact-full-write-cold-duration", 60, 604_800, "s", "14400", Restart, "Pause in writing after which a shard is compacted as a whole").not_in(NOT_TWO),
    Setting::int("data.max-concurrent-compactions", 0, 64, "", "", Restart, "Compactions at once; 0 = half of the processors").not_in(NOT_TWO),
    Setting::int("data.max-series-per-database", 0, 1_000_000_000, "", "1000000", Restart, "Series of a database, with the inmem index; 0 = no limit").not_in(NOT_TWO),
    Setting::int("data.max-values-per-tag", 0, 1_000_000_000, "", "100000", Restart, "Values of a tag, with the inmem index; 0 = no limit").not_in(NOT_TWO),
    Setting::choice("data.index-version", &["tsi1", "inmem"], "tsi1", Restart, "Index of new shards: on disk or in memory").not_in(NOT_TWO),
    Setting::int("data.wal-fsync-delay", 0, 1000, "ms", "0", Restart, "Pause before writes are forced to the disk; 0 = at once").not_in(NOT_TWO),
    Setting::flag("data.query-log-enabled", "true", Restart, "Log queries, passwords left out").not_in(NOT_TWO),
    Setting::int("coordinator.write-timeout", 1, 3600, "s", "10", Restart, "Longest time for a write").not_in(NOT_TWO),
    Setting::int("coordinator.max-concurrent-queries", 0, 10_000, "", "", Restart, "Queries at once; 0 = no limit").not_in(NOT_TWO),
    Setting::int("coordinator.query-timeout", 0, 86_400, "s", "0", Restart, "Ends queries that run longer; 0 = never").not_in(NOT_TWO),
    Setting::int("coordinator.log-queries-after", 0, 86_400, "s", "0", Restart, "Log queries that run longer; 0 = none").not_in(NOT_TWO),
    Setting::int("coordinator.max-select-point", 0, 1_000_000_000, "", "0", Restart, "Points that a SELECT may read; 0 = no limit").not_in(NOT_TWO),
    Setting::int("coordinator.max-select-series", 0, 1_000_000_000, "", "0", Restart, "Series that a SELECT may read; 0 = no limit").not_in(NOT_TWO),
    Setting::int("coordinator.max-select-buckets", 0, 1_000_000_000, "", "0", Restart, "Intervals of GROUP BY time; 0 = no limit").not_in(NOT_TWO),
    Setting::int("http.max-connection-limit", 16, 100_000, "", "", Restart, "Connections at once").not_in(NOT_TWO).takes(Takes::clients(32)),
    Setting::int("http.max-concurrent-write-limit", 0, 10_000, "", "0", Restart, "Writes at once; 0 = no limit").not_in(NOT_TWO),
    Setting::int("http.max-enqueued-write-limit", 0, 10_000, "", "0", Restart, "Writes that wait; 0 = no limit").not_in(NOT_TWO),
    Setting::flag("http.log-enabled", "false", Restart, "Log requests").not_in(NOT_TWO),
    Setting::int("retention.check-interval", 10, 86_400, "s", "1800", Restart, "Pause between two removals of expired shards").not_in(NOT_TWO),
    Setting::flag("continuous_queries.enabled", "false", Restart, "Run continuous queries: whoever writes a database can make one, which reads every database").not_in(NOT_TWO),
    Setting::flag("continuous_queries.log-enabled", "true", Restart, "Log continuous queries").not_in(NOT_TWO),
    Setting::flag("monitor.store-enabled", "false", Restart, "Keep the server's numbers in the database _internal").not_in(NOT_TWO),
    // Version 2
    Setting::int("storage-cache-max-memory-size", 16, 65_536, "MiB", "", Restart, "Written points kept in memory for each shard; beyond it writes are refused").not_in(NOT_ONE).takes(Takes::MEMORY),
    Setting::int("storage-cache-snapshot-memory-size", 1, 4096, "MiB", "25", Restart, "Points in memory from which they are written to a file").not_in(NOT_ONE).takes(Takes::CEILING),
    Setting::int("storage-cache-snapshot-write-cold-duration", 1, 86_400, "s", "600", Restart, "Pause in writing after which they are written to a file").not_in(NOT_ONE).takes(Takes::NOTHING),
    Setting::int("storage-compact-full-write-cold-duration", 60, 604_800, "s", "14400", Restart, "Pause in writing after which a shard is compacted as a whole").not_in(NOT_ONE),
    Setting::int("storage-max-concurrent-compactions", 0, 64, "", "", Restart, "Compactions at once; 0 = half of the processors").not_in(NOT_ONE),
    Setting::int("storage-retention-check-interval", 10, 86_400, "s", "1800", Restart, "Pause between two removals of expired shards").not_in(NOT_ONE),
    Setting::int("storage-series-id-set-cache-size", 0, 100_000, "", "100", Restart, "Remembered sets of series").not_in(NOT_ONE).takes(Takes::MEMORY.each(16 << 10)),
    Setting::int("storage-wal-fsync-delay", 0, 1000, "ms", "0", Restart, "Pause before writes are forced to the disk; 0 = at once").not_in(NOT_ONE),
    Setting::int("storage-wal-max-concurrent-writes", 0, 1000, "", "0", Restart, "Writes to the log at once; 0 = twice the processors").not_in(NOT_ONE).takes(Takes::NOTHING),
    Setting::flag("storage-no-validate-field-size", "false", Restart, "Take fields of any size").not_in(NOT_ONE),
    Setting::int("query-concurrency", 1, 10_000, "", "", Restart, "Flux queries at once").not_in(NOT_ONE),
    Setting::int("query-queue-size", 1, 100_000, "", "1024", Restart, "Flux queries that wait").not_in(NOT_ONE).takes(Takes::NOTHING),
    Setting::int("influxql-max-select-point", 0, 1_000_000_000, "", "0", Restart, "Points that a SELECT may read; 0 = no limit").not_in(NOT_ONE),
    Setting::int("influxql-max-select-series", 0, 1_000_000_000, "", "0", Restart, "Series that a SELECT may read; 0 = no limit").not_in(NOT_ONE),
    Setting::int("influxql-max-select-buckets", 0, 1_000_000_000, "", "0", Restart, "Intervals of GROUP BY time; 0 = no limit").not_in(NOT_ONE),
    Setting::int("http-idle-timeout", 1, 3600, "s", "180", Restart, "How long idle connections are kept").not_in(NOT_ONE),
    Setting::int("http-read-timeout", 0, 3600, "s", "0", Restart, "Longest time for a request; 0 = no limit").not_in(NOT_ONE),
    Setting::int("http-write-timeout", 0, 3600, "s", "0", Restart, "Longest time for an answer; 0 = no limit").not_in(NOT_ONE),
    Setting::int("session-length", 1, 100_000, "", "60", Restart, "Minutes that a login to the user interface lasts").not_in(NOT_ONE),
    Setting::flag("session-renew-disabled", "false", Restart, "Logins end although they are used").not_in(NOT_ONE),
    Setting::flag("ui-disabled", "true", Restart, "No user interface; with one, its files are served to everybody").not_in(NOT_ONE),
    Setting::flag("flux-log-enabled", "false", Restart, "Log Flux queries").not_in(NOT_ONE),
    Setting::choice("log-level", &["debug", "info", "error"], "info", Restart, "What is logged").not_in(NOT_ONE),
];

/// InfluxQL in version 1, Flux in version 2.
pub(super) fn concurrent_queries(size: &Size) -> u32 {
    8 * size.vcpu
}

fn cache_mib(size: &Size) -> u32 {
    (size.memory_mib / 4).min(1024)
}

/// Names and values of the configuration: of the size, and over it what the user has set.
pub(super) fn lines(cx: &Cx, connections: u32) -> BTreeMap<String, String> {
    let cache = (u64::from(cache_mib(&cx.size)) << 20).to_string();
    let compactions = cx.size.vcpu.div_ceil(2).to_string();
    let queries = concurrent_queries(&cx.size).to_string();
    // The server does not start when all queries could not begin at once.
    let all_queries = u64::from(cx.size.memory_mib) << 19;
    let set = cx.settings.get("query-concurrency").and_then(|v| v.parse::<u64>().ok());
    let at_once = set.unwrap_or(concurrent_queries(&cx.size).into()).max(1);
    let mut all: BTreeMap<String, String> = if is_two(cx) {
        [
            ("storage-cache-max-memory-size", cache),
            ("storage-max-concurrent-compactions", compactions),
            ("query-concurrency", queries),
            ("query-memory-bytes", (all_queries / 4).to_string()),
            ("query-max-memory-bytes", all_queries.to_string()),
            ("query-initial-memory-bytes", (all_queries / at_once).min(all_queries / 4).to_string()),
            ("query-queue-size", "1024".into()),
            // The operator alone could log in there.
            ("ui-disabled", "true".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    } else {
        let dir = super::FACTS.volume_path;
        [
            ("meta.dir", format!("\"{dir}/meta\"")),
            ("data.dir", format!("\"{dir}/data\"")),
            ("data.wal-dir", format!("\"{dir}/wal\"")),
            ("data.index-version", "\"tsi1\"".into()),
            ("data.cache-max-memory-size", cache),
            ("data.max-concurrent-compactions", compactions),
            ("coordinator.max-concurrent-queries", queries),
            ("monitor.store-enabled", "false".into()),
            // The server runs them with nobody's rights, and looks at those of who makes one for the target alone: a user
            // of one database reads the others so (seen with 1.6).
            ("continuous_queries.enabled", "false".into()),
            // Only administrators make subscriptions, which send points to any address.
            ("subscriber.enabled", "false".into()),
            ("http.bind-address", "\":8086\"".into()),
            ("http.auth-enabled", "true".into()),
            // 1.6 does not know the next one, and serves what is below /debug/pprof to anybody. Later versions ask for a
            // password at /debug only where profiles are on: https://docs.influxdata.com/influxdb/v1/administration/config/
            ("http.pprof-enabled", (cx.version.id != "1.6").to_string()),
            ("http.pprof-auth-enabled", "true".into()),
            ("http.ping-auth-enabled", "true".into()),
            // Flux calls other servers (http.post, sql.from), which nothing here turns off in it. Off is what the server has itself.
            ("http.flux-enabled", "false".into()),
            ("http.log-enabled", "false".into()),
            ("http.max-connection-limit", connections.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    };
    for (name, value) in &cx.settings {
        if let Some(setting) = CATALOGUE.iter().find(|s| s.name == name && !s.not_in.contains(&cx.version.id)) {
            all.insert(name.clone(), spelled(setting, value));
        }
    }
    all
}

fn spelled(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => {
            value.parse::<u64>().map_or_else(|_| value.to_owned(), |n| (n << 20).to_string())
        }
        Kind::Integer { unit: unit @ ("s" | "ms"), .. } => format!("\"{value}{unit}\""),
        Kind::Choice { .. } | Kind::Text { .. } => format!("\"{value}\""),
        _ => value.to_owned(),
    }
}

/// A value of the server in the catalogue's unit and words.
fn shown(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "MiB", .. } => {
            value.parse::<u64>().map_or_else(|_| value.to_owned(), |n| (n >> 20).to_string())
        }
        Kind::Integer { unit: "s", .. } => {
            milliseconds(value).map_or_else(|| value.to_owned(), |ms| (ms / 1000).to_string())
        }
        Kind::Integer { unit: "ms", .. } => milliseconds(value).map_or_else(|| value.to_owned(), |ms| ms.to_string()),
        _ => value.to_owned(),
    }
}

/// A duration as Go writes it, `1h0m0s`, or in nanoseconds.
fn milliseconds(text: &str) -> Option<u64> {
    if let Ok(nanoseconds) = text.parse::<u64>() {
        return Some(nanoseconds / 1_000_000);
    }
    let (mut total, mut rest) = (0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let factor = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        total += number.parse::<u64>().ok()? * factor;
        rest = tail;
    }
    Some(total)
}

/// `section.name` and value from SHOW DIAGNOSTICS, which names the sections `config-data` and so on.
pub(super) fn diagnostics(answer: &Answer) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for one in series(answer) {
        let name = one.get("name").and_then(|n| n.as_str()).unwrap_or_default();
        let section = match name.strip_prefix("config-") {
            Some("httpd") => "http",
            Some("cqs") => "continuous_queries",
            Some(section) => section,
            None => continue,
        };
        let columns = one.get("columns").and_then(|c| c.as_array()).into_iter().flatten();
        let values = rows_of(one).next().and_then(|r| r.as_array()).into_iter().flatten();
        for (column, value) in columns.zip(values) {
            let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
            all.insert(format!("{section}.{}", column.as_str().unwrap_or_default()), text);
        }
    }
    all
}

impl Settings for Influxdb {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        let size = &cx.size;
        match setting.name {
            "data.cache-max-memory-size" | "storage-cache-max-memory-size" => cache_mib(size).to_string(),
            "http.max-connection-limit" => self.max_connections(size).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn read(&self, cx: &Cx) -> Vec<Call> {
        vec![if is_two(cx) { two::get(cx, "/api/v2/config") } else { show("SHOW DIAGNOSTICS") }]
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let Some(answer) = answers.first() else { return BTreeMap::new() };
        let mut all = diagnostics(answer);
        for (name, value) in answer.json().get("config").and_then(|c| c.as_object()).into_iter().flatten() {
            all.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), Into::into));
        }
        let here = CATALOGUE.iter().filter(|s| !s.not_in.contains(&cx.version.id));
        here.filter_map(|s| Some((s.name.to_owned(), shown(s, all.get(s.name)?)))).collect()
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(milliseconds("1h0m30s"), Some(3_630_000));
        assert_eq!(milliseconds("10ms"), Some(10));
        assert_eq!(milliseconds("600000000000"), Some(600_000));
        assert_eq!(milliseconds("x"), None);
    }
}
