//! docs/ENGINES.md is rendered from the registry; `UPDATE_DOCS=1 cargo test --test engines_doc` writes it.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

/// Engine versions that the tests run on a real server (tests/podman, images/test.sh): what images/ can build.
fn verified(local: bool) -> &'static str {
    if local { "real server" } else { "not yet run against a real server" }
}

fn render() -> String {
    let mut out = String::from(
        "# Engines\n\n<!-- Rendered from the adapters by tests/engines_doc.rs; do not edit. -->\n\n\
         *Verified* says what the tests of this repository run on a real server in rootless or rootful Podman: images built from\n\
         distribution packages (`images/`), which keep the official images' contract. The official images themselves were not run.\n\n\
         | Engine | Version | Official image | End of life | Built here from | Verified |\n|---|---|---|---|---|---|\n",
    );
    for facts in fluxdb_adapters::all().iter().map(|e| e.facts()) {
        for v in facts.versions {
            let default = if v.id == facts.default_version { " (default)" } else { "" };
            let suite = v.local.map_or("-".to_owned(), |l| format!("Debian {}", l.suite));
            let seen = verified(v.local.is_some());
            writeln!(
                out,
                "| {} | {}{default} | `{}` | {} | {suite} | {seen} |",
                facts.title, v.id, v.reference, v.end_of_life
            )
            .unwrap();
        }
    }
    out.push_str("\n| Engine | Runs as | Port | Volume at | Least memory | Stop | Named databases | Quick create | Connection strings | Licence |\n|---|---|---|---|---|---|---|---|---|---|\n");
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
            f.port().number,
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
    out.push_str(
        "\n*Quick create*: an initialised data directory is kept and copied, so that a new server is ready without initialising again.\n\n\
         ## Adding an engine\n\n\
         One file in `adapters/src/engines/` (a table of facts, then short functions), its templates in `config_templates/`, one line in\n\
         `adapters/src/engines/mod.rs`; a recipe in `images/` where distribution packages exist. `cargo test -p fluxdb-adapters` holds the promises\n\
         that every engine keeps; `tests/podman` runs its whole life on a real server.\n",
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
