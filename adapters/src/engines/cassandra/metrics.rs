//! What Cassandra says about itself in its virtual tables, without JMX.

use super::Cassandra;
use crate::{Answer, Call, Cx, Metric, Metrics};

impl Metrics for Cassandra {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![
            Call::sql("SELECT username FROM system_views.clients"),
            Call::sql("SELECT mebibytes FROM system_views.disk_usage"),
            Call::sql("SELECT count FROM system_views.coordinator_read_latency"),
            Call::sql("SELECT count FROM system_views.coordinator_write_latency"),
            Call::sql("SELECT hit_count, request_count, size_bytes FROM system_views.caches WHERE name = 'keys'"),
            Call::sql("SELECT name, active_tasks, pending_tasks FROM system_views.thread_pools"),
        ]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let number = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<f64>().ok());
        let sum = |index: usize| {
            let rows = answers.get(index)?.rows();
            Some(rows.iter().filter_map(|r| number(r.first()?)).sum::<f64>())
        };
        // A count(*) here would be a warning in the log every time; there are few rows. f64 holds any number of them.
        let rows = |a: &Answer| f64::from(u32::try_from(a.rows().len()).unwrap_or(u32::MAX));
        let pool = |name: &str, column: usize| {
            let rows = answers.get(5)?.rows();
            number(rows.iter().find(|r| r.first().is_some_and(|n| n.as_deref() == Some(name)))?.get(column)?)
        };
        let caches = || {
            let row = answers.get(4)?.rows().first()?;
            let (hits, asked) = (number(row.first()?)?, number(row.get(1)?)?);
            Some(if asked > 0.0 { hits / asked } else { 1.0 })
        };
        [
            ("connections", "count", answers.first().map(rows)),
            ("data_bytes", "bytes", sum(1).map(|n| n * 1024.0 * 1024.0)),
            ("reads_total", "count", sum(2)),
            ("writes_total", "count", sum(3)),
            ("cache_hit_ratio", "ratio", caches()),
            ("compactions_active", "count", pool("CompactionExecutor", 1)),
            ("compactions_pending", "count", pool("CompactionExecutor", 2)),
            ("requests_active", "count", pool("Native-Transport-Requests", 1)),
            ("requests_pending", "count", pool("Native-Transport-Requests", 2)),
        ]
        .into_iter()
        .filter_map(|(name, unit, value)| Some(Metric { name, unit, value: value? }))
        .collect()
    }
}
