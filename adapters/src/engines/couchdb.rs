//! CouchDB. Image contract: the official image's entrypoint; the rest: the CouchDB manual and its `default.ini`.

use minijinja::context;
use serde_json::json;

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Databases, Endpoint, Engine, Facts, File, Floor, HttpAuth, Launch, Marker,
    Metrics, NameKind, Port, Protocol, SYSTEM_PASSWORD_FILE, Secret, Settings, Shell, Size, Stop, Template, Tmpfs,
    Tuned, UriFormat, User, Users, Version,
};

mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Couchdb = Couchdb;

/// CouchDB.
pub(crate) struct Couchdb;

static FACTS: Facts = Facts {
    id: "couchdb",
    title: "CouchDB",
    category: Category::Document,
    license: "Apache-2.0: free for any use, also as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    // Upstream names no dates; it mends the newest two minors.
    versions: &[
        Version { id: "3.5", reference: "library/couchdb:3.5.2.1", end_of_life: "2027-12-31", local: None },
        Version { id: "3.4", reference: "library/couchdb:3.4.3", end_of_life: "2026-12-31", local: None },
    ],
    default_version: "3.5",
    ports: &[Port { name: "http", number: 5984 }],
    control_port: 0,
    user: User { uid: 5984, gid: 5984 },
    volume_path: "/opt/couchdb/data",
    tmpfs: &[
        Tmpfs::new("/opt/couchdb/etc/local.d", 1), // the entrypoint makes a file there, and so does a changed setting
        Tmpfs::new("/tmp", 16),
    ],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 30, says: None },
    floor: Floor { memory_mib: 256, pids: 512, nofile: 16_384 },
    templates: &[Template {
        name: "fluxdb.ini",
        source: include_str!("../../../config_templates/couchdb/fluxdb.ini.j2"),
    }],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Databases are made through fluxdb: only a server administrator may, and such a one could take over every account",
        "Readers are kept from writing by a design document, _design/fluxdb, in each database; its administrators must leave it there",
        "Refused logins are noted, not locked out: all clients seem to come from one address, and one could lock out the others",
        "One node; upstream publishes no dates on which a version ends",
    ],
};

/// Runs before the image's entrypoint. Server administrators stand in a file that the server reads and answers with a
/// hash in another one; both live in memory, so what was rendered is right at every start. The administrator's name
/// must follow its heading at once.
const START: &str = r#"umask 077
etc=/opt/couchdb/etc/local.d
cat /fluxdb/fluxdb.ini > "$etc/10-fluxdb.ini" || exit 1
printf '[admins]\n%s = %s\n' "$1" "$(cat /fluxdb/system-password)" > "$etc/20-fluxdb.ini" || exit 1
shift
exec tini -- /docker-entrypoint.sh "$@"
"#;

/// Processes that run JavaScript take about 32 MiB each.
fn javascript_processes(size: &Size) -> u32 {
    (size.memory_mib / 64).clamp(4, 100)
}

fn open_databases(size: &Size) -> u32 {
    (size.memory_mib / 2).clamp(100, 4000)
}

fn max_connections(size: &Size) -> u32 {
    size.memory_mib.clamp(256, 8192)
}

/// Signs session cookies: the same at every start as long as the password is.
fn cookie_secret(cx: &Cx) -> String {
    use sha2::Digest;
    let text = format!("couchdb cookies {:032x} {}", cx.unique, cx.system.password.expose());
    sha2::Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

impl Engine for Couchdb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            uuid => format!("{:032x}", cx.unique),
            port => FACTS.port().number,
            max_connections => max_connections(&cx.size),
            cookie_secret => cookie_secret(cx),
            sections => settings::sections(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let cpus = cx.size.vcpu;
        Ok(Launch {
            entrypoint: Some(["sh", "-c", START, "start", &cx.system.username].map(Into::into).into()),
            argv: vec!["/opt/couchdb/bin/couchdb".into()],
            env: vec![
                // Otherwise a scheduler for each processor of the host.
                ("ERL_FLAGS", format!("+S {cpus}:{cpus} +SDcpu {cpus}:{cpus} +SDio 4")),
                ("HOME", "/tmp".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::get("/_session") // 401 where the account is wrong
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let exists: &[&str] = &["412"];
        let not_yet: &[&str] = &["404", "500", "503"];
        let mut calls: Vec<Call> = ["/_users", "/_replicator"]
            .into_iter()
            .map(|path| Call::http("PUT", path, None).tolerating(exists).not_yet(not_yet))
            .collect();
        calls.push(users::editor().not_yet(not_yet));
        calls.push(users::put(&cx.user, &[users::OWNER.to_owned()]).not_yet(not_yet));
        if let Some(database) = cx.database.as_deref() {
            calls.extend(create_database(database));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        let password = json!(account.password.expose());
        vec![match account.username == FACTS.system_user {
            true => {
                Call::json("PUT", format!("/_node/_local/_config/admins/{}", percent(&account.username)), &password)
            }
            false => users::edit(&account.username, &json!({"password": password})),
        }]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port, database) = (to.host, to.port, to.database.unwrap_or_default());
        let uri = format!("http://{}:{}@{host}:{port}/{}", percent(user), percent(password), percent(database));
        Some(Secret::new(match format {
            UriFormat::Uri => uri,
            UriFormat::Env => format!(
                "COUCHDB_URL={}\nCOUCHDB_HOST={}\nCOUCHDB_PORT='{port}'\nCOUCHDB_USER={}\nCOUCHDB_PASSWORD={}\nCOUCHDB_DATABASE={}\n",
                shell_word(&uri),
                shell_word(host),
                shell_word(user),
                shell_word(password),
                shell_word(database)
            ),
            UriFormat::Cli => {
                format!("curl --user {} http://{host}:{port}/{}", shell_word(user), percent(database))
            }
            UriFormat::Yaml => format!(
                "host: {}\nport: {port}\nusername: {}\npassword: {}\ndatabase: {}\n",
                yaml_string(host),
                yaml_string(user),
                yaml_string(password),
                yaml_string(database)
            ),
            UriFormat::Jdbc | UriFormat::Dotnet => return None,
        }))
    }

    /// There is none but HTTP; curl asks for the password.
    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let url = format!("http://127.0.0.1:{}/{}", FACTS.port().number, percent(database.unwrap_or_default()));
        Shell { argv: vec!["curl".into(), "--user".into(), username.to_owned(), url], password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        let longest = match kind {
            NameKind::Database => 200, // a file is named for it, with a suffix
            NameKind::User => 128,
        };
        if name.is_empty() || name.len() > longest {
            return Err(format!("must be 1 to {longest} bytes long"));
        }
        match kind {
            NameKind::Database => {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_$()+-".contains(c);
                if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
                    return Err("must begin with a letter and hold only a-z, 0-9 and _ $ ( ) + -".into());
                }
            }
            NameKind::User => {
                if name.starts_with('_') || name.chars().any(|c| c.is_control() || c == ':') {
                    return Err("must not begin with _ nor hold colons or control characters".into());
                }
                if name == FACTS.system_user {
                    return Err(format!("{name:?} is reserved"));
                }
            }
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        max_connections(size)
    }

    fn marker(&self, cx: &Cx, value: &str) -> Marker {
        let path = format!("{}/fluxdb_marker_{}", path(cx.database.as_deref().unwrap_or_default()), percent(value));
        // 409 = it is there.
        let write = Call::json("PUT", path.clone(), &json!({"value": value})).tolerating(&["409"]);
        Marker { write: vec![write], read: Call::get(path) }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let one = |what: &'static str| Tuned {
            what,
            call: Call::get(format!("/_node/_local/_config/{what}")),
            expect: settings::value(cx, what),
            read: |a| a.first().map(Into::into),
        };
        vec![one("couchdb/max_dbs_open"), one("query_server_config/os_process_limit")]
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

    fn open_paths(&self, _version: &str) -> &'static [crate::OpenPath] {
        // From the manual; not yet run.
        &[
            crate::OpenPath { port: 0, path: "/", tells: "version, identifier and features of the server" },
            crate::OpenPath { port: 0, path: "/_up", tells: "that the server runs" },
            crate::OpenPath { port: 0, path: "/_session", tells: "how one may log in" },
            crate::OpenPath { port: 0, path: "/_uuids", tells: "random numbers" },
            crate::OpenPath {
                port: 0,
                path: "/_utils/*",
                tells: "the files of Fauxton, which asks for a password itself",
            },
            crate::OpenPath { port: 0, path: "/favicon.ico", tells: "a picture" },
        ]
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/_session",
            "/_uuids",
            "/_node/_local/_config",
            "/_node/_local/_stats",
            "/_active_tasks",
            "/_membership",
            "/_scheduler/jobs",
            "/_dbs_info",
            "/_users/_all_docs",
            "/_replicator",
            "/_cluster_setup",
            "POST /_session",
            "POST /_replicate",
        ]
    }
}

/// Path of a database.
fn path(database: &str) -> String {
    format!("/{}", percent(database))
}

/// 412 = it is there. Until it is told otherwise, a new one is for server administrators alone.
fn create_database(name: &str) -> Vec<Call> {
    let mut calls = vec![Call::http("PUT", path(name), None).tolerating(&["412"])];
    calls.extend(users::secure(name));
    calls
}

impl Databases for Couchdb {
    fn create(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        create_database(name)
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![Call::http("DELETE", path(name), None).tolerating(&["404"])]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/_all_dbs")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let all = answers.iter().filter_map(|a| a.json().as_array()).flatten().filter_map(|n| n.as_str());
        all.filter(|n| !n.starts_with('_')).map(str::to_owned).collect()
    }
}
