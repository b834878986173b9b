//! Parameters of the graph, of its store (`je.`) and of Gremlin Server (names without a dot).
//! Names and defaults: the configuration references of JanusGraph, BerkeleyDB JE and Gremlin Server.

use std::collections::BTreeMap;

use serde_json::json;

use super::{JanusGraph, gremlin, pairs};
use crate::Apply::Restart;
use crate::{Answer, Beside, Call, Cx, Factor, Setting, Settings, Takes};

/// The one of the catalogue that follows from the SKU by more than a template.
pub(super) const CACHE: &str = "storage.berkeleyje.cache-percentage";

/// Only what the configuration file may say at any start (LOCAL and MASKABLE): the rest is kept in the graph.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::int(CACHE, 5, 85, "%", "", Restart, "Share of the heap for the store's cache").takes(Takes::HEAP),
    Setting::choice("storage.berkeleyje.cache-mode", &["DEFAULT", "EVICT_LN", "EVICT_BIN", "UNCHANGED"], "DEFAULT", Restart, "What the store's cache keeps"),
    Setting::choice("storage.berkeleyje.isolation-level", &["READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"], "REPEATABLE_READ", Restart, "Isolation of transactions"),
    Setting::flag("cache.db-cache", "false", Restart, "Cache that all transactions share, besides the store's"),
    Setting::float("cache.db-cache-size", 0.05, 0.4, "0.3", Restart, "Share of the heap for that cache").takes(Takes::HEAP.times(&[Factor::Value("cache.db-cache")])),
    Setting::int("cache.db-cache-time", 0, 86_400_000, "ms", "10000", Restart, "Life of its entries; 0 = for ever").takes(Takes::NOTHING),
    Setting::int("cache.db-cache-clean-wait", 0, 60_000, "ms", "50", Restart, "How long changed entries stay in it").takes(Takes::NOTHING),
    Setting::int("cache.tx-cache-size", 100, 10_000_000, "", "20000", Restart, "Vertices that a transaction keeps").takes(Takes::HEAP_WORK.each(1024)),
    Setting::flag("query.batch.enabled", "true", Restart, "Steps fetch many vertices at once"),
    Setting::flag("query.batch.limited", "true", Restart, "Such batches have a largest size"),
    Setting::int("query.batch.limited-size", 1, 1_000_000, "", "2500", Restart, "Largest batch").takes(Takes::NOTHING),
    Setting::choice("query.batch.has-step-mode", &["all_properties", "required_properties_only", "required_and_next_properties", "required_and_next_properties_or_all", "none"], "required_and_next_properties", Restart, "Properties fetched for has steps"),
    Setting::choice("query.batch.properties-mode", &["all_properties", "required_properties_only", "none"], "required_properties_only", Restart, "Properties fetched for values, valueMap and the like"),
    Setting::choice("query.batch.label-step-mode", &["all", "none"], "all", Restart, "Labels fetched at once"),
    Setting::choice("query.batch.drop-step-mode", &["all", "none"], "all", Restart, "Vertices dropped at once").not_in(&["1.0"]),
    Setting::choice("query.batch.repeat-step-mode", &["closest_repeat_parent", "all_repeat_parents", "starts_only_of_all_repeat_parents"], "all_repeat_parents", Restart, "Batches in repeat steps"),
    Setting::flag("query.fast-property", "true", Restart, "The first property of a vertex fetches all"),
    Setting::flag("query.force-index", "false", Restart, "Refuse traversals that no index serves"),
    Setting::flag("query.smart-limit", "false", Restart, "Guess a limit for large results"),
    Setting::int("query.hard-max-limit", 1, 2_147_483_647, "", "2147483647", Restart, "Limit where a traversal names none"),
    Setting::flag("query.ignore-unknown-index-key", "false", Restart, "Skip unknown keys in queries to the index"),
    Setting::choice("query.index-select-strategy", &["brute-force", "approximate", "threshold-based"], "threshold-based", Restart, "How indexes are chosen"),
    Setting::int("query.index-select-threshold", 1, 1000, "", "10", Restart, "Candidates up to which every choice is tried"),
    Setting::flag("query.optimizer-backend-access", "true", Restart, "The optimizer may ask the store"),
    Setting::choice("schema.default", &["default", "tp3", "none", "ignore-prop"], "default", Restart, "What becomes of labels and keys that were not declared"),
    Setting::flag("schema.logging", "false", Restart, "Say in the log what schema is made by itself"),
    Setting::int("storage.buffer-size", 1, 1_000_000, "", "1024", Restart, "Changes written in one batch").takes(Takes::NOTHING),
    Setting::flag("storage.parallel-backend-ops", "true", Restart, "Ask the store with several threads"),
    Setting::int("storage.read-time", 100, 3_600_000, "ms", "10000", Restart, "How long reading is tried again"),
    Setting::int("storage.write-time", 100, 3_600_000, "ms", "100000", Restart, "How long writing is tried again"),
    Setting::flag("ids.flush", "true", Restart, "Numbers are given when an element is made, not at commit"),
    Setting::int("ids.renew-timeout", 1000, 3_600_000, "ms", "120000", Restart, "How long to wait for a block of numbers"),
    Setting::float("ids.renew-percentage", 0.05, 0.95, "0.3", Restart, "Rest of a block at which the next is taken"),
    Setting::int("index.search.max-result-set-size", 1, 1_000_000, "", "50", Restart, "Results of the index fetched at once").takes(Takes::NOTHING),
    Setting::int("je.lock.timeout", 1, 3_600_000, "ms", "500", Restart, "How long a transaction waits for a lock"),
    Setting::int("je.cleaner.minUtilization", 0, 90, "%", "50", Restart, "Use of the files below which they are rewritten").takes(Takes::NOTHING),
    Setting::int("je.log.fileMax", 1_000_000, 1_073_741_824, "bytes", "10000000", Restart, "Size of a file of the store").takes(Takes::STORAGE_CEILING),
    Setting::int("je.checkpointer.bytesInterval", 1_000_000, 1_073_741_824, "bytes", "20000000", Restart, "Written between two checkpoints").takes(Takes::SPILL),
    Setting::int("je.log.fileCacheSize", 3, 10_000, "", "100", Restart, "Files of the store kept open").takes(Takes::FILES),
    Setting::flag(GROOVY, "false", Restart, "Users may run scripts: each of them can then do what the server and fluxdb can"),
    Setting::int("evaluationTimeout", 100, 86_400_000, "ms", "30000", Restart, "Ends requests that take longer"),
    Setting::int("gremlinPool", 1, 1000, "", "", Restart, "Requests worked on at once").takes(Takes::workers(512)),
    Setting::int("threadPoolWorker", 1, 100, "", "", Restart, "Threads for the network").takes(Takes::workers(512)),
    Setting::int("maxContentLength", 65_536, 1_073_741_824, "bytes", "10485760", Restart, "Largest request").takes(Takes::HEAP_CEILING),
    Setting::int("maxHeaderSize", 1024, 1_048_576, "bytes", "8192", Restart, "Largest headers of a request").takes(Takes::NOTHING),
    Setting::int("maxInitialLineLength", 1024, 1_048_576, "bytes", "4096", Restart, "Longest first line of a request").takes(Takes::NOTHING),
    Setting::int("maxParameters", 1, 1000, "", "16", Restart, "Bound values of a request"),
    Setting::int("maxWorkQueueSize", 1, 1_000_000, "", "8192", Restart, "Requests that may wait").takes(Takes::NOTHING),
    Setting::int("resultIterationBatchSize", 1, 100_000, "", "64", Restart, "Results sent at once").takes(Takes::NOTHING),
    Setting::int("idleConnectionTimeout", 0, 86_400_000, "ms", "0", Restart, "Closes idle connections; 0 = never"),
    Setting::int("keepAliveInterval", 0, 86_400_000, "ms", "0", Restart, "Time between two pings; 0 = none"),
];

/// Ours, for the authorizer: Gremlin Server has no such name.
const GROOVY: &str = "groovy";

/// Whether everybody may run scripts.
pub(super) fn groovy_for_all(cx: &Cx) -> bool {
    cx.settings.get(GROOVY).is_some_and(|v| v == "true")
}

fn is_je(setting: &Setting) -> bool {
    setting.name.starts_with("je.")
}

fn is_graph(setting: &Setting) -> bool {
    setting.name.contains('.') && !is_je(setting)
}

fn chosen<'a>(cx: &'a Cx, setting: &Setting) -> Option<&'a str> {
    cx.settings.get(setting.name).map(String::as_str)
}

/// For both graphs: their stores share one cache.
pub(super) fn cache_percent(cx: &Cx) -> String {
    cx.settings.get(CACHE).map_or(usual_cache_percent(cx), String::as_str).to_owned()
}

fn usual_cache_percent(cx: &Cx) -> &'static str {
    if cx.size.memory_mib < 4096 { "40" } else { "50" }
}

/// Lines of `server.yaml` for what the user has set.
pub(super) fn server_lines(cx: &Cx) -> Vec<String> {
    let ours = CATALOGUE.iter().filter(|s| !s.name.contains('.') && s.name != GROOVY);
    ours.filter_map(|s| Some(format!("{}: {}", s.name, chosen(cx, s)?))).collect()
}

/// Lines of `graph.properties` for all that the version knows.
pub(super) fn graph_lines(cx: &Cx) -> Vec<String> {
    let known = CATALOGUE.iter().filter(|s| is_graph(s) && !s.not_in.contains(&cx.version.id));
    let value =
        |s: &Setting| if s.name == CACHE { cache_percent(cx) } else { chosen(cx, s).unwrap_or(s.default).into() };
    known.map(|s| format!("{}={}", s.name, value(s))).collect()
}

/// Lines of `je.properties` for what the user has set.
pub(super) fn je_lines(cx: &Cx) -> Vec<String> {
    let unit = |s: &Setting| if s.name == "je.lock.timeout" { " ms" } else { "" };
    let ours = CATALOGUE.iter().filter(|s| is_je(s));
    ours.filter_map(|s| Some(format!("{}={}{}", s.name, chosen(cx, s)?, unit(s)))).collect()
}

impl Settings for JanusGraph {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        match setting.name {
            CACHE => usual_cache_percent(cx).to_owned(),
            "gremlinPool" => super::gremlin_pool(&cx.size).to_string(),
            "threadPoolWorker" => super::network_workers(&cx.size).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        vec![Beside::heap(super::heap_mib(cx.size.memory_mib))]
    }

    /// What counts in the open graph and its store. Gremlin Server does not say what it was started with.
    fn read(&self, cx: &Cx) -> Vec<Call> {
        let known = || CATALOGUE.iter().filter(|s| !s.not_in.contains(&cx.version.id));
        let graph: Vec<_> = known().filter(|s| is_graph(s)).map(|s| s.name).collect();
        let store: Vec<_> = known().filter(|s| is_je(s)).map(|s| s.name).collect();
        vec![gremlin(
            "def root = org.janusgraph.graphdb.configuration.GraphDatabaseConfiguration.ROOT_NS\n\
             def store = graph.backend.storeManager.manager.environment.config\n\
             ofGraph.collect { def at = org.janusgraph.diskstorage.configuration.ConfigElement.parse(root, it); \
             def value = graph.configuration.configuration.get(at.element, at.umbrellaElements); \
             it + '=' + (value instanceof java.time.Duration ? value.toMillis() : value) } + \
             ofStore.collect { it + '=' + store.getConfigParam(it) }",
            &json!({ "ofGraph": graph, "ofStore": store }),
        )]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let plain = |value: String| value.strip_suffix(" ms").map_or(value.clone(), str::to_owned);
        answers.iter().flat_map(pairs).map(|(name, value)| (name, plain(value))).collect()
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}
