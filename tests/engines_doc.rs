//! docs/ENGINES.md is rendered from the registry; `UPDATE_DOCS=1 cargo test --test engines_doc` writes it.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use fluxdb::app::abilities::offered;
use fluxdb::domain::conformance::{self, Outcome, Server};
use fluxdb_adapters::{Engine, Role, Version};

/// What the conformance suite found; nothing else counts.
fn verified(engine: &str, version: &Version) -> String {
    let row = conformance::recorded().iter().find(|r| r.engine == engine && r.version == version.id && r.passed());
    let Some(row) = row else { return "*not yet run against a real server*".into() };
    let passed = row.checks.iter().filter(|c| c.outcome == Outcome::Passed).count();
    let how = match row.server {
        Server::Real => "real server",
        Server::ProtocolOnly => "*protocol only*",
    };
    format!("{how}, {passed} of {} checks, {}", row.checks.len(), row.date)
}

/// What is offered, and how many of something.
fn abilities(engine: &dyn Engine) -> [String; 4] {
    let no = || "-".to_owned();
    [
        engine.databases().map_or_else(no, |_| "yes".into()),
        engine.users().map_or_else(no, |users| {
            let offered: Vec<_> = Role::ALL.iter().filter(|r| users.role(**r).is_ok()).map(|r| r.as_str()).collect();
            if offered.is_empty() { no() } else { offered.join(", ") }
        }),
        engine.settings().map_or_else(no, |s| s.catalogue().len().to_string()),
        engine.metrics().map_or_else(no, |_| "yes".into()),
    ]
}

/// Whether a column tells of something that nobody can ask for.
fn yet(ability: &str) -> &'static str {
    if offered(ability) { "" } else { " (*not offered yet*)" }
}

/// What answers without a password, the versions with the same answers together.
fn open_paths() -> String {
    let mut out = String::from(
        "\n## What answers without a password\n\n\
         Every other path and port refuses (check `no_password`, where *verified*). Engines that are not here answer nobody.\n\n\
         | Engine | Versions | Port | Path | Tells |\n|---|---|---|---|---|\n",
    );
    for engine in fluxdb_adapters::all() {
        let facts = engine.facts();
        let mut seen: Vec<(usize, &str, &str, Vec<&str>)> = Vec::new();
        for version in facts.versions {
            for open in engine.open_paths(version.id) {
                let same =
                    |s: &&mut (usize, &str, &str, Vec<&str>)| (s.0, s.1, s.2) == (open.port, open.path, open.tells);
                match seen.iter_mut().find(same) {
                    Some(row) => row.3.push(version.id),
                    None => seen.push((open.port, open.path, open.tells, vec![version.id])),
                }
            }
        }
        for (port, path, tells, versions) in seen {
            let versions = if versions.len() == facts.versions.len() { "all".into() } else { versions.join(", ") };
            writeln!(out, "| {} | {versions} | {} | `{path}` | {tells} |", facts.title, facts.ports[port].number)
                .unwrap();
        }
    }
    out
}

fn render() -> String {
    let mut out = String::from(
        "# Engines\n\n<!-- Rendered from the adapters by tests/engines_doc.rs; do not edit. -->\n\n\
         *Verified* is what the conformance suite found (`docs/conformance.json`; `fluxdb conformance ENGINE` repeats it on your host, also with\n\
         official images): checks that passed, the others are not offered by the engine. The servers ran in images built here (`images/`), which keep the\n\
         official images' contract; no official image was run, since no registry was reachable. *Protocol only* means that another server\n\
         that speaks the engine's protocol was asked.\n\n\
         | Engine | Version | Official image | End of life | Built here from | Verified |\n|---|---|---|---|---|---|\n",
    );
    for facts in fluxdb_adapters::all().iter().map(|e| e.facts()) {
        for v in facts.versions {
            let default = if v.id == facts.default_version { " (default)" } else { "" };
            let suite = v.local.map_or("-".to_owned(), |l| format!("Debian {}", l.suite));
            let seen = verified(facts.id, v);
            writeln!(
                out,
                "| {} | {}{default} | `{}` | {} | {suite} | {seen} |",
                facts.title, v.id, v.reference, v.end_of_life
            )
            .unwrap();
        }
    }
    writeln!(
        out,
        "\nWhat the adapters can and the suite proves. Columns marked *not offered yet* have no route in the API so far, and `capabilities` says false.\n\n\
         | Engine | Inner databases{} | Roles of inner users{} | Settings{} | Metrics{} |\n|---|---|---|---|---|",
        yet("databases"),
        yet("users"),
        yet("settings"),
        yet("metrics")
    )
    .unwrap();
    for engine in fluxdb_adapters::all() {
        let [databases, roles, settings, metrics] = abilities(*engine);
        writeln!(out, "| {} | {databases} | {roles} | {settings} | {metrics} |", engine.facts().title).unwrap();
    }
    out.push_str("\n| Engine | Runs as | Ports | Volume at | Least memory | Stop | Named databases | Quick create | Connection strings | Licence |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for engine in fluxdb_adapters::all() {
        let f = engine.facts();
        let account = fluxdb_adapters::Account { username: "u".into(), password: fluxdb_adapters::Secret::new("p") };
        let to = fluxdb_adapters::Endpoint { host: "h", port: 1, account: &account, database: Some("d") };
        let formats: Vec<String> = fluxdb_adapters::UriFormat::ALL
            .into_iter()
            .filter(|format| engine.connection_string(*format, &to).is_some())
            .map(|format| serde_json::to_value(format).unwrap().as_str().unwrap().to_owned())
            .collect();
        let yes = |b: bool| if b { "yes" } else { "no" };
        writeln!(
            out,
            "| {} | {}:{} | {} | `{}` | {} MiB | signal {}, {} s | {} | {} | {} | {} |",
            f.title,
            f.user.uid,
            f.user.gid,
            f.ports.iter().map(|p| p.number.to_string()).collect::<Vec<_>>().join(", "),
            f.volume_path,
            f.floor.memory_mib,
            f.stop.signal,
            f.stop.grace_secs,
            yes(f.default_database.is_some()),
            yes(engine.seed().is_some()),
            formats.join(", "),
            f.license
        )
        .unwrap();
    }
    out.push_str(&open_paths());
    out.push_str("\n## What to know before you choose\n\n");
    for facts in fluxdb_adapters::all().iter().map(|e| e.facts()).filter(|f| !f.caveats.is_empty()) {
        writeln!(
            out,
            "- **{}**: {}",
            facts.title,
            facts.caveats.iter().map(|c| format!("{}.", c.trim_end_matches('.'))).collect::<Vec<_>>().join(" ")
        )
        .unwrap();
    }
    out.push_str(
        "\n*Quick create*: an initialised data directory is kept and copied, so that a new server is ready without initialising again.\n\n\
         ## Adding an engine\n\n\
         One file in `adapters/src/engines/` (a table of facts, then short functions), its templates in `config_templates/`, one line in\n\
         `adapters/src/engines/mod.rs`; a recipe in `images/` where distribution packages exist. `cargo test --test contract` holds the promises\n\
         that every engine keeps; `fluxdb conformance` runs its whole life on a real server.\n",
    );
    out
}

#[test]
fn the_table_of_engines_is_what_the_adapters_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ENGINES.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, render()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, render(), "docs/ENGINES.md is stale: UPDATE_DOCS=1 cargo test --test engines_doc");
}
