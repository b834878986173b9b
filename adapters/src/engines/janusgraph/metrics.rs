//! What JanusGraph says about itself: Gremlin Server's registry, the store's counters, and Java's memory.

use std::collections::BTreeMap;

use serde_json::json;

use super::{JanusGraph, gremlin, pairs};
use crate::{Answer, Call, Cx, Metric, Metrics};

/// The server's registry is reached by handles: Groovy cannot look at the class that holds it, one of whose fields has a
/// type that is not among the jars.
const SCRIPT: &str = "\
def lookup = java.lang.invoke.MethodHandles.publicLookup()
def type = Class.forName('org.apache.tinkerpop.gremlin.server.util.MetricManager')
def kind = java.lang.invoke.MethodType.methodType(com.codahale.metrics.MetricRegistry)
def registry = java.lang.invoke.MethodHandles.filterReturnValue(\
lookup.findStaticGetter(type, 'INSTANCE', type), lookup.findVirtual(type, 'getRegistry', kind)).invokeWithArguments().metrics
def server = { name -> def m = registry['org.apache.tinkerpop.gremlin.server.GremlinServer.' + name]; m == null ? 0 : \
m instanceof com.codahale.metrics.Gauge ? m.value : m.count }
def store = graph.backend.storeManager.manager.environment.getStats(null)
def java_ = java.lang.management.ManagementFactory
def heap = java_.memoryMXBean.heapMemoryUsage
[sessions: server('sessions'), queries_total: server('op.eval') + server('op.traversal'), \
errors_total: server('errors'), \
transactions_running: graph.openTransactions.size(), heap_used_bytes: heap.used, heap_max_bytes: heap.max, \
threads: java_.threadMXBean.threadCount, uptime_seconds: java_.runtimeMXBean.uptime / 1000.0, \
data_bytes: store.totalLogSize, cache_bytes: store.cacheTotalBytes, \
cache_reads_total: store.NLNsFetch + store.NBINsFetch, cache_misses_total: store.NLNsFetchMiss + store.NBINsFetchMiss, \
fsyncs_total: store.NLogFSyncs, disk_reads_total: store.NRandomReads + store.NSequentialReads]\
.collect { name, value -> name + '=' + value }";

const KNOWN: [(&str, &str); 14] = [
    ("sessions", "count"),
    ("queries_total", "count"),
    ("errors_total", "count"),
    ("transactions_running", "count"),
    ("heap_used_bytes", "bytes"),
    ("heap_max_bytes", "bytes"),
    ("threads", "count"),
    ("uptime_seconds", "seconds"),
    ("data_bytes", "bytes"),
    ("cache_bytes", "bytes"),
    ("cache_reads_total", "count"),
    ("cache_misses_total", "count"),
    ("fsyncs_total", "count"),
    ("disk_reads_total", "count"),
];

impl Metrics for JanusGraph {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![gremlin(SCRIPT, &json!({}))]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let said: BTreeMap<String, String> = answers.iter().flat_map(pairs).collect();
        let value = |name: &str| said.get(name)?.parse::<f64>().ok();
        let mut metrics: Vec<Metric> =
            KNOWN.iter().filter_map(|(name, unit)| Some(Metric { name, unit, value: value(name)? })).collect();
        if let (Some(reads), Some(misses)) = (value("cache_reads_total"), value("cache_misses_total"))
            && reads > 0.0
        {
            metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value: (reads - misses) / reads });
        }
        metrics
    }
}
