//! What CouchDB says about itself: its counters, its virtual machine, the sizes of its databases.

use serde_json::Value;

use super::Couchdb;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Ours and where it stands in `_stats`.
const COUNTERS: [(&str, &str); 10] = [
    ("queries_total", "/couchdb/httpd/requests/value"),
    ("requests_aborted_total", "/couchdb/httpd/aborted_requests/value"),
    ("requests_failed_total", "/couchdb/httpd_status_codes/500/value"),
    ("requests_refused_total", "/couchdb/httpd_status_codes/401/value"),
    ("reads_total", "/couchdb/database_reads/value"),
    ("writes_total", "/couchdb/database_writes/value"),
    ("documents_purged_total", "/couchdb/database_purges/value"),
    ("databases_open", "/couchdb/open_databases/value"),
    ("files_open", "/couchdb/open_os_files/value"),
    ("changes_followers", "/couchdb/httpd/clients_requesting_changes/value"),
];

impl Metrics for Couchdb {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/_node/_local/_stats"), Call::get("/_node/_local/_system"), Call::get("/_dbs_info?limit=1000")]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let [stats, system, databases] = answers else { return Vec::new() };
        let number = |value: &Value, at: &str| value.pointer(at)?.as_f64();
        let mut metrics: Vec<Metric> = COUNTERS
            .iter()
            .filter_map(|(name, at)| Some(Metric { name, unit: "count", value: number(stats.json(), at)? }))
            .collect();
        let mut add = |name, unit, value: Option<f64>| metrics.extend(value.map(|value| Metric { name, unit, value }));
        let hits = number(stats.json(), "/couchdb/auth_cache_hits/value");
        let looks = hits.zip(number(stats.json(), "/couchdb/auth_cache_misses/value"));
        let ratio = looks.map(|(hits, misses)| if hits + misses > 0.0 { hits / (hits + misses) } else { 1.0 });
        add("cache_hit_ratio", "ratio", ratio);
        add("uptime_seconds", "seconds", number(system.json(), "/uptime"));
        add("processes", "count", number(system.json(), "/process_count"));
        add("run_queue", "count", number(system.json(), "/run_queue"));
        let parts = ["processes", "binary", "code", "ets", "atom", "other"];
        let memory: f64 = parts.iter().filter_map(|p| number(system.json(), &format!("/memory/{p}"))).sum();
        add("memory_bytes", "bytes", (memory > 0.0).then_some(memory));
        let sizes = |of: &str| {
            let all = databases.json().as_array()?;
            Some(all.iter().filter_map(|d| number(d, &format!("/info/sizes/{of}"))).sum())
        };
        add("data_bytes", "bytes", sizes("file"));
        add("data_live_bytes", "bytes", sizes("active"));
        metrics
    }
}
