//! What MariaDB and MySQL say about themselves: counters that the server keeps anyway.

use super::{Flavour, MysqlFamily};
use crate::{Answer, Call, Cx, Metric, Metrics};

/// Counters of `SHOW GLOBAL STATUS` that are one metric each.
const PLAIN: [(&str, &str, &str); 11] = [
    ("Threads_connected", "connections", "count"),
    ("Threads_running", "connections_active", "count"),
    ("Questions", "queries_total", "count"),
    ("Slow_queries", "slow_queries_total", "count"),
    ("Aborted_connects", "connections_refused_total", "count"),
    ("Innodb_row_lock_waits", "lock_waits_total", "count"),
    ("Innodb_deadlocks", "deadlocks_total", "count"),
    ("Created_tmp_disk_tables", "temporary_tables_total", "count"),
    ("Bytes_received", "received_bytes_total", "bytes"),
    ("Bytes_sent", "sent_bytes_total", "bytes"),
    ("Uptime", "uptime_seconds", "seconds"),
];

/// What is counted together. MariaDB has no counters of InnoDB's rows; its handlers do not count temporary tables, as MySQL's do.
const RETURNED: [&str; 1] = ["Innodb_rows_read"];
const WRITTEN: [&str; 3] = ["Innodb_rows_inserted", "Innodb_rows_updated", "Innodb_rows_deleted"];
const RETURNED_MARIADB: [&str; 6] = [
    "Handler_read_first",
    "Handler_read_key",
    "Handler_read_next",
    "Handler_read_prev",
    "Handler_read_rnd",
    "Handler_read_rnd_next",
];
const WRITTEN_MARIADB: [&str; 3] = ["Handler_write", "Handler_update", "Handler_delete"];
const POOL: [&str; 2] = ["Innodb_buffer_pool_read_requests", "Innodb_buffer_pool_reads"];

impl MysqlFamily {
    fn row_counters(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.flavour {
            Flavour::Mysql => (&RETURNED, &WRITTEN),
            Flavour::Mariadb => (&RETURNED_MARIADB, &WRITTEN_MARIADB),
        }
    }
}

impl Metrics for MysqlFamily {
    fn calls(&self, cx: &Cx) -> Vec<Call> {
        let (returned, written) = self.row_counters();
        let names = PLAIN.iter().map(|(name, ..)| name).chain(returned).chain(written).chain(&POOL);
        let names: Vec<String> = names.map(|n| format!("'{n}'")).collect();
        let tablespaces = match self.flavour {
            Flavour::Mysql if cx.version.id != "5.7" => "INNODB_TABLESPACES",
            Flavour::Mysql | Flavour::Mariadb => "INNODB_SYS_TABLESPACES",
        };
        vec![
            Call::sql(format!("SHOW GLOBAL STATUS WHERE Variable_name IN ({})", names.join(", "))),
            Call::sql(format!(
                "SELECT @@GLOBAL.max_connections, (SELECT SUM(FILE_SIZE) FROM information_schema.{tablespaces})"
            )),
        ]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let Some(status) = answers.first() else { return Vec::new() };
        let value = |name: &str| -> Option<f64> {
            let row = status.rows().iter().find(|r| r.first().and_then(Option::as_deref) == Some(name))?;
            row.get(1)?.as_deref()?.parse().ok()
        };
        let mut metrics: Vec<Metric> = PLAIN
            .iter()
            .filter_map(|(theirs, name, unit)| Some(Metric { name, unit, value: value(theirs)? }))
            .collect();
        let mut push = |name, unit, value: Option<f64>| metrics.extend(value.map(|value| Metric { name, unit, value }));
        let (returned, written) = self.row_counters();
        push("rows_returned_total", "count", returned.iter().map(|n| value(n)).sum());
        push("rows_written_total", "count", written.iter().map(|n| value(n)).sum());
        let hit = |requests: f64, reads: f64| if requests > 0.0 { 1.0 - (reads / requests).min(1.0) } else { 1.0 };
        push("cache_hit_ratio", "ratio", value(POOL[0]).zip(value(POOL[1])).map(|(all, disk)| hit(all, disk)));
        let row = answers.get(1).and_then(|a| a.rows().first()).map(Vec::as_slice).unwrap_or_default();
        let column = |i: usize| row.get(i)?.as_deref()?.parse().ok();
        push("connections_max", "count", column(0));
        push("data_bytes", "bytes", column(1));
        metrics
    }
}
