//! What InfluxDB says about itself: version 1 as JSON, version 2 in the format of Prometheus.

use super::{Influxdb, is_two};
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Version 1: kind of object, its field, our name, unit. Fields of many objects (one for each shard) are summed up.
const ONE: [(&str, &str, &str, &str); 9] = [
    ("httpd", "reqActive", "requests_active", "count"),
    ("httpd", "req", "requests_total", "count"),
    ("httpd", "queryReq", "queries_total", "count"),
    ("httpd", "pointsWrittenOK", "rows_written_total", "count"),
    ("httpd", "authFail", "logins_refused_total", "count"),
    ("queryExecutor", "queriesActive", "queries_active", "count"),
    ("shard", "diskBytes", "data_bytes", "bytes"),
    ("database", "numSeries", "series", "count"),
    ("runtime", "Sys", "memory_bytes", "bytes"),
];

/// Version 2: name of the metric, our name, unit. Values with different labels are summed up.
const TWO: [(&str, &str, &str); 8] = [
    ("http_api_requests_total", "requests_total", "count"),
    ("qc_requests_total", "queries_total", "count"),
    ("qc_executing_active", "queries_active", "count"),
    ("storage_shard_write_sum", "rows_written_total", "count"),
    ("storage_shard_disk_size", "data_bytes", "bytes"),
    ("storage_shard_series", "series", "count"),
    ("go_memstats_sys_bytes", "memory_bytes", "bytes"),
    ("influxdb_uptime_seconds", "uptime_seconds", "seconds"),
];

impl Metrics for Influxdb {
    fn calls(&self, cx: &Cx) -> Vec<Call> {
        vec![Call::get(if is_two(cx) { "/metrics" } else { "/debug/vars" })]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        match answers.first() {
            Some(Answer::Json(serde_json::Value::Object(objects))) => {
                let sum = |kind: &str, field: &str| {
                    let of_kind = objects.values().filter(|o| o.get("name").and_then(|n| n.as_str()) == Some(kind));
                    let values: Vec<f64> = of_kind.filter_map(|o| o.get("values")?.get(field)?.as_f64()).collect();
                    (!values.is_empty()).then(|| values.iter().sum())
                };
                let metrics = ONE.iter();
                metrics
                    .filter_map(|(kind, field, name, unit)| Some(Metric { name, unit, value: sum(kind, field)? }))
                    .collect()
            }
            Some(Answer::Text(text)) => {
                let sum = |wanted: &str| {
                    let lines = text.lines().filter(|l| {
                        l.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
                    });
                    let values: Vec<f64> = lines.filter_map(|l| l.rsplit(' ').next()?.parse().ok()).collect();
                    (!values.is_empty()).then(|| values.iter().sum())
                };
                TWO.iter().filter_map(|(theirs, name, unit)| Some(Metric { name, unit, value: sum(theirs)? })).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let one = Answer::Json(serde_json::json!({
            "shard:a": {"name": "shard", "values": {"diskBytes": 10}},
            "shard:b": {"name": "shard", "values": {"diskBytes": 5}},
            "cmdline": ["influxd"],
        }));
        assert_eq!(super::super::ENGINE.parse(&[one]), [Metric { name: "data_bytes", unit: "bytes", value: 15.0 }]);
        let two = Answer::Text(
            "# HELP x\nqc_requests_total{org=\"a b\"} 2\nqc_requests_total{org=\"b\"} 3\nqc_requests_total_x 9\n"
                .into(),
        );
        assert_eq!(super::super::ENGINE.parse(&[two]), [Metric { name: "queries_total", unit: "count", value: 5.0 }]);
    }
}
