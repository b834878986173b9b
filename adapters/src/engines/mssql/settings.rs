//! Parameters of SQL Server that users change: options of `sp_configure` that count at once, and a few of `mssql.conf`.

use std::collections::BTreeMap;

use super::{Mssql, literal};
use crate::Apply::{Dynamic, Restart};
use crate::{Answer, Call, Cx, Kind, Setting, Settings, Size, Takes};

/// Defaults that are empty follow from the SKU. Names with a dot are sections and keys of `mssql.conf`.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    Setting::int("max server memory (MB)", 512, 1_048_576, "MiB", "", Dynamic, "Memory for caches; Express uses 1410 MiB for pages at most").takes(Takes::CEILING),
    Setting::int("min server memory (MB)", 0, 1_048_576, "MiB", "0", Dynamic, "Memory that is not given back once it was used").takes(Takes::CEILING),
    Setting::int("max degree of parallelism", 0, 64, "", "", Dynamic, "Processors for one query; 0 = all"),
    Setting::int("cost threshold for parallelism", 0, 32_767, "", "5", Dynamic, "Estimated cost from which a query may be parallel"),
    Setting::flag("optimize for ad hoc workloads", "false", Dynamic, "Keep only a stub of plans that were used once"),
    Setting::int("query wait (s)", -1, 2_147_483_647, "s", "-1", Dynamic, "How long a query waits for memory; -1 = 25 times its cost"),
    Setting::int("query governor cost limit", 0, 2_147_483_647, "", "0", Dynamic, "Refuse queries estimated to run for more seconds; 0 = none"),
    Setting::int("min memory per query (KB)", 512, 2_147_483_647, "KiB", "1024", Dynamic, "Least memory that a query gets").takes(Takes::CEILING),
    Setting::int("index create memory (KB)", 0, 2_147_483_647, "KiB", "0", Dynamic, "Memory for making an index; 0 = by itself").takes(Takes::CEILING),
    Setting::int("recovery interval (min)", 0, 32_767, "min", "0", Dynamic, "How long recovery may take; 0 = about one"),
    Setting::int("blocked process threshold (s)", 0, 86_400, "s", "0", Dynamic, "Report waits for locks that last longer; 0 = none"),
    Setting::int("network packet size (B)", 512, 32_767, "B", "4096", Dynamic, "Size of packets when the client does not say").takes(Takes::NOTHING),
    Setting::int("max text repl size (B)", -1, 2_147_483_647, "B", "65536", Dynamic, "Longest text or image that is captured or replicated").takes(Takes::NOTHING),
    Setting::int("two digit year cutoff", 1753, 9999, "", "2049", Dynamic, "Last year that two digits mean"),
    Setting::int("cursor threshold", -1, 2_147_483_647, "", "-1", Dynamic, "Rows from which cursors are filled in the background; -1 = never"),
    Setting::int("default full-text language", 0, 2_147_483_647, "", "1033", Dynamic, "Language of full-text indexes that do not say"),
    Setting::flag("nested triggers", "true", Dynamic, "Triggers may start triggers"),
    Setting::flag("server trigger recursion", "true", Dynamic, "Server triggers may start themselves"),
    Setting::flag("disallow results from triggers", "false", Dynamic, "Triggers cannot return rows"),
    Setting::flag("transform noise words", "false", Dynamic, "Full-text queries pass over noise words"),
    Setting::flag("backup checksum default", "false", Dynamic, "Backups have checksums when they do not say"),
    Setting::flag("contained database authentication", "false", Dynamic, "Databases may have logins of their own, which fluxdb does not see"),
    Setting::int("memory.memorylimitmb", 2000, 1_048_576, "MiB", "", Restart, "Memory of the whole process").takes(Takes::CEILING),
    Setting::flag("network.forceencryption", "false", Restart, "Refuse connections without encryption"),
    Setting::int("errorlog.numerrorlogs", 6, 99, "", "6", Restart, "Old error logs that are kept"),
];

/// What the whole process may use.
pub(super) fn memory_limit(size: &Size) -> u32 {
    (size.memory_mib * 85 / 100).max(2000)
}

fn in_file(name: &str) -> bool {
    name.contains('.')
}

/// What a setting is worth now: the user's value, the SKU's, or the default.
pub(super) fn value(cx: &Cx, name: &str) -> Option<String> {
    let default = || Some(CATALOGUE.iter().find(|s| s.name == name)?.default.to_owned());
    cx.settings.get(name).cloned().or_else(|| by_size(cx, name)).or_else(default)
}

fn by_size(cx: &Cx, name: &str) -> Option<String> {
    let limit = memory_limit(&cx.size);
    match name {
        "max server memory (MB)" => Some((limit - 512).to_string()),
        "max degree of parallelism" => Some(cx.size.vcpu.min(8).to_string()),
        "memory.memorylimitmb" => Some(limit.to_string()),
        _ => None,
    }
}

fn configure(name: &str, value: &str) -> Call {
    let value = match value {
        "true" => "1",
        "false" => "0",
        other => other,
    };
    Call::sql(format!("EXEC sp_configure {}, {value}; RECONFIGURE", literal(name)))
}

/// Brings the server to what the SKU and the user say.
pub(super) fn stored(cx: &Cx) -> Vec<Call> {
    let mut calls = vec![configure("show advanced options", "1")];
    let said = |s: &&Setting| !in_file(s.name) && (s.default.is_empty() || cx.settings.contains_key(s.name));
    calls.extend(CATALOGUE.iter().filter(said).filter_map(|s| Some(configure(s.name, &value(cx, s.name)?))));
    calls
}

impl Settings for Mssql {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        by_size(cx, setting.name).unwrap_or_else(|| setting.default.to_owned())
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        let names: Vec<String> = CATALOGUE.iter().filter(|s| !in_file(s.name)).map(|s| literal(s.name)).collect();
        vec![Call::sql(format!(
            "SELECT name, CAST(value_in_use AS nvarchar(32)) FROM sys.configurations WHERE name IN ({})",
            names.join(", ")
        ))]
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(|a| a.rows());
        let mut values: BTreeMap<String, String> = rows
            .filter_map(|row| {
                let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
                let setting = CATALOGUE.iter().find(|s| s.name == name)?;
                let shown = if setting.kind == Kind::Boolean { (value == "1").to_string() } else { value.to_owned() };
                Some((name.to_owned(), shown))
            })
            .collect();
        // The server does not say what stands in its file.
        for setting in CATALOGUE.iter().filter(|s| in_file(s.name)) {
            values.extend(value(cx, setting.name).map(|v| (setting.name.to_owned(), v)));
        }
        values
    }

    fn change(&self, cx: &Cx, setting: &Setting, to: Option<&str>) -> Vec<Call> {
        if in_file(setting.name) {
            return Vec::new();
        }
        let to = to.map(str::to_owned).or_else(|| value(cx, setting.name));
        to.map(|to| configure(setting.name, &to)).into_iter().collect()
    }
}
