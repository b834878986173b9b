//! ScyllaDB, one node. It takes Cassandra's statements; how it is started and tuned is its own.

use std::collections::BTreeMap;

use minijinja::context;

use super::cassandra::{self, users as roles};
use crate::quote::pg_ident;
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    Marker, Metric, Metrics, NameKind, Port, Proof, Protocol, Role, Secret, Setting, Settings, Shell, Size, Stop,
    Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod settings;

pub(crate) static ENGINE: Scylla = Scylla;

/// ScyllaDB.
pub(crate) struct Scylla;

const DATA: &str = "/var/lib/scylla";

static FACTS: Facts = Facts {
    id: "scylladb",
    title: "ScyllaDB",
    category: Category::WideColumn,
    license: "6.2: AGPLv3. 2025 and later: a licence that forbids offering it as a service and limits free use to 10 TB and 50 vCPU",
    protocol: Protocol::Cql,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "2025.1", reference: "scylladb/scylla:2025.1.5", end_of_life: "2027-03-31", local: None },
        Version { id: "6.2", reference: "scylladb/scylla:6.2.3", end_of_life: "2025-06-30", local: None },
    ],
    default_version: "6.2",
    ports: &[Port { name: "cql", number: 9042 }],
    control_port: 0,
    // The image names its user only; the server is started without the image's supervisor, so any number will do.
    user: User { uid: 999, gid: 999 },
    volume_path: DATA,
    tmpfs: &[Tmpfs::new("/tmp", 32), Tmpfs::new("/var/tmp", 16)],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: None },
    floor: Floor { memory_mib: 2048, pids: 512, nofile: 65_536 },
    templates: &[Template {
        name: "scylla.yaml",
        source: include_str!("../../../config_templates/scylladb/scylla.yaml.j2"),
    }],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "written from the manual: no image was to be had where this was made",
        "2025 and later may not be offered as a service: ask its maker first",
        "one node: every keyspace has one copy",
        "it runs in developer mode: no tuning of the host, no checks of the file system",
        "rights count after some seconds, which is how long the server remembers them",
    ],
};

const REPLICATION: &str = "{'class': 'NetworkTopologyStrategy', 'replication_factor': 1}";

impl Engine for Scylla {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let numeric = cx.advertised.host.parse::<std::net::IpAddr>().is_ok_and(|a| !a.is_unspecified());
        context! {
            data => DATA,
            broadcast => if numeric { cx.advertised.host.as_str() } else { "127.0.0.1" },
            settings => settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let arguments = [
            format!("--options-file={FILES_DIR}/scylla.yaml"),
            format!("--smp={}", cx.size.vcpu.max(1)),
            format!("--memory={}M", memory_mib(&cx.size)),
            "--overprovisioned".into(),
            "--developer-mode=1".into(),
            // The kernel's places for asynchronous requests are few and shared by the whole host.
            "--reactor-backend=epoll".into(),
            "--default-log-level=info".into(),
            "--log-to-syslog=0".into(),
            "--log-to-stdout=1".into(),
        ];
        Ok(Launch {
            entrypoint: Some(vec!["/usr/bin/scylla".into()]),
            argv: arguments.into(),
            env: vec![("HOME", DATA.into()), ("SCYLLA_HOME", DATA.into()), ("SCYLLA_CONF", "/etc/scylla".into())],
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
        cassandra::claim(cx)
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let mut calls = vec![Call::sql("DROP ROLE IF EXISTS cassandra")];
        calls.extend(roles::role(&cx.user));
        calls.extend(roles::owner(&cx.user.username));
        if let Some(database) = cx.database.as_deref() {
            calls.extend(self.create(cx, database));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![roles::password(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        cassandra::connection_string(format, to)
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        cassandra::shell(username, database)
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        cassandra::check_name(kind, name)
    }

    /// What one shard serves with the memory that it has; not a limit of the configuration.
    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 4).clamp(64, 8192)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        cassandra::marker(value)
    }

    fn tuned(&self, _cx: &Cx) -> Vec<Tuned> {
        Vec::new()
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

/// The server takes what it is given at once; the rest is for the kernel and for what is not counted.
fn memory_mib(size: &Size) -> u32 {
    size.memory_mib * 85 / 100 - 200
}

impl Users for Scylla {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        roles::put(account, role, databases)
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![Call::sql(format!("DROP ROLE IF EXISTS {}", pg_ident(username)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("LIST ROLES")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        roles::names(answers)
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        roles::proofs(role, REPLICATION, "system.roles")
    }
}

impl Databases for Scylla {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        roles::create_keyspace(cx, name, REPLICATION)
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![Call::sql(format!("DROP KEYSPACE IF EXISTS {}", pg_ident(name)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT keyspace_name FROM system_schema.keyspaces")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        roles::keyspaces(answers)
    }
}

impl Settings for Scylla {
    fn catalogue(&self) -> &'static [Setting] {
        settings::CATALOGUE
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT name, value FROM system.config")]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        settings::parse(answers)
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}

impl Metrics for Scylla {
    /// Everything else is at the Prometheus port, which stays inside the container.
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT username FROM system.clients")]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let rows = |a: &Answer| f64::from(u32::try_from(a.rows().len()).unwrap_or(u32::MAX));
        answers.first().map(|a| Metric { name: "connections", unit: "count", value: rows(a) }).into_iter().collect()
    }
}
