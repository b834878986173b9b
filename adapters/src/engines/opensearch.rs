//! OpenSearch, one node, with its security plugin and users that it keeps itself.

use minijinja::context;
use serde_json::json;

use super::lucene;
use crate::quote::percent;
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Beside, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth,
    Launch, LocalImage, Marker, Metric, Metrics, NameKind, OpenPath, Port, Protocol, Repair, Secret, Setting, Settings,
    Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod tenant;
mod users;

pub(crate) static ENGINE: OpenSearch = OpenSearch;

/// OpenSearch.
pub(crate) struct OpenSearch;

const LOCAL: Option<LocalImage> = Some(LocalImage { suite: "trixie" });

static FACTS: Facts = Facts {
    id: "opensearch",
    title: "OpenSearch",
    category: Category::Search,
    license: "Apache-2.0: free for any use, also as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    versions: &[
        Version { id: "3", reference: "opensearchproject/opensearch:3.8.0", end_of_life: "2028-12-31", local: None },
        Version {
            id: "2.19",
            reference: "opensearchproject/opensearch:2.19.6",
            end_of_life: "2027-05-06",
            local: LOCAL,
        },
        Version {
            id: "2.11",
            reference: "opensearchproject/opensearch:2.11.1",
            end_of_life: "2024-02-20",
            local: None,
        },
        Version { id: "2.9", reference: "opensearchproject/opensearch:2.9.0", end_of_life: "2023-09-25", local: None },
    ],
    default_version: "2.19",
    ports: &[Port { name: "http", number: 9200 }],
    control_port: 0,
    user: User { uid: 1000, gid: 1000 },
    volume_path: "/usr/share/opensearch/data",
    tmpfs: &[Tmpfs::exec("/tmp", 128), Tmpfs::new("/usr/share/opensearch/logs", 16)], // JNA unpacks a library
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("closed") },
    floor: Floor { memory_mib: 1024, pids: 1024, nofile: 65_536 },
    templates: &[
        Template {
            name: "opensearch.yml",
            source: include_str!("../../../config_templates/opensearch/opensearch.yml.j2"),
        },
        Template { name: "start.sh", source: include_str!("../../../config_templates/opensearch/start.sh.j2") },
        Template {
            name: "security-config.yml",
            source: include_str!("../../../config_templates/opensearch/security-config.yml.j2"),
        },
        Template {
            name: "internal_users.yml",
            source: include_str!("../../../config_templates/opensearch/internal_users.yml.j2"),
        },
        Template {
            name: "roles_mapping.yml",
            source: include_str!("../../../config_templates/opensearch/roles_mapping.yml.j2"),
        },
    ],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: None,
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "one node: indices with replicas stay yellow",
        "HTTP without TLS: the port belongs on loopback or behind a proxy",
        "passwords that the server finds weak are refused",
        "users of every role reach indices alone, those that begin with a dot left out (data streams and Dashboards' own apart): plugins \
         keep jobs there that run with the rights of whoever is written in them. The API of accounts, cluster settings, snapshots, \
         tasks of others and other servers are fluxdb's",
        "the role superuser may make scripts and ingest pipelines; they run in the server's sandbox",
        "the image made here is the bare server with the security plugin: no Painless, ingest, reindex or language analysis",
    ],
};

impl Engine for OpenSearch {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            files => FILES_DIR,
            system_user => cx.system.username.as_str(),
            system_hash => bcrypt_hash(&cx.system, cx.unique),
            settings => lucene::settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let heap = lucene::heap_mib(&cx.size);
        let collector = if heap < 1024 { " -XX:-UseG1GC -XX:+UseSerialGC" } else { "" };
        let processors = cx.size.vcpu.max(1);
        Ok(Launch {
            entrypoint: Some(vec!["sh".into(), format!("{FILES_DIR}/start.sh")]),
            argv: vec![],
            env: vec![
                (
                    "OPENSEARCH_JAVA_OPTS",
                    format!("-Xms{heap}m -Xmx{heap}m -XX:ActiveProcessorCount={processors}{collector}"),
                ),
                ("OPENSEARCH_TMPDIR", "/tmp".into()),
                ("MALLOC_ARENA_MAX", "2".into()),
                ("HOME", "/tmp".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::get("/").not_yet(&["503"]) // until the index of users is there
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let mut calls = users::roles();
        calls.push(users::put(&cx.user, crate::Role::Superuser));
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        let change = json!([{ "op": "add", "path": "/password", "value": account.password.expose() }]);
        vec![Call::json("PATCH", users::path(&account.username), &change)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        lucene::connection_string("OPENSEARCH", format, to)
    }

    fn shell(&self, username: &str, _database: Option<&str>) -> Shell {
        Shell { argv: ["curl", "-u", username, "http://127.0.0.1:9200/"].map(Into::into).into(), password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if kind == NameKind::Database {
            return Err("OpenSearch has indices, not databases".into());
        }
        lucene::check_user(name, &[FACTS.system_user])
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

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        tenant::attacks(cx)
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        tenant::repair(cx)
    }

    fn open_paths(&self, _version: &str) -> &'static [OpenPath] {
        &tenant::OPEN
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        tenant::SENSITIVE
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

/// The password is random and long, so the least work will do; the salt is the instance's own.
fn bcrypt_hash(account: &Account, unique: u128) -> String {
    bcrypt::hash_with_salt(account.password.expose(), 4, unique.to_be_bytes())
        .map(|parts| parts.format_for_version(bcrypt::Version::TwoY))
        .unwrap_or_default()
}

impl Settings for OpenSearch {
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

impl Metrics for OpenSearch {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        lucene::metrics::calls()
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        lucene::metrics::parse(answers)
    }
}
