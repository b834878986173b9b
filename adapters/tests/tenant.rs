//! What every adapter promises about tenants: repairs that serve nobody without a password, lists of what is open that can be true.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use fluxdb_adapters::{Account, Advertised, Cx, Engine, Launch, PasswordFile, Repair, Secret, Size, all, find};

const SYSTEM_PASSWORD: &str = "System-Canary-1f9b";

fn cx(engine: &dyn Engine, version: &str) -> Cx {
    let facts = engine.facts();
    Cx {
        version: facts.version(version).unwrap(),
        size: Size { vcpu: 2, memory_mib: 4096, storage_gib: 32 },
        system: Account { username: facts.system_user.into(), password: Secret::new(SYSTEM_PASSWORD) },
        user: Account { username: facts.default_username.into(), password: Secret::new("User-Canary-7c2e") },
        database: facts.default_database.map(Into::into),
        settings: std::collections::BTreeMap::new(),
        advertised: Advertised { host: "db.example".into(), ports: facts.ports.iter().map(|p| p.number).collect() },
        unique: 7,
    }
}

fn each(check: impl Fn(&dyn Engine, &Cx)) {
    for engine in all() {
        for version in engine.facts().versions {
            check(*engine, &cx(*engine, version.id));
        }
    }
}

fn file(launch: &Launch, name: &str) -> String {
    launch.files.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("no {name}")).content.expose().to_owned()
}

#[test]
fn a_repair_keeps_passwords_in_files_that_podman_takes() {
    each(|engine, cx| {
        let id = engine.facts().id;
        let Repair::Start(launch) = engine.repair(cx).unwrap() else { return };
        let words = format!("{:?} {:?} {:?}", launch.entrypoint, launch.argv, launch.env);
        assert!(!words.contains(SYSTEM_PASSWORD), "{id}: a password outside the files");
        let more = launch.files.len() > engine.launch(cx).unwrap().files.len();
        let there = launch.files.iter().any(|f| f.content.expose().contains(SYSTEM_PASSWORD));
        assert!(more || there, "{id}: nothing is set");
        let names: BTreeSet<_> = launch.files.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), launch.files.len(), "{id}: a file twice");
        assert!(names.iter().all(|n| n.len() <= 24), "{id}: {names:?}");
    });
}

#[test]
fn a_file_with_a_password_is_there_exactly_when_the_adapter_says_so() {
    each(|engine, cx| {
        let launch = engine.launch(cx).unwrap();
        let there = launch.files.iter().any(|f| f.content.expose().contains(SYSTEM_PASSWORD));
        let said = engine.password_file(cx.version.id) != PasswordFile::Absent;
        // Engines of one account hold the tenant's own password.
        if ["influxdb", "neo4j", "janusgraph", "opensearch", "elasticsearch", "meilisearch", "typesense"]
            .contains(&engine.facts().id)
        {
            assert_eq!(there, said, "{} {}", engine.facts().id, cx.version.id);
        }
    });
}

#[test]
fn what_is_open_names_a_port_and_what_it_tells() {
    each(|engine, cx| {
        let id = engine.facts().id;
        let open = engine.open_paths(cx.version.id);
        assert!(open.iter().all(|o| o.port < engine.facts().ports.len() && !o.tells.is_empty()), "{id}");
        let paths: BTreeSet<_> = open.iter().map(|o| (o.port, o.path)).collect();
        assert_eq!(paths.len(), open.len(), "{id}: a path twice");
        assert!(
            engine.sensitive_paths(cx.version.id).iter().all(|p| p.starts_with('/') || p.starts_with("POST /")),
            "{id}"
        );
    });
}

#[test]
fn every_attack_says_what_it_does_and_gains_something() {
    each(|engine, cx| {
        let attacks = engine.attacks(cx);
        let text = |call: &fluxdb_adapters::Call| match &call.request {
            fluxdb_adapters::Request::Sql { text, .. } => text.expose().to_owned(),
            fluxdb_adapters::Request::Resp(words) => words.iter().map(|w| w.expose()).collect::<Vec<_>>().join(" "),
            fluxdb_adapters::Request::Exec(exec) => format!("{:?} {}", exec.argv, exec.stdin.expose()),
            other => format!("{other:?}"),
        };
        let tries = attacks.iter().map(|a| {
            let calls: Vec<String> = a.prepare.iter().chain(&a.gain).map(text).collect();
            (a.what, a.restart, calls)
        });
        let different: BTreeSet<_> = tries.collect();
        assert_eq!(different.len(), attacks.len(), "{}: an attack twice", engine.facts().id);
        assert!(attacks.iter().all(|a| !a.gain.is_empty() || !a.prepare.is_empty()), "{}", engine.facts().id);
    });
}

#[test]
fn influxdb_is_repaired_on_a_port_that_is_not_published() {
    let engine = find("influxdb").unwrap();
    for version in engine.facts().versions {
        match engine.repair(&cx(engine, version.id)).unwrap() {
            Repair::Start(launch) => {
                let repair = file(&launch, "repair.conf");
                assert!(repair.contains("auth-enabled = false") && !repair.contains(":8086\""), "{repair}");
                assert!(file(&launch, "influxdb.conf").contains("auth-enabled = true"));
                assert!(file(&launch, "repair.influxql").contains("GRANT ALL PRIVILEGES"));
            }
            other => assert!(version.id.starts_with("2."), "{other:?}"),
        }
    }
}
