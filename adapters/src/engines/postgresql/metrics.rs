//! What PostgreSQL says about itself: two queries on statistics that the server keeps anyway.

use super::Postgresql;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Columns of the query in order, with their units.
const COLUMNS: [(&str, &str); 11] = [
    ("connections", "count"),
    ("connections_max", "count"),
    ("transactions_total", "count"),
    ("rollbacks_total", "count"),
    ("cache_hit_ratio", "ratio"),
    ("rows_returned_total", "count"),
    ("rows_written_total", "count"),
    ("deadlocks_total", "count"),
    ("temporary_bytes_total", "bytes"),
    ("data_bytes", "bytes"),
    ("uptime_seconds", "seconds"),
];

impl Metrics for Postgresql {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql(
            "SELECT sum(numbackends), current_setting('max_connections'), sum(xact_commit), sum(xact_rollback), \
             coalesce(sum(blks_hit)::float8 / nullif(sum(blks_hit) + sum(blks_read), 0), 1), \
             sum(tup_returned), sum(tup_inserted + tup_updated + tup_deleted), sum(deadlocks), sum(temp_bytes), \
             (SELECT sum(pg_database_size(oid)) FROM pg_database), \
             extract(epoch FROM now() - pg_postmaster_start_time()) FROM pg_stat_database",
        )]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let Some(row) = answers.first().and_then(|a| a.rows().first()) else { return Vec::new() };
        COLUMNS
            .iter()
            .zip(row)
            .filter_map(|((name, unit), text)| Some(Metric { name, unit, value: text.as_ref()?.parse().ok()? }))
            .collect()
    }
}
