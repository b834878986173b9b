//! What a node says about itself; the same fields in both engines.

use crate::{Answer, Call, Metric};

pub(in super::super) fn calls() -> Vec<Call> {
    vec![Call::get("/_nodes/_local/stats/indices,jvm,http,fs,process,breaker,thread_pool")]
}

const FIELDS: [(&str, &str, &str); 12] = [
    ("connections", "count", "/http/current_open"),
    ("queries_total", "count", "/indices/search/query_total"),
    ("writes_total", "count", "/indices/indexing/index_total"),
    ("documents", "count", "/indices/docs/count"),
    ("data_bytes", "bytes", "/indices/store/size_in_bytes"),
    ("heap_bytes", "bytes", "/jvm/mem/heap_used_in_bytes"),
    ("heap_max_bytes", "bytes", "/jvm/mem/heap_max_in_bytes"),
    ("disk_available_bytes", "bytes", "/fs/total/available_in_bytes"),
    ("breaker_trips_total", "count", "/breakers/parent/tripped"),
    ("searches_rejected_total", "count", "/thread_pool/search/rejected"),
    ("writes_rejected_total", "count", "/thread_pool/write/rejected"),
    ("open_files", "count", "/process/open_file_descriptors"),
];

pub(in super::super) fn parse(answers: &[Answer]) -> Vec<Metric> {
    let Some(node) = answers.first().and_then(|a| a.json().get("nodes")?.as_object()?.values().next()) else {
        return Vec::new();
    };
    let number = |pointer: &str| node.pointer(pointer).and_then(serde_json::Value::as_f64);
    let mut metrics: Vec<Metric> = FIELDS
        .iter()
        .filter_map(|(name, unit, pointer)| Some(Metric { name, unit, value: number(pointer)? }))
        .collect();
    let uptime = number("/jvm/uptime_in_millis").map(|ms| ms / 1000.0);
    metrics.extend(uptime.map(|value| Metric { name: "uptime_seconds", unit: "seconds", value }));
    let cache = |what: &str| number(&format!("/indices/query_cache/{what}"));
    if let (Some(hits), Some(misses)) = (cache("hit_count"), cache("miss_count")) {
        let value = if hits + misses > 0.0 { hits / (hits + misses) } else { 1.0 };
        metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value });
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_node_is_read() {
        let answer =
            serde_json::json!({"nodes": {"x": {"http": {"current_open": 3}, "jvm": {"uptime_in_millis": 1500}}}});
        let found: Vec<_> = parse(&[Answer::Json(answer)]).into_iter().map(|m| (m.name, m.value)).collect();
        assert_eq!(found, [("connections", 3.0), ("uptime_seconds", 1.5)]);
    }
}
