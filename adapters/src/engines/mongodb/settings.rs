//! Parameters that users of MongoDB change: options of its configuration file, and server parameters. Names, ranges,
//! defaults: the manual's "Configuration File Options" and "Server Parameters".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Mongodb, admin};
use crate::Apply::{Dynamic, Restart};
use crate::{Answer, Call, Cx, Kind, Setting, Settings, Takes};

pub(super) const CACHE: &str = "storage.wiredTiger.engineConfig.cacheSizeGB";
pub(super) const CONNECTIONS: &str = "net.maxIncomingConnections";
pub(super) const BLOCKS: &str = "storage.wiredTiger.collectionConfig.blockCompressor";
pub(super) const JOURNAL: &str = "storage.wiredTiger.engineConfig.journalCompressor";
pub(super) const NETWORK: &str = "net.compression.compressors";
pub(super) const PROFILING: &str = "operationProfiling.mode";
pub(super) const SLOW: &str = "operationProfiling.slowOpThresholdMs";
pub(super) const SAMPLE: &str = "operationProfiling.slowOpSampleRate";
pub(super) const JAVASCRIPT: &str = "security.javascriptEnabled";

const COMPRESSORS: &[&str] = &["none", "snappy", "zlib", "zstd"];
const NETWORK_COMPRESSORS: &[&str] = &["snappy,zstd,zlib", "snappy", "zstd", "zlib", "disabled"];
const HUNDRED_MIB: &str = "104857600";

/// Defaults that are empty follow from the SKU. A name with a dot is an option of the configuration file.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    // Options of the file
    Setting::float(CACHE, 0.25, 10_000.0, "", Restart, "Memory for the storage engine's cache, GiB").takes(Takes::MEMORY.each(1 << 30)),
    Setting::int(CONNECTIONS, 10, 100_000, "", "", Restart, "Connections at once; each has a thread").takes(Takes::sessions(256)),
    Setting::choice(BLOCKS, COMPRESSORS, "snappy", Restart, "Compression of new collections"),
    Setting::choice(JOURNAL, COMPRESSORS, "snappy", Restart, "Compression of the journal"),
    Setting::choice(NETWORK, NETWORK_COMPRESSORS, "snappy,zstd,zlib", Restart, "Compression offered to clients, the best first"),
    Setting::choice(PROFILING, &["off", "slowOp", "all"], "off", Restart, "What goes to system.profile of each database"),
    Setting::int(SLOW, 0, 3_600_000, "ms", "100", Restart, "What takes longer is slow"),
    Setting::float(SAMPLE, 0.0, 1.0, "1", Restart, "Share of slow operations that is noted"),
    Setting::flag(JAVASCRIPT, "true", Restart, "$where, $function and mapReduce run JavaScript"),
    // Server parameters
    Setting::int("cursorTimeoutMillis", 1000, 86_400_000, "ms", "600000", Dynamic, "Ends cursors that nobody asks"),
    Setting::int("transactionLifetimeLimitSeconds", 1, 86_400, "s", "60", Dynamic, "Ends transactions that take longer"),
    Setting::int("maxTransactionLockRequestTimeoutMillis", -1, 3_600_000, "ms", "5", Dynamic, "How long a transaction waits for a lock; -1 = as long as the operation"),
    Setting::int("localLogicalSessionTimeoutMinutes", 1, 1440, "min", "30", Restart, "Forgets sessions that nobody uses"),
    Setting::int("maxSessions", 1, 10_000_000, "", "1000000", Restart, "Sessions at once"),
    Setting::flag("ttlMonitorEnabled", "true", Dynamic, "Delete documents that a TTL index says are due"),
    Setting::int("ttlMonitorSleepSecs", 1, 86_400, "s", "60", Dynamic, "Pause between two looks for them"),
    Setting::flag("notablescan", "false", Dynamic, "Refuse queries that no index serves"),
    Setting::flag("allowDiskUseByDefault", "true", Dynamic, "Large sorts and groups go to disk without being asked").not_in(&["5.0"]),
    Setting::int("maxIndexBuildMemoryUsageMegabytes", 50, 65_536, "MiB", "200", Dynamic, "Memory for building an index").takes(Takes::CEILING),
    Setting::int("maxNumActiveUserIndexBuilds", 0, 1000, "", "3", Dynamic, "Indexes built at once"),
    Setting::int("internalQueryMaxBlockingSortMemoryUsageBytes", 1_048_576, 10_485_760_000, "B", HUNDRED_MIB, Dynamic, "Memory for a sort that no index serves").takes(Takes::CEILING),
    Setting::int("internalDocumentSourceGroupMaxMemoryBytes", 1_048_576, 10_485_760_000, "B", HUNDRED_MIB, Dynamic, "Memory for a $group").takes(Takes::CEILING),
    Setting::int("internalQueryMaxPushBytes", 1_048_576, 1_048_576_000, "B", HUNDRED_MIB, Dynamic, "Memory for a $push").takes(Takes::CEILING),
    Setting::int("internalQueryMaxAddToSetBytes", 1_048_576, 1_048_576_000, "B", HUNDRED_MIB, Dynamic, "Memory for an $addToSet").takes(Takes::CEILING),
    Setting::int("internalQueryPlanEvaluationWorks", 1, 1_000_000, "", "10000", Dynamic, "Work spent on comparing plans"),
    Setting::int("internalQueryPlanEvaluationMaxResults", 0, 100_000, "", "101", Dynamic, "Results after which a plan has won"),
    Setting::int("internalQueryCacheMaxEntriesPerCollection", 0, 5000, "", "5000", Dynamic, "Plans remembered for a collection").takes(Takes::NOTHING),
    Setting::int("journalCommitInterval", 1, 500, "ms", "100", Dynamic, "Time until the journal is on the disk"),
    Setting::float("syncdelay", 1.0, 3600.0, "60", Dynamic, "Seconds between two checkpoints"),
    Setting::int("minSnapshotHistoryWindowInSeconds", 0, 86_400, "s", "300", Dynamic, "How far back a snapshot read goes"),
    Setting::int("wiredTigerFileHandleCloseIdleTime", 0, 100_000, "s", "600", Restart, "Closes files that nobody uses; 0 = never").takes(Takes::NOTHING),
    Setting::int("scramSHA256IterationCount", 5000, 1_000_000, "", "15000", Dynamic, "Rounds for hashing a new password"),
    Setting::int("authFailedDelayMs", 0, 5000, "ms", "0", Restart, "Pause after a refused login"),
    Setting::int("logLevel", 0, 5, "", "0", Dynamic, "Detail of the log"),
    Setting::flag("quiet", "false", Dynamic, "Leave connections out of the log"),
    Setting::flag("diagnosticDataCollectionEnabled", "true", Dynamic, "Keep numbers about itself in the data directory"),
    Setting::int("diagnosticDataCollectionPeriodMillis", 100, 3_600_000, "ms", "1000", Dynamic, "Pause between two of them"),
];

fn find(name: &str) -> Option<&'static Setting> {
    CATALOGUE.iter().find(|s| s.name == name)
}

/// What counts when the user says nothing.
pub(super) fn default(name: &str) -> &'static str {
    find(name).map_or("", |s| s.default)
}

/// Server parameters that the user has set, as lines of YAML.
pub(super) fn parameters(cx: &Cx) -> Vec<String> {
    let set = cx.settings.iter().filter(|(name, _)| !name.contains('.') && find(name).is_some());
    set.map(|(name, value)| format!("{name}: {value}")).collect()
}

/// The value as a command takes it: numbers and truth values are not texts.
fn typed(setting: &Setting, value: &str) -> Value {
    match setting.kind {
        Kind::Integer { .. } => value.parse::<i64>().map_or_else(|_| json!(value), |n| json!(n)),
        Kind::Float { .. } => value.parse::<f64>().map_or_else(|_| json!(value), |n| json!(n)),
        Kind::Boolean => json!(value == "true"),
        Kind::Choice { .. } | Kind::Text { .. } => json!(value),
    }
}

/// An answered value in the catalogue's words: the server says 1.0 and 1 for some truth values and whole numbers.
fn shown(setting: &Setting, value: &Value) -> Option<String> {
    Some(match (setting.kind, value) {
        (Kind::Boolean, Value::Number(n)) => (n.as_f64()? != 0.0).to_string(),
        (_, Value::Number(n)) => {
            n.as_i64().map_or_else(|| n.to_string().trim_end_matches(".0").to_owned(), |n| n.to_string())
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Bool(flag)) => flag.to_string(),
        (_, Value::Null | Value::Array(_) | Value::Object(_)) => return None,
    })
}

impl Settings for Mongodb {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        match setting.name {
            CACHE => (f64::from(super::cache_mib(&cx.size)) / 1024.0).to_string(),
            CONNECTIONS => super::max_connections(&cx.size).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![admin("getParameter", &json!("*"), &[]), admin("getCmdLineOpts", &json!(1), &[])]
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let [parameters, options] = answers else { return BTreeMap::new() };
        let value = |s: &Setting| {
            if s.name.contains('.') {
                shown(s, options.json().pointer(&format!("/parsed/{}", s.name.replace('.', "/")))?)
            } else {
                shown(s, parameters.json().get(s.name)?)
            }
        };
        let known = CATALOGUE.iter().filter(|s| !s.not_in.contains(&cx.version.id));
        known.filter_map(|s| Some((s.name.to_owned(), value(s)?))).collect()
    }

    fn change(&self, _cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        if setting.apply != Dynamic {
            return Vec::new();
        }
        let value = typed(setting, value.unwrap_or(setting.default));
        vec![admin("setParameter", &json!(1), &[(setting.name, value)])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_words_of_the_catalogue() {
        let shown = |name: &str, value: Value| shown(find(name).expect("known"), &value);
        assert_eq!(shown("quiet", json!(1)).as_deref(), Some("true"));
        assert_eq!(shown("syncdelay", json!(60.0)).as_deref(), Some("60"));
        assert_eq!(shown(CACHE, json!(0.25)).as_deref(), Some("0.25"));
    }
}
