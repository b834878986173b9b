//! Documentation that cannot go stale: settings, sample configuration, error codes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;

use fluxdb::config::{Config, keys};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_sample_configuration_says_the_defaults() {
    let sample: Config = toml::from_str(&read("packaging/config.toml")).unwrap();
    assert_eq!(sample, Config::default());
}

#[test]
fn the_sample_configuration_names_every_key() {
    let is_setting = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.starts_with('[')
            || (line.contains(" = ") && !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_lowercase()))
    };
    let text: String = read("packaging/config.toml")
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line).to_owned() + "\n")
        .collect();
    let table: toml::Table = toml::from_str(&text).unwrap();
    for key in keys::all() {
        let mut parts = key.path.split('.');
        let first = table.get(parts.next().unwrap());
        let found = parts.fold(first, |value, part| value.and_then(|v| v.get(part)));
        assert!(found.is_some(), "packaging/config.toml does not name {}", key.path);
    }
    toml::from_str::<Config>(&text).unwrap(); // and names nothing else
}

#[test]
fn the_table_of_settings_is_complete_and_right() {
    let page = read("docs/CONFIGURATION.md");
    let defaults = keys::defaults();
    let mut expected = BTreeSet::new();
    for key in keys::all() {
        let default = match defaults.get(&key.path) {
            _ if key.path == "data.dir" => "see below".to_owned(),
            Some(value) => format!("`{value}`"),
            None => "none".to_owned(),
        };
        expected.insert(format!("| `{}` | `{}` | {default} |", key.path, key.env));
    }
    for row in &expected {
        assert!(page.contains(row.as_str()), "docs/CONFIGURATION.md lacks a row that begins with\n{row}");
    }
    for line in page.lines().filter(|l| l.starts_with("| `") && l.contains("` | `FLUXDB_")) {
        assert!(expected.iter().any(|row| line.starts_with(row.as_str())), "no such setting (any more): {line}");
    }
}
