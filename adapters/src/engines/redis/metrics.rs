//! What the Redis family says about itself: one `INFO`.

use std::collections::HashMap;

use super::Resp;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Ours, its unit, the field of `INFO`.
const FIELDS: [(&str, &str, &str); 19] = [
    ("connections", "count", "connected_clients"),
    ("connections_max", "count", "maxclients"),
    ("connections_blocked", "count", "blocked_clients"),
    ("connections_total", "count", "total_connections_received"),
    ("connections_refused_total", "count", "rejected_connections"),
    ("queries_total", "count", "total_commands_processed"),
    ("queries_per_second", "per_second", "instantaneous_ops_per_sec"),
    ("memory_bytes", "bytes", "used_memory"),
    ("memory_resident_bytes", "bytes", "used_memory_rss"),
    ("memory_max_bytes", "bytes", "maxmemory"),
    ("data_bytes", "bytes", "used_memory_dataset"),
    ("log_bytes", "bytes", "aof_current_size"),
    ("fragmentation_ratio", "ratio", "mem_fragmentation_ratio"),
    ("keys_evicted_total", "count", "evicted_keys"),
    ("keys_expired_total", "count", "expired_keys"),
    ("network_in_bytes_total", "bytes", "total_net_input_bytes"),
    ("network_out_bytes_total", "bytes", "total_net_output_bytes"),
    ("changes_since_snapshot", "count", "rdb_changes_since_last_save"),
    ("uptime_seconds", "seconds", "uptime_in_seconds"),
];

impl Metrics for Resp {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::resp(&["INFO"])]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let text = answers.first().map(Answer::text).unwrap_or_default();
        let fields: HashMap<&str, &str> = text.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let number = |field: &str| fields.get(field)?.parse::<f64>().ok();
        let mut metrics: Vec<Metric> = FIELDS
            .iter()
            .filter_map(|(name, unit, field)| Some(Metric { name, unit, value: number(field)? }))
            .collect();
        if let (Some(hits), Some(misses)) = (number("keyspace_hits"), number("keyspace_misses")) {
            let ratio = if hits + misses > 0.0 { hits / (hits + misses) } else { 1.0 };
            metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value: ratio });
        }
        // db0:keys=12,expires=3,avg_ttl=0
        let databases = fields.iter().filter(|(name, _)| {
            name.strip_prefix("db").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        });
        let keys = databases.filter_map(|(_, value)| value.split(',').find_map(|p| p.strip_prefix("keys=")));
        let keys = keys.filter_map(|n| n.parse::<f64>().ok()).sum();
        if !fields.is_empty() {
            metrics.push(Metric { name: "keys", unit: "count", value: keys });
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_all_databases_are_counted() {
        let text = "# Clients\r\nconnected_clients:3\r\n# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=0\r\ndb7:keys=1,expires=0\r\n";
        let metrics = crate::find("redis").expect("known").metrics().expect("some").parse(&[Answer::Text(text.into())]);
        let value = |name: &str| metrics.iter().find(|m| m.name == name).map(|m| m.value);
        assert_eq!((value("connections"), value("keys")), (Some(3.0), Some(13.0)));
    }
}
