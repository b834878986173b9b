//! ArangoDB. Image contract: the official image's entrypoint; options, rights, calls: the ArangoDB manual.

use minijinja::context;
use serde_json::json;

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    Marker, Metrics, NameKind, Port, Protocol, SYSTEM_PASSWORD_FILE, Secret, Settings, Shell, Size, Stop, Template,
    Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Arangodb = Arangodb;

/// ArangoDB.
pub(crate) struct Arangodb;

static FACTS: Facts = Facts {
    id: "arangodb",
    title: "ArangoDB",
    category: Category::Graph,
    license: "3.11: Apache-2.0; 3.12 since 3.12.5: Community License, not for commercial production and at most 100 GiB of data; a service needs a licence",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    // Upstream mends the newest minor, and the one before for a while; it names no exact days.
    versions: &[
        Version { id: "3.12", reference: "library/arangodb:3.12.10.1", end_of_life: "2027-12-31", local: None },
        Version { id: "3.11", reference: "library/arangodb:3.11.14", end_of_life: "2026-12-31", local: None },
    ],
    default_version: "3.12",
    ports: &[Port { name: "http", number: 8529 }],
    control_port: 0,
    user: User { uid: 1000, gid: 1000 }, // the image has no user of its own and works as any
    volume_path: "/var/lib/arangodb3",
    tmpfs: &[
        Tmpfs::new("/var/lib/arangodb3-apps", 16), // made anew from the database at each start
        Tmpfs::new("/tmp", 64),
    ],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("ArangoDB has been shut down") },
    floor: Floor { memory_mib: 1024, pids: 512, nofile: 16_384 }, // less than 8192 files and it does not start
    templates: &[Template {
        name: "arangod.conf",
        source: include_str!("../../../config_templates/arangodb/arangod.conf.j2"),
    }],
    system_user: "root",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "3.12 is not free for a service: see the licence before you offer it",
        "No JavaScript of users on the server (Foxx, tasks, transactions and functions in it): it could read the server's files",
        "Databases and users are made through fluxdb: only administrators of _system may, and such are root",
        "Users with rights in some databases alone log in there, not at _system: what asks without naming a database refuses them",
        "The settings of 3.11 cannot be read back: it shows its options to nobody",
    ],
};

/// Makes the database and its root account, then becomes the server; the image's entrypoint does the same, but takes an
/// interrupted or failed first start for a good one, and root has no password then. A first start begins with a note in the
/// empty directory and ends by taking it away; whatever is there together with the note is nobody's data. The code of the
/// initialiser is not looked at, as the image's entrypoint does not either: it must have left the file SERVER.
const START: &str = r#"umask 077
db=/var/lib/arangodb3 note=/var/lib/arangodb3/.fluxdb-first-start conf=/fluxdb/arangod.conf
if [ -e "$note" ]; then
  find "$db" -mindepth 1 ! -path "$note" -delete || exit 1
elif [ -z "$(ls -A "$db" | grep -v '^lost+found$')" ]; then
  : > "$note" || exit 1
fi
if [ -e "$note" ]; then
  ARANGODB_DEFAULT_ROOT_PASSWORD=$(cat /fluxdb/system-password) /usr/sbin/arango-init-database -c "$conf" \
    --server.rest-server false --log.level error --database.init-database true || echo "first start: code $?" >&2
  [ -e "$db/SERVER" ] || exit 1
  rm "$note" || exit 1
fi
exec "$@"
"#;

/// Threads and files bound it; there is no option for it.
fn max_connections(size: &Size) -> u32 {
    (size.memory_mib / 4).clamp(128, 4096)
}

impl Engine for Arangodb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            port => FACTS.port().number,
            directory => FACTS.volume_path,
            shows_options => cx.version.id != "3.11",
            v8_heap_mib => (cx.size.memory_mib / 4).clamp(256, 3072),
            sections => settings::sections(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: Some(["sh", "-c", START, "start"].map(Into::into).into()),
            argv: vec!["arangod".into(), "--config".into(), format!("{FILES_DIR}/arangod.conf")],
            env: vec![
                // It asks the host otherwise, not the container.
                ("ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY", (u64::from(cx.size.memory_mib) << 20).to_string()),
                ("ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES", cx.size.vcpu.to_string()),
                ("GLIBCXX_FORCE_NEW", "1".into()), // as the image's entrypoint has it
                ("HOME", "/tmp".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::get("/_api/version") // 401 where the account is wrong
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        // Databases first: rights are given in those that are there.
        let mut calls: Vec<Call> = cx.database.as_deref().map(create_database).into_iter().collect();
        calls.extend(users::make(&cx.user));
        calls.extend(users::owner(&cx.user.username));
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![users::password(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port, database) = (to.host, to.port, to.database.unwrap_or("_system"));
        let uri = format!("http://{}:{}@{host}:{port}/_db/{}", percent(user), percent(password), percent(database));
        Some(Secret::new(match format {
            UriFormat::Uri => uri,
            UriFormat::Env => format!(
                "ARANGO_URL={}\nARANGO_USER={}\nARANGO_PASSWORD={}\nARANGO_DATABASE={}\n",
                shell_word(&format!("http://{host}:{port}")),
                shell_word(user),
                shell_word(password),
                shell_word(database)
            ),
            UriFormat::Cli => format!(
                "arangosh --server.endpoint tcp://{host}:{port} --server.username {} --server.database {}",
                shell_word(user),
                shell_word(database)
            ),
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

    /// The shell asks for the password.
    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let endpoint = format!("tcp://127.0.0.1:{}", FACTS.port().number);
        let words = ["arangosh", "--server.endpoint", &endpoint, "--server.username", username, "--server.database"];
        let mut argv: Vec<String> = words.map(Into::into).into();
        argv.push(database.unwrap_or("_system").to_owned());
        Shell { argv, password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        match kind {
            NameKind::Database => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !starts || name.len() > 64 || !name.chars().all(plain) {
                    return Err("must be 1 to 64 letters, digits, _ or -, and begin with a letter".into());
                }
            }
            NameKind::User => {
                if name.is_empty() || name.len() > 128 {
                    return Err("must be 1 to 128 bytes long".into());
                }
                // `:role:` begins a role; HTTP ends the name at a colon; `@` stands for a variable in the shell's arguments.
                if name.chars().any(|c| c.is_control() || c == ':' || c == '@') || name == "*" {
                    return Err("must not be * nor hold colons, @ or control characters".into());
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
        let api = format!("{}/_api", path(cx.database.as_deref().unwrap_or("_system")));
        // 409 = it is there.
        let collection = json!({"name": "fluxdb_marker", "waitForSync": true});
        let document = json!({"_key": value, "value": value});
        Marker {
            write: vec![
                Call::json("POST", format!("{api}/collection"), &collection).tolerating(&["409"]),
                Call::json("POST", format!("{api}/document/fluxdb_marker?overwriteMode=replace"), &document),
            ],
            read: Call::get(format!("{api}/document/fluxdb_marker/{}", percent(value))),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        vec![
            Tuned {
                what: "rocksdb.block-cache-size",
                call: metrics::all(),
                expect: settings::value(cx, "rocksdb.block-cache-size"),
                read: |a| metrics::number(&a.text(), "rocksdb_block_cache_capacity").map(|n| n.to_string()),
            },
            Tuned {
                what: "query.global-memory-limit",
                call: metrics::all(),
                expect: settings::value(cx, "query.global-memory-limit"),
                read: |a| metrics::number(&a.text(), "arangodb_aql_global_memory_limit").map(|n| n.to_string()),
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

    fn open_paths(&self, _version: &str) -> &'static [crate::OpenPath] {
        // From the manual; not yet run.
        &[
            crate::OpenPath {
                port: 0,
                path: "/_admin/aardvark/*",
                tells: "the files of the web interface, which asks for a password itself",
            },
            crate::OpenPath { port: 0, path: "/_db/_system/_admin/aardvark/*", tells: "the same files" },
            crate::OpenPath { port: 0, path: "/_admin/server/availability", tells: "that the server runs" },
        ]
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/_admin/server/availability",
            "/_admin/metrics/v2",
            "/_admin/log",
            "/_admin/options",
            "/_api/database",
            "/_api/user",
            "/_api/collection",
            "/_api/foxx",
            "/_admin/aardvark/index.html",
            "/_db/_system/_api/version",
            "POST /_open/auth",
            "POST /_api/cursor",
            "POST /_admin/execute",
        ]
    }
}

/// Path of a database.
fn path(database: &str) -> String {
    format!("/_db/{}", percent(database))
}

/// 409 = it is there. The owner has rights in every database.
fn create_database(name: &str) -> Call {
    Call::json("POST", "/_api/database", &json!({"name": name})).tolerating(&["409"])
}

impl Databases for Arangodb {
    fn create(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![create_database(name)]
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![Call::http("DELETE", format!("/_api/database/{}", percent(name)), None).tolerating(&["404"])]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/_api/database")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let all = answers.iter().filter_map(|a| a.json().pointer("/result")?.as_array()).flatten();
        all.filter_map(|n| n.as_str()).filter(|n| !n.starts_with('_')).map(str::to_owned).collect()
    }
}
