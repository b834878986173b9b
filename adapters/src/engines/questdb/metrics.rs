//! What QuestDB says about itself: three queries on its own functions.

use super::QuestDb;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Rows of `memory_metrics()`: name there, name here.
const MEMORY: [(&str, &str); 4] = [
    ("TOTAL_USED", "memory_used_bytes"),
    ("RSS", "resident_bytes"),
    ("MMAP_TABLE_READER", "mapped_for_reading_bytes"),
    ("MMAP_TABLE_WRITER", "mapped_for_writing_bytes"),
];

/// Columns of the second query in order, with their units.
const TABLES: [(&str, &str); 3] = [("tables", "count"), ("rows", "count"), ("data_bytes", "bytes")];

impl Metrics for QuestDb {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![
            Call::sql("SELECT memory_tag, bytes FROM memory_metrics()"),
            Call::sql("SELECT count(), sum(rowCount), sum(diskSize) FROM table_storage()"),
            Call::sql("SELECT count() FROM query_activity()"),
            Call::sql("SELECT count() FROM wal_tables() WHERE suspended"),
        ]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let number = |text: Option<&Option<String>>| text?.as_deref()?.parse::<f64>().ok();
        let row = |at: usize| answers.get(at).and_then(|a| a.rows().first());
        let mut out = Vec::new();
        for (theirs, name) in MEMORY {
            let found = answers.first().map(Answer::rows).unwrap_or_default();
            let found = found.iter().find(|r| r.first().is_some_and(|n| n.as_deref() == Some(theirs)));
            out.extend(found.and_then(|r| number(r.get(1))).map(|value| Metric { name, unit: "bytes", value }));
        }
        for (at, (name, unit)) in TABLES.into_iter().enumerate() {
            out.extend(row(1).and_then(|r| number(r.get(at))).map(|value| Metric { name, unit, value }));
        }
        // This query is one of them.
        let running = row(2).and_then(|r| number(r.first())).map(|n| (n - 1.0).max(0.0));
        out.extend(running.map(|value| Metric { name: "queries_running", unit: "count", value }));
        let suspended = row(3).and_then(|r| number(r.first()));
        out.extend(suspended.map(|value| Metric { name: "tables_suspended", unit: "count", value }));
        out
    }
}
