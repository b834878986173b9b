//! M3DB as a single node with its own etcd. It asks nobody for a password: its port must stay on loopback.

use std::collections::BTreeMap;

use minijinja::context;
use serde_json::{Value, json};

use crate::Apply::Restart;
use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch, Marker,
    Metric, Metrics, NameKind, Port, Protocol, Secret, Setting, Settings, Shell, Size, Stop, Takes, Template, Tmpfs,
    UriFormat, User, Version,
};

pub(crate) static ENGINE: M3db = M3db;

/// M3DB.
pub(crate) struct M3db;

/// The coordinator reads and writes one namespace: of several it takes the one that it saw last.
const NAMESPACE: &str = "default";

static FACTS: Facts = Facts {
    id: "m3db",
    title: "M3DB",
    category: Category::TimeSeries,
    license: "Apache-2.0: free for any use, also as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "1.5", reference: "m3db/m3dbnode:v1.5.0", end_of_life: "2026-12-31", local: None },
        Version { id: "1.4", reference: "m3db/m3dbnode:v1.4.2", end_of_life: "2022-12-31", local: None },
    ],
    default_version: "1.5",
    ports: &[Port { name: "http", number: 7201 }],
    control_port: 0,
    user: User { uid: 1000, gid: 1000 },
    volume_path: "/var/lib/m3db",
    tmpfs: &[Tmpfs::new("/tmp", 16)],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: None },
    floor: Floor { memory_mib: 2048, pids: 512, nofile: 16_384 },
    templates: &[Template {
        name: "m3dbnode.yml",
        source: include_str!("../../../config_templates/m3db/m3dbnode.yml.j2"),
    }],
    system_user: "none",
    default_username: "none",
    default_database: None,
    single_account: true,
    extra_caps: &[],
    caveats: &[
        "There are no users and no passwords: whoever reaches the port may read and write everything. Keep it on loopback.",
        "There is one namespace, default, which keeps 48 hours of points. Make no second one that is not aggregated: the coordinator would use that one alone from then on.",
        "Points are on the disk some 10 ms after they were taken: a crash may lose these, whatever was answered.",
        "Upstream has made no release since 2022.",
        "The limits of memory are those of the container: M3DB has none of its own.",
    ],
};

/// All stand in the template.
#[rustfmt::skip]
static CATALOGUE: &[Setting] = &[
    Setting::choice("log.level", &["debug", "info", "warn", "error"], "info", Restart, "What is logged"),
    Setting::int("limits.perQuery.maxFetchedSeries", 0, 1_000_000_000, "", "0", Restart, "Series that a query may read; 0 = no limit"),
    Setting::int("limits.perQuery.maxFetchedDocs", 0, 1_000_000_000, "", "0", Restart, "Index entries that a query may read; 0 = no limit"),
    Setting::int("query.timeout", 1, 3600, "s", "30", Restart, "Ends queries that run longer"),
    Setting::int("lookbackDuration", 10, 86_400, "s", "300", Restart, "How old the newest point of a series may be"),
    Setting::int("gcPercentage", 10, 100, "", "100", Restart, "Growth of memory that starts a garbage collection"),
    Setting::flag("writeNewSeriesAsync", "true", Restart, "Answer before a new series is in the index"),
    Setting::int("filesystem.throughputLimitMbps", 1, 100_000, "", "1000", Restart, "Megabits a second that are written to files").takes(Takes::NOTHING),
    Setting::int("commitlog.flushMaxBytes", 1024, 67_108_864, "bytes", "524288", Restart, "Log that is gathered before it is written").takes(Takes::MEMORY),
    Setting::int("commitlog.flushEvery", 1, 60_000, "ms", "10", Restart, "Longest time that it is gathered, and what a crash may lose"),
    Setting::int("limits.maxOutstandingWriteRequests", 0, 1_000_000, "", "0", Restart, "Writes at once; 0 = no limit"),
    Setting::int("limits.maxOutstandingReadRequests", 0, 1_000_000, "", "0", Restart, "Reads at once; 0 = no limit"),
];

impl Engine for M3db {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let mut values: BTreeMap<&str, String> = CATALOGUE.iter().map(|s| (s.name, s.default.to_owned())).collect();
        for (name, value) in &cx.settings {
            if let Some(slot) = values.get_mut(name.as_str()) {
                slot.clone_from(value);
            }
        }
        context! { dir => FACTS.volume_path, values => values }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let memory = u64::from(cx.size.memory_mib) * 85 / 100;
        Ok(Launch {
            entrypoint: None,
            argv: vec!["-f".into(), format!("{FILES_DIR}/m3dbnode.yml")],
            env: vec![
                ("GOMAXPROCS", cx.size.vcpu.to_string()),
                ("GOMEMLIMIT", format!("{memory}MiB")),
                ("GODEBUG", "madvdontneed=1".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        // A read: /ready is content some seconds before the index is.
        Call::get("/api/v1/label/fluxdb/values").not_yet(&["404", "500", "503"])
    }

    fn provision(&self, _cx: &Cx) -> Vec<Call> {
        let placement = json!({"num_shards": 64, "replication_factor": 1, "instances": [{
            "id": "m3db_local", "isolation_group": "local", "zone": "embedded", "weight": 1,
            "endpoint": "127.0.0.1:9000", "hostname": "localhost", "port": 9000,
        }]});
        // As /api/v1/database/create would make it, but for coldWritesEnabled: without, the index does not take in what is
        // loaded from a snapshot at a start, and every series is invisible until it is written again.
        let namespace = json!({"name": NAMESPACE, "options": {
            "bootstrapEnabled": true, "flushEnabled": true, "writesToCommitLog": true, "cleanupEnabled": true,
            "snapshotEnabled": true, "repairEnabled": false, "coldWritesEnabled": true,
            "retentionOptions": {
                "retentionPeriodDuration": "48h", "blockSizeDuration": "2h",
                "bufferFutureDuration": "10m", "bufferPastDuration": "10m",
                "blockDataExpiry": true, "blockDataExpiryAfterNotAccessPeriodDuration": "5m",
            },
            "indexOptions": {"enabled": true, "blockSizeDuration": "2h"},
            "aggregationOptions": {"aggregations": [{"aggregated": false}]},
        }});
        // 409 = it is there; 500 = etcd, which is inside of the server, is not up yet.
        let make = |path: &str, body: &Value| Call::json("POST", path, body).tolerating(&["409"]).not_yet(&["500"]);
        vec![
            make("/api/v1/services/m3db/placement/init", &placement),
            make("/api/v1/services/m3db/namespace", &namespace),
            Call::json("POST", "/api/v1/services/m3db/namespace/ready", &json!({"name": NAMESPACE}))
                .not_yet(&["400", "404", "500", "503"]),
        ]
    }

    fn set_password(&self, _account: &Account) -> Vec<Call> {
        Vec::new() // there is none
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (host, port) = (to.host, to.port);
        Some(Secret::new(match format {
            // The name is there because every URI has one; the server does not look at it.
            UriFormat::Uri => format!("http://{}@{host}:{port}/api/v1", percent(&to.account.username)),
            UriFormat::Env => {
                format!("M3_HOST={}\nM3_PORT='{port}'\nM3_NAMESPACE={}\n", shell_word(host), shell_word(NAMESPACE))
            }
            UriFormat::Cli => format!("curl {}", shell_word(&format!("http://{host}:{port}/api/v1/query?query=up"))),
            UriFormat::Yaml => {
                format!("host: {}\nport: {port}\nnamespace: {}\n", yaml_string(host), yaml_string(NAMESPACE))
            }
            UriFormat::Jdbc | UriFormat::Dotnet => return None,
        }))
    }

    fn shell(&self, _username: &str, _database: Option<&str>) -> Shell {
        Shell { argv: ["/bin/sh"].map(Into::into).into(), password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if kind == NameKind::User {
            return Err("M3DB has no users".into());
        }
        if name.is_empty() || name.len() > 63 {
            return Err("must be 1 to 63 bytes long".into());
        }
        // Namespaces are directories and parts of paths of the API; fluxdb makes none but its own.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            return Err("must be letters, digits, _ and -".into());
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 4).clamp(128, 4096)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        // Line protocol takes the server's time when it names none; only recent points are taken in.
        let point = format!("fluxdb,marker={value} seen=1");
        Marker {
            write: vec![
                Call::http("POST", "/api/v1/influxdb/write", Some(Secret::new(point)))
                    .media("text/plain")
                    .not_yet(&["500"]),
            ],
            // 500 for some seconds after a start, until the coordinator has found its own node.
            read: Call::get("/api/v1/label/marker/values").not_yet(&["500"]),
        }
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }

    fn open_paths(&self, _version: &str) -> &'static [crate::OpenPath] {
        &[crate::OpenPath {
            port: 0,
            path: "/*",
            tells: "everything: the server asks nobody, so its port stays on loopback",
        }]
    }
}

impl Settings for M3db {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
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

impl Metrics for M3db {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/health"), Call::get("/api/v1/services/m3db/placement")]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let mut metrics = Vec::new();
        if let Some(uptime) = answers.first().and_then(|a| seconds(&a.at("/uptime")?)) {
            metrics.push(Metric { name: "uptime_seconds", unit: "seconds", value: uptime });
        }
        let shards =
            answers.get(1).and_then(|a| a.json().pointer("/placement/instances/m3db_local/shards")?.as_array());
        if let Some(shards) = shards {
            let available = shards.iter().filter(|s| s.get("state").and_then(Value::as_str) == Some("AVAILABLE"));
            let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
            metrics.push(Metric { name: "shards", unit: "count", value: count(shards.len()) });
            metrics.push(Metric { name: "shards_available", unit: "count", value: count(available.count()) });
        }
        metrics
    }
}

/// A duration as Go writes it: `1h2m3.5s`.
fn seconds(text: &str) -> Option<f64> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => 0.0,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_counted() {
        let placement = json!({"placement": {"instances": {"m3db_local": {"shards": [
            {"id": 0, "state": "AVAILABLE"}, {"id": 1, "state": "INITIALIZING"},
        ]}}}});
        let metrics = Metrics::parse(&M3db, &[Answer::Json(json!({"uptime": "2s"})), Answer::Json(placement)]);
        let values: Vec<_> = metrics.iter().map(|m| (m.name, m.value)).collect();
        assert_eq!(values, [("uptime_seconds", 2.0), ("shards", 2.0), ("shards_available", 1.0)]);
    }

    #[test]
    fn uptimes_are_read() {
        assert_eq!(seconds("1h2m3.5s"), Some(3723.5));
        assert_eq!(seconds("x"), None);
    }
}
