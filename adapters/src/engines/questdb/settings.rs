//! Parameters of `server.conf`. All of them count after a restart: those that QuestDB could reload, it reads again from
//! the rendered file, which is made anew at a restart. Names and defaults: `SHOW PARAMETERS` of 9.3.

use std::collections::BTreeMap;

use super::QuestDb;
use crate::Apply::Restart;
use crate::{Answer, Beside, Call, Cx, Engine, Setting, Settings, Takes};

const OLD: &[&str] = &["8.2"];

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::int("pg.net.connection.limit", 4, 10_000, "", "", Restart, "Connections over the PostgreSQL protocol").takes(Takes::clients(256)),
    Setting::int("http.net.connection.limit", 4, 10_000, "", "", Restart, "Connections over HTTP").takes(Takes::clients(1024)),
    Setting::int("query.timeout.sec", 1, 86_400, "s", "60", Restart, "Ends queries that run longer"),
    Setting::int("cairo.max.uncommitted.rows", 1, 1_000_000_000, "", "500000", Restart, "Rows of a table after which a commit is made"),
    Setting::flag("cairo.wal.enabled.default", "true", Restart, "New tables have a write-ahead log"),
    Setting::int("cairo.wal.segment.rollover.row.count", 1, 1_000_000_000, "", "200000", Restart, "Rows of a segment of the write-ahead log").takes(Takes::NOTHING),
    Setting::int("cairo.wal.max.lag.size", 1_048_576, 17_179_869_184, "B", "78643200", Restart, "Rows out of order held in memory for each table").takes(Takes::WORK),
    Setting::int("cairo.wal.apply.table.time.quota", 1, 3_600_000, "ms", "1000", Restart, "Time for one table before the next one's log is applied"),
    Setting::choice("cairo.commit.mode", &["nosync", "async", "sync"], "nosync", Restart, "Whether a commit waits for the disk"),
    Setting::choice("cairo.sql.jit.mode", &["on", "off", "scalar"], "on", Restart, "Compile filters of queries"),
    Setting::flag("cairo.sql.parallel.filter.enabled", "", Restart, "Filters of a query run in parallel"),
    Setting::flag("cairo.sql.parallel.groupby.enabled", "", Restart, "GROUP BY of a query runs in parallel"),
    Setting::flag("cairo.sql.parallel.read.parquet.enabled", "true", Restart, "Parquet files are read in parallel").not_in(OLD),
    Setting::int("cairo.sql.page.frame.max.rows", 1000, 100_000_000, "", "1000000", Restart, "Rows that one worker takes at a time"),
    Setting::int("cairo.sql.copy.buffer.size", 65_536, 1_073_741_824, "B", "2097152", Restart, "Buffer of COPY").takes(Takes::WORK),
    Setting::int("cairo.o3.column.memory.size", 65_536, 1_073_741_824, "B", "", Restart, "Memory for each column written out of order").takes(Takes::WORK.each(32)),
    Setting::int("cairo.writer.data.append.page.size", 65_536, 1_073_741_824, "B", "", Restart, "Part of a column file mapped at once for writing").takes(Takes::SPILL.each(2)),
    Setting::int("cairo.default.symbol.capacity", 1, 10_000_000, "", "256", Restart, "Distinct values that a new symbol column expects"),
    Setting::int("cairo.parallel.index.threshold", 1000, 1_000_000_000, "", "100000", Restart, "Rows above which an index is made in parallel"),
    Setting::flag("cairo.mat.view.enabled", "true", Restart, "Materialized views are kept up to date").not_in(OLD),
    Setting::flag("query.tracing.enabled", "false", Restart, "Times of queries are kept in the table _query_trace").not_in(OLD),
    Setting::flag("http.query.cache.enabled", "true", Restart, "Plans of queries over HTTP are kept"),
    Setting::flag("pg.select.cache.enabled", "true", Restart, "Plans of SELECT over the PostgreSQL protocol are kept"),
    Setting::flag("pg.insert.cache.enabled", "true", Restart, "Plans of INSERT over the PostgreSQL protocol are kept"),
    Setting::int("pg.named.statement.limit", 64, 1_000_000, "", "10000", Restart, "Prepared statements of a connection").not_in(OLD),
    Setting::flag("line.auto.create.new.columns", "true", Restart, "Line protocol may add columns"),
    Setting::flag("line.auto.create.new.tables", "true", Restart, "Line protocol may make tables"),
    Setting::choice("line.default.partition.by", &["NONE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"], "DAY", Restart, "Partitions of tables that line protocol makes"),
    Setting::int("shared.worker.count", 1, 256, "", "", Restart, "Threads that do the work").takes(Takes::workers(1024)),
];

/// Lines of `server.conf` for what the user has set.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let known = |name: &str| CATALOGUE.iter().any(|s| s.name == name);
    cx.settings.iter().filter(|(name, _)| known(name)).map(|(name, value)| format!("{name}={value}")).collect()
}

impl Settings for QuestDb {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        let memory = cx.size.memory_mib;
        match setting.name {
            "pg.net.connection.limit" | "http.net.connection.limit" => self.max_connections(&cx.size).to_string(),
            "cairo.o3.column.memory.size" => super::o3_bytes(memory).to_string(),
            "cairo.writer.data.append.page.size" => super::append_page_bytes(memory).to_string(),
            "shared.worker.count" => super::workers(&cx.size).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        vec![Beside::heap(super::heap_mib(cx.size.memory_mib))]
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT property_path, value FROM (SHOW PARAMETERS)")]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(|a| a.rows());
        rows.filter_map(|row| {
            let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
            let setting = CATALOGUE.iter().find(|s| s.name == name)?;
            Some((setting.name.to_owned(), value.to_owned()))
        })
        .collect()
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}
