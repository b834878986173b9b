//! Parameters of CockroachDB that users change: two start flags, and cluster settings, which the cluster itself keeps.
//! Names and defaults: the documentation's "Cluster Settings".

use std::collections::BTreeMap;

use super::Cockroachdb;
use crate::Apply::{Dynamic, Restart};
use crate::quote::pg_literal;
use crate::{Answer, Call, Cx, Engine, Kind, Setting, Settings, Takes};

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    Setting::int("cache", 64, 1_048_576, "MiB", "", Restart, "Memory for the storage engine's cache").takes(Takes::MEMORY),
    Setting::int("max-sql-memory", 64, 1_048_576, "MiB", "", Restart, "Memory for what queries hold while they run").takes(Takes::MEMORY),
    Setting::int("server.max_connections_per_gateway", 10, 100_000, "", "", Dynamic, "Connections at once").takes(Takes::clients(128)),
    Setting::int("server.user_login.timeout", 1, 3600, "s", "10", Dynamic, "Time for logging in"),
    Setting::int("server.user_login.min_password_length", 1, 128, "", "1", Dynamic, "Shortest password that users may choose"),
    Setting::int("server.shutdown.query_wait", 0, 60, "s", "10", Dynamic, "How long a stopping server waits for queries"),
    Setting::int("server.web_session_timeout", 60, 31_536_000, "s", "604800", Dynamic, "How long a login to the console lasts"),
    Setting::int("server.eventlog.ttl", 86_400, 31_536_000, "s", "7776000", Dynamic, "How long events are kept"),
    Setting::flag("server.auth_log.sql_connections.enabled", "false", Dynamic, "Log each connection"),
    Setting::flag("server.auth_log.sql_sessions.enabled", "false", Dynamic, "Log each login"),
    Setting::flag("server.clock.forward_jump_check_enabled", "false", Dynamic, "End the server when the clock jumps forward"),
    Setting::int("sql.distsql.temp_storage.workmem", 1, 65_536, "MiB", "64", Dynamic, "Memory of one operator before it goes to disk").takes(Takes::WORK),
    Setting::int("sql.log.slow_query.latency_threshold", 0, 86_400_000, "ms", "0", Dynamic, "Log statements that run longer; 0 = none"),
    Setting::flag("sql.log.slow_query.internal_queries.enabled", "false", Dynamic, "Log slow statements of the server itself, too"),
    Setting::flag("sql.log.slow_query.experimental_full_table_scans.enabled", "false", Dynamic, "Count full scans as slow"),
    Setting::int("sql.trace.txn.enable_threshold", 0, 86_400_000, "ms", "0", Dynamic, "Trace transactions that run longer; 0 = none"),
    Setting::int("sql.trace.stmt.enable_threshold", 0, 86_400_000, "ms", "0", Dynamic, "Trace statements that run longer; 0 = none"),
    Setting::flag("sql.stats.automatic_collection.enabled", "true", Dynamic, "Keep the planner's statistics up to date"),
    Setting::float("sql.stats.automatic_collection.fraction_stale_rows", 0.0, 1.0, "0.2", Dynamic, "Share of changed rows that renews statistics"),
    Setting::int("sql.stats.automatic_collection.min_stale_rows", 0, 1_000_000_000, "", "500", Dynamic, "Fewest changed rows that renew statistics"),
    Setting::flag("sql.metrics.statement_details.enabled", "true", Dynamic, "Statistics on each statement"),
    Setting::flag("sql.metrics.transaction_details.enabled", "true", Dynamic, "Statistics on each transaction"),
    Setting::int("sql.temp_object_cleaner.cleanup_interval", 60, 86_400, "s", "1800", Dynamic, "How often tables of ended sessions are removed"),
    Setting::flag("kv.rangefeed.enabled", "false", Dynamic, "Serve changefeeds"),
    Setting::flag("timeseries.storage.enabled", "true", Dynamic, "Keep the history that the console shows"),
    Setting::int("jobs.retention_time", 3600, 31_536_000, "s", "1209600", Dynamic, "How long ended jobs are kept"),
    Setting::flag("diagnostics.reporting.enabled", "true", Dynamic, "Telemetry; without it and without a licence key the server slows down"),
];

/// A start flag, not a cluster setting.
fn is_flag(name: &str) -> bool {
    !name.contains('.')
}

fn spelled(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { unit: "", .. } | Kind::Float { .. } | Kind::Boolean => value.to_owned(),
        Kind::Integer { unit, .. } => format!("'{value}{unit}'"), // 5s, 5ms, 64MiB
        Kind::Choice { .. } | Kind::Text { .. } => pg_literal(value),
    }
}

/// Shell variables of the start script for what the user has set.
pub(super) fn lines(cx: &Cx) -> Vec<String> {
    let variable = |(name, value): (&String, &String)| match name.as_str() {
        "cache" => Some(format!("cache={value}MiB")),
        "max-sql-memory" => Some(format!("sql_memory={value}MiB")),
        _ => None,
    };
    cx.settings.iter().filter_map(variable).collect()
}

/// Sets in the cluster what the user has set at creation.
pub(super) fn stored(cx: &Cx) -> Vec<Call> {
    let set = |(name, value): (&String, &String)| {
        let setting = CATALOGUE.iter().find(|s| s.name == name && !is_flag(name))?;
        Some(Call::sql(format!("SET CLUSTER SETTING {name} = {}", spelled(setting, value))))
    };
    cx.settings.iter().filter_map(set).collect()
}

/// Connections that count: the user's or the SKU's.
pub(super) fn connections(engine: &Cockroachdb, cx: &Cx) -> String {
    let set = cx.settings.get("server.max_connections_per_gateway").cloned();
    set.unwrap_or_else(|| engine.max_connections(&cx.size).to_string())
}

/// Milliseconds in a duration as Go writes it: `1h0m0s`, `500ms`, `1.5s`.
fn milliseconds(text: &str) -> Option<f64> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(&rest[digits..], |end| &rest[digits..digits + end]);
        total += number
            * match unit {
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1000.0,
                "ms" => 1.0,
                _ => return None,
            };
        rest = &rest[digits + unit.len()..];
    }
    Some(total)
}

/// MiB in a size as the server writes it: `64 MiB`, `1.0 GiB`.
fn mebibytes(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let factor = match unit {
        "B" => 1.0 / 1_048_576.0,
        "KiB" => 1.0 / 1024.0,
        "MiB" => 1.0,
        "GiB" => 1024.0,
        "TiB" => 1_048_576.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

fn shown(setting: &Setting, value: &str) -> String {
    let whole = |n: Option<f64>| n.map_or_else(|| value.to_owned(), |n| n.trunc().to_string());
    match setting.kind {
        Kind::Integer { unit: "s", .. } => whole(milliseconds(value).map(|n| n / 1000.0)),
        Kind::Integer { unit: "ms", .. } => whole(milliseconds(value)),
        Kind::Integer { unit: "MiB", .. } => whole(mebibytes(value)),
        Kind::Boolean => (value == "true" || value == "t").to_string(),
        _ => value.to_owned(),
    }
}

impl Settings for Cockroachdb {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        match setting.name {
            "server.max_connections_per_gateway" => self.max_connections(&cx.size).to_string(),
            name if is_flag(name) => (cx.size.memory_mib / 4).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        let names: Vec<String> = CATALOGUE.iter().filter(|s| !is_flag(s.name)).map(|s| pg_literal(s.name)).collect();
        vec![Call::sql(format!(
            "SELECT variable, value FROM [SHOW CLUSTER SETTINGS] WHERE variable IN ({})",
            names.join(", ")
        ))]
    }

    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(|a| a.rows());
        let mut values: BTreeMap<String, String> = rows
            .filter_map(|row| {
                let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
                let setting = CATALOGUE.iter().find(|s| s.name == name)?;
                Some((name.to_owned(), shown(setting, value)))
            })
            .collect();
        // The server does not say its flags; they are what the script gave it.
        for flag in CATALOGUE.iter().filter(|s| is_flag(s.name)) {
            let value = cx.settings.get(flag.name).cloned().unwrap_or_else(|| (cx.size.memory_mib / 4).to_string());
            values.insert(flag.name.to_owned(), value);
        }
        values
    }

    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        if is_flag(setting.name) {
            return Vec::new();
        }
        let text = match value {
            Some(value) => format!("SET CLUSTER SETTING {} = {}", setting.name, spelled(setting, value)),
            None if setting.name == "server.max_connections_per_gateway" => {
                format!("SET CLUSTER SETTING {} = {}", setting.name, self.max_connections(&cx.size))
            }
            None => format!("RESET CLUSTER SETTING {}", setting.name),
        };
        vec![Call::sql(text)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read() {
        assert_eq!(milliseconds("1h0m0s"), Some(3_600_000.0));
        assert_eq!(milliseconds("500ms"), Some(500.0));
        assert_eq!(milliseconds("0s"), Some(0.0));
        assert_eq!(mebibytes("64 MiB"), Some(64.0));
        assert_eq!(mebibytes("1.0 GiB"), Some(1024.0));
    }
}
