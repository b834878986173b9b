//! What ClickHouse says about itself: one query on counters that the server keeps anyway.

use super::{Clickhouse, cell, query, rows};
use crate::{Answer, Call, Cx, Metric, Metrics};

/// The server's own names, ours, units. What the server has not counted yet is missing in its tables.
const NAMES: [(&str, &str, &str); 12] = [
    ("connections", "connections", "count"),
    ("Query", "queries_active", "count"),
    ("Merge", "merges_active", "count"),
    ("MemoryTracking", "memory_bytes", "bytes"),
    ("event_Query", "queries_total", "count"),
    ("FailedQuery", "queries_failed_total", "count"),
    ("InsertedRows", "rows_written_total", "count"),
    ("SelectedRows", "rows_read_total", "count"),
    ("SlowRead", "slow_reads_total", "count"),
    ("data_bytes", "data_bytes", "bytes"),
    ("data_parts", "data_parts", "count"),
    ("uptime", "uptime_seconds", "seconds"),
];

impl Metrics for Clickhouse {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![query(
            None,
            "SELECT name, value FROM (\
             SELECT 'connections' AS name, toFloat64(sum(value)) AS value FROM system.metrics \
               WHERE metric IN ('TCPConnection', 'HTTPConnection') \
             UNION ALL SELECT metric AS name, toFloat64(value) AS value FROM system.metrics \
               WHERE metric IN ('Query', 'Merge', 'MemoryTracking') \
             UNION ALL SELECT if(event = 'Query', 'event_Query', event) AS name, toFloat64(value) AS value \
               FROM system.events WHERE event IN ('Query', 'FailedQuery', 'InsertedRows', 'SelectedRows', 'SlowRead', \
               'MarkCacheHits', 'MarkCacheMisses') \
             UNION ALL SELECT 'data_bytes' AS name, toFloat64(sum(bytes_on_disk)) AS value FROM system.parts WHERE active \
             UNION ALL SELECT 'data_parts' AS name, toFloat64(count()) AS value FROM system.parts WHERE active \
             UNION ALL SELECT 'uptime' AS name, toFloat64(uptime()) AS value)",
        )]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let Some(answer) = answers.first() else { return Vec::new() };
        let found = |wanted: &str| {
            let row = rows(answer).iter().find(|r| cell(r, 0).as_deref() == Some(wanted))?;
            cell(row, 1)?.parse::<f64>().ok()
        };
        let mut metrics: Vec<Metric> = NAMES
            .iter()
            .filter_map(|(theirs, name, unit)| Some(Metric { name, unit, value: found(theirs)? }))
            .collect();
        if let (Some(hits), Some(misses)) = (found("MarkCacheHits"), found("MarkCacheMisses")) {
            let value = if hits + misses > 0.0 { hits / (hits + misses) } else { 1.0 };
            metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value });
        }
        metrics
    }
}
