//! MongoDB. Image contract: the official image's entrypoint; commands, roles, formulas: the MongoDB manual.

use minijinja::context;
use serde_json::{Value, json};

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    Marker, Metrics, NameKind, Port, Protocol, Request, SYSTEM_PASSWORD_FILE, Secret, Settings, Shell, Size, Stop,
    Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Mongodb = Mongodb;

/// MongoDB.
pub(crate) struct Mongodb;

static FACTS: Facts = Facts {
    id: "mongodb",
    title: "MongoDB",
    category: Category::Document,
    license: "SSPL-1.0: who offers it as a service must publish the whole service's source, or buy a licence",
    protocol: Protocol::Mongo,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "8.0", reference: "library/mongo:8.0.29", end_of_life: "2029-10-31", local: None },
        Version { id: "7.0", reference: "library/mongo:7.0.40", end_of_life: "2027-08-31", local: None },
        Version { id: "6.0", reference: "library/mongo:6.0.27", end_of_life: "2025-07-31", local: None },
        Version { id: "5.0", reference: "library/mongo:5.0.32", end_of_life: "2024-10-31", local: None },
    ],
    default_version: "8.0",
    ports: &[Port { name: "mongodb", number: 27017 }],
    control_port: 0,
    user: User { uid: 999, gid: 999 },
    volume_path: "/data/db",
    tmpfs: &[
        Tmpfs::new("/tmp", 64),
        Tmpfs::new("/docker-entrypoint-initdb.d", 1), // the end of the first start is noted from there
    ],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 60, says: Some("\"msg\":\"Shutting down\",\"attr\":{\"exitCode\":0}") },
    // A thread for each connection comes on top of the processes.
    floor: Floor { memory_mib: 512, pids: 256, nofile: 64_000 },
    templates: &[Template {
        name: "mongod.conf",
        source: include_str!("../../../config_templates/mongodb/mongod.conf.j2"),
    }],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "A single server, not a replica set: no transactions over several documents and no change streams",
        "A backup user reads every database",
        "Users are made through fluxdb: an account that may make users could make itself root",
        "5.0 and later need a processor with AVX (amd64) or ARMv8.2 (arm64)",
    ],
};

/// Runs before the image's entrypoint. That one takes an interrupted first start for a finished one, and the server then
/// has no account at all. So a first start begins with a note in the empty directory, the last thing that the entrypoint
/// does in it is to remove the note, and whatever is there together with the note is nobody's data.
const START: &str = r#"db=/data/db note=/data/db/.fluxdb-first-start
if [ -e "$note" ]; then
  find "$db" -mindepth 1 ! -path "$note" -delete || exit 1
elif [ -z "$(ls -A "$db" | grep -v '^lost+found$')" ]; then
  : > "$note" || exit 1
fi
printf 'sleep 1\nrm -f %s\n' "$note" > /docker-entrypoint-initdb.d/note.sh || exit 1
exec docker-entrypoint.sh "$@"
"#;

/// A command whose name stands first, as the protocol wants it; JSON objects of this crate are sorted.
fn command(name: &str, value: &Value, rest: &[(&str, Value)]) -> Call {
    let mut text = format!("{{{}:{value}", json!(name));
    for (key, value) in rest {
        text.push_str(&format!(",{}:{value}", json!(key)));
    }
    text.push('}');
    Call { request: Request::Mongo(Secret::new(text)), ..Call::mongo(&Value::Null) }
}

/// A command on the server as a whole.
fn admin(name: &str, value: &Value, rest: &[(&str, Value)]) -> Call {
    command(name, value, rest).in_database("admin")
}

/// Writes say `ok` and put what went wrong in a list.
fn write_error(answer: &Answer) -> Option<String> {
    answer.at("/writeErrors/0/code").or_else(|| answer.at("/writeConcernError/code"))
}

/// Half of what is left beside 1 GiB for connections, sorts and the server itself; the manual's formula.
fn cache_mib(size: &Size) -> u32 {
    (size.memory_mib.saturating_sub(1024) / 2).max(256)
}

fn max_connections(size: &Size) -> u32 {
    (size.memory_mib / 4).clamp(100, 5000)
}

impl Engine for Mongodb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let chosen = |name: &str, ours: String| cx.settings.get(name).cloned().unwrap_or(ours);
        let default = |name: &str| chosen(name, settings::default(name).to_owned());
        context! {
            port => FACTS.port().number,
            db_path => FACTS.volume_path,
            // Read as a floating-point number.
            cache_gb => chosen(settings::CACHE, (f64::from(cache_mib(&cx.size)) / 1024.0).to_string()),
            max_connections => chosen(settings::CONNECTIONS, max_connections(&cx.size).to_string()),
            block_compressor => default(settings::BLOCKS),
            journal_compressor => default(settings::JOURNAL),
            compressors => default(settings::NETWORK),
            profiling => default(settings::PROFILING),
            slow_ms => default(settings::SLOW),
            sample_rate => default(settings::SAMPLE),
            javascript => default(settings::JAVASCRIPT),
            user_settings => settings::parameters(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: Some(["bash", "-c", START, "start"].map(Into::into).into()),
            argv: vec!["mongod".into(), "--config".into(), format!("{FILES_DIR}/mongod.conf")],
            env: vec![
                ("MONGO_INITDB_ROOT_USERNAME", cx.system.username.clone()),
                ("MONGO_INITDB_ROOT_PASSWORD_FILE", format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}")),
                ("HOME", "/tmp".into()), // the shell writes its history there
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        // `ping` itself needs no login; this does. Who may not list all sees its own.
        admin("listDatabases", &json!(1), &[("nameOnly", json!(true))])
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let mut calls = users::put(&cx.user, &users::owner_roles());
        if let Some(database) = cx.database.as_deref() {
            calls.push(create_database(database));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        let password = json!(account.password.expose());
        vec![admin("updateUser", &json!(account.username), &[("pwd", password)])]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port, database) = (to.host, to.port, to.database.unwrap_or_default());
        let uri = |login: &str| {
            format!("mongodb://{login}@{host}:{port}/{}?authSource=admin&directConnection=true", percent(database))
        };
        let full = uri(&format!("{}:{}", percent(user), percent(password)));
        Some(Secret::new(match format {
            UriFormat::Uri | UriFormat::Dotnet => full,
            UriFormat::Env => format!(
                "MONGODB_URI={}\nMONGODB_HOST={}\nMONGODB_PORT='{port}'\nMONGODB_USER={}\nMONGODB_PASSWORD={}\nMONGODB_DATABASE={}\n",
                shell_word(&full),
                shell_word(host),
                shell_word(user),
                shell_word(password),
                shell_word(database)
            ),
            UriFormat::Cli => format!("mongosh {}", shell_word(&uri(&percent(user)))),
            UriFormat::Yaml => format!(
                "host: {}\nport: {port}\nusername: {}\npassword: {}\ndatabase: {}\nauthSource: admin\n",
                yaml_string(host),
                yaml_string(user),
                yaml_string(password),
                yaml_string(database)
            ),
            UriFormat::Jdbc => return None,
        }))
    }

    /// The shell asks for the password: it takes none from the environment.
    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let uri = format!(
            "mongodb://{}@127.0.0.1:{}/{}?authSource=admin&directConnection=true",
            percent(username),
            FACTS.port().number,
            percent(database.unwrap_or("admin"))
        );
        Shell { argv: vec!["mongosh".into(), uri], password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        let longest = match kind {
            NameKind::Database => 63,
            NameKind::User => 128,
        };
        if name.is_empty() || name.len() > longest {
            return Err(format!("must be 1 to {longest} bytes long"));
        }
        if name.chars().any(char::is_control) {
            return Err("must not contain control characters".into());
        }
        match kind {
            NameKind::Database if name.chars().any(|c| "/\\. \"$*<>:|?".contains(c)) => {
                Err("must not contain spaces or any of / \\ . \" $ * < > : | ?".into())
            }
            // Names that differ in case alone are refused by the server.
            NameKind::Database if ["admin", "local", "config"].contains(&name.to_lowercase().as_str()) => {
                Err(format!("{name:?} is made by the server itself"))
            }
            NameKind::User if [FACTS.system_user, "__system"].contains(&name) => Err(format!("{name:?} is reserved")),
            NameKind::Database | NameKind::User => Ok(()),
        }
    }

    fn max_connections(&self, size: &Size) -> u32 {
        max_connections(size)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let change = json!([{"q": {"_id": value}, "u": {"$set": {"value": value}}, "upsert": true}]);
        let safely = ("writeConcern", json!({"w": 1, "j": true}));
        let write = command("update", &json!("fluxdb_marker"), &[("updates", change), safely]).checked(write_error);
        let filter = [("filter", json!({"_id": value})), ("limit", json!(1))];
        Marker { write: vec![write], read: command("find", &json!("fluxdb_marker"), &filter) }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let cache = cx.settings.get(settings::CACHE).and_then(|v| v.parse::<f64>().ok());
        let cache = cache.map_or_else(|| cache_mib(&cx.size).into(), |gb| (gb * 1024.0).trunc());
        let connections = cx.settings.get(settings::CONNECTIONS).and_then(|v| v.parse::<u32>().ok());
        vec![
            Tuned {
                what: "cache size",
                call: metrics::status(),
                expect: (cache * 1_048_576.0).to_string(),
                read: |a| a.at("/wiredTiger/cache/maximum bytes configured"),
            },
            Tuned {
                what: "connections",
                call: metrics::status(),
                expect: connections.unwrap_or_else(|| max_connections(&cx.size)).to_string(),
                read: |a| {
                    let number = |at: &str| a.json().pointer(at)?.as_u64();
                    Some((number("/connections/current")? + number("/connections/available")?).to_string())
                },
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

/// A database exists while something is in it: an empty collection, to begin with. 48 = it is there.
fn create_database(name: &str) -> Call {
    command("create", &json!("fluxdb"), &[]).in_database(name).tolerating(&["48"])
}

impl Databases for Mongodb {
    fn create(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![create_database(name)]
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![command("dropDatabase", &json!(1), &[]).in_database(name)]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![admin("listDatabases", &json!(1), &[("nameOnly", json!(true))])]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let all = answers.iter().filter_map(|a| a.json().pointer("/databases")?.as_array()).flatten();
        all.filter_map(|d| d.pointer("/name")?.as_str())
            .filter(|n| !["admin", "local", "config"].contains(n))
            .map(str::to_owned)
            .collect()
    }
}
