//! What each engine is given to read and how it is started, as snapshots: a change of a template is reviewed as a change
//! of what the server sees. `INSTA_UPDATE=always cargo test --package fluxdb-adapters --test rendered` takes them anew.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write;

use fluxdb_adapters::{Account, Advertised, Cx, Engine, Secret, Size, all};

const SMALL: Size = Size { vcpu: 1, memory_mib: 2048, storage_gib: 32 };
const LARGE: Size = Size { vcpu: 4, memory_mib: 16_384, storage_gib: 128 };

fn rendered(engine: &dyn Engine, version: &str, size: Size) -> String {
    let facts = engine.facts();
    let size = Size { memory_mib: size.memory_mib.max(facts.floor.memory_mib), ..size };
    let account = |name: &str, password: &str| Account { username: name.into(), password: Secret::new(password) };
    let cx = Cx {
        version: facts.version(version).unwrap(),
        size,
        system: account(facts.system_user, "system-password-of-the-snapshot"),
        user: account(facts.default_username, "user-password-of-the-snapshot"),
        database: facts.default_database.map(Into::into),
        settings: Default::default(),
        advertised: Advertised { host: "db.example".into(), ports: facts.ports.iter().map(|p| p.number).collect() },
        unique: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
    };
    let launch = engine.launch(&cx).unwrap();
    let mut out = String::new();
    writeln!(out, "######## {} {version}: {} vCPU, {} MiB", facts.title, size.vcpu, size.memory_mib).unwrap();
    let entrypoint = launch.entrypoint.map_or_else(|| "that of the image".to_owned(), |words| words.join(" "));
    writeln!(out, "entrypoint {}\narguments {}", entrypoint.trim_end(), launch.argv.join(" ")).unwrap();
    for (name, value) in &launch.env {
        writeln!(out, "environment {name}={value}").unwrap();
    }
    for file in &launch.files {
        writeln!(out, "\n---- {}\n{}", file.name, file.content.expose().trim_end()).unwrap();
    }
    out
}

#[test]
fn what_the_servers_are_given_is_what_was_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for engine in all() {
            let facts = engine.facts();
            let small = rendered(*engine, facts.default_version, SMALL);
            let large = rendered(*engine, facts.default_version, LARGE);
            let same: BTreeSet<&str> = small.lines().collect();
            let changed: Vec<&str> = large.lines().filter(|line| !same.contains(line)).collect();
            let text = format!("{small}\n######## what the larger size changes\n{}", changed.join("\n"));
            insta::assert_snapshot!(facts.id, text);
        }
    });
}
