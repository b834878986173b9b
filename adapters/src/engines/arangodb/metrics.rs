//! What ArangoDB says about itself, in Prometheus' text form.

use super::Arangodb;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Ours, its unit, the server's name.
const FIELDS: [(&str, &str, &str); 15] = [
    ("connections", "count", "arangodb_client_connection_statistics_client_connections"),
    ("queries_total", "count", "arangodb_aql_all_query_total"),
    ("queries_slow_total", "count", "arangodb_aql_slow_query_time_count"),
    ("requests_total", "count", "arangodb_http_request_statistics_total_requests_total"),
    ("memory_resident_bytes", "bytes", "arangodb_process_statistics_resident_set_size"),
    ("memory_max_bytes", "bytes", "arangodb_server_statistics_physical_memory"),
    ("query_memory_bytes", "bytes", "arangodb_aql_global_memory_usage"),
    ("query_memory_max_bytes", "bytes", "arangodb_aql_global_memory_limit"),
    ("cache_bytes", "bytes", "rocksdb_block_cache_usage"),
    ("cache_max_bytes", "bytes", "rocksdb_block_cache_capacity"),
    ("data_bytes", "bytes", "rocksdb_total_sst_files_size"),
    ("data_live_bytes", "bytes", "rocksdb_estimate_live_data_size"),
    ("queue_length", "count", "arangodb_scheduler_queue_length"),
    ("transactions_total", "count", "arangodb_transactions_started_total"),
    ("uptime_seconds", "seconds", "arangodb_server_statistics_server_uptime_total"),
];

/// All numbers, with those of the storage engine.
pub(super) fn all() -> Call {
    Call::get("/_admin/metrics/v2")
}

/// The value of a name, whatever its labels are; the first one.
pub(super) fn number(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with(['{', ' ']) {
            return None; // a longer name
        }
        rest.rsplit(' ').next()?.parse().ok()
    })
}

impl Metrics for Arangodb {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![all()]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let text = answers.first().map(Answer::text).unwrap_or_default();
        let mut metrics: Vec<Metric> = FIELDS
            .iter()
            .filter_map(|(name, unit, theirs)| Some(Metric { name, unit, value: number(&text, theirs)? }))
            .collect();
        // In per cent.
        if let Some(rate) = number(&text, "rocksdb_cache_hit_rate_recent").filter(|r| r.is_finite()) {
            let ratio = if rate > 1.0 { rate / 100.0 } else { rate };
            metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value: ratio });
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn labels_and_longer_names_do_not_confuse() {
        let text = "# HELP a b\nab 1\na{role=\"SINGLE\",shortname=\"x y\"} 42\n";
        assert_eq!(number(text, "a"), Some(42.0));
        assert_eq!(number(text, "ab"), Some(1.0));
        assert_eq!(number(text, "c"), None);
    }
}
