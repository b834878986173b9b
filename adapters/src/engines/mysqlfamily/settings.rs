//! Reading, writing and changing what the catalogues of MariaDB and MySQL name.

use std::collections::BTreeMap;

use super::{Flavour, MysqlFamily};
use crate::quote::mysql_literal;
use crate::{Answer, Beside, Call, Cx, Kind, Setting, Settings};

/// Bytes in the catalogue's unit; 1 for what is no amount of memory.
fn unit_size(setting: &Setting) -> i64 {
    match setting.kind {
        Kind::Integer { unit: "KiB", .. } => 1024,
        Kind::Integer { unit: "MiB", .. } => 1024 * 1024,
        _ => 1,
    }
}

/// MariaDB's limit of a statement is set for each session as it begins: as a global one it also ends the statements of the
/// server's own first start. Not for root, who is let off `init_connect`.
const STATEMENT_TIME: &str = "max_statement_time";
const AT_LOGIN: &str = "SET SESSION max_statement_time = ";

/// Lines of the option file for what the user has set.
pub(super) fn lines(catalogue: &[Setting], cx: &Cx) -> Vec<String> {
    let known = |name: &str| catalogue.iter().find(|s| s.name == name);
    let line = |(name, value): (&String, &String)| {
        let setting = known(name)?;
        if name == STATEMENT_TIME {
            return Some(format!("init_connect = '{AT_LOGIN}{value}'"));
        }
        // The one variable whose option has another name.
        let option = if name == "time_zone" { "default_time_zone" } else { name };
        let value = match setting.kind {
            Kind::Integer { unit: "KiB", .. } => format!("{value}K"),
            Kind::Integer { unit: "MiB", .. } => format!("{value}M"),
            Kind::Integer { .. } | Kind::Float { .. } => value.clone(),
            Kind::Boolean => on_off(value).to_owned(),
            Kind::Choice { .. } | Kind::Text { .. } => format!("'{value}'"), // has no quotes
        };
        Some(format!("{option} = {value}"))
    };
    cx.settings.iter().filter_map(line).collect()
}

fn on_off(value: &str) -> &'static str {
    if value == "true" { "ON" } else { "OFF" }
}

/// The value as `SET GLOBAL` takes it.
fn spelled(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { .. } => (value.parse::<i64>().unwrap_or_default() * unit_size(setting)).to_string(),
        Kind::Float { .. } => value.to_owned(),
        Kind::Boolean => on_off(value).to_owned(),
        Kind::Choice { .. } if value.parse::<i64>().is_ok() => value.to_owned(),
        Kind::Choice { .. } | Kind::Text { .. } => mysql_literal(value),
    }
}

/// The server's value in the catalogue's unit and words.
fn shown(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Integer { .. } => {
            value.parse::<i64>().map_or_else(|_| value.to_owned(), |n| (n / unit_size(setting)).to_string())
        }
        Kind::Float { .. } => value.parse::<f64>().map_or_else(|_| value.to_owned(), |n| n.to_string()),
        Kind::Boolean => (value == "ON" || value == "1").to_string(),
        Kind::Choice { .. } | Kind::Text { .. } => value.to_owned(),
    }
}

impl Settings for MysqlFamily {
    fn catalogue(&self) -> &'static [Setting] {
        self.catalogue
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        self.sku_value(cx, setting.name).unwrap_or_else(|| setting.default.to_owned())
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        // Without its caches: MySQL's dictionary and threads take far more than MariaDB's.
        let mib = if self.flavour == Flavour::Mysql { 200 } else { 64 };
        let mut all = vec![Beside::memory("the server itself", mib)];
        let logs = self.unnamed_logs_mib(cx);
        all.extend((logs > 0).then(|| Beside::storage("the redo log", logs)));
        all
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        let names = self.catalogue.iter().map(|s| if s.name == STATEMENT_TIME { "init_connect" } else { s.name });
        let names: Vec<String> = names.map(mysql_literal).collect();
        vec![Call::sql(format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(", ")))]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(|a| a.rows());
        rows.filter_map(|row| {
            let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
            if name == "init_connect" {
                let seconds = value.strip_prefix(AT_LOGIN).unwrap_or("0");
                return Some((STATEMENT_TIME.to_owned(), seconds.to_owned()));
            }
            let setting = self.catalogue.iter().find(|s| s.name == name)?;
            Some((name.to_owned(), shown(setting, value)))
        })
        .collect()
    }

    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        // `= DEFAULT` would be the compiled-in value, not the SKU's.
        let value = match value {
            Some(value) => spelled(setting, value),
            None => spelled(setting, &self.usual(cx, setting)),
        };
        if setting.name == STATEMENT_TIME {
            return vec![Call::sql(format!("SET GLOBAL init_connect = '{AT_LOGIN}{value}'"))];
        }
        vec![Call::sql(format!("SET GLOBAL {} = {value}", setting.name))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Apply::Dynamic;

    #[test]
    fn units_are_converted_both_ways() {
        let size = Setting::int("sort_buffer_size", 1, 100, "KiB", "2", Dynamic, "");
        assert_eq!(spelled(&size, "2"), "2048");
        assert_eq!(shown(&size, "2048"), "2");
        let flag = Setting::flag("slow_query_log", "false", Dynamic, "");
        assert_eq!(spelled(&flag, "true"), "ON");
        assert_eq!(shown(&flag, "OFF"), "false");
        let float = Setting::float("long_query_time", 0.0, 10.0, "10", Dynamic, "");
        assert_eq!(shown(&float, "10.000000"), "10");
        let choice = Setting::choice("innodb_flush_log_at_trx_commit", &["0", "1"], "1", Dynamic, "");
        assert_eq!(spelled(&choice, "0"), "0");
    }
}
