//! Neo4j Community. Facts: Neo4j's operations manual, its query API and the official image's README.

use minijinja::context;
use serde_json::{Value, json};

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, ConfigTest, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth,
    Launch, LocalImage, Marker, Metrics, NameKind, OpenPath, PasswordFile, Port, Protocol, Repair,
    SYSTEM_PASSWORD_FILE, Secret, Settings, Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod metrics;
mod settings;
mod tenant;
mod users;

pub(crate) static ENGINE: Neo4j = Neo4j;

/// Neo4j Community.
pub(crate) struct Neo4j;

static FACTS: Facts = Facts {
    id: "neo4j",
    title: "Neo4j Community",
    category: Category::Graph,
    license: "GPLv3: free for any use, also as a service; roles, more databases, online backup and metrics are in Enterprise only",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    versions: &[
        Version {
            id: "2025.12",
            reference: "library/neo4j:2025.12.1-community",
            end_of_life: "2026-02-03",
            local: None,
        },
        Version {
            id: "5.26",
            reference: "library/neo4j:5.26.18-community",
            end_of_life: "2028-06-06",
            local: Some(LocalImage { suite: "trixie" }),
        },
    ],
    default_version: "5.26",
    ports: &[
        Port { name: "bolt", number: 7687 }, //
        Port { name: "http", number: 7474 },
    ],
    control_port: 1,
    user: User { uid: 7474, gid: 7474 },
    volume_path: "/data",
    tmpfs: &[Tmpfs::exec("/tmp", 64)], // native libraries
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: None },
    floor: Floor { memory_mib: 1024, pids: 256, nofile: 60_000 },
    templates: &[
        Template { name: "neo4j.conf", source: include_str!("../../../config_templates/neo4j/neo4j.conf.j2") },
        Template { name: "java.args", source: include_str!("../../../config_templates/neo4j/java.args.j2") },
        Template { name: "admin.args", source: include_str!("../../../config_templates/neo4j/admin.args.j2") },
        Template { name: "start.sh", source: include_str!("../../../config_templates/neo4j/start.sh.j2") },
    ],
    system_user: "neo4j",
    default_username: "admin",
    default_database: None, // there is one, `neo4j`
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Every user of the Community edition is an administrator: it sees, changes and removes every account, fluxdb's own (neo4j) \
         included, ends the transactions of others and reads the settings. Nothing in Community forbids that: its commands for \
         accounts have no rights, and the system database cannot be read-only. A repair brings fluxdb's account back; roles are in Enterprise.",
        "LOAD CSV reads no files, no addresses and no names: internal.dbms.cypher_ip_blocklist holds every address.",
        "Over HTTP the Bolt port says that the server runs, the HTTP port its version, without a password.",
        "One database (neo4j); more are in Enterprise.",
        "Passwords have at least 8 characters.",
        "No TLS yet; page cache hits and other engine metrics are in Enterprise only.",
    ],
};

/// A Cypher statement for a database.
fn cypher(database: &str, statement: &str, parameters: &Value) -> Call {
    Call::json("POST", format!("/db/{database}/query/v2"), &json!({ "statement": statement, "parameters": parameters }))
        .header("Accept", "application/json")
        .checked(failed)
}

/// An error after the first row comes in an answer whose status is good.
fn failed(answer: &Answer) -> Option<String> {
    answer.at("/errors/0/code")
}

/// For users and the like.
fn system(statement: &str, parameters: &Value) -> Call {
    cypher("system", statement, parameters)
}

/// The rows of an answer.
fn values(answer: &Answer) -> Vec<Vec<Value>> {
    let rows = answer.json().pointer("/data/values").and_then(Value::as_array);
    rows.into_iter().flatten().filter_map(|row| row.as_array().cloned()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Engine for Neo4j {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let memory = cx.size.memory_mib;
        let port = |at: usize| cx.advertised.ports.get(at).copied().unwrap_or(FACTS.ports[at].number);
        // An address of IPv6 stands in brackets.
        let host = &cx.advertised.host;
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
        context! {
            advertised_host => host,
            advertised_bolt => port(0),
            advertised_http => port(1),
            heap_mib => heap_mib(memory),
            pagecache_mib => pagecache_mib(memory),
            direct_mib => (memory / 16).max(64),
            code_mib => if memory < 2048 { 64 } else { 240 },
            collector => if cx.size.vcpu > 1 && memory >= 2048 { "UseG1GC" } else { "UseSerialGC" },
            vcpu => cx.size.vcpu,
            bolt_threads => self.max_connections(&cx.size),
            tx_log_mib => tx_log_mib(&cx.size),
            files => FILES_DIR,
            password_file => SYSTEM_PASSWORD_FILE,
            user_settings => settings::lines(cx),
            user_names => cx.settings.keys().cloned().collect::<Vec<_>>(),
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

    fn config_test(&self, _cx: &Cx) -> Option<ConfigTest> {
        let script = "d=$(mktemp -d) && cat > $d/neo4j.conf && NEO4J_HOME=/var/lib/neo4j NEO4J_CONF=$d \
                      java @/fluxdb/admin.args -Dbasedir=/var/lib/neo4j \
                      org.neo4j.server.startup.Neo4jAdminCommand server validate-config; code=$?; rm -r $d; exit $code";
        Some(ConfigTest { file: "neo4j.conf", script, wrong: "server.no_such_setting=1" })
    }

    fn bounded(&self, call: Call, limit: std::time::Duration) -> Call {
        call.field("maxExecutionTime", limit.as_secs().max(1))
    }

    fn ping(&self) -> Call {
        // The HTTP server is up before the database is.
        cypher("neo4j", "RETURN 1", &json!({})).not_yet(&["404", "503"])
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        users::provision(&cx.user)
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![users::password_call(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port) = (to.host, to.port);
        Some(Secret::new(match format {
            // Drivers take the account beside the URI; tools take it inside.
            UriFormat::Uri => format!("neo4j://{}:{}@{host}:{port}", percent(user), percent(password)),
            UriFormat::Jdbc => {
                format!("jdbc:neo4j://{host}:{port}/neo4j?user={}&password={}", percent(user), percent(password))
            }
            UriFormat::Env => format!(
                "NEO4J_URI={}\nNEO4J_USERNAME={}\nNEO4J_PASSWORD={}\nNEO4J_DATABASE=neo4j\n",
                shell_word(&format!("neo4j://{host}:{port}")),
                shell_word(user),
                shell_word(password)
            ),
            UriFormat::Cli => format!("cypher-shell -a neo4j://{host}:{port} -u {}", shell_word(user)),
            UriFormat::Yaml => format!(
                "uri: {}\nusername: {}\npassword: {}\ndatabase: neo4j\n",
                yaml_string(&format!("neo4j://{host}:{port}")),
                yaml_string(user),
                yaml_string(password)
            ),
            UriFormat::Dotnet => return None,
        }))
    }

    /// In the official image; the local one has no shell for Cypher.
    fn shell(&self, username: &str, _database: Option<&str>) -> Shell {
        let argv = ["cypher-shell", "-a", "neo4j://127.0.0.1:7687", "-u", username].map(Into::into).into();
        Shell { argv, password_env: "NEO4J_PASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if kind == NameKind::Database {
            return Err("Neo4j Community has one database, neo4j, and no other can be made".into());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err("must be 1 to 64 letters, digits, underscores, hyphens and dots".into());
        }
        if ["neo4j", "public"].contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("{name:?} is reserved"));
        }
        Ok(())
    }

    /// Threads that serve Bolt; idle connections need none.
    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 16).clamp(40, 400)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let parameters = json!({ "value": value });
        Marker {
            write: vec![cypher("neo4j", "MERGE (m:FluxdbMarker {value: $value})", &parameters)],
            read: cypher("neo4j", "MATCH (m:FluxdbMarker {value: $value}) RETURN m.value", &parameters),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let read = |a: &Answer| a.at("/data/values/0/0");
        let shown = |name: &str| settings::show(&[name]);
        let expect = |name: &str, ours: u32| {
            let mib = cx.settings.get(name).and_then(|v| v.parse().ok()).unwrap_or(ours);
            settings::mib_shown(mib)
        };
        vec![
            Tuned {
                what: "server.memory.pagecache.size",
                call: shown("server.memory.pagecache.size"),
                expect: expect("server.memory.pagecache.size", pagecache_mib(cx.size.memory_mib)),
                read,
            },
            Tuned {
                what: "server.memory.heap.max_size",
                call: shown("server.memory.heap.max_size"),
                expect: settings::mib_shown(heap_mib(cx.size.memory_mib)),
                read,
            },
        ]
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        tenant::attacks(cx)
    }

    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::FirstStart
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        tenant::repair(cx)
    }

    fn open_paths(&self, _version: &str) -> &'static [OpenPath] {
        &tenant::OPEN
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/db/neo4j/cluster/available",
            "/db/neo4j/query/v2",
            "/db/neo4j/tx/commit",
            "/db/manage/server/jmx/domain",
            "/dbms/cluster/status",
            "/user/neo4j",
            "POST /db/neo4j/query/v2",
            "POST /db/neo4j/tx/commit",
        ]
    }

    fn users(&self) -> Option<&dyn Users> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
}

/// The rest, beside the page cache, goes to metaspace, code, threads and network buffers.
fn heap_mib(memory_mib: u32) -> u32 {
    if memory_mib < 4096 { memory_mib * 2 / 5 } else { (memory_mib / 3).min(31 * 1024) }
}

fn pagecache_mib(memory_mib: u32) -> u32 {
    if memory_mib < 4096 { memory_mib / 8 } else { memory_mib * 2 / 5 }
}

fn tx_log_mib(size: &Size) -> u32 {
    (size.storage_gib * 8).clamp(32, 256)
}
