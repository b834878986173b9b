//! The promises that every engine keeps.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use fluxdb_adapters::{Account, Advertised, Cx, Endpoint, Engine, NameKind, Request, Secret, Size, UriFormat, all};

const SIZES: [Size; 4] = [
    Size { vcpu: 1, memory_mib: 512, storage_gib: 8 },
    Size { vcpu: 1, memory_mib: 2048, storage_gib: 32 },
    Size { vcpu: 4, memory_mib: 16_384, storage_gib: 128 },
    Size { vcpu: 16, memory_mib: 131_072, storage_gib: 16_384 },
];

const SYSTEM_PASSWORD: &str = "System-Canary-1f9b";
const USER_PASSWORD: &str = "User-Canary'\"`\\$%7c2e";

/// Names that end badly where quoting is forgotten.
const HOSTILE: [&str; 10] = ["a\"b", "a'b", "a`b", "a;drop table x", "a\\b", "a_b%", "$(id)", "--x", "grüße", "select"];

fn cx(engine: &dyn Engine, version: &str, size: Size) -> Cx {
    let facts = engine.facts();
    Cx {
        version: facts.version(version).unwrap(),
        size,
        system: Account { username: facts.system_user.into(), password: Secret::new(SYSTEM_PASSWORD) },
        user: Account { username: facts.default_username.into(), password: Secret::new(USER_PASSWORD) },
        database: facts.default_database.map(Into::into),
        settings: std::collections::BTreeMap::new(),
        advertised: Advertised { host: "db.example".into(), ports: facts.ports.iter().map(|p| p.number).collect() },
        unique: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
    }
}

fn each(check: impl Fn(&dyn Engine, &Cx)) {
    for engine in all() {
        for version in engine.facts().versions {
            for size in SIZES {
                if size.memory_mib >= engine.facts().floor.memory_mib {
                    check(*engine, &cx(*engine, version.id, size));
                }
            }
        }
    }
}

#[test]
fn ids_are_unique_and_versions_exist() {
    let mut ids = BTreeSet::new();
    for facts in all().iter().map(|e| e.facts()) {
        assert!(ids.insert(facts.id), "{} twice", facts.id);
        assert!(facts.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{}", facts.id);
        assert!(facts.version(facts.default_version).is_some(), "{}", facts.id);
        let versions: BTreeSet<_> = facts.versions.iter().map(|v| v.id).collect();
        assert_eq!(versions.len(), facts.versions.len(), "{}", facts.id);
        assert!(facts.user.uid != 0 && facts.user.gid != 0, "{} runs as root", facts.id);
        assert!(!facts.ports.is_empty());
        assert!(facts.stop.grace_secs >= 10, "{}: a kill is no way to end a database", facts.id);
        let fits = SIZES.iter().any(|s| facts.floor.memory_mib <= s.memory_mib && s.memory_mib <= 16_384);
        assert!(fits, "{} does not fit an ordinary SKU", facts.id);
        assert!(facts.extra_caps.iter().all(|(_, why)| why.len() > 10), "{}: a capability without a reason", facts.id);
    }
}

#[test]
fn whoever_is_copied_can_say_who_it_is() {
    each(|engine, cx| {
        if engine.seed().is_some() {
            assert!(!engine.identifiers(cx).is_empty(), "{} {}", engine.facts().id, cx.version.id);
        }
    });
}

#[test]
fn images_are_pinned_and_name_no_registry() {
    for facts in all().iter().map(|e| e.facts()) {
        for version in facts.versions {
            let (repository, tag) = version.reference.split_once(':').expect("a tag");
            assert!(tag != "latest" && tag.contains('.'), "{} is not pinned", version.reference);
            assert!(!repository.split('/').next().unwrap().contains('.'), "{} names a registry", version.reference);
            assert_eq!(version.end_of_life.len(), 10, "{} {}", facts.id, version.id);
        }
    }
}

#[test]
fn templates_render_for_every_version_and_size() {
    each(|engine, cx| {
        let launch = engine.launch(cx).unwrap_or_else(|e| panic!("{} {}: {e}", engine.facts().id, cx.version.id));
        for file in &launch.files {
            let text = file.content.expose();
            assert!(!text.is_empty() && !text.contains("{{") && !text.contains("{%"), "{}: {text}", file.name);
            if file.name != fluxdb_adapters::SYSTEM_PASSWORD_FILE {
                assert!(
                    !text.contains(SYSTEM_PASSWORD) && !text.contains(USER_PASSWORD),
                    "{} holds a password",
                    file.name
                );
            }
        }
    });
}

#[test]
fn configuration_tests_are_given_a_rendered_file() {
    each(|engine, cx| {
        if let Some(test) = engine.config_test(cx) {
            let files = engine.launch(cx).unwrap().files;
            assert!(files.iter().any(|f| f.name == test.file), "{} has no {}", engine.facts().id, test.file);
        }
    });
    let tested = |e: &&&dyn Engine| {
        let mut versions = e.facts().versions.iter();
        versions.any(|v| e.config_test(&cx(**e, v.id, SIZES[2])).is_some())
    };
    let engines: BTreeSet<_> = all().iter().filter(tested).map(|e| e.facts().id).collect();
    // Of the others that run here none is known to have one.
    assert_eq!(Vec::from_iter(engines), ["influxdb", "mariadb", "mysql", "neo4j", "postgresql", "timescaledb"]);
}

#[test]
fn neither_arguments_nor_environment_hold_a_password() {
    each(|engine, cx| {
        let launch = engine.launch(cx).unwrap();
        let shell = engine.shell(&cx.user.username, cx.database.as_deref());
        let shown: Vec<&str> = (launch.argv.iter().map(String::as_str))
            .chain(launch.env.iter().map(|(_, v)| v.as_str()))
            .chain(shell.argv.iter().map(String::as_str))
            .collect();
        for text in shown {
            assert!(!text.contains(SYSTEM_PASSWORD) && !text.contains(USER_PASSWORD), "{}: {text}", engine.facts().id);
        }
    });
}

#[test]
fn nothing_secret_shows_in_debug() {
    each(|engine, cx| {
        let shown = format!(
            "{cx:?} {:?} {:?} {:?} {:?}",
            engine.launch(cx).unwrap(),
            engine.provision(cx),
            engine.set_password(&cx.user),
            engine.connection_string(
                UriFormat::Uri,
                &Endpoint { host: "h", port: 1, account: &cx.user, database: cx.database.as_deref() }
            ),
        );
        assert!(!shown.contains("Canary"), "{}: {shown}", engine.facts().id);
    });
}

#[test]
fn every_engine_has_a_uri_that_carries_any_password() {
    for engine in all() {
        let facts = engine.facts();
        let cx = cx(*engine, facts.default_version, SIZES[1]);
        let to = Endpoint { host: "db.example", port: 1234, account: &cx.user, database: cx.database.as_deref() };
        let uri = engine.connection_string(UriFormat::Uri, &to).expect("every engine has a URI");
        let authority = uri.expose().split_once("://").unwrap().1;
        assert_eq!(authority.matches('@').count(), 1, "{}", facts.id);
        assert!(authority.contains("@db.example:1234"), "{}", facts.id);
        for format in UriFormat::ALL {
            if let Some(text) = engine.connection_string(format, &to) {
                assert!(text.expose().contains("1234"), "{} {format:?}", facts.id);
            }
        }
    }
}

#[test]
fn hostile_names_are_refused_or_quoted() {
    for engine in all() {
        let facts = engine.facts();
        for name in HOSTILE {
            let mut cx = cx(*engine, facts.default_version, SIZES[1]);
            if engine.check_name(NameKind::User, name).is_ok() {
                cx.user.username = name.into();
            }
            if cx.database.is_some() && engine.check_name(NameKind::Database, name).is_ok() {
                cx.database = Some(name.into());
            }
            let plain = engine.provision(&self::cx(*engine, facts.default_version, SIZES[1]));
            for (hostile, plain) in engine.provision(&cx).iter().zip(&plain) {
                if let (Request::Sql { text: hostile, .. }, Request::Sql { text: plain, .. }) =
                    (&hostile.request, &plain.request)
                {
                    let backslash = facts.protocol == fluxdb_adapters::Protocol::Mysql;
                    let skeleton = |text: &str| skeleton(text, backslash);
                    // Whatever stands in the quotes, what stands outside them is the same.
                    assert_eq!(skeleton(hostile.expose()), skeleton(plain.expose()), "{} with {name:?}", facts.id);
                }
            }
        }
        for kind in [NameKind::Database, NameKind::User] {
            assert!(engine.check_name(kind, "").is_err(), "{} takes an empty name", facts.id);
            assert!(engine.check_name(kind, "a\0b").is_err(), "{} takes NUL", facts.id);
            assert!(engine.check_name(kind, &"x".repeat(10_240)).is_err(), "{} takes 10 kB", facts.id);
        }
        let reserved = engine.check_name(NameKind::User, facts.system_user);
        assert!(reserved.is_err(), "{}: a user could take the system account", facts.id);
    }
}

#[test]
fn a_larger_size_never_gets_fewer_connections() {
    for engine in all() {
        let connections: Vec<u32> = SIZES.iter().map(|s| engine.max_connections(s)).collect();
        assert!(connections.is_sorted(), "{}: {connections:?}", engine.facts().id);
    }
}

/// A statement without what stands in quotes: doubled quotes stay inside, and a backslash escapes in MySQL's strings
/// and in PostgreSQL's `E'...'`.
fn skeleton(statement: &str, backslash: bool) -> String {
    let mut out = String::new();
    let mut chars = statement.chars().peekable();
    while let Some(c) = chars.next() {
        if !['"', '\'', '`'].contains(&c) {
            out.push(c);
            continue;
        }
        let escapes = c == '\'' && (backslash || out.ends_with('E'));
        if out.ends_with(" E") {
            out.truncate(out.len() - 2);
        }
        loop {
            match chars.next() {
                Some('\\') if escapes => drop(chars.next()),
                Some(inside) if inside == c && chars.peek() == Some(&c) => drop(chars.next()),
                Some(inside) if inside == c => break,
                Some(_) => {}
                None => return format!("{out} NEVER CLOSED"),
            }
        }
        out.push_str("''");
    }
    out.replace("  ", " ")
}
