//! What Neo4j Community says about itself: counts from its stores, and what Java says about its memory.

use serde_json::json;

use super::{Neo4j, cypher, text, values};
use crate::{Answer, Call, Cx, Metric, Metrics};

impl Metrics for Neo4j {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        let none = json!({});
        // Without WITH a constant would group, and nothing would be counted as no row. Both counts come from the count store: they read no node.
        vec![
            cypher("neo4j", "MATCH (n) WITH count(n) AS value RETURN 'nodes' AS name, value", &none),
            cypher("neo4j", "MATCH ()-[r]->() WITH count(r) AS value RETURN 'relationships' AS name, value", &none),
            cypher(
                "neo4j",
                "CALL dbms.listConnections() YIELD connectionId RETURN 'connections' AS name, count(*) AS value",
                &none,
            ),
            cypher(
                "neo4j",
                "SHOW TRANSACTIONS YIELD transactionId RETURN 'transactions_running' AS name, count(*) AS value",
                &none,
            ),
            cypher(
                "neo4j",
                "CALL dbms.queryJmx('java.lang:type=Memory') YIELD attributes \
                 UNWIND ['used', 'max'] AS key \
                 RETURN 'heap_' + key + '_bytes' AS name, attributes.HeapMemoryUsage.value.properties[key] AS value",
                &none,
            ),
            cypher(
                "neo4j",
                "CALL dbms.queryJmx('java.lang:type=Runtime') YIELD attributes \
                 RETURN 'uptime_seconds' AS name, attributes.Uptime.value / 1000.0 AS value",
                &none,
            ),
        ]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        const KNOWN: [(&str, &str); 7] = [
            ("nodes", "count"),
            ("relationships", "count"),
            ("connections", "count"),
            ("transactions_running", "count"),
            ("heap_used_bytes", "bytes"),
            ("heap_max_bytes", "bytes"),
            ("uptime_seconds", "seconds"),
        ];
        let rows: Vec<_> = answers.iter().flat_map(values).collect();
        KNOWN
            .iter()
            .filter_map(|(name, unit)| {
                let row = rows.iter().find(|r| r.first().is_some_and(|n| text(n) == *name))?;
                Some(Metric { name, unit, value: row.get(1)?.as_f64()? })
            })
            .collect()
    }
}
