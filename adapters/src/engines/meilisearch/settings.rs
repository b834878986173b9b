//! Parameters of Meilisearch's process, all in its configuration. What an index does is set in the index itself.

use std::collections::BTreeMap;

use super::Meilisearch;
use crate::Apply::Restart;
use crate::{Answer, Call, Cx, Kind, Setting, Settings, Takes};

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::int("max_indexing_memory", 64, 1_048_576, "MiB", "", Restart, "Memory that indexing may use").takes(Takes::MEMORY),
    Setting::int("max_indexing_threads", 1, 256, "", "", Restart, "Threads that indexing may use").takes(Takes::workers(2048)),
    Setting::int("http_payload_size_limit", 1, 10_240, "MiB", "100", Restart, "Largest request").takes(Takes::CEILING),
    Setting::choice("log_level", &["OFF", "ERROR", "WARN", "INFO", "DEBUG"], "INFO", Restart, "What is logged"),
    Setting::flag("experimental_enable_metrics", "false", Restart, "Serve /metrics in the format of Prometheus"),
    Setting::flag("experimental_reduce_indexing_memory_usage", "false", Restart, "Index slower with less memory"),
    Setting::int("experimental_search_queue_size", 1, 1_000_000, "", "1000", Restart, "Searches that wait").takes(Takes::NOTHING),
    Setting::int("experimental_max_number_of_batched_tasks", 1, 1_000_000, "", "", Restart, "Tasks that are worked on together"),
    Setting::int("experimental_nb_searches_per_core", 1, 1000, "", "4", Restart, "Searches at once for each processor"),
];

pub(super) fn lines(cx: &Cx) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = [
        ("max_indexing_memory", (u64::from(cx.size.memory_mib / 2) << 20).to_string()),
        ("max_indexing_threads", cx.size.vcpu.div_ceil(2).to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in &cx.settings {
        if let Some(setting) = CATALOGUE.iter().find(|s| s.name == name) {
            let value = match setting.kind {
                Kind::Integer { unit: "MiB", .. } => {
                    value.parse::<u64>().map_or_else(|_| value.clone(), |n| (n << 20).to_string())
                }
                Kind::Choice { .. } | Kind::Text { .. } => format!("\"{value}\""),
                _ => value.clone(),
            };
            all.insert(name.clone(), value);
        }
    }
    all.into_iter().collect()
}

impl Settings for Meilisearch {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        match setting.name {
            "max_indexing_memory" => (cx.size.memory_mib / 2).to_string(),
            "max_indexing_threads" => cx.size.vcpu.div_ceil(2).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        Vec::new() // the server does not say
    }

    fn parse(&self, _cx: &Cx, _answers: &[Answer]) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}
