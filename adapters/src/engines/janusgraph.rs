//! JanusGraph on its own store (BerkeleyDB JE, Lucene). Facts: JanusGraph's manual and official image, Gremlin Server's manual.

use minijinja::context;
use serde_json::{Value, json};

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    LocalImage, Marker, Metrics, NameKind, PasswordFile, Port, Protocol, Repair, SYSTEM_PASSWORD_FILE, Secret,
    Settings, Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod metrics;
mod settings;
mod tenant;
mod users;

pub(crate) static ENGINE: JanusGraph = JanusGraph;

/// JanusGraph.
pub(crate) struct JanusGraph;

const BOOKWORM: Option<LocalImage> = Some(LocalImage { suite: "bookworm" });

static FACTS: Facts = Facts {
    id: "janusgraph",
    title: "JanusGraph",
    category: Category::Graph,
    license: "Apache-2.0: free for any use, also as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    versions: &[
        Version {
            id: "1.1",
            reference: "janusgraph/janusgraph:1.1.0",
            end_of_life: "2027-12-31", // none is announced
            local: BOOKWORM,
        },
        Version { id: "1.0", reference: "janusgraph/janusgraph:1.0.0", end_of_life: "2026-07-23", local: BOOKWORM },
    ],
    default_version: "1.1",
    ports: &[Port { name: "gremlin", number: 8182 }], // WebSocket and HTTP
    control_port: 0,
    user: User { uid: 999, gid: 999 },
    volume_path: "/var/lib/janusgraph",
    tmpfs: &[Tmpfs::exec("/tmp", 32)], // native libraries
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 60, says: Some("Gremlin Server - shutdown complete") },
    floor: Floor { memory_mib: 1024, pids: 256, nofile: 16_384 },
    templates: &[
        Template { name: "server.yaml", source: include_str!("../../../config_templates/janusgraph/server.yaml.j2") },
        Template {
            name: "graph.properties",
            source: include_str!("../../../config_templates/janusgraph/graph.properties.j2"),
        },
        Template {
            name: "credgraph.properties",
            source: include_str!("../../../config_templates/janusgraph/credgraph.properties.j2"),
        },
        Template {
            name: "je.properties",
            source: include_str!("../../../config_templates/janusgraph/je.properties.j2"),
        },
        Template { name: "init.groovy", source: include_str!("../../../config_templates/janusgraph/init.groovy.j2") },
        Template {
            name: "authorizer.groovy",
            source: include_str!("../../../config_templates/janusgraph/authorizer.groovy.j2"),
        },
        Template { name: "java.args", source: include_str!("../../../config_templates/janusgraph/java.args.j2") },
        Template { name: "log4j2.xml", source: include_str!("../../../config_templates/janusgraph/log4j2.xml.j2") },
        Template { name: "start.sh", source: include_str!("../../../config_templates/janusgraph/start.sh.j2") },
    ],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: None, // there is one graph
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Users send traversals: bytecode of the drivers, or text with the language gremlin-lang. Scripts in Groovy, lambdas, io() and \
         program() are refused, since a script is the server: it reads its files, reaches other hosts and changes every account. \
         So no user opens the management API (indices, property keys): the schema makes itself.",
        "With the setting groovy on, every user can do all of that, fluxdb's own account included; only the container holds them in. \
         Turn it on to make a schema, and off again.",
        "Over HTTP, passwords with a colon are refused, and some with > ? ~ or characters beyond ASCII.",
        "With that setting, whoever changes accounts in scripts of its own must end the open transactions of the graph of accounts: else the \
         old password counts until the next restart.",
        "One graph, in BerkeleyDB JE with a Lucene index; no Cassandra or HBase below, no ConfiguredGraphFactory.",
        "No TLS yet; no backup while the server runs.",
    ],
};

/// A script with values bound to its variables, so that they do not stand in its text (and it is compiled once).
fn gremlin(script: &str, bindings: &Value) -> Call {
    Call::json("POST", "/", &json!({ "gremlin": script, "bindings": bindings }))
}

/// A traversal as text in gremlin-lang, which is all that anybody but fluxdb may send over HTTP.
fn traversal(text: &str, bindings: &Value) -> Call {
    Call::json("POST", "/", &json!({ "gremlin": text, "bindings": bindings, "language": "gremlin-lang" }))
}

/// The answer's list of texts.
fn texts(answer: &Answer) -> Vec<String> {
    let list = answer.json().pointer("/result/data/@value").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Pairs out of texts like `name=value`.
fn pairs(answer: &Answer) -> Vec<(String, String)> {
    texts(answer).iter().filter_map(|t| t.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))).collect()
}

impl Engine for JanusGraph {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let memory = cx.size.memory_mib;
        context! {
            heap_mib => heap_mib(memory),
            direct_mib => (memory / 16).max(64),
            code_mib => if memory < 2048 { 64 } else { 240 },
            collector => if cx.size.vcpu > 1 && memory >= 2048 { "UseG1GC" } else { "UseSerialGC" },
            vcpu => cx.size.vcpu,
            workers => network_workers(&cx.size),
            gremlin_pool => gremlin_pool(&cx.size),
            free_disk_bytes => 256u64 << 20,
            groovy_for_all => settings::groovy_for_all(cx),
            cache_percent => settings::cache_percent(cx),
            system_user => FACTS.system_user,
            files => FILES_DIR,
            password_file => SYSTEM_PASSWORD_FILE,
            user_names => cx.settings.keys().cloned().collect::<Vec<_>>(),
            server_settings => settings::server_lines(cx),
            graph_settings => settings::graph_lines(cx),
            je_settings => settings::je_lines(cx),
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
        traversal("g.inject(1)", &json!({}))
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        vec![users::put(&cx.user)]
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![users::put(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port) = (to.host, to.port);
        Some(Secret::new(match format {
            // Drivers take the account beside the URI; tools take it inside.
            UriFormat::Uri => format!("ws://{}:{}@{host}:{port}/gremlin", percent(user), percent(password)),
            UriFormat::Env => format!(
                "GREMLIN_URL={}\nGREMLIN_USERNAME={}\nGREMLIN_PASSWORD={}\n",
                shell_word(&format!("ws://{host}:{port}/gremlin")),
                shell_word(user),
                shell_word(password)
            ),
            UriFormat::Cli => {
                format!(
                    "curl -u {} --json '{{\"gremlin\":\"g.V().count()\",\"language\":\"gremlin-lang\"}}' http://{host}:{port}/",
                    shell_word(user)
                )
            }
            // As the Gremlin driver and console take it: `:remote connect tinkerpop.server FILE`.
            UriFormat::Yaml => format!(
                "hosts: [{}]\nport: {port}\nusername: {}\npassword: {}\nserializer: {{ className: \
                 org.apache.tinkerpop.gremlin.util.ser.GraphBinaryMessageSerializerV1, config: {{ ioRegistries: \
                 [org.janusgraph.graphdb.tinkerpop.JanusGraphIoRegistry] }}}}\n",
                yaml_string(host),
                yaml_string(user),
                yaml_string(password)
            ),
            UriFormat::Jdbc | UriFormat::Dotnet => return None,
        }))
    }

    /// In the official image; the local one has no console. It asks for the account when it connects.
    fn shell(&self, _username: &str, _database: Option<&str>) -> Shell {
        Shell { argv: vec!["/opt/janusgraph/bin/gremlin.sh".into()], password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if kind == NameKind::Database {
            return Err("JanusGraph has one graph here, and no other can be made".into());
        }
        // Basic authentication ends a name at a colon, and the server mistakes some other characters in it.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err("must be 1 to 64 letters, digits, underscores, hyphens and dots".into());
        }
        if name.eq_ignore_ascii_case(FACTS.system_user) {
            return Err(format!("{name:?} is reserved"));
        }
        Ok(())
    }

    /// The server counts none; each holds buffers, and no thread.
    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 8).clamp(100, 2000)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        // `value` is a name that Gremlin has already.
        let bindings = json!({ "wanted": value });
        Marker {
            write: vec![traversal(
                "g.V().has('fluxdbMarker', 'fluxdbValue', wanted).fold()\
                 .coalesce(__.unfold(), __.addV('fluxdbMarker').property('fluxdbValue', wanted)).values('fluxdbValue')",
                &bindings,
            )],
            read: traversal("g.V().has('fluxdbMarker', 'fluxdbValue', wanted).values('fluxdbValue')", &bindings),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let read = |a: &Answer| a.at("/result/data/@value/0");
        let heap = u64::from(heap_mib(cx.size.memory_mib)) << 20;
        vec![
            Tuned {
                what: "the heap",
                call: gremlin(
                    "java.lang.management.ManagementFactory.getPlatformMXBean(com.sun.management.HotSpotDiagnosticMXBean)\
                     .getVMOption('MaxHeapSize').value",
                    &json!({}),
                ),
                expect: heap.to_string(),
                read,
            },
            Tuned {
                what: "processors",
                call: gremlin("Runtime.runtime.availableProcessors().toString()", &json!({})),
                expect: cx.size.vcpu.to_string(),
                read,
            },
            Tuned {
                what: settings::CACHE,
                call: gremlin(
                    "graph.backend.storeManager.manager.environment.config.cachePercent.toString()",
                    &json!({}),
                ),
                expect: settings::cache_percent(cx),
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

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &["/gremlin", "/?gremlin=1%2B1", "/?gremlin=g.inject(1)&language=gremlin-lang", "/gremlin?gremlin=1%2B1"]
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

/// The rest goes to metaspace, compiled scripts, threads and network buffers. In steps that every collector can keep.
fn heap_mib(memory_mib: u32) -> u32 {
    let heap = if memory_mib < 4096 { memory_mib * 2 / 5 } else { memory_mib * 3 / 5 };
    (heap / 32 * 32).min(31 * 1024)
}

fn network_workers(size: &Size) -> u32 {
    size.vcpu.clamp(2, 16)
}

fn gremlin_pool(size: &Size) -> u32 {
    (size.vcpu * 2).max(4)
}
