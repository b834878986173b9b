//! Parameters of H2. Dynamic ones are kept in the database by SET; the others are read when it is opened (`-Dh2.*`).
//! Names and defaults: the manual's "SET" and `org.h2.engine.DbSettings`.

use std::collections::BTreeMap;

use super::{H2, cache_kib, max_memory_rows};
use crate::Apply::{Dynamic, Restart};
use crate::{Answer, Beside, Call, Cx, Kind, Setting, Settings, Takes};

/// Defaults that are empty follow from the SKU. Not here: WRITE_DELAY, which a database forgets when it
/// is opened again; IGNORECASE, whose type the PostgreSQL mode does not know.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::int("CACHE_SIZE", 0, 67_108_864, "KiB", "", Dynamic, "Memory for pages of the database").takes(Takes::HEAP),
    Setting::int("MAX_MEMORY_ROWS", 0, 100_000_000, "", "", Dynamic, "Rows of a result before it goes to disk").takes(Takes::HEAP_WORK.each(1024)),
    Setting::int("DEFAULT_LOCK_TIMEOUT", 0, 86_400_000, "ms", "2000", Dynamic, "How long new sessions wait for a lock"),
    Setting::int("RETENTION_TIME", 0, 86_400_000, "ms", "45000", Dynamic, "How long old parts of the file are kept"),
    Setting::int("MAX_LENGTH_INPLACE_LOB", 0, 1_048_576, "B", "256", Dynamic, "Longest large object kept in its row").takes(Takes::NOTHING),
    Setting::int("TRACE_MAX_FILE_SIZE", 1, 1024, "MiB", "16", Dynamic, "Size at which the trace file begins anew").takes(Takes::STORAGE.each(2)),
    Setting::int("ANALYZE_AUTO", 0, 10_000_000, "", "2000", Restart, "Changed rows after which statistics are renewed; 0 = never"),
    Setting::int("ANALYZE_SAMPLE", 0, 10_000_000, "", "10000", Restart, "Rows read for statistics; 0 = all"),
    Setting::int("AUTO_COMPACT_FILL_RATE", 0, 100, "%", "90", Restart, "Fill rate below which the file is compacted while idle; 0 = never").takes(Takes::NOTHING),
    Setting::flag("CASE_INSENSITIVE_IDENTIFIERS", "false", Restart, "Names do not differ by case, even in quotes"),
    Setting::flag("COMPRESS", "false", Restart, "Compress pages"),
    Setting::flag("DEFRAG_ALWAYS", "false", Restart, "Defragment the file whenever the database is closed"),
    Setting::flag("DROP_RESTRICT", "true", Restart, "DROP refuses what others depend on"),
    Setting::int("LOB_TIMEOUT", 0, 86_400_000, "ms", "300000", Restart, "How long temporary large objects are kept"),
    Setting::int("MAX_COMPACT_TIME", 0, 60_000, "ms", "200", Restart, "Longest time for compacting when the database is closed"),
    Setting::flag("OPTIMIZE_DISTINCT", "true", Restart, "Use an index for DISTINCT"),
    Setting::flag("OPTIMIZE_IN_LIST", "true", Restart, "Use an index for IN with a list"),
    Setting::flag("OPTIMIZE_IN_SELECT", "true", Restart, "Use an index for IN with a query"),
    Setting::flag("OPTIMIZE_OR", "true", Restart, "Turn OR into IN"),
    Setting::int("QUERY_CACHE_SIZE", 0, 10_000, "", "8", Restart, "Prepared statements kept for each session").takes(Takes::NOTHING),
    Setting::flag("RECOMPILE_ALWAYS", "false", Restart, "Plan prepared statements at each execution"),
    Setting::flag("ZERO_BASED_ENUMS", "false", Restart, "Numbers of ENUM values begin with 0"),
];

fn known(name: &str) -> Option<&'static Setting> {
    CATALOGUE.iter().find(|s| s.name == name)
}

fn default(cx: &Cx, setting: &Setting) -> String {
    match setting.name {
        "CACHE_SIZE" => cache_kib(cx.size.memory_mib).to_string(),
        "MAX_MEMORY_ROWS" => max_memory_rows(cx.size.memory_mib).to_string(),
        _ => setting.default.to_owned(),
    }
}

/// Every dynamic setting: the database keeps what was once set, so each start says all of them.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let dynamic = CATALOGUE.iter().filter(|s| s.apply == Dynamic);
    let value = |s: &Setting| cx.settings.get(s.name).cloned().unwrap_or_else(|| default(cx, s));
    dynamic.map(|s| format!("SET {} {};", s.name, value(s))).collect()
}

/// Lines of `java.args` for what the user has set: `ANALYZE_AUTO` is `h2.analyzeAuto`.
pub(super) fn properties(cx: &Cx) -> Vec<String> {
    let set = cx.settings.iter().filter(|(name, _)| known(name).is_some_and(|s| s.apply == Restart));
    set.map(|(name, value)| format!("-Dh2.{}={value}", camel(name))).collect()
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                out.push(c);
                upper = false;
            }
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

impl Settings for H2 {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        default(cx, setting)
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        vec![Beside::heap(super::heap_mib(cx.size.memory_mib))]
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql(
            "SELECT upper(setting_name), setting_value FROM information_schema.settings \
             WHERE setting_name NOT LIKE 'property.%' AND setting_name NOT LIKE 'info.%'",
        )]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(|a| a.rows());
        rows.filter_map(|row| {
            let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
            let setting = known(name)?;
            let value = match setting.kind {
                Kind::Boolean => (value == "1" || value.eq_ignore_ascii_case("true")).to_string(),
                _ => value.to_owned(),
            };
            Some((setting.name.to_owned(), value))
        })
        .collect()
    }

    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        if setting.apply != Dynamic {
            return Vec::new();
        }
        let value = value.map_or_else(|| default(cx, setting), str::to_owned);
        vec![Call::sql(format!("SET {} {value}", setting.name))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_spelled_as_the_server_reads_them() {
        assert_eq!(camel("ANALYZE_AUTO"), "analyzeAuto");
        assert_eq!(camel("COMPRESS"), "compress");
    }
}
