//! Typesense. One first key, from the rendered configuration; everybody else has API keys, which the server makes.

use std::collections::BTreeMap;

use minijinja::context;

use super::meilisearch::key_connection;
use crate::Apply::Restart;
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch, Marker,
    Metric, Metrics, NameKind, Port, Protocol, SYSTEM_PASSWORD_FILE, Secret, Setting, Settings, Shell, Size, Stop,
    Takes, Template, Tmpfs, UriFormat, User, Version,
};

pub(crate) static ENGINE: Typesense = Typesense;

/// Typesense.
pub(crate) struct Typesense;

static FACTS: Facts = Facts {
    id: "typesense",
    title: "Typesense",
    category: Category::Search,
    license: "GPL-3.0: free for any use, also as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Header("X-TYPESENSE-API-KEY"),
    versions: &[
        Version { id: "30", reference: "typesense/typesense:30.2", end_of_life: "2027-12-31", local: None },
        Version { id: "29", reference: "typesense/typesense:29.0", end_of_life: "2026-12-31", local: None },
        Version { id: "28", reference: "typesense/typesense:28.0", end_of_life: "2025-12-31", local: None },
        Version { id: "27", reference: "typesense/typesense:27.1", end_of_life: "2025-06-30", local: None },
    ],
    default_version: "29",
    ports: &[Port { name: "http", number: 8108 }],
    control_port: 0,
    user: User { uid: 1000, gid: 1000 },
    volume_path: "/data",
    tmpfs: &[Tmpfs::new("/tmp", 64)],
    shm_mib: 16,
    stop: Stop { signal: 2, grace_secs: 60, says: None },
    floor: Floor { memory_mib: 512, pids: 512, nofile: 10_240 },
    templates: &[Template {
        name: "typesense.ini",
        source: include_str!("../../../config_templates/typesense/typesense.ini.j2"),
    }],
    system_user: "admin",
    default_username: "admin",
    default_database: None,
    single_account: true,
    extra_caps: &[],
    caveats: &[
        "There are no users: the password is the first key, and applications should use the API keys that it can make.",
        "All data is kept in memory and on the disk: the memory of the instance is what it can hold.",
        "A new first key counts after a restart; the other keys stay.",
        "The key reaches other servers: remote embedding and conversation models send requests to any address, which no setting forbids; only the network does (egress).",
        "/operations/snapshot writes to any directory that it is given and may write: the volume, and memory. What is in the volume takes room until it is removed.",
        "No image can be built here where no registry answers; this adapter was never run against a server.",
    ],
};

/// Defaults that are empty follow from the SKU.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::int("thread-pool-size", 4, 1024, "", "", Restart, "Threads that serve requests").takes(Takes::workers(1024)),
    Setting::int("num-collections-parallel-load", 1, 256, "", "", Restart, "Collections that are loaded at once at the start").takes(Takes::NOTHING),
    Setting::int("num-documents-parallel-load", 1, 100_000, "", "1000", Restart, "Documents of a collection that are loaded together").takes(Takes::NOTHING),
    Setting::int("cache-num-entries", 1, 10_000_000, "", "1000", Restart, "Answers that the cache holds").takes(Takes::MEMORY.each(16 << 10)),
    Setting::int("disk-used-max-percentage", 10, 100, "", "100", Restart, "Writes are refused from this use of the disk on").takes(Takes::NOTHING),
    Setting::int("healthy-read-lag", 1, 10_000_000, "", "1000", Restart, "Pending writes from which reads are refused"),
    Setting::int("healthy-write-lag", 1, 10_000_000, "", "500", Restart, "Pending writes from which writes are refused"),
    Setting::int("log-slow-requests-time-ms", -1, 3_600_000, "ms", "-1", Restart, "Log requests that take longer; -1 = none"),
    Setting::int("snapshot-interval-seconds", 60, 604_800, "s", "3600", Restart, "Pause between two snapshots of the log of writes"),
    Setting::flag("enable-cors", "false", Restart, "Let browsers of other sites ask"),
    Setting::flag("enable-search-analytics", "false", Restart, "Count what is searched for"),
    Setting::flag("enable-access-logging", "false", Restart, "Log requests"),
];

fn lines(cx: &Cx) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = [
        ("thread-pool-size", (8 * cx.size.vcpu).to_string()), // the default counts the processors of the host
        ("num-collections-parallel-load", (4 * cx.size.vcpu).to_string()),
        ("enable-cors", "false".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in cx.settings.iter().filter(|(name, _)| CATALOGUE.iter().any(|s| s.name == **name)) {
        all.insert(name.clone(), value.clone());
    }
    all.into_iter().collect()
}

impl Engine for Typesense {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! { dir => FACTS.volume_path, settings => lines(cx) }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let dir = FACTS.volume_path;
        // A configuration file is the only way to hand over the key that is neither an argument nor the environment.
        let script = format!(
            "set -eu; umask 077; mkdir -p {dir}/data; \
             {{ cat {FILES_DIR}/typesense.ini; printf 'api-key = %s\\n' \"$(cat {FILES_DIR}/{SYSTEM_PASSWORD_FILE})\"; }} > /tmp/typesense.ini; \
             exec /opt/typesense-server --config=/tmp/typesense.ini"
        );
        Ok(Launch {
            entrypoint: Some(["/bin/sh", "-c", &script].map(Into::into).into()),
            argv: Vec::new(),
            env: Vec::new(),
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::get("/collections?limit=1").not_yet(&["503"]) // 503 until all is in memory
    }

    fn provision(&self, _cx: &Cx) -> Vec<Call> {
        Vec::new()
    }

    fn set_password(&self, _account: &Account) -> Vec<Call> {
        Vec::new() // stands in the file
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        Some(key_connection("TYPESENSE", "X-TYPESENSE-API-KEY:", "/collections", format, to))
            .filter(|_| !matches!(format, UriFormat::Jdbc | UriFormat::Dotnet))
    }

    fn shell(&self, _username: &str, _database: Option<&str>) -> Shell {
        Shell { argv: ["/bin/sh"].map(Into::into).into(), password_env: "TYPESENSE_API_KEY" }
    }

    fn check_name(&self, kind: NameKind, _name: &str) -> Result<(), String> {
        Err(match kind {
            NameKind::Database => "Typesense has collections, not databases".into(),
            NameKind::User => "Typesense has API keys, not users".into(),
        })
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 2).clamp(128, 4096)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let collection = serde_json::json!({"name": "fluxdb_marker", "fields": [{"name": "value", "type": "string"}]});
        let document = serde_json::json!({"id": value, "value": value});
        Marker {
            write: vec![
                Call::json("POST", "/collections", &collection).tolerating(&["409"]),
                Call::json("POST", "/collections/fluxdb_marker/documents?action=upsert", &document),
            ],
            read: Call::get(format!("/collections/fluxdb_marker/documents/{value}")),
        }
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }

    fn password_file(&self, _version: &str) -> crate::PasswordFile {
        crate::PasswordFile::EveryStart(
            "the server takes its first key from its configuration alone, and the key is the user's own",
        )
    }

    fn repair(&self, _cx: &Cx) -> Result<crate::Repair, RenderError> {
        Ok(crate::Repair::Restart)
    }

    fn open_paths(&self, _version: &str) -> &'static [crate::OpenPath] {
        // From the manual; not yet run.
        &[crate::OpenPath {
            port: 0,
            path: "/health",
            tells: "that the server runs, and whether memory or disk is out",
        }]
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/debug",
            "/metrics.json",
            "/stats.json",
            "/aliases",
            "/presets",
            "/analytics/rules",
            "/operations/schema_changes",
            "POST /config",
            "POST /operations/snapshot?snapshot_path=/data/gained",
            "POST /multi_search",
        ]
    }
}

impl Settings for Typesense {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        let sized = lines(&Cx { settings: BTreeMap::new(), ..cx.clone() }).into_iter();
        sized.into_iter().find(|(name, _)| name == setting.name).map_or_else(|| setting.default.to_owned(), |(_, v)| v)
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        Vec::new() // the server does not say
    }

    fn parse(&self, _cx: &Cx, _answers: &[Answer]) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn change(&self, _cx: &Cx, _setting: &Setting, _value: Option<&str>) -> Vec<Call> {
        Vec::new()
    }
}

/// Their names, ours, units. Numbers come as text.
const NAMES: [(&str, &str, &str); 6] = [
    ("typesense_memory_resident_bytes", "memory_bytes", "bytes"),
    ("typesense_memory_allocated_bytes", "memory_allocated_bytes", "bytes"),
    ("system_disk_used_bytes", "disk_used_bytes", "bytes"),
    ("total_requests_per_second", "queries", "per_second"),
    ("search_latency_ms", "search_latency_ms", "count"),
    ("pending_write_batches", "writes_waiting", "count"),
];

impl Metrics for Typesense {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/metrics.json"), Call::get("/stats.json")]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let find = |name: &str| answers.iter().find_map(|a| a.at(&format!("/{name}"))?.parse::<f64>().ok());
        NAMES.iter().filter_map(|(theirs, name, unit)| Some(Metric { name, unit, value: find(theirs)? })).collect()
    }
}
