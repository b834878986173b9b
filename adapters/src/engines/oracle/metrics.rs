//! What Oracle says about itself: one line a number, name and value with a tab between.

use super::{Oracle, ROOT, lines, sql};
use crate::{Answer, Call, Cx, Metric, Metrics};

/// The server's statistics, ours and the units.
const NAMES: [(&str, &str, &str); 9] = [
    ("execute count", "queries_total", "count"),
    ("user commits", "transactions_total", "count"),
    ("user rollbacks", "rollbacks_total", "count"),
    ("bytes sent via SQL*Net to client", "sent_bytes_total", "bytes"),
    ("bytes received via SQL*Net from client", "received_bytes_total", "bytes"),
    ("connections", "connections", "count"),
    ("processes", "connections_max", "count"),
    ("data", "data_bytes", "bytes"),
    ("uptime", "uptime_seconds", "seconds"),
];
const CACHE: [&str; 2] = ["session logical reads", "physical reads cache"];

impl Metrics for Oracle {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        let names: Vec<String> = NAMES.iter().map(|(n, ..)| *n).chain(CACHE).map(|n| format!("'{n}'")).collect();
        vec![
            sql(format!(
                "SELECT name || chr(9) || value FROM v$sysstat WHERE name IN ({}) \
                 UNION ALL SELECT 'connections' || chr(9) || count(*) FROM v$session WHERE type = 'USER' \
                 UNION ALL SELECT 'processes' || chr(9) || value FROM v$parameter WHERE name = 'processes' \
                 UNION ALL SELECT 'data' || chr(9) || sum(bytes) FROM v$datafile \
                 UNION ALL SELECT 'uptime' || chr(9) || round((sysdate - startup_time) * 86400) FROM v$instance",
                names.join(", ")
            ))
            .in_database(ROOT),
        ]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let found: Vec<(String, f64)> = lines(answers)
            .filter_map(|line| {
                let (name, value) = line.split_once('\t')?;
                Some((name.to_owned(), value.trim().parse().ok()?))
            })
            .collect();
        let value = |name: &str| found.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        let mut metrics: Vec<Metric> = NAMES
            .iter()
            .filter_map(|(theirs, name, unit)| Some(Metric { name, unit, value: value(theirs)? }))
            .collect();
        if let Some((all, disk)) = value(CACHE[0]).zip(value(CACHE[1])) {
            let ratio = if all > 0.0 { (1.0 - disk / all).max(0.0) } else { 1.0 };
            metrics.push(Metric { name: "cache_hit_ratio", unit: "ratio", value: ratio });
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_numbers() {
        let text = "execute count\t120\nsession logical reads\t100\nphysical reads cache\t25\nconnections\t3\n\n";
        let found = Oracle.parse(&[Answer::Text(text.into())]);
        let of = |name: &str| found.iter().find(|m| m.name == name).map(|m| m.value);
        assert_eq!((of("queries_total"), of("cache_hit_ratio")), (Some(120.0), Some(0.75)));
    }
}
