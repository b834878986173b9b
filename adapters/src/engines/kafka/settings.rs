//! Parameters that users of Kafka change. Names, ranges, defaults: the manual's chapter "Broker Configs".

use std::collections::BTreeMap;

use super::{Broker, config};
use crate::Apply::{Dynamic, Restart};
use crate::{Answer, Beside, Call, Cx, Engine, Kafka, Setting, Settings, Takes};

const BYTES: &str = "bytes";
const DAYS_365: i64 = 31_536_000_000;

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    // How long messages stay
    Setting::int("log.retention.ms", -1, DAYS_365, "ms", "604800000", Dynamic, "How long messages stay; -1 = for ever"),
    Setting::int("log.retention.bytes", -1, i64::MAX, BYTES, "", Dynamic, "How much of each partition stays; -1 = all").takes(Takes::SPILL),
    Setting::int("log.segment.bytes", 1_048_576, 2_147_483_647, BYTES, "", Dynamic, "Size of a file of messages; the newest file is never removed").takes(Takes::SPILL),
    Setting::int("log.roll.ms", 1, DAYS_365, "ms", "604800000", Dynamic, "Age at which a new file of messages is begun"),
    Setting::int("log.segment.delete.delay.ms", 0, 86_400_000, "ms", "60000", Dynamic, "Pause before a file that is not needed leaves the disk"),
    Setting::choice("log.cleanup.policy", &["delete", "compact", "compact,delete"], "delete", Dynamic, "Old messages are removed, or the last of each key is kept"),
    Setting::int("log.retention.check.interval.ms", 1000, 86_400_000, "ms", "300000", Restart, "Pause between two looks for old messages"),
    // Compaction
    Setting::int("log.cleaner.delete.retention.ms", 0, DAYS_365, "ms", "86400000", Dynamic, "How long a compacted topic shows that a key was removed"),
    Setting::int("log.cleaner.min.compaction.lag.ms", 0, DAYS_365, "ms", "0", Dynamic, "How long a message is safe from compaction"),
    Setting::float("log.cleaner.min.cleanable.ratio", 0.0, 1.0, "0.5", Dynamic, "Share of superseded messages that starts a compaction"),
    Setting::int("log.cleaner.threads", 1, 16, "", "1", Restart, "Threads for compaction").takes(Takes::workers(1024)),
    Setting::int("log.cleaner.backoff.ms", 0, 600_000, "ms", "15000", Dynamic, "Pause when there is nothing to compact"),
    // Messages
    Setting::int("message.max.bytes", 1024, 134_217_728, BYTES, "1048588", Dynamic, "Largest batch of messages").takes(Takes::HEAP_CEILING),
    Setting::choice("compression.type", &["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"], "producer", Dynamic, "How messages are kept; producer = as they came"),
    Setting::choice("log.message.timestamp.type", &["CreateTime", "LogAppendTime"], "CreateTime", Dynamic, "Whose clock counts: the producer's or the broker's"),
    Setting::int("log.index.interval.bytes", 64, 1_048_576, BYTES, "4096", Dynamic, "Messages between two entries of an index").takes(Takes::NOTHING),
    Setting::int("log.index.size.max.bytes", 65_536, 134_217_728, BYTES, "10485760", Dynamic, "Largest index of a file").takes(Takes::SPILL.each(2)),
    Setting::flag("log.preallocate", "false", Dynamic, "Files get their full size at once"),
    // Topics
    Setting::flag("auto.create.topics.enable", "false", Restart, "Topics are made by producing to them"),
    Setting::int("num.partitions", 1, 1000, "", "1", Restart, "Partitions of a topic when its maker does not say"),
    Setting::flag("delete.topic.enable", "true", Restart, "Topics can be removed"),
    // Connections and threads
    Setting::int("max.connections", 16, 100_000, "", "", Dynamic, "Connections at once").takes(Takes::clients(32)),
    Setting::int("max.connections.per.ip", 1, 2_147_483_647, "", "2147483647", Dynamic, "Connections at once from one address").takes(Takes::NOTHING),
    Setting::int("max.connection.creation.rate", 1, 2_147_483_647, "", "2147483647", Dynamic, "New connections in a second").takes(Takes::NOTHING),
    Setting::int("connections.max.idle.ms", 1000, 86_400_000, "ms", "600000", Restart, "Connections that are silent for longer are closed").takes(Takes::NOTHING),
    Setting::int("connections.max.reauth.ms", 0, 86_400_000, "ms", "0", Restart, "Clients must log in again after this time; 0 = never").takes(Takes::NOTHING),
    Setting::int("num.network.threads", 1, 64, "", "", Restart, "Threads that talk to clients").takes(Takes::workers(1024)),
    Setting::int("num.io.threads", 1, 128, "", "", Restart, "Threads that work on requests").takes(Takes::workers(1024)),
    Setting::int("background.threads", 1, 64, "", "10", Restart, "Threads for all the rest").takes(Takes::workers(512)),
    Setting::int("queued.max.requests", 16, 10_000, "", "500", Restart, "Requests that wait before no more are read"),
    Setting::int("socket.request.max.bytes", 1_048_576, 1_073_741_824, BYTES, "104857600", Restart, "Largest request").takes(Takes::HEAP_CEILING),
    Setting::int("socket.receive.buffer.bytes", -1, 16_777_216, BYTES, "102400", Restart, "Receive buffer of a connection; -1 = the system's").takes(Takes::WORK),
    Setting::int("socket.send.buffer.bytes", -1, 16_777_216, BYTES, "102400", Restart, "Send buffer of a connection; -1 = the system's").takes(Takes::WORK),
    Setting::int("fetch.max.bytes", 1024, 1_073_741_824, BYTES, "57671680", Restart, "Most bytes in one answer to a consumer").takes(Takes::HEAP_CEILING),
    Setting::int("max.incremental.fetch.session.cache.slots", 0, 100_000, "", "1000", Restart, "Consumers whose fetch sessions are remembered").takes(Takes::HEAP.each(8 << 10)),
    // Groups and transactions
    Setting::int("group.initial.rebalance.delay.ms", 0, 600_000, "ms", "0", Restart, "How long the first member of a group waits for others"),
    Setting::int("group.min.session.timeout.ms", 1000, 600_000, "ms", "6000", Restart, "Shortest session timeout of a consumer"),
    Setting::int("group.max.session.timeout.ms", 10_000, 86_400_000, "ms", "1800000", Restart, "Longest session timeout of a consumer"),
    Setting::int("group.max.size", 1, 2_147_483_647, "", "2147483647", Restart, "Consumers in a group").takes(Takes::NOTHING),
    Setting::int("offsets.retention.minutes", 1, 525_600, "min", "10080", Restart, "How long the positions of an empty group are remembered"),
    Setting::int("transaction.max.timeout.ms", 1000, 86_400_000, "ms", "900000", Restart, "Longest transaction"),
    Setting::int("transactional.id.expiration.ms", 60_000, DAYS_365, "ms", "604800000", Restart, "How long an idle transactional producer is remembered"),
    Setting::int("producer.id.expiration.ms", 1000, DAYS_365, "ms", "86400000", Dynamic, "How long an idle producer's sequence is remembered"),
];

/// Lines of `server.properties` for what the user has set.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let known = |name: &str| CATALOGUE.iter().any(|s| s.name == name);
    cx.settings.iter().filter(|(name, _)| known(name)).map(|(name, value)| format!("{name}={value}")).collect()
}

/// What counts when the user has not set it.
fn usual(cx: &Cx, setting: &Setting) -> String {
    match setting.name {
        "log.retention.bytes" => super::retention_bytes(&cx.size).to_string(),
        "log.segment.bytes" => super::segment_bytes(&cx.size).to_string(),
        "max.connections" => Broker.max_connections(&cx.size).to_string(),
        "num.network.threads" => super::network_threads(&cx.size).to_string(),
        "num.io.threads" => super::io_threads(&cx.size).to_string(),
        _ => setting.default.to_owned(),
    }
}

impl Settings for Broker {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        usual(cx, setting)
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        let zookeeper = Beside::memory("ZooKeeper", 128);
        let heap = Beside::heap(super::heap_mib(cx));
        if super::kraft(cx) { vec![heap] } else { vec![heap, zookeeper] }
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::kafka(Kafka::BrokerConfigs)]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let value = |s: &Setting| answers.iter().find_map(|a| config(a, s.name)).map(|v| (s.name.to_owned(), v));
        CATALOGUE.iter().filter_map(value).collect()
    }

    /// A dynamic value counts before the rendered file, so both always say the same; it cannot be taken away, only set to
    /// what would count without it.
    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        let value = value.map_or_else(|| usual(cx, setting), str::to_owned);
        vec![Call::kafka(Kafka::SetBrokerConfig { name: setting.name.into(), value })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Apply;

    #[test]
    fn dynamic_settings_without_a_default_have_one_by_sku() {
        let known = ["log.retention.bytes", "log.segment.bytes", "max.connections"];
        for setting in CATALOGUE.iter().filter(|s| s.apply == Apply::Dynamic && s.default.is_empty()) {
            assert!(known.contains(&setting.name), "{}", setting.name);
        }
    }
}
