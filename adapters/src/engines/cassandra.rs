//! Cassandra, one node. Image contract: the official image's README; rights: the manual's chapter "Security".

use minijinja::context;

use crate::quote::{percent, pg_ident, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    LocalImage, Marker, Metrics, NameKind, Port, Protocol, Secret, Settings, Shell, Size, Stop, Template, Tmpfs, Tuned,
    UriFormat, User, Users, Version,
};

mod metrics;
mod settings;
pub(super) mod users;

pub(crate) static ENGINE: Cassandra = Cassandra;

/// Cassandra.
pub(crate) struct Cassandra;

const DATA: &str = "/var/lib/cassandra";

static FACTS: Facts = Facts {
    id: "cassandra",
    title: "Apache Cassandra",
    category: Category::WideColumn,
    license: "Apache-2.0: free for any use, also as a service",
    protocol: Protocol::Cql,
    http_auth: HttpAuth::None,
    // A minor is maintained until the third after it appears; those days are not fixed beforehand.
    versions: &[
        Version {
            id: "5.0",
            reference: "library/cassandra:5.0.9",
            end_of_life: "2028-12-31",
            local: Some(LocalImage { suite: "bookworm" }),
        },
        Version { id: "4.1", reference: "library/cassandra:4.1.12", end_of_life: "2027-12-31", local: None },
        Version { id: "4.0", reference: "library/cassandra:4.0.21", end_of_life: "2026-12-31", local: None },
    ],
    default_version: "5.0",
    ports: &[Port { name: "cql", number: 9042 }],
    control_port: 0,
    user: User { uid: 999, gid: 999 },
    volume_path: DATA,
    tmpfs: &[Tmpfs::exec("/tmp", 64), Tmpfs::new("/var/log/cassandra", 16)], // JNA and netty unpack libraries
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("Paused hints dispatch") }, // 5.0 adds "Cassandra shutdown complete"
    floor: Floor { memory_mib: 1024, pids: 1024, nofile: 65_536 },
    templates: &[
        Template {
            name: "cassandra.yaml",
            source: include_str!("../../../config_templates/cassandra/cassandra.yaml.j2"),
        },
        Template { name: "logback.xml", source: include_str!("../../../config_templates/cassandra/logback.xml.j2") },
    ],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "one node: every keyspace has one copy, and consistency levels above ONE mean nothing",
        "rights count after two seconds at most, which is how long the server remembers them",
        "dropped tables keep their files in a snapshot while auto_snapshot is on",
        "the user's account is no superuser of Cassandra: that could give itself every right, over fluxdb's account too",
        "the image made here has no cqlsh",
    ],
};

impl Engine for Cassandra {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        // A name may not resolve inside the container, and drivers keep the address that they were given.
        let numeric = cx.advertised.host.parse::<std::net::IpAddr>().is_ok_and(|a| !a.is_unspecified());
        context! {
            data => DATA,
            broadcast => if numeric { cx.advertised.host.as_str() } else { "127.0.0.1" },
            settings => settings::lines(cx, &defaults(cx)),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let heap = heap_mib(&cx.size);
        // The image's own options choose a collector by version; a small heap is served best by the simplest.
        let collector = match (heap < 1024, cx.version.id) {
            (true, "5.0") => "-XX:-UseG1GC -XX:+UseSerialGC",
            (true, _) => "-XX:-UseConcMarkSweepGC -XX:+UseSerialGC",
            (false, "5.0") => "",
            (false, _) => "-XX:-UseConcMarkSweepGC -XX:+UseG1GC",
        };
        let options = [
            collector,
            "-XX:-AlwaysPreTouch",
            &format!("-XX:ActiveProcessorCount={}", cx.size.vcpu.max(1)),
            &format!("-XX:MaxDirectMemorySize={}m", (cx.size.memory_mib / 8).max(64)),
            "-Xlog:gc=error",
            // The first account is there when the port opens; nobody else is waited for.
            "-Dcassandra.superuser_setup_delay_ms=0",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=1000",
            "-Dcassandra.load_ring_state=false",
            // A password may be set again at once: each statement here may be repeated.
            "-Dcassandra.role_password_update_min_interval_in_ms=0",
        ];
        Ok(Launch {
            entrypoint: Some(vec!["cassandra".into(), "-f".into()]),
            argv: vec![
                format!("-Dcassandra.config=file://{FILES_DIR}/cassandra.yaml"),
                format!("-Dlogback.configurationFile={FILES_DIR}/logback.xml"),
            ],
            env: vec![
                ("MAX_HEAP_SIZE", format!("{heap}M")),
                ("HEAP_NEWSIZE", format!("{}M", heap / 4)),
                ("JVM_EXTRA_OPTS", options.join(" ").trim().to_owned()),
                ("MALLOC_ARENA_MAX", "2".into()),
                ("CASSANDRA_LOG_DIR", "/var/log/cassandra".into()),
                ("HOME", "/tmp".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT release_version FROM system.local")
    }

    fn first_login(&self) -> Option<Account> {
        Some(Account { username: "cassandra".into(), password: Secret::new("cassandra") })
    }

    fn claim(&self, cx: &Cx) -> Vec<Call> {
        claim(cx)
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        // Nobody may remove or weaken itself; the server makes this account again only where there is no other.
        let mut calls = vec![Call::sql("DROP ROLE IF EXISTS cassandra")];
        calls.extend(users::role(&cx.user));
        calls.extend(users::owner(&cx.user.username));
        if let Some(database) = cx.database.as_deref() {
            calls.extend(self.create(cx, database));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![users::password(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        connection_string(format, to)
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        shell(username, database)
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        check_name(kind, name)
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 8).clamp(64, 2048)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        marker(value)
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let shown = |name: &str| Call::sql(format!("SELECT value FROM system_views.settings WHERE name = '{name}'"));
        let first = |a: &Answer| a.first().map(Into::into);
        vec![
            Tuned {
                what: "native_transport_max_concurrent_connections",
                call: shown("native_transport_max_concurrent_connections"),
                expect: self.max_connections(&cx.size).to_string(),
                read: first,
            },
            Tuned {
                what: "concurrent_reads",
                call: shown("concurrent_reads"),
                expect: concurrent(&cx.size).to_string(),
                read: first,
            },
        ]
    }

    fn users(&self) -> Option<&dyn Users> {
        Some(self)
    }

    fn databases(&self) -> Option<&dyn Databases> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
}

/// What the SKU says, in the catalogue's names and units.
fn defaults(cx: &Cx) -> Vec<(&'static str, String)> {
    let heap = heap_mib(&cx.size);
    let connections = Cassandra.max_connections(&cx.size);
    let threads = concurrent(&cx.size);
    vec![
        ("concurrent_reads", threads.to_string()),
        ("concurrent_writes", threads.to_string()),
        ("concurrent_counter_writes", (threads / 2).to_string()),
        ("concurrent_materialized_view_writes", (threads / 2).to_string()),
        ("concurrent_compactors", cx.size.vcpu.clamp(1, 8).to_string()),
        ("native_transport_max_threads", (threads * 2).to_string()),
        ("native_transport_max_concurrent_connections", connections.to_string()),
        ("memtable_heap_space", (heap / 4).to_string()),
        ("memtable_offheap_space", (heap / 4).to_string()),
        ("file_cache_size", (cx.size.memory_mib / 16).clamp(32, 512).to_string()),
        ("key_cache_size", (heap / 20).clamp(8, 100).to_string()),
        ("commitlog_total_space", (cx.size.storage_gib * 1024 / 8).clamp(256, 8192).to_string()),
    ]
}

/// A third of a small memory, half of a large one: the rest is buffers outside of the heap and the page cache.
fn heap_mib(size: &Size) -> u32 {
    if size.memory_mib < 2048 { size.memory_mib * 3 / 8 } else { (size.memory_mib / 2).min(16_384) }
}

fn concurrent(size: &Size) -> u32 {
    (size.vcpu * 8).clamp(16, 128)
}

/// fluxdb's account, made by the one that every new server has.
pub(super) fn claim(cx: &Cx) -> Vec<Call> {
    let (name, password) = (pg_ident(&cx.system.username), literal(cx.system.password.expose()));
    vec![
        Call::sql(format!(
            "CREATE ROLE IF NOT EXISTS {name} WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = {password}"
        )),
        users::password(&cx.system),
    ]
}

/// A CQL text: `'` doubled, and nothing else is special.
pub(super) fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

pub(super) fn check_name(kind: NameKind, name: &str) -> Result<(), String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match kind {
        NameKind::Database => {
            if name.is_empty() || name.len() > 48 {
                return Err("must be 1 to 48 characters long".into());
            }
            if !name.chars().all(word) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Err("must begin with a letter and consist of letters, digits and underscores".into());
            }
            if name.starts_with("system") || name.starts_with("dse_") {
                return Err("must not start with system, which the server reserves".into());
            }
        }
        NameKind::User => {
            if name.is_empty() || name.len() > 128 {
                return Err("must be 1 to 128 bytes long".into());
            }
            // The server puts names unquoted into statements of its own (seen on 5.0: DROP ROLE "a'b" ends in a syntax error).
            if name.chars().any(|c| c.is_control() || c == '/' || c == '\'') {
                return Err("must not contain slashes, single quotes and control characters".into());
            }
            if [FACTS.system_user, "cassandra"].contains(&name) {
                return Err(format!("{name:?} is reserved"));
            }
        }
    }
    Ok(())
}

pub(super) fn marker(value: &str) -> Marker {
    let value = literal(value);
    Marker {
        write: vec![
            Call::sql("CREATE TABLE IF NOT EXISTS fluxdb_marker (value text PRIMARY KEY)"),
            Call::sql(format!("INSERT INTO fluxdb_marker (value) VALUES ({value})")),
        ],
        read: Call::sql(format!("SELECT value FROM fluxdb_marker WHERE value = {value}")),
    }
}

pub(super) fn shell(username: &str, database: Option<&str>) -> Shell {
    // cqlsh takes a password from a file; the one that it asks for is the same.
    let mut argv: Vec<String> = ["cqlsh", "-u", username].map(Into::into).into();
    if let Some(database) = database {
        argv.extend(["-k".into(), database.to_owned()]);
    }
    Shell { argv, password_env: "" }
}

pub(super) fn connection_string(format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
    let (user, password) = (&to.account.username, to.account.password.expose());
    let (host, port, database) = (to.host, to.port, to.database.unwrap_or_default());
    let port_text = port.to_string();
    let fields = [
        ("CASSANDRA_CONTACT_POINTS", "contact_points", host),
        ("CASSANDRA_PORT", "port", port_text.as_str()),
        ("CASSANDRA_LOCAL_DC", "local_datacenter", "datacenter1"),
        ("CASSANDRA_USERNAME", "username", user),
        ("CASSANDRA_PASSWORD", "password", password),
        ("CASSANDRA_KEYSPACE", "keyspace", database),
    ];
    Some(Secret::new(match format {
        UriFormat::Uri => {
            format!("cassandra://{}:{}@{host}:{port}/{}", percent(user), percent(password), percent(database))
        }
        UriFormat::Jdbc => format!(
            "jdbc:cassandra://{host}:{port}/{}?localdatacenter=datacenter1&user={}&password={}",
            percent(database),
            percent(user),
            percent(password)
        ),
        UriFormat::Env => fields.map(|(name, _, value)| format!("{name}={}\n", shell_word(value))).concat(),
        UriFormat::Yaml => fields.map(|(_, name, value)| format!("{name}: {}\n", yaml_string(value))).concat(),
        UriFormat::Cli => format!("cqlsh -u {} {} {port}", shell_word(user), shell_word(host)),
        UriFormat::Dotnet => format!(
            "Contact Points={host};Port={port};Username={};Password={};Default Keyspace={database}",
            dotnet(user),
            dotnet(password)
        ),
    }))
}

/// A value of a .NET connection string: quoted where it holds a separator or quote.
fn dotnet(value: &str) -> String {
    if value.contains([';', '\'', '"', '=', ' ']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
