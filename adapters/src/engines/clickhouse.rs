//! ClickHouse over HTTP. Both accounts stand in the rendered users file; further users are made by SQL.

use minijinja::context;

use super::sql::{self, Spelling};
use crate::quote::{clickhouse_ident, mysql_literal, percent, shell_word};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth,
    Launch, LocalImage, Marker, Metrics, NameKind, Port, Protocol, Repair, Secret, Settings, Shell, Size, Stop,
    Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod attacks;
mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Clickhouse = Clickhouse;

/// ClickHouse.
pub(crate) struct Clickhouse;

/// Debian's server is from 2018: no users by SQL, no settings of the server that can be read.
const OLD: &str = "18.16";

/// 18.16 lets everybody make tables and views among the server's own, which fluxdb reads; without a right to write their
/// definitions the server cannot. It keeps none there itself.
const OLD_START: &str = "own=/var/lib/clickhouse/metadata/system; mkdir -p $own; chmod 700 $own; rm -f $own/*.sql; \
                         chmod 500 $own; exec \"$@\"";

static FACTS: Facts = Facts {
    id: "clickhouse",
    title: "ClickHouse",
    category: Category::Analytical,
    license: "Apache-2.0: free for any use, also as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    versions: &[
        Version { id: "26.3", reference: "library/clickhouse:26.3.20.7", end_of_life: "2027-03-26", local: None },
        Version { id: "25.8", reference: "library/clickhouse:25.8.32.4", end_of_life: "2026-08-29", local: None },
        Version {
            id: "25.3",
            reference: "clickhouse/clickhouse-server:25.3.14.14",
            end_of_life: "2026-03-20",
            local: None,
        },
        Version {
            id: "24.8",
            reference: "clickhouse/clickhouse-server:24.8.14.39",
            end_of_life: "2025-08-31",
            local: None,
        },
        Version {
            id: OLD,
            reference: "yandex/clickhouse-server:18.16.1",
            end_of_life: "2019-12-31",
            local: Some(LocalImage { suite: "bookworm" }),
        },
    ],
    default_version: "26.3",
    ports: &[Port { name: "http", number: 8123 }, Port { name: "native", number: 9000 }],
    control_port: 0,
    user: User { uid: 101, gid: 101 },
    volume_path: "/var/lib/clickhouse",
    tmpfs: &[Tmpfs::new("/tmp", 16)],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("Stop SignalListener thread") },
    floor: Floor { memory_mib: 1024, pids: 1024, nofile: 16_384 },
    templates: &[
        Template { name: "config.xml", source: include_str!("../../../config_templates/clickhouse/config.xml.j2") },
        Template { name: "users.xml", source: include_str!("../../../config_templates/clickhouse/users.xml.j2") },
    ],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Functions, engines and dictionaries that reach files and other servers (file, url, s3, remote and the like) are granted to nobody, except in 18.16.",
        "18.16, the version of Debian, knows no users by SQL, no roles, no rights and no constraints: its account reads and writes everything, calls other servers where the network lets it (url, remote, mysql, engines URL and Kafka), lifts the limits of its own queries, takes the server's own tables away until the next start, and can end the server, which is then started again. Its files and the server's own tables it can neither read nor replace.",
        "The log of queries (system.query_log, not in 18.16) keeps those that ran for a second or longer, for seven days.",
        "A password of the user's account counts after a restart, because it stands in a file.",
    ],
};

static SPELLING: Spelling = Spelling {
    scheme: "http",
    jdbc: "clickhouse",
    env: &["CLICKHOUSE_HOST", "CLICKHOUSE_PORT", "CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD", "CLICKHOUSE_DATABASE"],
    cli: |to| {
        let url = format!("http://{}:{}/?database={}", to.host, to.port, percent(to.database.unwrap_or_default()));
        format!("curl --user {} --data-binary @- {}", shell_word(&to.account.username), shell_word(&url))
    },
};

/// A statement in the body. The server answers when it is done, so that the status tells whether it worked.
fn statement(database: Option<&str>, text: impl Into<String>) -> Call {
    let database = database.map(|d| format!("&database={}", percent(d))).unwrap_or_default();
    Call::http("POST", format!("/?wait_end_of_query=1{database}"), Some(Secret::new(text))).media("text/plain")
}

/// A query whose answer is `{"data": [[...], ...]}`.
fn query(database: Option<&str>, text: &str) -> Call {
    statement(database, format!("{text} FORMAT JSONCompact"))
}

/// Cell of a row: strings as they are, numbers as text.
fn cell(row: &serde_json::Value, column: usize) -> Option<String> {
    match row.get(column)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn rows(answer: &Answer) -> &[serde_json::Value] {
    answer.json().get("data").and_then(|d| d.as_array()).map_or(&[], Vec::as_slice)
}

fn first_column(answers: &[Answer]) -> Vec<String> {
    answers.iter().flat_map(rows).filter_map(|row| cell(row, 0)).collect()
}

fn sha256_hex(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

fn is_old(cx: &Cx) -> bool {
    cx.version.id == OLD
}

impl Engine for Clickhouse {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let sections = settings::sections(cx, self.max_connections(&cx.size));
        context! {
            old => is_old(cx),
            root => if is_old(cx) { "yandex" } else { "clickhouse" },
            dir => FACTS.volume_path,
            files => FILES_DIR,
            server => sections.server,
            merge_tree => sections.merge_tree,
            profile => sections.profile,
            server_memory_bytes => u64::from(settings::server_memory_mib(&cx.size)) << 20,
            system_user => cx.system.username.as_str(),
            system_sha256 => sha256_hex(cx.system.password.expose()),
            username => cx.user.username.as_str(),
            user_sha256 => sha256_hex(cx.user.password.expose()),
            grants => users::superuser_grants(),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        // The image's own entrypoint writes a users file with the password in clear text.
        let server = vec!["clickhouse-server".to_owned()];
        let entrypoint =
            if is_old(cx) { [["sh", "-c", OLD_START, "sh"].map(Into::into).to_vec(), server].concat() } else { server };
        Ok(Launch {
            entrypoint: Some(entrypoint),
            argv: vec![format!("--config-file={FILES_DIR}/config.xml")],
            env: vec![("CLICKHOUSE_WATCHDOG_ENABLE", "0".into()), ("TZ", "UTC".into())],
            files,
        })
    }

    fn bounded(&self, call: Call, limit: std::time::Duration) -> Call {
        // Who asks for the settings would be told this one.
        let settings = matches!(&call.request, crate::Request::Http(http)
            if http.body.as_ref().is_some_and(|b| b.expose().contains("FROM system.settings")));
        if settings { call } else { call.query("max_execution_time", limit.as_secs().max(1)) }
    }

    fn ping(&self) -> Call {
        statement(None, "SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        cx.database.iter().flat_map(|d| self.create(cx, d)).collect()
    }

    fn set_password(&self, _account: &Account) -> Vec<Call> {
        Vec::new() // the server refuses to change accounts of the users file
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        if format != UriFormat::Uri {
            return Some(sql::connection_string(&SPELLING, format, to));
        }
        let (user, password) = (percent(&to.account.username), percent(to.account.password.expose()));
        let database = percent(to.database.unwrap_or_default());
        Some(Secret::new(format!("http://{user}:{password}@{}:{}/?database={database}", to.host, to.port)))
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let mut argv: Vec<String> = ["clickhouse-client", "--user", username].map(Into::into).into();
        if let Some(database) = database {
            argv.push(format!("--database={database}"));
        }
        Shell { argv, password_env: "CLICKHOUSE_PASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 63 {
            return Err("must be 1 to 63 bytes long".into()); // names are file names, with three bytes for most characters
        }
        if name.chars().any(|c| c.is_control() || c == '*' || c == '/') {
            return Err("must not contain asterisks, slashes and control characters".into());
        }
        let reserved = match kind {
            // The name is an element of the users file.
            NameKind::User => {
                if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
                {
                    return Err("must be letters, digits, _ and -, and begin with a letter or _".into());
                }
                ["default", "interserver", FACTS.system_user].contains(&name) || name.to_lowercase().starts_with("xml")
            }
            NameKind::Database => ["default", "system", "information_schema", "_temporary_and_external_tables"]
                .contains(&name.to_lowercase().as_str()),
        };
        if reserved { Err(format!("{name:?} is reserved")) } else { Ok(()) }
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 8).clamp(64, 4096)
    }

    fn marker(&self, cx: &Cx, value: &str) -> Marker {
        let (database, literal) = (cx.database.as_deref(), mysql_literal(value));
        Marker {
            write: vec![
                statement(
                    database,
                    "CREATE TABLE IF NOT EXISTS fluxdb_marker (value String) ENGINE = ReplacingMergeTree() ORDER BY value",
                ),
                statement(database, format!("INSERT INTO fluxdb_marker SELECT {literal}")),
            ],
            read: query(database, &format!("SELECT DISTINCT value FROM fluxdb_marker WHERE value = {literal}")),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let bytes = |mib: u32| (u64::from(mib) << 20).to_string();
        let first: fn(&Answer) -> Option<String> = |a| cell(rows(a).first()?, 0);
        let shown =
            |table: &str, name: &str| query(None, &format!("SELECT value FROM system.{table} WHERE name = '{name}'"));
        let mut tuned = vec![Tuned {
            what: "max_memory_usage",
            call: shown("settings", "max_memory_usage"),
            expect: bytes(cx.size.memory_mib / 2),
            read: first,
        }];
        if !is_old(cx) {
            tuned.push(Tuned {
                what: "max_server_memory_usage",
                call: shown("server_settings", "max_server_memory_usage"),
                expect: bytes(settings::server_memory_mib(&cx.size)),
                read: first,
            });
        }
        tuned
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        attacks::all(cx)
    }

    /// Both accounts stand in the rendered users file, which comes before users made by SQL.
    fn repair(&self, _cx: &Cx) -> Result<Repair, RenderError> {
        Ok(Repair::Restart)
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

    fn open_paths(&self, version: &str) -> &'static [crate::OpenPath] {
        const OK: [crate::OpenPath; 3] = [
            crate::OpenPath { port: 0, path: "/", tells: "that the server runs" },
            crate::OpenPath { port: 0, path: "/ping", tells: "that the server runs" },
            crate::OpenPath {
                port: 0,
                path: "/replicas_status",
                tells: "whether copies of tables lag, and names of those that do",
            },
        ];
        const PAGE: &str = "a page that asks for a password itself";
        // Those of the newer ones are from the manual; not yet run.
        static LATER: [crate::OpenPath; 8] = [
            OK[0],
            OK[1],
            OK[2],
            crate::OpenPath { port: 0, path: "/play*", tells: PAGE },
            crate::OpenPath { port: 0, path: "/dashboard*", tells: PAGE },
            crate::OpenPath { port: 0, path: "/binary*", tells: PAGE },
            crate::OpenPath { port: 0, path: "/merges*", tells: PAGE },
            crate::OpenPath { port: 0, path: "/js/*", tells: "files of these pages" },
        ];
        if version == OLD { &LATER[..3] } else { &LATER }
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/?query=SELECT+1&user=default",
            "/replicas_status",
            "/play",
            "/dashboard",
            "/binary",
            "/merges",
            "/js/uplot.js",
            "/jemalloc",
            "/prometheus",
            "POST /?query=SELECT+1",
        ]
    }
}

impl Databases for Clickhouse {
    fn create(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![statement(None, format!("CREATE DATABASE IF NOT EXISTS {}", clickhouse_ident(name)))]
    }

    fn drop(&self, cx: &Cx, name: &str) -> Vec<Call> {
        // Without SYNC the files stay for minutes, and with them the name of a table.
        let sync = if is_old(cx) { "" } else { " SYNC" };
        vec![statement(None, format!("DROP DATABASE IF EXISTS {}{sync}", clickhouse_ident(name)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![query(None, "SELECT name FROM system.databases ORDER BY name")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        first_column(answers).into_iter().filter(|n| self.check_name(NameKind::Database, n).is_ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_column() {
        let answer = Answer::Json(serde_json::json!({"data": [["system"], ["a`b"], ["INFORMATION_SCHEMA"], ["shop"]]}));
        assert_eq!(Databases::names(&ENGINE, &[answer]), ["a`b", "shop"]);
    }

    #[test]
    fn a_database_cannot_be_left() {
        let call = statement(Some("a&b c"), format!("DROP DATABASE {}", clickhouse_ident("a`\\b")));
        let crate::Request::Http(http) = &call.request else { panic!("HTTP") };
        assert_eq!(http.path, "/?wait_end_of_query=1&database=a%26b%20c");
        assert_eq!(http.body.as_ref().map(Secret::expose), Some("DROP DATABASE `a\\`\\\\b`"));
    }

    #[test]
    fn every_call_is_told_how_long_it_may_take_but_the_one_that_asks_for_that() {
        let path = |call: Call| match ENGINE.bounded(call, std::time::Duration::from_secs(5)).request {
            crate::Request::Http(http) => http.path,
            other => panic!("{other:?}"),
        };
        assert_eq!(path(ENGINE.ping()), "/?wait_end_of_query=1&max_execution_time=5");
        assert!(!path(query(None, "SELECT name FROM system.settings WHERE 1")).contains("max_execution_time"));
    }
}
