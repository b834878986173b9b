//! InfluxDB 1 and 2. What both serve is InfluxQL over HTTP with a name and a password; the rest differs by version:
//! version 2 is told the rest by a script inside the container, because its API wants numbers that only it knows.

use std::collections::BTreeMap;

use minijinja::context;

use crate::quote::{influx_ident, influx_literal, percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, ConfigTest, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File,
    Floor, HttpAuth, Launch, LocalImage, Marker, Metrics, NameKind, OpenPath, PasswordFile, Port, Protocol, Repair,
    Role, SYSTEM_PASSWORD_FILE, Secret, Settings, Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users,
    Version,
};

mod metrics;
mod settings;
mod tenant;
mod two;
mod users;

pub(crate) static ENGINE: Influxdb = Influxdb;

/// InfluxDB.
pub(crate) struct Influxdb;

static FACTS: Facts = Facts {
    id: "influxdb",
    title: "InfluxDB",
    category: Category::TimeSeries,
    license: "MIT: free for any use, also as a service",
    protocol: Protocol::Http,
    http_auth: HttpAuth::Basic,
    versions: &[
        Version { id: "2.8", reference: "library/influxdb:2.8.0", end_of_life: "2028-12-31", local: None },
        Version { id: "2.7", reference: "library/influxdb:2.7.12", end_of_life: "2027-12-31", local: None },
        Version { id: "1.12", reference: "library/influxdb:1.12.4", end_of_life: "2028-12-31", local: None },
        Version { id: "1.11", reference: "library/influxdb:1.11.8", end_of_life: "2026-12-31", local: None },
        Version { id: "1.8", reference: "library/influxdb:1.8.10", end_of_life: "2021-12-31", local: None },
        Version {
            id: "1.6",
            reference: "library/influxdb:1.6.6",
            end_of_life: "2019-12-31",
            local: Some(LocalImage { suite: "trixie" }),
        },
    ],
    default_version: "1.12",
    ports: &[Port { name: "http", number: 8086 }],
    control_port: 0,
    user: User { uid: 1500, gid: 1500 },
    volume_path: "/var/lib/influxdb",
    tmpfs: &[Tmpfs::new("/tmp", 64)],
    shm_mib: 16,
    // Version 2 heeds SIGINT alone, version 1 both; they say different things at their end.
    stop: Stop { signal: 2, grace_secs: 60, says: None },
    floor: Floor { memory_mib: 512, pids: 256, nofile: 10_240 },
    templates: &[
        Template { name: "influxdb.conf", source: include_str!("../../../config_templates/influxdb/influxdb.conf.j2") },
        Template { name: "config.toml", source: include_str!("../../../config_templates/influxdb/config.toml.j2") },
    ],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Users read and write databases. Nobody but fluxdb makes users and databases inside the server: InfluxDB has one kind of administrator, who could remove fluxdb's own account.",
        "Version 2: databases are buckets; users log in by name and password for InfluxQL and line protocol (/query, /write). Flux and API tokens are not set up.",
        "Version 2: the password of fluxdb's own account is the operator token, which cannot be changed.",
        "Version 1: continuous queries are off, because the server runs them with nobody's rights: with the setting on, whoever writes one database can read all of them. Subscriptions and Flux are off: users reach no other server.",
        "1.6 answers /metrics, /debug/vars (names of databases and measurements, sizes, memory) and /debug/requests (who asks, from where) without a password and cannot be told otherwise; profiles are off. Keep its port on loopback, or take 1.8 or later.",
        "1.6, the version of Debian, is a release candidate of 1.6.7.",
    ],
};

/// Organisation that holds everything in version 2.
const ORGANISATION: &str = "main";

fn is_two(cx: &Cx) -> bool {
    cx.version.id.starts_with("2.")
}

/// A statement for the user administration or a query; the body keeps passwords out of logs.
fn influxql(database: Option<&str>, text: &str) -> Call {
    let path = database.map_or_else(|| "/query".to_owned(), |d| format!("/query?db={}", percent(d)));
    let body = Secret::new(format!("q={}", percent(text)));
    Call::http("POST", path, Some(body)).media("application/x-www-form-urlencoded").checked(error)
}

/// A query that needs no POST.
fn show(text: &str) -> Call {
    Call::get(format!("/query?q={}", percent(text))).checked(error)
}

/// InfluxQL answers 200 with the error inside.
fn error(answer: &Answer) -> Option<String> {
    let text = answer.at("/error").or_else(|| answer.at("/results/0/error"))?;
    let known = [
        ("user already exists", "user_exists"),
        ("user not found", "user_not_found"),
        ("database not found", "database_not_found"),
        ("not implemented", "not_implemented"),
    ];
    Some(known.iter().find(|(says, _)| text.contains(says)).map_or(text.clone(), |(_, code)| (*code).to_owned()))
}

/// All series of an answer.
fn series(answer: &Answer) -> impl Iterator<Item = &serde_json::Value> {
    answer
        .json()
        .get("results")
        .and_then(|r| r.as_array())
        .into_iter()
        .flatten()
        .filter_map(|r| r.get("series").and_then(|s| s.as_array()))
        .flatten()
}

fn rows_of(series: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    series.get("values").and_then(|v| v.as_array()).into_iter().flatten()
}

fn rows(answer: &Answer) -> impl Iterator<Item = &serde_json::Value> {
    series(answer).flat_map(rows_of)
}

impl Engine for Influxdb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut flat: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in settings::lines(cx, self.max_connections(&cx.size)) {
            match name.split_once('.') {
                Some((section, key)) => drop(sections.entry(section.into()).or_default().insert(key.into(), value)),
                None => drop(flat.insert(name, value)),
            }
        }
        let sections: Vec<(String, Vec<(String, String)>)> =
            sections.into_iter().map(|(name, lines)| (name, lines.into_iter().collect())).collect();
        let flat: Vec<(String, String)> = flat.into_iter().collect();
        context! { dir => FACTS.volume_path, sections => sections, flat => flat }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let name = if is_two(cx) { "config.toml" } else { "influxdb.conf" };
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates.iter().filter(|t| t.name == name) {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let memory = u64::from(cx.size.memory_mib) * 85 / 100;
        let mut env = vec![
            ("GOMAXPROCS", cx.size.vcpu.to_string()),
            ("GOMEMLIMIT", format!("{memory}MiB")),
            ("HOME", FACTS.volume_path.to_owned()),
        ];
        let mut argv = Vec::new();
        if is_two(cx) {
            // The script of version 2 reads the operator token there.
            files.push(File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() });
            env.push(("INFLUXD_CONFIG_PATH", format!("{FILES_DIR}/{name}")));
        } else {
            argv.extend(["-config".into(), format!("{FILES_DIR}/{name}")]);
        }
        // The image's own entrypoint hands passwords to a client as arguments, and removes data when its set-up fails.
        Ok(Launch { entrypoint: Some(vec!["influxd".into()]), argv, env, files })
    }

    fn ping(&self) -> Call {
        show("SHOW DATABASES")
    }

    fn config_test(&self, cx: &Cx) -> Option<ConfigTest> {
        let script = "f=$(mktemp) && cat > $f && influxd config -config $f > /dev/null; code=$?; rm $f; exit $code";
        // Names that it does not know it passes over, a second value not. Version 2 has no such command.
        let test = ConfigTest { file: "influxdb.conf", script, wrong: "[data]\n[data]" };
        (!is_two(cx)).then_some(test)
    }

    fn first_login(&self) -> Option<Account> {
        // A new server lets anyone make the first administrator, and nothing else.
        Some(Account { username: FACTS.system_user.into(), password: Secret::default() })
    }

    fn claim(&self, cx: &Cx) -> Vec<Call> {
        if is_two(cx) {
            return vec![two::set_up(cx)];
        }
        let (user, password) = (influx_ident(&cx.system.username), influx_literal(cx.system.password.expose()));
        let text = format!("CREATE USER {user} WITH PASSWORD {password} WITH ALL PRIVILEGES");
        vec![influxql(None, &text).anonymously().tolerating(&["401", "403", "user_exists"])] // claimed before
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let databases: Vec<String> = cx.database.iter().cloned().collect();
        let mut calls: Vec<Call> = databases.iter().flat_map(|d| create_database(cx, d)).collect();
        if is_two(cx) {
            calls.push(two::put_owner(&cx.user));
        } else {
            calls.extend(owner(&cx.user, &databases));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        let (user, password) = (influx_ident(&account.username), influx_literal(account.password.expose()));
        // Version 2 does not know the statement; the script does it there, and nothing in version 1.
        vec![
            influxql(None, &format!("SET PASSWORD FOR {user} = {password}")).tolerating(&["not_implemented"]),
            two::set_password(account),
        ]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port, database) = (to.host, to.port, to.database.unwrap_or_default());
        Some(Secret::new(match format {
            UriFormat::Uri => {
                format!("http://{}:{}@{host}:{port}/query?db={}", percent(user), percent(password), percent(database))
            }
            UriFormat::Env => format!(
                "INFLUX_HOST={}\nINFLUX_PORT='{port}'\nINFLUX_USERNAME={}\nINFLUX_PASSWORD={}\nINFLUX_DATABASE={}\n",
                shell_word(host),
                shell_word(user),
                shell_word(password),
                shell_word(database)
            ),
            UriFormat::Cli => format!(
                "influx -host {host} -port {port} -username {} -password '' -database {}",
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

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let mut argv: Vec<String> = ["influx", "-username", username].map(Into::into).into();
        if let Some(database) = database {
            argv.extend(["-database".into(), database.to_owned()]);
        }
        Shell { argv, password_env: "INFLUX_PASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 64 {
            return Err("must be 1 to 64 bytes long".into());
        }
        // Databases are directories; double quotes and backslashes are refused by version 2.
        if name.chars().any(|c| c.is_control() || ['/', '\\', '"', '\''].contains(&c)) || name.starts_with(['.', '_']) {
            return Err(
                "must not begin with a dot or _, nor contain slashes, quotes, backslashes and control characters"
                    .into(),
            );
        }
        if kind == NameKind::User && (name == FACTS.system_user || name.contains(':')) {
            return Err(format!("{name:?} is reserved")); // a colon ends the name when it is sent
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 4).clamp(128, 4096)
    }

    fn marker(&self, cx: &Cx, value: &str) -> Marker {
        let database = cx.database.as_deref().unwrap_or_default();
        let point = format!("fluxdb_marker,value={value} seen=1i 1000000000");
        let write = Call::http("POST", format!("/write?db={}", percent(database)), Some(Secret::new(point)));
        let text = format!("SELECT seen, value FROM fluxdb_marker WHERE value = {}", influx_literal(value));
        Marker { write: vec![write.media("text/plain")], read: influxql(Some(database), &text) }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let expect = settings::concurrent_queries(&cx.size).to_string();
        if is_two(cx) {
            let read = |a: &Answer| a.at("/config/query-concurrency");
            return vec![Tuned { what: "query-concurrency", call: two::get(cx, "/api/v2/config"), expect, read }];
        }
        vec![Tuned {
            what: "max-concurrent-queries",
            call: show("SHOW DIAGNOSTICS"),
            expect,
            read: |a| settings::diagnostics(a).remove("coordinator.max-concurrent-queries"),
        }]
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        tenant::attacks(cx)
    }

    fn password_file(&self, version: &str) -> PasswordFile {
        if version.starts_with("2.") {
            PasswordFile::EveryStart(
                "its API wants numbers of things, which a script in the container looks up as the operator",
            )
        } else {
            PasswordFile::Absent
        }
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        tenant::repair(cx)
    }

    fn open_paths(&self, version: &str) -> &'static [OpenPath] {
        tenant::open_paths(version)
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        tenant::SENSITIVE
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

fn create_database(cx: &Cx, name: &str) -> Vec<Call> {
    if is_two(cx) {
        vec![two::make_bucket(name)]
    } else {
        vec![influxql(None, &format!("CREATE DATABASE {}", influx_ident(name)))]
    }
}

/// The user's account in version 1. Not made anew, because it has rights on databases that are not named here.
fn owner(account: &Account, databases: &[String]) -> Vec<Call> {
    let (user, password) = (influx_ident(&account.username), influx_literal(account.password.expose()));
    let mut calls = vec![
        influxql(None, &format!("CREATE USER {user} WITH PASSWORD {password}")).tolerating(&["user_exists"]),
        influxql(None, &format!("SET PASSWORD FOR {user} = {password}")),
    ];
    calls.extend(databases.iter().map(|d| users::grant(&account.username, Role::Readwrite, d)));
    calls
}

impl Databases for Influxdb {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        let mut calls = create_database(cx, name);
        if !is_two(cx) {
            calls.push(users::grant(&cx.user.username, Role::Readwrite, name));
        }
        calls
    }

    fn drop(&self, cx: &Cx, name: &str) -> Vec<Call> {
        if is_two(cx) {
            vec![two::drop_bucket(name)]
        } else {
            vec![influxql(None, &format!("DROP DATABASE {}", influx_ident(name)))]
        }
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![show("SHOW DATABASES")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let rows = answers.iter().flat_map(rows).filter_map(|r| r.get(0)?.as_str().map(Into::into));
        rows.filter(|n: &String| !n.starts_with('_')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_inside_good_answers_are_found() {
        let answer = |text: &str| Answer::Json(serde_json::json!({"results": [{"statement_id": 0, "error": text}]}));
        assert_eq!(error(&answer("user already exists")).as_deref(), Some("user_exists"));
        assert_eq!(error(&answer("something else")).as_deref(), Some("something else"));
        assert_eq!(error(&Answer::Json(serde_json::json!({"results": [{"statement_id": 0}]}))), None);
    }

    #[test]
    fn own_databases_are_left_out() {
        let values = serde_json::json!([["_internal"], ["shop"]]);
        let answer = serde_json::json!({"results": [{"series": [{"name": "databases", "columns": ["name"], "values": values}]}]});
        assert_eq!(Databases::names(&ENGINE, &[Answer::Json(answer)]), ["shop"]);
    }
}
