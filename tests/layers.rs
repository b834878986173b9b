//! Who may import whom, read from the `use` lines: `http, cli, workers -> app -> ops -> store, runtime, wire -> domain`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer with the modules of ours that it must not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("domain", &["api", "app", "ops", "store", "runtime", "wire", "http", "cli", "workers", "vault", "daemon"]),
    ("store", &["app", "ops", "runtime", "wire", "http", "cli", "workers", "vault", "daemon"]),
    ("runtime", &["app", "ops", "store", "wire", "http", "cli", "workers", "vault", "daemon"]),
    ("wire", &["app", "ops", "store", "http", "cli", "workers", "vault", "daemon"]),
    ("vault", &["app", "ops", "runtime", "wire", "http", "cli", "workers", "daemon"]),
    ("ops", &["app", "http", "cli", "workers", "daemon"]),
    ("app", &["http", "cli", "workers", "daemon"]),
    ("workers", &["http", "cli", "daemon"]),
    ("http", &["cli", "workers", "daemon", "store", "runtime", "wire"]),
];

/// Crates that one layer alone may use.
const ONLY: &[(&str, &str)] = &[
    ("axum", "http"),
    ("rusqlite", "store"),
    ("podman_api", "runtime/podman"),
    ("tokio_postgres", "wire"),
    ("mysql_async", "wire"),
    ("redis", "wire"),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Path below `src` and the code of every file, comments and tests left out.
fn code() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code: Vec<&str> = text
            .lines()
            .take_while(|l| l.trim() != "#[cfg(test)]")
            .filter(|l| !l.trim_start().starts_with("//"))
            .collect();
        (path.strip_prefix(&src).unwrap().display().to_string(), code.join("\n"))
    };
    files
        .into_iter()
        .map(read)
        .filter(|(path, _)| !path.ends_with("tests.rs") && !path.ends_with("testing.rs"))
        .collect()
}

#[test]
fn arrows_never_go_back() {
    let mut wrong = Vec::new();
    for (path, code) in code() {
        for (layer, forbidden) in FORBIDDEN {
            if path.starts_with(&format!("{layer}/")) || path == format!("{layer}.rs") {
                // The in-memory server behind the fake wire is part of the fake runtime.
                let known = path == "wire/fake.rs" || path.starts_with("runtime/fake");
                for other in forbidden.iter().filter(|_| !known) {
                    if code.contains(&format!("crate::{other}::")) || code.contains(&format!("crate::{other};")) {
                        wrong.push(format!("{path} names crate::{other}"));
                    }
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn each_client_crate_has_one_home() {
    let mut wrong = Vec::new();
    for (path, code) in code() {
        for (name, home) in ONLY {
            if !path.starts_with(home) && code.contains(&format!("{name}::")) {
                wrong.push(format!("{path} uses {name}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
