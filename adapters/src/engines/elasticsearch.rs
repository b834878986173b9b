//! Elasticsearch, one node, with users in its native realm. Image contract: the official image's manual.

use minijinja::context;
use serde_json::json;

use super::lucene;
use crate::quote::percent;
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Beside, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth,
    Launch, Marker, Metric, Metrics, NameKind, PasswordFile, Port, Protocol, Repair, SYSTEM_PASSWORD_FILE, Secret,
    Setting, Settings, Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod tenant;
mod users;

pub(crate) static ENGINE: Elasticsearch = Elasticsearch;

/// Elasticsearch.
pub(crate) struct Elasticsearch;

static FACTS: Facts = Facts {
    id: "elasticsearch",
    title: "Elasticsearch",
    category: Category::Search,
    license: "AGPLv3, SSPLv1 or Elastic License 2.0, of which the last forbids a managed service; the image has the last. Check before you sell it as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    versions: &[
        Version { id: "9", reference: "library/elasticsearch:9.5.2", end_of_life: "2028-04-15", local: None },
        Version { id: "8", reference: "library/elasticsearch:8.19.20", end_of_life: "2027-07-15", local: None },
    ],
    default_version: "9",
    ports: &[Port { name: "http", number: 9200 }],
    control_port: 0,
    // Group 1000: files of the image that only group 0 may write are copied before they are changed.
    user: User { uid: 1000, gid: 1000 },
    volume_path: "/usr/share/elasticsearch/data",
    tmpfs: &[Tmpfs::exec("/tmp", 128), Tmpfs::new("/usr/share/elasticsearch/logs", 16)], // JNA unpacks a library
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("closed") },
    floor: Floor { memory_mib: 2048, pids: 2048, nofile: 65_536 },
    templates: &[
        Template {
            name: "elasticsearch.yml",
            source: include_str!("../../../config_templates/elasticsearch/elasticsearch.yml.j2"),
        },
        Template { name: "start.sh", source: include_str!("../../../config_templates/elasticsearch/start.sh.j2") },
    ],
    system_user: "elastic", // the server's own superuser: the only account that a new server can be given a password for
    default_username: "admin",
    default_database: None,
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "written from the manual: the server with its security was not to be had where this was made",
        "users of every role reach indices alone: restricted ones (accounts), cluster settings, snapshots and other servers are fluxdb's",
        "one node: indices with replicas stay yellow",
        "HTTP without TLS: the port belongs on loopback or behind a proxy",
    ],
};

impl Engine for Elasticsearch {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            files => FILES_DIR,
            password_file => SYSTEM_PASSWORD_FILE,
            settings => lucene::settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let heap = lucene::heap_mib(&cx.size);
        let processors = cx.size.vcpu.max(1);
        Ok(Launch {
            entrypoint: Some(vec!["sh".into(), format!("{FILES_DIR}/start.sh")]),
            argv: vec![],
            env: vec![
                ("ES_JAVA_OPTS", format!("-Xms{heap}m -Xmx{heap}m -XX:ActiveProcessorCount={processors}")),
                ("ES_TMPDIR", "/tmp".into()),
                ("MALLOC_ARENA_MAX", "2".into()),
                ("HOME", "/tmp".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::get("/_security/_authenticate").not_yet(&["503"])
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let mut calls = users::roles();
        calls.push(users::put(&cx.user, crate::Role::Superuser));
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        let body = json!({ "password": account.password.expose() });
        vec![Call::json("PUT", format!("/_security/user/{}/_password", percent(&account.username)), &body)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        lucene::connection_string("ELASTICSEARCH", format, to)
    }

    fn shell(&self, username: &str, _database: Option<&str>) -> Shell {
        Shell { argv: ["curl", "-u", username, "http://127.0.0.1:9200/"].map(Into::into).into(), password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if kind == NameKind::Database {
            return Err("Elasticsearch has indices, not databases".into());
        }
        lucene::check_user(name, users::BUILT_IN)
    }

    /// The server has no limit of its own; each costs some of the heap.
    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 4).clamp(128, 8192)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        lucene::marker(value)
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        vec![lucene::tuned_heap(cx)]
    }

    fn attacks(&self, _cx: &Cx) -> Vec<Attack> {
        lucene::tenant::attacks(".security")
    }

    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::FirstStart
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        tenant::repair(cx)
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

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/_security/user",
            "/_security/_authenticate",
            "/_license",
            "/_xpack",
            "/_nodes/hot_threads",
            "/_cluster/settings",
            "/_snapshot",
            "/.security/_search",
            "/_all/_search",
            "/_sql?query=select+1",
            "POST /_sql",
            "POST /_reindex",
        ]
    }
}

impl Settings for Elasticsearch {
    fn catalogue(&self) -> &'static [Setting] {
        lucene::settings::CATALOGUE
    }

    fn beside(&self, cx: &Cx) -> Vec<Beside> {
        vec![Beside::heap(lucene::heap_mib(&cx.size))]
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        lucene::settings::read()
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> std::collections::BTreeMap<String, String> {
        lucene::settings::parse(answers)
    }

    fn change(&self, _cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call> {
        lucene::settings::change(setting, value)
    }
}

impl Metrics for Elasticsearch {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        lucene::metrics::calls()
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        lucene::metrics::parse(answers)
    }
}
