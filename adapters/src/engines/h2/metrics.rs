//! What H2 says about itself: one query on its information schema.

use super::H2;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Rows of the answer: name there, name here, unit, factor.
const ROWS: [(&str, &str, &str, f64); 10] = [
    ("sessions", "connections", "count", 1.0),
    ("heap_used", "heap_used_bytes", "bytes", 1024.0),
    ("heap_free", "heap_free_bytes", "bytes", 1024.0),
    ("info.FILE_SIZE", "data_bytes", "bytes", 1.0),
    ("info.CACHE_HIT_RATIO", "cache_hit_ratio", "ratio", 0.01),
    ("info.CACHE_SIZE", "cache_used_bytes", "bytes", 1_048_576.0),
    ("info.CACHE_MAX_SIZE", "cache_max_bytes", "bytes", 1_048_576.0),
    ("info.FILE_READ_BYTES", "read_bytes_total", "bytes", 1.0),
    ("info.FILE_WRITE_BYTES", "written_bytes_total", "bytes", 1.0),
    ("info.FILE_WRITE", "writes_total", "count", 1.0),
];

impl Metrics for H2 {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql(
            "SELECT setting_name, setting_value FROM information_schema.settings WHERE setting_name LIKE 'info.%' \
             UNION ALL SELECT 'sessions', CAST(count(*) AS varchar) FROM information_schema.sessions \
             UNION ALL SELECT 'heap_used', CAST(memory_used() AS varchar) \
             UNION ALL SELECT 'heap_free', CAST(memory_free() AS varchar)",
        )]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let rows = || answers.iter().flat_map(|a| a.rows());
        ROWS.iter()
            .filter_map(|(theirs, name, unit, factor)| {
                let row = rows().find(|r| r.first().is_some_and(|n| n.as_deref() == Some(theirs)))?;
                let value: f64 = row.get(1)?.as_ref()?.parse().ok()?;
                Some(Metric { name, unit, value: value * factor })
            })
            .collect()
    }
}
