//! Microsoft SQL Server on Linux, Express edition. Written from its documentation; no server was to be had to try it on.

use minijinja::context;

use super::sql::dotnet;
use crate::quote::{percent, pg_ident, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth,
    Launch, Marker, Metrics, NameKind, PasswordFile, Port, Protocol, Repair, SYSTEM_PASSWORD_FILE, Secret, Settings,
    Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod attacks;
mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Mssql = Mssql;

pub(crate) struct Mssql;

static FACTS: Facts = Facts {
    id: "mssql",
    title: "Microsoft SQL Server",
    category: Category::Relational,
    license: "Proprietary. Express edition: free also in production, limited to 4 cores, 1.4 GiB of cache and 10 GB a database (50 GB in 2025). Creating one accepts Microsoft's licence terms",
    protocol: Protocol::Tds,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "2025", reference: "mssql/server:2025-CU9-ubuntu-24.04", end_of_life: "2036-01-06", local: None },
        Version {
            id: "2022",
            reference: "mssql/server:2022-CU27-ubuntu-22.04",
            end_of_life: "2033-01-11",
            local: None,
        },
        Version {
            id: "2019",
            reference: "mssql/server:2019-CU32-GDR11-ubuntu-20.04",
            end_of_life: "2030-01-08",
            local: None,
        },
    ],
    default_version: "2022",
    ports: &[Port { name: "tds", number: 1433 }],
    control_port: 0,
    user: User { uid: 10_001, gid: 10_001 },
    volume_path: "/var/opt/mssql",
    tmpfs: &[Tmpfs::new("/tmp", 64)],
    shm_mib: 64,
    stop: Stop { signal: 15, grace_secs: 120, says: None },
    floor: Floor { memory_mib: 2048, pids: 1024, nofile: 16_384 },
    templates: &[
        Template { name: "start.sh", source: include_str!("../../../config_templates/mssql/start.sh.j2") },
        Template { name: "mssql.conf", source: include_str!("../../../config_templates/mssql/mssql.conf.j2") },
    ],
    system_user: "sa",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[(
        "CAP_NET_BIND_SERVICE",
        "the server program carries it as a file capability, and the kernel refuses to start it when it is not allowed",
    )],
    caveats: &[
        "Never run by the makers of fluxdb: its image is in Microsoft's registry only, for amd64 only",
        "Whether it runs with a read-only root file system is not known",
        "The number of connections is not limited by size",
        "Logins are made through fluxdb alone: who may make logins there may also change everybody's password. Everybody sees the names of all databases",
        "The server's error log grows until the next start: each start begins a new one",
        "Encrypted with a certificate that the server makes itself: clients must trust it unseen (TrustServerCertificate)",
    ],
};

/// Names that the server keeps for itself.
const OWN_USERS: [&str; 7] = ["sa", "public", "guest", "dbo", "sys", "information_schema", "builtin"];
const OWN_DATABASES: [&str; 5] = ["master", "tempdb", "model", "msdb", "mssqlsystemresource"];

/// An identifier. The driver's sessions have QUOTED_IDENTIFIER on, so `"` quotes as in PostgreSQL.
fn ident(name: &str) -> String {
    pg_ident(name)
}

/// A literal: only `'` is special.
fn literal(value: &str) -> String {
    format!("N'{}'", value.replace('\'', "''"))
}

/// A value of a JDBC URL.
fn braced(value: &str) -> String {
    format!("{{{}}}", value.replace('}', "}}"))
}

impl Engine for Mssql {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            data => FACTS.volume_path,
            port => FACTS.ports[0].number,
            files => FILES_DIR,
            // A section may stand in the file once, so the user's values are where the defaults would be.
            memory_limit_mib => settings::value(cx, "memory.memorylimitmb"),
            force_encryption => settings::value(cx, "network.forceencryption").as_deref() == Some("true"),
            error_logs => settings::value(cx, "errorlog.numerrorlogs"),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        self.start(cx, false)
    }

    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::FirstStart
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        Ok(Repair::Start(self.start(cx, true)?))
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        attacks::attacks(cx)
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let user = ident(&cx.user.username);
        let mut calls = vec![make_login(&cx.user), password_call(&cx.user)];
        calls.push(
            Call::sql(format!("GRANT {} TO {user}", users::ADMINISTRATOR)).in_database("master"), // nowhere else
        );
        calls.extend(settings::stored(cx));
        if let Some(database) = cx.database.as_deref() {
            calls.extend(self.create(cx, database));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![password_call(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let database = to.database.unwrap_or("master");
        let (host, port) = (to.host, to.port);
        Some(Secret::new(match format {
            UriFormat::Uri => format!(
                "sqlserver://{}:{}@{host}:{port}?database={}&encrypt=true&trustServerCertificate=true",
                percent(user),
                percent(password),
                percent(database)
            ),
            UriFormat::Jdbc => format!(
                "jdbc:sqlserver://{host}:{port};databaseName={};user={};password={};encrypt=true;trustServerCertificate=true",
                braced(database),
                braced(user),
                braced(password)
            ),
            UriFormat::Env => format!(
                "SQLCMDSERVER={}\nSQLCMDUSER={}\nSQLCMDPASSWORD={}\nSQLCMDDBNAME={}\n",
                shell_word(&format!("tcp:{host},{port}")),
                shell_word(user),
                shell_word(password),
                shell_word(database)
            ),
            UriFormat::Cli => {
                format!("sqlcmd -C -S tcp:{host},{port} -U {} -d {}", shell_word(user), shell_word(database))
            }
            UriFormat::Yaml => format!(
                "host: {}\nport: {port}\nusername: {}\npassword: {}\ndatabase: {}\n",
                yaml_string(host),
                yaml_string(user),
                yaml_string(password),
                yaml_string(database)
            ),
            UriFormat::Dotnet => format!(
                "Server=tcp:{host},{port};Database={};User ID={};Password={};Encrypt=True;TrustServerCertificate=True",
                dotnet(database),
                dotnet(user),
                dotnet(password)
            ),
        }))
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let server = format!("tcp:127.0.0.1,{}", FACTS.ports[0].number);
        // -x: no variables in what is typed. -I: quoted identifiers.
        let words = ["/opt/mssql-tools18/bin/sqlcmd", "-C", "-x", "-I", "-S", &server, "-U", username];
        let mut argv: Vec<String> = words.map(Into::into).into();
        if let Some(database) = database {
            argv.extend(["-d".into(), database.to_owned()]);
        }
        Shell { argv, password_env: "SQLCMDPASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        let longest = match kind {
            NameKind::Database => 100, // its files are named after it, with something added
            NameKind::User => 128,
        };
        if name.is_empty() || name.encode_utf16().count() > longest {
            return Err(format!("must be 1 to {longest} characters long"));
        }
        if name.chars().any(char::is_control) || name.ends_with(' ') || name.starts_with(' ') {
            return Err("must not contain control characters, nor begin or end with a space".into());
        }
        let (reserved, refused): (&[&str], &[char]) = match kind {
            // A backslash parts domain and user.
            NameKind::User => (&OWN_USERS, &['\\']),
            NameKind::Database => (&OWN_DATABASES, &['\\', '/', ':', '*', '?', '"', '<', '>', '|']),
        };
        if name.contains(refused) {
            return Err(format!("must not contain any of {}", refused.iter().collect::<String>()));
        }
        if reserved.iter().any(|r| r.eq_ignore_ascii_case(name)) || name.starts_with('#') {
            return Err(format!("{name:?} is reserved"));
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 8).clamp(100, 4000)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let value = literal(value);
        Marker {
            write: vec![
                Call::sql(
                    "IF OBJECT_ID(N'fluxdb_marker') IS NULL CREATE TABLE fluxdb_marker (value varchar(64) PRIMARY KEY)",
                ),
                Call::sql(format!(
                    "IF NOT EXISTS (SELECT 1 FROM fluxdb_marker WHERE value = {value}) \
                     INSERT INTO fluxdb_marker (value) VALUES ({value})"
                )),
            ],
            read: Call::sql(format!("SELECT value FROM fluxdb_marker WHERE value = {value}")),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let name = "max server memory (MB)";
        vec![Tuned {
            what: "max server memory (MB)",
            call: Call::sql(format!(
                "SELECT CAST(value_in_use AS nvarchar(32)) FROM sys.configurations WHERE name = {}",
                literal(name)
            )),
            expect: settings::value(cx, name).unwrap_or_default(),
            read: |a| a.first().map(Into::into),
        }]
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

impl Mssql {
    /// `repair`: the system account is set by who the machine knows, whatever was done to it.
    fn start(&self, cx: &Cx, repair: bool) -> Result<Launch, RenderError> {
        let tuning = context! { repair, ..self.tuning(cx) };
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: Some(vec!["bash".into()]),
            argv: vec![format!("{FILES_DIR}/start.sh")],
            env: vec![("ACCEPT_EULA", "Y".into()), ("MSSQL_PID", "Express".into()), ("HOME", FACTS.volume_path.into())],
            files,
        })
    }
}

impl Databases for Mssql {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        vec![
            Call::sql(format!("IF DB_ID({}) IS NULL CREATE DATABASE {}", literal(name), ident(name))),
            // Its owner is dbo in it. Never sa: code of the database could then act as sa.
            Call::sql(format!("ALTER AUTHORIZATION ON DATABASE::{} TO {}", ident(name), ident(&cx.user.username))),
        ]
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        let (quoted, database) = (literal(name), ident(name));
        vec![
            // Ends the sessions that are in it.
            Call::sql(format!(
                "IF DB_ID({quoted}) IS NOT NULL ALTER DATABASE {database} SET SINGLE_USER WITH ROLLBACK IMMEDIATE"
            )),
            Call::sql(format!("DROP DATABASE IF EXISTS {database}")),
        ]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT name FROM sys.databases WHERE database_id > 4 ORDER BY name")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).filter(|n| !OWN_DATABASES.contains(&n.as_str())).collect()
    }
}

/// Without Windows' rules for passwords: fluxdb has its own.
fn make_login(account: &Account) -> Call {
    let (user, password) = (&account.username, literal(account.password.expose()));
    Call::sql(format!(
        "IF SUSER_ID({}) IS NULL CREATE LOGIN {} WITH PASSWORD = {password}, CHECK_POLICY = OFF",
        literal(user),
        ident(user)
    ))
}

fn password_call(account: &Account) -> Call {
    let (user, password) = (ident(&account.username), literal(account.password.expose()));
    Call::sql(format!("ALTER LOGIN {user} WITH PASSWORD = {password}"))
}
