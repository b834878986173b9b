//! Oracle Database Free. Written from its documentation and the image's scripts; no server was to be had to try it on.
//! A named database is a pluggable one. All calls are made by `sqlplus` inside the container ([`SQLPLUS`]).

use minijinja::context;

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Databases, Endpoint, Engine, Exec, FILES_DIR, Facts, File, Floor,
    HttpAuth, Launch, Marker, Metrics, NameKind, PasswordFile, Port, Protocol, Repair, SYSTEM_PASSWORD_FILE, Secret,
    Settings, Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod attacks;
mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Oracle = Oracle;

pub(crate) struct Oracle;

/// Reads user name, password and database, a line each, then statements: who runs a call puts those three lines before
/// its standard input, as a driver would log in.
const SQLPLUS: &str = include_str!("oracle/sqlplus.sh");

/// Service of the root container.
const ROOT: &str = "FREE";

static FACTS: Facts = Facts {
    id: "oracle",
    title: "Oracle Database Free",
    category: Category::Relational,
    license: "Proprietary, Oracle Free Use Terms: free also in production, limited to 2 cores, 2 GB of memory and 12 GB of user data, one instance on a host",
    protocol: Protocol::Exec,
    http_auth: HttpAuth::None,
    versions: &[Version {
        id: "23.26",
        reference: "gvenzl/oracle-free:23.26.0",
        end_of_life: "2031-12-31",
        local: None,
    }],
    default_version: "23.26",
    ports: &[Port { name: "sql", number: 1521 }],
    control_port: 0,
    // oracle, with dba as its only group: members of dba start the server without a password.
    user: User { uid: 54_321, gid: 54_322 },
    volume_path: "/opt/oracle/oradata",
    tmpfs: &[
        Tmpfs::new("/tmp", 64),
        Tmpfs::new("/var/tmp", 16), // sockets of the listener
        Tmpfs::new("/opt/oracle/diag", 128),
        Tmpfs::new("/opt/oracle/audit", 16),
        Tmpfs::new("/opt/oracle/product/26ai/dbhomeFree/dbs", 16),
        Tmpfs::new("/opt/oracle/product/26ai/dbhomeFree/network/admin", 4),
        Tmpfs::new("/opt/oracle/product/26ai/dbhomeFree/rdbms/log", 32),
        Tmpfs::new("/opt/oracle/product/26ai/dbhomeFree/log", 16),
    ],
    shm_mib: 2048, // the SGA
    stop: Stop { signal: 15, grace_secs: 180, says: Some("fluxdb: the database is shut down") },
    floor: Floor { memory_mib: 4096, pids: 512, nofile: 65_536 },
    templates: &[
        Template { name: "start.sh", source: include_str!("../../../config_templates/oracle/start.sh.j2") },
        Template { name: "init.ora", source: include_str!("../../../config_templates/oracle/init.ora.j2") },
    ],
    system_user: "SYSTEM",
    default_username: "ADMIN",
    default_database: Some("FREEPDB1"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Never run by the makers of fluxdb. Whether it runs with a read-only root file system is not known: the image was not made for that",
        "Oracle allows one Free instance on a host: a second one ends with ORA-00442",
        "A named database is a pluggable database: making one takes a minute and about 1 GiB",
        "Users are made through fluxdb alone, and rights reach one schema. Role backup exports everything in its database, password hashes included",
        "The audit trail of failed logins grows in the database",
        "Passwords may hold no double quotes. Connections are not encrypted",
    ],
};

/// Users and databases that come with the server.
const OWN_DATABASES: [&str; 3] = ["CDB$ROOT", "PDB$SEED", "FREE"];

/// An identifier as clients mean it when they do not quote: upper case.
fn ident(name: &str) -> String {
    format!("\"{}\"", name.to_uppercase().replace('"', "\"\""))
}

/// A password. It cannot hold a quote: doubled, it is an error and nothing else.
fn password(secret: &Secret) -> String {
    format!("\"{}\"", secret.expose().replace('"', "\"\""))
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The first error in what sqlplus said: `ORA-01920`.
fn error(answer: &Answer) -> Option<String> {
    let text = answer.text();
    let line = text.lines().find(|l| ["ORA-", "SP2-", "TNS-"].iter().any(|p| l.starts_with(p)))?;
    Some(line.split(':').next().unwrap_or(line).trim().to_owned())
}

fn run(text: String) -> Call {
    Call::exec(Exec {
        argv: vec!["bash".into(), "-c".into(), SQLPLUS.into()],
        env: Vec::new(),
        login: true,
        stdin: Secret::new(text),
        refused_when: "ORA-01017",
    })
    .checked(error)
    // No listener, no such service yet, not open.
    .not_yet(&["ORA-12541", "ORA-12514", "ORA-12528", "ORA-01033", "ORA-01034", "ORA-01109"])
}

/// One statement.
fn sql(text: impl Into<String>) -> Call {
    run(format!("{};\n", text.into()))
}

/// A PL/SQL block.
fn block(text: &str) -> Call {
    run(format!("{text}\n/\n"))
}

impl Engine for Oracle {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            data => FACTS.volume_path,
            files => FILES_DIR,
            processes => self.max_connections(&cx.size),
            // The edition allows 2 GB for both.
            sga_mib => settings::SGA_MIB,
            pga_mib => settings::PGA_MIB,
            user_settings => settings::lines(cx),
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
        sql("SELECT 1 FROM dual")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let database = cx.database.as_deref().unwrap_or("FREEPDB1");
        let mut calls = self.create(cx, database);
        calls.extend(users::make(&cx.user, database));
        calls.extend(users::owner(&cx.user.username, database));
        calls
    }

    /// Where the session is, for a user; the system account is the same everywhere and changed in the root.
    fn set_password(&self, account: &Account) -> Vec<Call> {
        let change =
            |name: &str| sql(format!("ALTER USER {} IDENTIFIED BY {}", ident(name), password(&account.password)));
        if account.username.eq_ignore_ascii_case(FACTS.system_user) {
            return vec![change(FACTS.system_user).in_database(ROOT)];
        }
        vec![change(&account.username)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port, service) = (to.host, to.port, to.database.unwrap_or(ROOT));
        Some(Secret::new(match format {
            UriFormat::Uri => format!("oracle://{}:{}@{host}:{port}/{service}", percent(user), percent(password)),
            UriFormat::Jdbc => {
                format!("jdbc:oracle:thin:{user}/\"{password}\"@//{host}:{port}/{service}")
            }
            UriFormat::Env => format!(
                "ORACLE_DSN={}\nORACLE_USER={}\nORACLE_PASSWORD={}\n",
                shell_word(&format!("//{host}:{port}/{service}")),
                shell_word(user),
                shell_word(password)
            ),
            UriFormat::Cli => format!("sqlplus {}", shell_word(&format!("{user}@//{host}:{port}/{service}"))),
            UriFormat::Yaml => format!(
                "host: {}\nport: {port}\nusername: {}\npassword: {}\nservice: {}\n",
                yaml_string(host),
                yaml_string(user),
                yaml_string(password),
                yaml_string(service)
            ),
            UriFormat::Dotnet => format!(
                "User Id={};Password=\"{}\";Data Source={host}:{port}/{service}",
                user,
                password.replace('"', "\"\"")
            ),
        }))
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let target = format!("{username}@//127.0.0.1:{}/{}", FACTS.ports[0].number, database.unwrap_or(ROOT));
        Shell { argv: vec!["sqlplus".into(), target], password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        let longest = match kind {
            NameKind::Database => 30,
            NameKind::User => 128,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > longest {
            return Err(format!("must be 1 to {longest} characters long"));
        }
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
            return Err("must begin with a letter, then letters, digits and _".into());
        }
        let upper = name.to_uppercase();
        let reserved = match kind {
            NameKind::Database => OWN_DATABASES.contains(&upper.as_str()),
            NameKind::User => {
                ["SYS", "SYSTEM", "PUBLIC", "PDBADMIN", "OUTLN", "DBSNMP", "AUDSYS", "XDB"].contains(&upper.as_str())
                    || ["SYS_", "GSM", "C__"].iter().any(|p| upper.starts_with(p))
            }
        };
        if reserved { Err(format!("{name:?} is reserved")) } else { Ok(()) }
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 16).clamp(200, 500)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let value = literal(value);
        Marker {
            write: vec![
                sql("CREATE TABLE IF NOT EXISTS fluxdb_marker (value varchar2(64) PRIMARY KEY)"),
                sql(format!(
                    "INSERT INTO fluxdb_marker (value) SELECT {value} FROM dual \
                     WHERE NOT EXISTS (SELECT 1 FROM fluxdb_marker WHERE value = {value})"
                )),
            ],
            read: sql(format!("SELECT value FROM fluxdb_marker WHERE value = {value}")),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let expect = cx.settings.get("processes").cloned();
        vec![Tuned {
            what: "processes",
            call: sql("SELECT value FROM v$parameter WHERE name = 'processes'").in_database(ROOT),
            expect: expect.unwrap_or_else(|| self.max_connections(&cx.size).to_string()),
            read: |a| a.first().map(|t| t.trim().to_owned()),
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

impl Oracle {
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
            env: vec![],
            files,
        })
    }
}

impl Databases for Oracle {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        let (pdb, upper) = (ident(name), name.to_uppercase());
        // Every one has an administrator; this one is never used and locked at once. ORA-65012 = it is there, ORA-65019 = open.
        let nobody = format!("Fx1_{:032x}", cx.unique);
        vec![
            sql(format!(
                "CREATE PLUGGABLE DATABASE {pdb} ADMIN USER PDBADMIN IDENTIFIED BY \"{nobody}\" \
                 FILE_NAME_CONVERT = ('pdbseed', {}) DEFAULT TABLESPACE USERS DATAFILE {} \
                 SIZE 1M AUTOEXTEND ON NEXT 10M MAXSIZE UNLIMITED",
                literal(&upper),
                literal(&format!("{}/FREE/{upper}/users01.dbf", FACTS.volume_path))
            ))
            .in_database(ROOT)
            .tolerating(&["ORA-65012"]),
            sql(format!("ALTER PLUGGABLE DATABASE {pdb} OPEN READ WRITE")).in_database(ROOT).tolerating(&["ORA-65019"]),
            sql(format!("ALTER PLUGGABLE DATABASE {pdb} SAVE STATE")).in_database(ROOT),
            sql("ALTER USER PDBADMIN ACCOUNT LOCK").in_database(name).tolerating(&["ORA-01918"]),
        ]
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        let pdb = ident(name);
        // ORA-65011 = there is none, ORA-65020 = closed.
        vec![
            sql(format!("ALTER PLUGGABLE DATABASE {pdb} CLOSE IMMEDIATE"))
                .in_database(ROOT)
                .tolerating(&["ORA-65011", "ORA-65020"]),
            sql(format!("DROP PLUGGABLE DATABASE {pdb} INCLUDING DATAFILES"))
                .in_database(ROOT)
                .tolerating(&["ORA-65011"]),
        ]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![sql("SELECT name FROM v$pdbs ORDER BY name").in_database(ROOT)]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        lines(answers).filter(|n| !OWN_DATABASES.contains(&n.as_str())).collect()
    }
}

/// The lines that sqlplus printed.
fn lines(answers: &[Answer]) -> impl Iterator<Item = String> {
    let text: Vec<String> = answers.iter().map(Answer::text).collect();
    let lines: Vec<String> = text.join("\n").lines().map(str::trim).filter(|l| !l.is_empty()).map(Into::into).collect();
    lines.into_iter()
}
