//! What CockroachDB says about itself: the node's metrics, as a table.

use super::Cockroachdb;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// The server's names, ours and the units.
const NAMES: [(&str, &str, &str); 12] = [
    ("sql.conns", "connections", "count"),
    ("sql.query.count", "queries_total", "count"),
    ("sql.failure.count", "query_errors_total", "count"),
    ("sql.txn.commit.count", "transactions_total", "count"),
    ("sql.txn.rollback.count", "rollbacks_total", "count"),
    ("sql.full.scan.count", "full_scans_total", "count"),
    ("sql.bytesin", "received_bytes_total", "bytes"),
    ("sql.bytesout", "sent_bytes_total", "bytes"),
    ("capacity.used", "data_bytes", "bytes"),
    ("capacity.available", "available_bytes", "bytes"),
    ("sys.rss", "memory_bytes", "bytes"),
    ("sys.uptime", "uptime_seconds", "seconds"),
];
const CACHE: [&str; 2] = ["rocksdb.block.cache.hits", "rocksdb.block.cache.misses"];

impl Metrics for Cockroachdb {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        let names: Vec<String> = NAMES.iter().map(|(n, ..)| *n).chain(CACHE).map(|n| format!("'{n}'")).collect();
        // A store's metrics come once for each store, of which there is one.
        vec![
            Call::sql(format!(
                "SELECT name, value FROM crdb_internal.node_metrics WHERE name IN ({})",
                names.join(", ")
            )),
            Call::sql("SHOW CLUSTER SETTING server.max_connections_per_gateway"),
        ]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let Some(table) = answers.first() else { return Vec::new() };
        let value = |name: &str| -> Option<f64> {
            let row = table.rows().iter().find(|r| r.first().and_then(Option::as_deref) == Some(name))?;
            row.get(1)?.as_deref()?.parse().ok()
        };
        let mut metrics: Vec<Metric> = NAMES
            .iter()
            .filter_map(|(theirs, name, unit)| Some(Metric { name, unit, value: value(theirs)? }))
            .collect();
        if let Some((hits, misses)) = value(CACHE[0]).zip(value(CACHE[1])) {
            let ratio = if hits + misses > 0.0 { hits / (hits + misses) } else { 1.0 };
            metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value: ratio });
        }
        let most = answers.get(1).and_then(|a| a.first()?.parse::<f64>().ok()).filter(|n| *n >= 0.0);
        metrics.extend(most.map(|value| Metric { name: "connections_max", unit: "count", value }));
        metrics
    }
}
