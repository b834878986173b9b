//! Meilisearch. One master key, from the rendered configuration; everybody else has API keys, which the server makes.

use minijinja::context;

use crate::quote::{shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch, Marker,
    Metric, Metrics, NameKind, Port, Protocol, SYSTEM_PASSWORD_FILE, Secret, Settings, Shell, Size, Stop, Template,
    Tmpfs, UriFormat, User, Version,
};

mod settings;

pub(crate) static ENGINE: Meilisearch = Meilisearch;

/// Meilisearch.
pub(crate) struct Meilisearch;

static FACTS: Facts = Facts {
    id: "meilisearch",
    title: "Meilisearch",
    category: Category::Search,
    license: "MIT for the Community Edition: free for any use, also as a service; parts of 1.19 and later are BUSL-1.1",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Bearer,
    versions: &[
        Version { id: "1.28", reference: "getmeili/meilisearch:v1.28.2", end_of_life: "2025-12-08", local: None },
        Version { id: "1.25", reference: "getmeili/meilisearch:v1.25.0", end_of_life: "2025-11-17", local: None },
        Version { id: "1.24", reference: "getmeili/meilisearch:v1.24.0", end_of_life: "2025-11-10", local: None },
        Version { id: "1.22", reference: "getmeili/meilisearch:v1.22.1", end_of_life: "2025-10-13", local: None },
    ],
    default_version: "1.28",
    ports: &[Port { name: "http", number: 7700 }],
    control_port: 0,
    user: User { uid: 1000, gid: 1000 },
    volume_path: "/meili_data",
    tmpfs: &[Tmpfs::new("/tmp", 16)],
    shm_mib: 16,
    // Only SIGINT is heeded, and it says nothing; the storage survives a kill.
    stop: Stop { signal: 2, grace_secs: 30, says: None },
    floor: Floor { memory_mib: 512, pids: 256, nofile: 10_240 },
    templates: &[Template {
        name: "config.toml",
        source: include_str!("../../../config_templates/meilisearch/config.toml.j2"),
    }],
    system_user: "master",
    default_username: "master",
    default_database: None,
    single_account: true,
    extra_caps: &[],
    caveats: &[
        "There are no users: the password is the master key, and applications should use the API keys that it can make.",
        "The password must have 16 bytes at least. A new one counts after a restart and changes the value of every API key.",
        "A database of one version is not read by another one: a version is changed by a dump.",
        "The key reaches other servers: embedders of the kind rest, webhooks, /export and /network send requests to any address, which no setting forbids; only the network does (egress).",
        "Dumps and snapshots go to the instance's own volume and stay there until they are removed by hand or with it: each takes room.",
        "No image can be built here where no registry answers; this adapter was never run against a server.",
    ],
};

impl Engine for Meilisearch {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! { dir => FACTS.volume_path, settings => settings::lines(cx) }
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
            "set -eu; umask 077; mkdir -p {dir}/tmp; \
             printf 'master_key = \"%s\"\\n' \"$(sed 's/[\\\\\"]/\\\\&/g' {FILES_DIR}/{SYSTEM_PASSWORD_FILE})\" > /tmp/config.toml; \
             cat {FILES_DIR}/config.toml >> /tmp/config.toml; \
             exec /bin/meilisearch --config-file-path=/tmp/config.toml"
        );
        Ok(Launch {
            entrypoint: Some(["/bin/sh", "-c", &script].map(Into::into).into()),
            argv: Vec::new(),
            // Snapshots and uploads pass through the directory for temporary files, so it must not be in memory.
            env: vec![("TMPDIR", format!("{dir}/tmp")), ("HOME", dir.to_owned())],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::get("/stats")
    }

    fn provision(&self, _cx: &Cx) -> Vec<Call> {
        Vec::new()
    }

    fn set_password(&self, _account: &Account) -> Vec<Call> {
        Vec::new() // stands in the file
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        Some(key_connection("MEILISEARCH", "Authorization: Bearer", "/indexes", format, to))
            .filter(|_| !matches!(format, UriFormat::Jdbc | UriFormat::Dotnet))
    }

    fn shell(&self, _username: &str, _database: Option<&str>) -> Shell {
        Shell { argv: ["/bin/sh"].map(Into::into).into(), password_env: "MEILI_MASTER_KEY" }
    }

    fn check_name(&self, kind: NameKind, _name: &str) -> Result<(), String> {
        Err(match kind {
            NameKind::Database => "Meilisearch has indexes, not databases".into(),
            NameKind::User => "Meilisearch has API keys, not users".into(),
        })
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 2).clamp(128, 4096)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let documents = serde_json::json!([{"id": value}]);
        Marker {
            // Taken in before it is stored: the reader may have to ask again.
            write: vec![Call::json("POST", "/indexes/fluxdb_marker/documents?primaryKey=id", &documents)],
            read: Call::get(format!("/indexes/fluxdb_marker/documents/{value}")).not_yet(&["404"]),
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
            "the server takes its key from its configuration alone, and the key is the user's own",
        )
    }

    fn repair(&self, _cx: &Cx) -> Result<crate::Repair, RenderError> {
        Ok(crate::Repair::Restart)
    }

    fn open_paths(&self, _version: &str) -> &'static [crate::OpenPath] {
        // From the manual; not yet run.
        &[
            crate::OpenPath { port: 0, path: "/", tells: "that the server runs" },
            crate::OpenPath { port: 0, path: "/health", tells: "that the server runs" },
        ]
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/tasks",
            "/experimental-features",
            "/network",
            "/webhooks",
            "/chats",
            "POST /dumps",
            "POST /snapshots",
            "POST /logs/stream",
            "POST /multi-search",
        ]
    }
}

/// Connection strings of servers that want a key in a header.
pub(super) fn key_connection(prefix: &str, header: &str, path: &str, format: UriFormat, to: &Endpoint<'_>) -> Secret {
    let (host, port, key) = (to.host, to.port, to.account.password.expose());
    let user = crate::quote::percent(&to.account.username);
    Secret::new(match format {
        UriFormat::Env => format!(
            "{prefix}_HOST={}\n{prefix}_PORT='{port}'\n{prefix}_API_KEY={}\n",
            shell_word(host),
            shell_word(key)
        ),
        UriFormat::Cli => {
            format!("curl -H \"{header} ${prefix}_API_KEY\" {}", shell_word(&format!("http://{host}:{port}{path}")))
        }
        UriFormat::Yaml => format!("host: {}\nport: {port}\napi_key: {}\n", yaml_string(host), yaml_string(key)),
        _ => format!("http://{user}:{}@{host}:{port}", crate::quote::percent(key)),
    })
}

impl Metrics for Meilisearch {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/stats"), Call::get("/tasks?statuses=enqueued,processing&limit=1")]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let number = |answer: usize, at: &str| answers.get(answer)?.at(at)?.parse::<f64>().ok();
        let indexes = answers.first().and_then(|a| a.json().get("indexes")?.as_object());
        let sum = |what: &str| {
            let of = |i: &serde_json::Value| i.get(what).and_then(serde_json::Value::as_f64);
            indexes.map(|all| all.values().filter_map(of).sum::<f64>())
        };
        let indexing = indexes.map(|all| all.values().filter(|i| i.get("isIndexing") == Some(&true.into())).count());
        [
            ("data_bytes", "bytes", number(0, "/databaseSize")),
            ("data_used_bytes", "bytes", number(0, "/usedDatabaseSize")),
            ("indexes", "count", indexes.and_then(|all| u32::try_from(all.len()).ok()).map(f64::from)),
            ("documents", "count", sum("numberOfDocuments")),
            ("indexes_indexing", "count", indexing.and_then(|n| u32::try_from(n).ok()).map(f64::from)),
            ("tasks_waiting", "count", number(1, "/total")),
        ]
        .into_iter()
        .filter_map(|(name, unit, value)| Some(Metric { name, unit, value: value? }))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_summed_up() {
        let stats = serde_json::json!({"databaseSize": 10, "usedDatabaseSize": 5, "indexes": {
            "a": {"numberOfDocuments": 2, "isIndexing": true}, "b": {"numberOfDocuments": 3, "isIndexing": false}}});
        let metrics = Metrics::parse(&ENGINE, &[Answer::Json(stats), Answer::Json(serde_json::json!({"total": 7}))]);
        let value = |name: &str| metrics.iter().find(|m| m.name == name).map(|m| m.value);
        assert_eq!((value("documents"), value("tasks_waiting"), value("indexes")), (Some(5.0), Some(7.0), Some(2.0)));
    }
}
