//! What a user of Neo4j Community must not reach, and how fluxdb's own account is brought back.
//!
//! Every user of Community may run administration commands (`SHOW`, `CREATE`, `ALTER`, `DROP USER`): there are no privileges to
//! deny them, the system database cannot be made read-only, and a list of allowed procedures says nothing about commands. So a
//! user can take fluxdb's account away; what is left is to bring it back.

use serde_json::{Value, json};

use super::{cypher, values};
use crate::render::RenderError;
use crate::{Answer, Attack, Cx, Engine, FILES_DIR, File, OpenPath, Repair, Secret};

/// Where the server of a repair listens: not published, whatever the network of the container passes on.
const REPAIR_PORTS: [u16; 2] = [17_687, 17_474];

pub(super) static OPEN: [OpenPath; 4] = [
    OpenPath { port: 0, path: "/", tells: "to HTTP, that the server runs" },
    OpenPath { port: 0, path: "/*", tells: "the same at every path" },
    OpenPath { port: 1, path: "/", tells: "version and edition, and the address for Bolt" },
    // Not in the image made here, which has no Browser; a file each in the official one.
    OpenPath { port: 1, path: "/browser/*", tells: "the files of Neo4j Browser, which asks for a password itself" },
];

pub(super) fn attacks(_cx: &Cx) -> Vec<Attack> {
    let none = json!({});
    let tries = |what, text: &str| Attack::new(what, vec![cypher("neo4j", text, &none)]);
    let system = |what, text: &str| Attack::new(what, vec![cypher("system", text, &none)]);
    let shown = |answers: &[Answer]| answers.iter().flat_map(values).flatten().any(|v: Value| !v.is_null());
    vec![
        tries("reads a file of the server", "LOAD CSV FROM 'file:///fluxdb/system-password' AS line RETURN line"),
        tries("reads a file of the system", "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line"),
        tries("reads a file beside the data", "LOAD CSV FROM 'file:///../dbms/auth.ini' AS line RETURN line"),
        // The server itself, so that a refusal is the server's own and no missing route.
        tries("has the server fetch an address", "LOAD CSV FROM 'http://127.0.0.1:7474/' AS line RETURN line"),
        tries("has the server fetch an address of IPv6", "LOAD CSV FROM 'http://[::1]:7474/' AS line RETURN line"),
        tries("has the server fetch a name", "LOAD CSV FROM 'http://localhost:7474/' AS line RETURN line"),
        tries("has the server fetch over FTP", "LOAD CSV FROM 'ftp://127.0.0.1:7474/' AS line RETURN line"),
        tries("has the server fetch from a cloud", "LOAD CSV FROM 's3://bucket/object' AS line RETURN line"),
        tries(
            "has a file fetched in a transaction of its own",
            "CALL { LOAD CSV FROM 'http://127.0.0.1:7474/' AS line RETURN line } IN TRANSACTIONS RETURN line",
        ),
        tries("changes the configuration", "CALL dbms.setConfigValue('dbms.security.auth_enabled', 'false')"),
        tries(
            "loads a procedure from a library",
            "CALL apoc.load.json('http://127.0.0.1:7474/') YIELD value RETURN value",
        ),
        tries(
            "runs a statement on another server",
            "USE neo4j CALL apoc.bolt.load('bolt://127.0.0.1:7687', 'RETURN 1') YIELD row RETURN row",
        ),
        system("stops the database", "STOP DATABASE neo4j"),
        system("removes the database", "DROP DATABASE neo4j"),
        system(
            "makes an alias to another server",
            "CREATE ALIAS gained FOR DATABASE neo4j AT 'neo4j://127.0.0.1:7687' USER neo4j PASSWORD 'gained-0'",
        ),
        system("reads what passwords are kept as", "MATCH (u:User) RETURN u.credentials").gained_when(shown),
    ]
}

/// Once without accounts at ports that are not published, where the account is set; then as ever.
pub(super) fn repair(cx: &Cx) -> Result<Repair, RenderError> {
    let mut launch = super::ENGINE.launch(cx)?;
    let body = |command: &str| {
        let parameters = json!({ "name": cx.system.username, "password": cx.system.password.expose() });
        json!({ "statement": command, "parameters": parameters }).to_string()
    };
    let create = body("CREATE USER $name IF NOT EXISTS SET PASSWORD $password CHANGE NOT REQUIRED");
    let alter = body("ALTER USER $name SET PASSWORD $password CHANGE NOT REQUIRED");
    launch.files.push(File { name: "repair-1.json", content: Secret::new(create) });
    launch.files.push(File { name: "repair-2.json", content: Secret::new(alter) });
    let [bolt, http] = REPAIR_PORTS;
    // No client for HTTP is in every image; bash is.
    let script = format!(
        r#"set -eu
umask 077
mkdir -p /tmp/repair /data/logs /data/import /data/plugins
sed -e 's/^dbms.security.auth_enabled=.*/dbms.security.auth_enabled=false/' \
  -e 's/^server.default_listen_address=.*/server.default_listen_address=127.0.0.1/' \
  -e 's/^server.bolt.listen_address=.*/server.bolt.listen_address=127.0.0.1:{bolt}/' \
  -e 's/^server.http.listen_address=.*/server.http.listen_address=127.0.0.1:{http}/' {FILES_DIR}/neo4j.conf > /tmp/repair/neo4j.conf
export NEO4J_HOME=/var/lib/neo4j NEO4J_CONF=/tmp/repair
java @{FILES_DIR}/java.args org.neo4j.server.CommunityEntryPoint --home-dir=/var/lib/neo4j --config-dir=/tmp/repair --console-mode &
server=$!
# ask FILE: the status of the answer, nothing where there is none.
ask() {{
  exec 3<> /dev/tcp/127.0.0.1/{http} || return 0
  {{
    printf 'POST /db/system/query/v2 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\naccept: application/json\r\n'
    printf 'content-type: application/json\r\ncontent-length: %s\r\n\r\n' "$(wc -c < "$1")"
    cat "$1"
  }} >&3
  IFS=' ' read -r -t 30 _ status _ <&3 || true
  exec 3>&-
  printf '%s' "${{status:-}}"
}}
tries=300
until case $(ask {FILES_DIR}/repair-1.json 2> /dev/null) in 2*) true ;; *) false ;; esac; do
  kill -0 $server
  tries=$((tries - 1))
  [ $tries -gt 0 ]
  sleep 1
done
# Refused where it is the password already.
ask {FILES_DIR}/repair-2.json > /dev/null
kill -TERM $server
wait $server || true
rm -r /tmp/repair
exec sh {FILES_DIR}/start.sh
"#
    );
    launch.entrypoint = Some(vec!["bash".into(), "-c".into(), script]);
    launch.argv = Vec::new();
    Ok(Repair::Start(launch))
}
