//! Parameters of DuckDB. All count after a restart: the server locks the configuration, so that no statement lifts a limit.

use std::collections::BTreeMap;

use super::Duckdb;
use crate::Apply::Restart;
use crate::quote::pg_literal;
use crate::{Answer, Call, Cx, Kind, Setting, Settings, Size, Takes};

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::int("memory_limit", 64, 1_048_576, "MiB", "", Restart, "Memory of each database before it goes to disk").takes(Takes::MEMORY),
    Setting::int("threads", 1, 256, "", "", Restart, "Threads that queries share").takes(Takes::workers(1024)),
    Setting::int("max_temp_directory_size", 0, 1_073_741_824, "MiB", "", Restart, "Temporary files of each database").takes(Takes::SPILL),
    Setting::int("checkpoint_threshold", 1, 65_536, "MiB", "16", Restart, "Log from which it is written to the database's file").takes(Takes::STORAGE),
    Setting::flag("preserve_insertion_order", "true", Restart, "Rows without ORDER BY come as they were written; false saves memory"),
    Setting::choice("default_order", &["ASCENDING", "DESCENDING"], "ASCENDING", Restart, "Order when ORDER BY does not say"),
    Setting::choice("default_null_order", &["NULLS_LAST", "NULLS_FIRST"], "NULLS_LAST", Restart, "Place of NULL when ORDER BY does not say"),
    Setting::flag("immediate_transaction_mode", "false", Restart, "Transactions begin at BEGIN and not at their first statement"),
    Setting::flag("ieee_floating_point_ops", "true", Restart, "Division by zero is infinite or not a number, and not NULL"),
    Setting::flag("integer_division", "false", Restart, "/ of whole numbers is a whole number, as in PostgreSQL"),
    Setting::flag("order_by_non_integer_literal", "false", Restart, "ORDER BY takes constants"),
    Setting::flag("scalar_subquery_error_on_multiple_rows", "true", Restart, "A subquery in place of a value must have one row"),
    Setting::flag("disable_timestamptz_casts", "false", Restart, "Times without a zone never become times with one"),
    Setting::int("index_scan_max_count", 0, 1_000_000_000, "", "2048", Restart, "Rows up to which an index is used"),
    Setting::int("max_expression_depth", 10, 100_000, "", "1000", Restart, "Deepest nesting of an expression"),
    Setting::int("perfect_ht_threshold", 0, 32, "", "12", Restart, "Bits of a key up to which GROUP BY uses a table without hashing"),
    Setting::int("nested_loop_join_threshold", 0, 1_000_000, "", "5", Restart, "Rows up to which a join tries all pairs"),
    Setting::int("merge_join_threshold", 0, 1_000_000_000, "", "1000", Restart, "Rows from which a join on a range sorts first"),
    Setting::flag("prefer_range_joins", "false", Restart, "Joins with equal keys and a range use the range"),
    Setting::int("pivot_limit", 1, 10_000_000, "", "100000", Restart, "Columns that PIVOT may make"),
    Setting::int("late_materialization_max_rows", 0, 10_000_000, "", "50", Restart, "LIMIT up to which other columns are read last"),
    Setting::int("ordered_aggregate_threshold", 1, 1_000_000_000, "", "262144", Restart, "Rows that an ordered aggregate gathers before it sorts"),
    Setting::flag("temp_file_encryption", "false", Restart, "Encrypt temporary files"),
    Setting::flag("allocator_background_threads", "false", Restart, "Give memory back in the background"),
];

/// The rest is for Python, for what clients are sent, and for what DuckDB does not count.
pub(super) fn memory_limit_mib(size: &Size) -> u32 {
    size.memory_mib / 100 * 65
}

pub(super) fn lines(cx: &Cx) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = [
        ("memory_limit", format!("{}MiB", memory_limit_mib(&cx.size))),
        ("threads", cx.size.vcpu.to_string()),
        ("max_temp_directory_size", format!("{}MiB", cx.size.storage_gib * 1024 / 2)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in &cx.settings {
        if let Some(setting) = CATALOGUE.iter().find(|s| s.name == name) {
            let mib = matches!(setting.kind, Kind::Integer { unit: "MiB", .. });
            all.insert(name.clone(), if mib { format!("{value}MiB") } else { value.clone() });
        }
    }
    all.into_iter().collect()
}

/// An amount as the server writes it: one digit after the point, cut off.
pub(super) fn shown_as(mib: u32) -> String {
    match mib {
        0..1024 => format!("{mib}.0 MiB"),
        _ => format!("{}.{} GiB", mib / 1024, mib % 1024 * 10 / 1024),
    }
}

/// `512.0 MiB`, `1.2 GiB`, `0 bytes`: rounded by the server, so large amounts are not exact.
fn mib(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ')?;
    let number = number.parse::<f64>().ok()?;
    let factor = match unit {
        "bytes" => 1.0 / 1_048_576.0,
        "KiB" => 1.0 / 1024.0,
        "MiB" => 1.0,
        "GiB" => 1024.0,
        "TiB" => 1_048_576.0,
        _ => return None,
    };
    // Amounts are below 2^52.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some((number * factor).round() as u64)
}

impl Settings for Duckdb {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        match setting.name {
            "memory_limit" => memory_limit_mib(&cx.size).to_string(),
            "threads" => cx.size.vcpu.to_string(),
            "max_temp_directory_size" => (cx.size.storage_gib * 1024 / 2).to_string(),
            _ => setting.default.to_owned(),
        }
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        let names: Vec<String> = CATALOGUE.iter().map(|s| pg_literal(s.name)).collect();
        vec![Call::sql(format!("SELECT name, value FROM duckdb_settings() WHERE name IN ({})", names.join(", ")))]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let rows = answers.iter().flat_map(Answer::rows);
        rows.filter_map(|row| {
            let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
            let setting = CATALOGUE.iter().find(|s| s.name == name)?;
            let value = match setting.kind {
                Kind::Integer { unit: "MiB", .. } => mib(value).map_or_else(|| value.to_owned(), |n| n.to_string()),
                _ => match value {
                    "ASC" => "ASCENDING".into(),
                    "DESC" => "DESCENDING".into(),
                    other => other.to_owned(),
                },
            };
            Some((name.to_owned(), value))
        })
        .collect()
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}
