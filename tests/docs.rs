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

/// Every source file, without its tests.
fn sources(dir: &Path, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "fake" && name != "tests" {
            sources(&path, out);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "fake.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            out.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
        }
    }
}

/// The arguments of a call, split at the commas of its own level; `text` begins after the opening parenthesis.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut out = vec![String::new()];
    for c in text.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else {
            match c {
                '"' => quoted = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    out.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        out.last_mut().unwrap().push(c);
    }
    out.iter().map(|a| a.trim().to_owned()).collect()
}

fn calls<'a>(text: &'a str, function: &'a str) -> impl Iterator<Item = Vec<String>> + 'a {
    let whole = |at: &usize| {
        !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_') // not CliError::new
        && !text[..*at].ends_with("io::")
    };
    text.match_indices(function)
        .filter(move |(at, _)| whole(at))
        .map(move |(at, _)| arguments(&text[at + function.len()..]))
}

/// Every code that an error can have: what stands where a function takes `code: &'static str`.
fn error_codes() -> BTreeSet<String> {
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    let mut takers = BTreeSet::from([("Error::new(".to_owned(), 1)]);
    for text in &texts {
        for (at, _) in text.match_indices("\nfn ").chain(text.match_indices(" fn ")) {
            let Some((name, rest)) = text[at + 4..].split_once('(') else { continue };
            let place =
                arguments(rest).into_iter().filter(|a| !a.ends_with("self")).position(|a| a == "code: &'static str");
            if let Some(place) = place
                && name != "new"
            {
                takers.insert((format!("{name}("), place));
            }
        }
    }
    let constant = |name: &str| {
        let declared = format!("const {name}: &str = \"");
        texts.iter().find_map(|t| t.split_once(&declared)).map(|(_, rest)| rest.split('"').next().unwrap().to_owned())
    };
    let mut codes = BTreeSet::new();
    for text in &texts {
        for (function, place) in &takers {
            for given in calls(text, function).filter_map(|mut a| (a.len() > *place).then(|| a.swap_remove(*place))) {
                let literal = given.strip_prefix('"').and_then(|g| g.strip_suffix('"')).map(str::to_owned);
                let upper = given.chars().all(|c| c == '_' || c.is_ascii_uppercase());
                codes.extend(literal.or_else(|| if upper { constant(&given) } else { None }));
            }
        }
    }
    codes
}

#[test]
fn every_error_code_is_explained() {
    let page = read("docs/OPERATIONS.md");
    let explained: BTreeSet<&str> =
        page.lines().filter_map(|l| l.strip_prefix("| `")?.split_once("` |")).map(|(code, _)| code).collect();
    let codes = error_codes();
    assert!(codes.contains("podman_unavailable") && codes.len() > 40, "the scan does not work any more: {codes:?}");
    let missing: Vec<_> = codes.iter().filter(|c| !explained.contains(c.as_str())).collect();
    assert!(missing.is_empty(), "docs/OPERATIONS.md, \"Error codes\", lacks {missing:?}");
}
