//! What a user of InfluxDB must not reach, and how fluxdb's own account is brought back in version 1.

use super::{influxql, is_two, series};
use crate::quote::{influx_ident, influx_literal, percent};
use crate::{Attack, Call, Cx, Engine, FILES_DIR, File, Launch, OpenPath, Repair, Secret};

/// Where the server of a repair listens: not published, whatever the network of the container passes on.
const REPAIR_PORT: u16 = 18_086;

const PING: OpenPath = OpenPath { port: 0, path: "/ping", tells: "that the server runs, and its version" };
const METRICS: OpenPath =
    OpenPath { port: 0, path: "/metrics", tells: "memory and garbage collection of the process, counts of requests" };

/// Neither `pprof-auth-enabled` nor `ping-auth-enabled` is known there: services/httpd/handler.go of 1.6.
static OPEN_16: [OpenPath; 5] = [
    PING,
    OpenPath { port: 0, path: "/status", tells: "that the server runs" },
    METRICS,
    OpenPath {
        port: 0,
        path: "/debug/vars",
        tells: "names of databases, measurements and files with their sizes, counts of requests and errors, memory",
    },
    OpenPath {
        port: 0,
        path: "/debug/requests",
        tells: "who asks while somebody looks: names of users, addresses, counts of queries and writes",
    },
];

/// From the manual of version 2; not yet run.
static OPEN_2: [OpenPath; 7] = [
    PING,
    METRICS,
    OpenPath { port: 0, path: "/health", tells: "that the server runs, and its version" },
    OpenPath { port: 0, path: "/ready", tells: "since when the server runs" },
    OpenPath { port: 0, path: "/api/v2", tells: "the paths of the API" },
    OpenPath { port: 0, path: "/api/v2/setup", tells: "that the server has been set up" },
    OpenPath { port: 0, path: "/api/v2/swagger.json", tells: "the description of the API" },
];

pub(super) fn open_paths(version: &str) -> &'static [OpenPath] {
    match version {
        "1.6" => &OPEN_16,
        // Later ones ask for a password at each of them.
        v if v.starts_with("1.") => &[],
        _ => &OPEN_2,
    }
}

pub(super) const SENSITIVE: &[&str] = &[
    "/debug/pprof/all?cpu=0s",
    "/debug/pprof/heap?debug=1",
    "/query?q=SHOW+USERS",
    "/query?q=SHOW+DIAGNOSTICS&u=&p=",
    "/api/v2/buckets",
    "/api/v2/authorizations",
    "/api/v2/config",
    "/api/v2/users",
    "/private/legacy/authorizations",
    "/shard-snapshot",
    "POST /write?db=defaultdb",
    "POST /api/v1/prom/read?db=defaultdb",
    "POST /api/v2/query",
    "POST /api/v2/write?bucket=defaultdb",
];

pub(super) fn attacks(cx: &Cx) -> Vec<Attack> {
    let database = cx.database.as_deref().unwrap_or_default();
    let here = influx_ident(database);
    let ask = |text: String| influxql(Some(database), &text);
    let system = influx_ident(&cx.system.username);
    let tries = |what, text: String| Attack::new(what, vec![ask(text)]);
    let mut all = vec![
        tries("sees the users", "SHOW USERS".into()),
        tries("changes fluxdb's password", format!("SET PASSWORD FOR {system} = {}", influx_literal("Gained-0"))),
        tries("removes fluxdb's account", format!("DROP USER {system}")),
        tries("makes an administrator", "CREATE USER fluxdb_gain WITH PASSWORD 'Gained-0' WITH ALL PRIVILEGES".into()),
        tries("ends a query of somebody else", "KILL QUERY 1".into()),
        tries("sees how the server is set up", "SHOW DIAGNOSTICS".into()),
        tries(
            "has the server send points to an address",
            format!("CREATE SUBSCRIPTION fluxdb_gain ON {here}.autogen DESTINATIONS ALL 'http://127.0.0.1:9'"),
        ),
        Attack::new(
            "reaches an address through Flux",
            vec![
                Call::http(
                    "POST",
                    "/api/v2/query",
                    Some(Secret::new("import \"http\"\nhttp.post(url: \"http://127.0.0.1:9/\")")),
                )
                .media("application/vnd.flux"),
            ],
        ),
    ];
    if !is_two(cx) {
        let point =
            Call::http("POST", format!("/write?db={}", percent(database)), Some(Secret::new("fluxdb_gain v=1i")));
        // The server runs it as nobody: whatever database stands after FROM is read. Seen with 1.6.
        let query = format!(
            "CREATE CONTINUOUS QUERY fluxdb_gain ON {here} RESAMPLE EVERY 1s FOR 1h BEGIN \
             SELECT count(v) INTO {here}.autogen.fluxdb_gained FROM {here}.autogen.fluxdb_gain GROUP BY time(1m) END"
        );
        all.push(
            Attack::new(
                "has a statement run by the server without anybody's rights",
                vec![ask("SELECT * FROM fluxdb_gained".into())],
            )
            .prepared(vec![point.media("text/plain"), ask(query)])
            .after_restart()
            .gained_when(|answers| answers.iter().any(|a| series(a).next().is_some())),
        );
    }
    all
}

/// Version 1: once without accounts on a port that is not published, where the account is set; then as ever.
pub(super) fn repair(cx: &Cx) -> Result<Repair, crate::render::RenderError> {
    if is_two(cx) {
        return Ok(Repair::Never(
            "version 2 has no way of giving the operator token, which fluxdb's account is, a value that was chosen",
        ));
    }
    let mut launch: Launch = super::ENGINE.launch(cx)?;
    let Some(config) = launch.files.iter().find(|f| f.name == "influxdb.conf") else {
        return Ok(Repair::Never("there is no configuration"));
    };
    let without = config
        .content
        .expose()
        .replace("auth-enabled = true", "auth-enabled = false")
        .replace("bind-address = \":8086\"", &format!("bind-address = \"127.0.0.1:{REPAIR_PORT}\""));
    let (user, password) = (influx_ident(&cx.system.username), influx_literal(cx.system.password.expose()));
    // One statement a line: the server stops at the first one that it refuses, and the account may be there or not.
    let statements = format!(
        "CREATE USER {user} WITH PASSWORD {password}\nSET PASSWORD FOR {user} = {password}\nGRANT ALL PRIVILEGES TO {user}\n"
    );
    let script = format!(
        "set -eu
influxd -config {FILES_DIR}/repair.conf &
server=$!
tries=600
until echo 'SHOW DATABASES' | influx -host 127.0.0.1 -port {REPAIR_PORT} > /dev/null 2>&1; do
  kill -0 $server
  tries=$((tries - 1))
  [ $tries -gt 0 ]
  sleep 0.2
done
while IFS= read -r line; do
  printf '%s\\n' \"$line\" | influx -host 127.0.0.1 -port {REPAIR_PORT} > /dev/null || true
done < {FILES_DIR}/repair.influxql
kill -INT $server
wait $server || true
exec influxd -config {FILES_DIR}/influxdb.conf
"
    );
    launch.files.push(File { name: "repair.conf", content: Secret::new(without) });
    launch.files.push(File { name: "repair.influxql", content: Secret::new(statements) });
    launch.entrypoint = Some(vec!["sh".into(), "-c".into(), script]);
    launch.argv = Vec::new();
    Ok(Repair::Start(launch))
}
