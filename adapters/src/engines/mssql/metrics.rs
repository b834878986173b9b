//! What SQL Server says about itself: its performance counters.

use super::Mssql;
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Counters by their names (those "/sec" only grow), ours and the units.
const COUNTERS: [(&str, &str, &str); 9] = [
    ("User Connections", "connections", "count"),
    ("Batch Requests/sec", "queries_total", "count"),
    ("Transactions/sec", "transactions_total", "count"),
    ("Number of Deadlocks/sec", "deadlocks_total", "count"),
    ("Lock Waits/sec", "lock_waits_total", "count"),
    ("SQL Compilations/sec", "compilations_total", "count"),
    ("Processes blocked", "sessions_blocked", "count"),
    ("Page life expectancy", "page_life_seconds", "seconds"),
    ("Total Server Memory (KB)", "memory_bytes", "bytes"),
];
const HITS: &str = "Buffer cache hit ratio";
const HITS_BASE: &str = "Buffer cache hit ratio base";

impl Metrics for Mssql {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        let names: Vec<String> =
            COUNTERS.iter().map(|(n, ..)| *n).chain([HITS, HITS_BASE]).map(|n| format!("N'{n}'")).collect();
        vec![
            // Counters of databases and locks are summed up in _Total; the others have no instance.
            Call::sql(format!(
                "SELECT RTRIM(counter_name), CAST(MAX(cntr_value) AS nvarchar(32)) FROM sys.dm_os_performance_counters \
                 WHERE RTRIM(counter_name) IN ({}) AND RTRIM(instance_name) IN (N'', N'_Total') GROUP BY counter_name",
                names.join(", ")
            )),
            Call::sql(
                "SELECT CAST((SELECT SUM(CAST(size AS bigint)) * 8192 FROM sys.master_files) AS nvarchar(32)), \
                 CAST(DATEDIFF(SECOND, sqlserver_start_time, SYSDATETIME()) AS nvarchar(32)), \
                 CAST(@@MAX_CONNECTIONS AS nvarchar(32)) FROM sys.dm_os_sys_info",
            ),
        ]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let Some(counters) = answers.first() else { return Vec::new() };
        let value = |name: &str| -> Option<f64> {
            let row = counters.rows().iter().find(|r| r.first().and_then(Option::as_deref) == Some(name))?;
            row.get(1)?.as_deref()?.parse().ok()
        };
        let mut metrics: Vec<Metric> = COUNTERS
            .iter()
            .filter_map(|(theirs, name, unit)| {
                let factor = if theirs.ends_with("(KB)") { 1024.0 } else { 1.0 };
                Some(Metric { name, unit, value: value(theirs)? * factor })
            })
            .collect();
        if let Some((hits, base)) = value(HITS).zip(value(HITS_BASE)).filter(|(_, base)| *base > 0.0) {
            metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value: hits / base });
        }
        let row = answers.get(1).and_then(|a| a.rows().first()).map(Vec::as_slice).unwrap_or_default();
        let named = [("data_bytes", "bytes"), ("uptime_seconds", "seconds"), ("connections_max", "count")];
        metrics.extend(
            named
                .into_iter()
                .zip(row)
                .filter_map(|((name, unit), text)| Some(Metric { name, unit, value: text.as_deref()?.parse().ok()? })),
        );
        metrics
    }
}
