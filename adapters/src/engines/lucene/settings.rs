//! Parameters of a node that both engines know by the same names. Those that differ are not here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Apply::{Dynamic, Restart};
use crate::{Answer, Call, Cx, Kind, Setting, Takes};

#[rustfmt::skip]
pub(in super::super) static CATALOGUE: &[Setting] = &[
    // Indices
    Setting::flag("action.auto_create_index", "true", Dynamic, "Indices are made by writing to them"),
    Setting::flag("action.destructive_requires_name", "true", Dynamic, "Indices are removed by name only, not by wildcards"),
    Setting::int("cluster.max_shards_per_node", 1, 100_000, "", "1000", Dynamic, "Most shards"),
    Setting::int("indices.recovery.max_bytes_per_sec", 1, 4096, "MiB", "40", Dynamic, "How fast a shard is restored").takes(Takes::NOTHING),
    Setting::int("indices.memory.index_buffer_size", 1, 50, "%", "10", Restart, "Heap for fresh documents").takes(Takes::HEAP),
    Setting::int("indices.queries.cache.size", 1, 50, "%", "10", Restart, "Heap for results of filters").takes(Takes::HEAP),
    Setting::int("indices.requests.cache.size", 1, 50, "%", "1", Restart, "Heap for whole answers").takes(Takes::HEAP),
    Setting::int("indices.fielddata.cache.size", 1, 90, "%", "30", Restart, "Heap for values of text fields").takes(Takes::HEAP),
    // Searches
    Setting::int("search.max_buckets", 1, 10_000_000, "", "65535", Dynamic, "Most buckets of an aggregation"),
    Setting::int("search.default_search_timeout", -1, 3_600_000, "ms", "-1", Dynamic, "Longest search; -1 = no limit"),
    Setting::flag("search.allow_expensive_queries", "true", Dynamic, "Scripts, wildcards and joins in queries"),
    Setting::int("search.max_open_scroll_context", 1, 100_000, "", "500", Dynamic, "Scrolls at once"),
    Setting::int("search.default_keep_alive", 1000, 86_400_000, "ms", "300000", Dynamic, "How long a scroll is kept when the request does not say"),
    Setting::int("search.max_keep_alive", 1000, 604_800_000, "ms", "86400000", Dynamic, "Longest that a scroll can be kept"),
    // Memory that a request may take
    Setting::int("indices.breaker.total.limit", 10, 100, "%", "95", Dynamic, "Heap for all requests").takes(Takes::NOTHING),
    Setting::int("indices.breaker.request.limit", 1, 100, "%", "60", Dynamic, "Heap for one request").takes(Takes::NOTHING),
    Setting::int("indices.breaker.fielddata.limit", 1, 100, "%", "40", Dynamic, "Heap for values of text fields before requests fail").takes(Takes::NOTHING),
    Setting::int("network.breaker.inflight_requests.limit", 1, 100, "%", "100", Dynamic, "Heap for requests on their way").takes(Takes::NOTHING),
    // Disk
    Setting::flag("cluster.routing.allocation.disk.threshold_enabled", "true", Dynamic, "Heed how full the disk is"),
    Setting::int("cluster.routing.allocation.disk.watermark.low", 1, 100, "%", "85", Dynamic, "No new shards from here on").takes(Takes::NOTHING),
    Setting::int("cluster.routing.allocation.disk.watermark.high", 1, 100, "%", "90", Dynamic, "Shards would leave from here on").takes(Takes::NOTHING),
    Setting::int("cluster.routing.allocation.disk.watermark.flood_stage", 1, 100, "%", "95", Dynamic, "No writing from here on").takes(Takes::NOTHING),
    Setting::int("cluster.info.update.interval", 10, 3600, "s", "30", Dynamic, "How often that is looked at"),
    Setting::int("cluster.routing.allocation.node_concurrent_recoveries", 1, 100, "", "2", Dynamic, "Shards restored at once"),
    Setting::int("cluster.routing.allocation.node_initial_primaries_recoveries", 1, 100, "", "4", Dynamic, "Shards opened at once at the start"),
    // HTTP
    Setting::int("http.max_content_length", 1, 1024, "MiB", "100", Restart, "Largest request").takes(Takes::HEAP_CEILING),
    Setting::int("http.max_header_size", 4, 1024, "KiB", "16", Restart, "Largest headers of a request").takes(Takes::NOTHING),
    Setting::int("http.max_initial_line_length", 1, 1024, "KiB", "4", Restart, "Longest URL").takes(Takes::NOTHING),
    Setting::flag("http.compression", "true", Restart, "Compress answers for clients that ask for it"),
    Setting::int("http.compression_level", 1, 9, "", "3", Restart, "How hard"),
    Setting::flag("http.cors.enabled", "false", Restart, "Browsers may come from other sites"),
    // Queues
    Setting::int("thread_pool.search.queue_size", 1, 100_000, "", "1000", Restart, "Searches that wait before more are refused").takes(Takes::NOTHING),
    Setting::int("thread_pool.write.queue_size", 1, 100_000, "", "10000", Restart, "Writes that wait before more are refused").takes(Takes::NOTHING),
    Setting::int("thread_pool.get.queue_size", 1, 100_000, "", "1000", Restart, "Reads of documents that wait before more are refused").takes(Takes::NOTHING),
];

/// The value as the server takes it: `40mb`, `85%`.
fn spelled(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { .. } if value == "-1" => value.to_owned(),
        Kind::Integer { unit: "MiB", .. } => format!("{value}mb"),
        Kind::Integer { unit: "KiB", .. } => format!("{value}kb"),
        Kind::Integer { unit, .. } => format!("{value}{unit}"),
        _ => value.to_owned(),
    }
}

/// Lines of the configuration, all of them: the engines' own defaults differ here and there.
pub(in super::super) fn lines(cx: &Cx) -> Vec<String> {
    let value = |s: &Setting| cx.settings.get(s.name).map_or(s.default, String::as_str).to_owned();
    CATALOGUE.iter().map(|s| format!("{}: \"{}\"", s.name, spelled(s, &value(s)))).collect()
}

pub(in super::super) fn read() -> Vec<Call> {
    vec![Call::get("/_cluster/settings?include_defaults=true&flat_settings=true")]
}

pub(in super::super) fn parse(answers: &[Answer]) -> BTreeMap<String, String> {
    let find = |name: &str| {
        let part = |answer: &Answer, part: &str| answer.json().get(part)?.get(name)?.as_str().map(str::to_owned);
        answers.iter().find_map(|a| ["transient", "persistent", "defaults"].iter().find_map(|p| part(a, p)))
    };
    CATALOGUE.iter().filter_map(|s| Some((s.name.to_owned(), shown(s, &find(s.name)?)))).collect()
}

pub(in super::super) fn change(setting: &Setting, value: Option<&str>) -> Vec<Call> {
    // The file of the running container may still hold what is taken back, so `null` would not be enough.
    let value = value.or(Some(setting.default).filter(|d| !d.is_empty()));
    let value = value.map_or(Value::Null, |v| Value::String(spelled(setting, v)));
    vec![Call::json("PUT", "/_cluster/settings", &json!({ "persistent": { setting.name: value } }))]
}

/// Milliseconds or bytes in a unit.
fn unit_size(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "b" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "kb" | "KiB" => 1024.0,
        "mb" | "MiB" => 1024.0 * 1024.0,
        "gb" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// A value that the server shows, in the catalogue's unit.
fn shown(setting: &Setting, value: &str) -> String {
    let Kind::Integer { unit: ours, .. } = setting.kind else { return value.to_owned() };
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    match (number.parse::<f64>(), unit_size(unit), unit_size(ours)) {
        (Ok(n), Some(theirs), Some(ours)) if n >= 0.0 => (n * theirs / ours).round().to_string(),
        (Ok(n), ..) => n.to_string(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelled_and_shown_in_their_units() {
        let find = |name: &str| CATALOGUE.iter().find(|s| s.name == name).expect("known");
        assert_eq!(spelled(find("http.max_content_length"), "100"), "100mb");
        assert_eq!(spelled(find("search.default_search_timeout"), "-1"), "-1");
        assert_eq!(shown(find("search.default_keep_alive"), "5m"), "300000");
        assert_eq!(shown(find("indices.breaker.total.limit"), "95%"), "95");
        assert_eq!(shown(find("search.default_search_timeout"), "-1"), "-1");
        assert_eq!(shown(find("cluster.info.update.interval"), "30s"), "30");
    }
}
