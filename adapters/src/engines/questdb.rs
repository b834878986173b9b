//! QuestDB, open source. Facts: QuestDB's documentation, its `server.conf` and sources (9.3).

use minijinja::context;

use super::sql::{self, Spelling};
use crate::quote::{percent, shell_word, sql_literal};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    LocalImage, Marker, Metrics, NameKind, OpenPath, PasswordFile, Port, Protocol, Repair, SYSTEM_PASSWORD_FILE,
    Secret, Settings, Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Version,
};

mod attacks;
mod metrics;
mod settings;

pub(crate) static ENGINE: QuestDb = QuestDb;

/// QuestDB.
pub(crate) struct QuestDb;

static FACTS: Facts = Facts {
    id: "questdb",
    title: "QuestDB",
    category: Category::TimeSeries,
    license: "Apache 2.0: free for any use, also as a service; users, roles and TLS are in its Enterprise edition only",
    protocol: Protocol::Postgres,
    http_auth: HttpAuth::Basic,
    // Upstream gives no dates; it fixes the newest release only.
    versions: &[
        Version {
            id: "9.3",
            reference: "questdb/questdb:9.3.4",
            end_of_life: "2027-03-31",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version {
            id: "8.2",
            reference: "questdb/questdb:8.2.0",
            end_of_life: "2025-07-31",
            local: Some(LocalImage { suite: "trixie" }),
        },
    ],
    default_version: "9.3",
    ports: &[
        Port { name: "sql", number: 8812 }, //
        Port { name: "http", number: 9000 },
    ],
    control_port: 0,
    user: User { uid: 10_001, gid: 10_001 },
    volume_path: "/var/lib/questdb",
    tmpfs: &[Tmpfs::exec("/tmp", 64)], // native libraries, and the configuration with the password
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 60, says: Some("QuestDB is shutdown.") },
    floor: Floor { memory_mib: 1024, pids: 128, nofile: 16_384 },
    templates: &[
        Template { name: "java.args", source: include_str!("../../../config_templates/questdb/java.args.j2") },
        Template { name: "server.conf", source: include_str!("../../../config_templates/questdb/server.conf.j2") },
        Template { name: "start.sh", source: include_str!("../../../config_templates/questdb/start.sh.j2") },
    ],
    system_user: "admin",
    default_username: "admin",
    default_database: None, // there is one, `qdb`
    single_account: true,
    extra_caps: &[],
    caveats: &[
        "One account, one database (qdb): users, roles and permissions are in QuestDB Enterprise only.",
        "A new password counts after a restart.",
        "Rows of tables with a write-ahead log (the default) can be read a moment after they were written.",
        "Line protocol over HTTP (port 9000) only: over TCP it would ask for no password.",
        "Every error has the code 00000, so a client cannot tell one from another.",
        "No statement reads files of the server (COPY .. FROM, read_parquet). COPY .. TO writes into the instance's own storage, where nobody can fetch it; it is removed at the next start. Parquet comes over HTTP (/exp).",
        "Without a password anybody who reaches port 9000 gets the web console's files, the server's version and its warnings, and no data.",
        "No TLS in the server itself: put a proxy before it.",
    ],
};

static SPELLING: Spelling = Spelling {
    scheme: "postgresql",
    jdbc: "postgresql",
    env: &["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"],
    cli: |to| {
        let uri = format!("postgresql://{}@{}:{}/qdb", percent(&to.account.username), to.host, to.port);
        format!("psql {}", shell_word(&uri))
    },
};

impl Engine for QuestDb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let memory = cx.size.memory_mib;
        let small = memory < 4096;
        context! {
            heap_mib => heap_mib(memory),
            collector => if cx.size.vcpu > 1 { "UseParallelGC" } else { "UseSerialGC" },
            vcpu => cx.size.vcpu,
            connections => self.max_connections(&cx.size),
            workers => workers(&cx.size),
            ram_limit_bytes => ram_limit_bytes(memory),
            // Two of these for each column that is written at once.
            append_page_bytes => append_page_bytes(memory),
            o3_bytes => o3_bytes(memory),
            http_buffer_bytes => if small { 524_288 } else { 2_097_152 },
            files => FILES_DIR,
            password_file => SYSTEM_PASSWORD_FILE,
            // Not known before 9.
            password_files => !cx.version.id.starts_with("8."),
            volume => FACTS.volume_path,
            system_user => cx.system.username.as_str(),
            user_settings => settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: Some(vec!["sh".into(), format!("{FILES_DIR}/start.sh")]),
            argv: vec![],
            env: vec![("HOME", "/tmp".into())],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    /// The account stands in the rendered files.
    fn provision(&self, _cx: &Cx) -> Vec<Call> {
        Vec::new()
    }

    fn set_password(&self, _account: &Account) -> Vec<Call> {
        Vec::new()
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let to = Endpoint { database: Some("qdb"), ..to.clone() };
        Some(sql::connection_string(&SPELLING, format, &to))
    }

    /// There is no client in the image: this one shows what the server writes.
    fn shell(&self, _username: &str, _database: Option<&str>) -> Shell {
        Shell { argv: vec!["sh".into()], password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        Err(match kind {
            NameKind::Database => format!("QuestDB has one database, qdb, so {name:?} cannot be made"),
            NameKind::User => format!("QuestDB has one account, {:?}, so {name:?} cannot be made", FACTS.system_user),
        })
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 32).clamp(16, 512)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let literal = sql_literal(value);
        Marker {
            // Without a write-ahead log: what is written is there at once.
            write: vec![
                Call::sql(
                    "CREATE TABLE IF NOT EXISTS fluxdb_marker (value VARCHAR, ts TIMESTAMP) TIMESTAMP(ts) \
                     PARTITION BY YEAR BYPASS WAL",
                ),
                Call::sql(format!("INSERT INTO fluxdb_marker VALUES ({literal}, now())")),
            ],
            read: Call::sql(format!("SELECT value FROM fluxdb_marker WHERE value = {literal} LIMIT 1")),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let shown =
            |name: &str| Call::sql(format!("SELECT value FROM (SHOW PARAMETERS) WHERE property_path = '{name}'"));
        let first = |a: &Answer| a.first().map(Into::into);
        let connections = "pg.net.connection.limit";
        vec![
            Tuned {
                what: "ram.usage.limit.bytes",
                call: shown("ram.usage.limit.bytes"),
                expect: ram_limit_bytes(cx.size.memory_mib).to_string(),
                read: first,
            },
            Tuned {
                what: "pg.net.connection.limit",
                call: shown(connections),
                expect: (cx.settings.get(connections).cloned())
                    .unwrap_or_else(|| self.max_connections(&cx.size).to_string()),
                read: first,
            },
        ]
    }

    fn attacks(&self, _cx: &Cx) -> Vec<Attack> {
        attacks::all()
    }

    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::EveryStart(
            "QuestDB has one account, the user's own, and its password stands in its configuration",
        )
    }

    /// The account stands in the rendered files alone.
    fn repair(&self, _cx: &Cx) -> Result<Repair, RenderError> {
        Ok(Repair::Restart)
    }

    fn open_paths(&self, _version: &str) -> &'static [OpenPath] {
        &[
            OpenPath { port: 1, path: "/index.html", tells: "the web console's page" },
            OpenPath { port: 1, path: "/assets/*", tells: "the web console's programs" },
            OpenPath { port: 1, path: "/ping", tells: "that the server runs" },
            OpenPath { port: 1, path: "/settings", tells: "version and edition, for the web console" },
            OpenPath { port: 1, path: "/warnings", tells: "what the server finds wrong with the host's limits" },
        ]
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/settings",
            "/exec?query=select+*+from+tables()",
            "/exp?query=select+1",
            "/imp",
            "/chk?j=a",
            "/exec?query=show+parameters",
            "/warnings",
            "/preferences",
            "POST /write",
            "POST /api/v2/write",
            "POST /imp",
        ]
    }
}

/// With less than about 200 MiB the server does not start.
fn heap_mib(memory_mib: u32) -> u32 {
    (memory_mib / 4).clamp(256, 8192)
}

/// What the server may allocate beside the heap; mapped files are not counted.
fn ram_limit_bytes(memory_mib: u32) -> u64 {
    u64::from(memory_mib / 2) * 1024 * 1024
}

fn append_page_bytes(memory_mib: u32) -> u32 {
    if memory_mib < 4096 { 1_048_576 } else { 16_777_216 }
}

fn o3_bytes(memory_mib: u32) -> u32 {
    if memory_mib < 4096 { 262_144 } else { 8_388_608 }
}

fn workers(size: &Size) -> u32 {
    size.vcpu.max(2)
}
