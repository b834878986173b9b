//! Known ways up and out of ClickHouse. In 18.16 only what can be closed there: it knows no rights. The others have not been
//! run yet on real servers: there is none here.

use super::{is_old, query, statement};
use crate::{Answer, Attack, Call, Cx};

fn run(cx: &Cx, text: &str) -> Vec<Call> {
    vec![statement(cx.database.as_deref(), text)]
}

pub(super) fn all(cx: &Cx) -> Vec<Attack> {
    let mut all = everywhere(cx);
    all.extend(if is_old(cx) { old(cx) } else { new(cx) });
    all
}

fn everywhere(cx: &Cx) -> Vec<Attack> {
    let one = |what, text: &str| Attack::new(what, run(cx, text));
    let nobody = |what, path: &str| Attack::new(what, vec![Call::get(path).anonymously()]);
    vec![
        one("reads a file", "SELECT * FROM file('/etc/passwd', 'TSV', 'x String')"),
        one("reads a file above its directory", "SELECT * FROM file('../../../../etc/passwd', 'TSV', 'x String')"),
        one("reads the accounts' hashes", "SELECT * FROM file('../preprocessed_configs/users.xml', 'TSV', 'x String')"),
        one("makes a table of a file", "CREATE TABLE fluxdb_attack_file (x String) ENGINE = File(TSV, '/etc/passwd')"),
        one("runs a program", "SELECT * FROM executable('id', 'TSV', 'x String')"),
        one("makes a user among the server's own", "INSERT INTO system.users (name) VALUES ('x')"),
        nobody("is let in without an account", "/?query=SELECT%201"),
        nobody("is let in as the account that images have", "/?user=default&query=SELECT%201"),
        nobody("is let in by an account without a password", "/?user=admin&password=&query=SELECT%201"),
    ]
}

/// How the server's own table of this name is made, if there is one.
fn engine_of(name: &str) -> Vec<Call> {
    vec![query(None, &format!("SELECT engine FROM system.tables WHERE database = 'system' AND name = '{name}'"))]
}

fn is_there(answers: &[Answer]) -> bool {
    !super::first_column(answers).is_empty()
}

/// The server says "503" when it cannot write a file, which looks as if it were away: so what came of it is asked for.
fn old(cx: &Cx) -> Vec<Attack> {
    let steps = |texts: &[&str]| texts.iter().flat_map(|text| run(cx, text)).collect::<Vec<_>>();
    vec![
        // Taking it away cannot be forbidden; what comes in its place would be read by fluxdb.
        Attack::new("puts a view in place of one of the server's own tables", engine_of("contributors"))
            .prepared(steps(&[
                "DETACH TABLE system.contributors",
                "CREATE VIEW system.contributors AS SELECT 1 AS name",
            ]))
            .gained_when(is_there),
        Attack::new("moves a table among the server's own", engine_of("fluxdb_attack"))
            .prepared(steps(&[
                "CREATE TABLE fluxdb_attack_moved (x UInt8) ENGINE = Log",
                "RENAME TABLE fluxdb_attack_moved TO system.fluxdb_attack",
            ]))
            .gained_when(is_there),
        Attack::new("keeps a table of the server's own away over a restart", engine_of("settings"))
            .prepared(steps(&["DETACH TABLE system.settings"]))
            .after_restart()
            .gained_when(|answers| !is_there(answers)),
    ]
}

fn new(cx: &Cx) -> Vec<Attack> {
    let one = |what, text: &str| Attack::new(what, run(cx, text));
    let system = format!("`{}`", cx.system.username);
    let mut all = vec![
        one("calls a URL", "SELECT * FROM url('http://127.0.0.1:8123/ping', 'TSV', 'x String')"),
        one("writes to a URL", "INSERT INTO FUNCTION url('http://127.0.0.1:8123/', 'TSV', 'x String') VALUES ('x')"),
        one("calls another server", "SELECT * FROM remote('127.0.0.1:9000', system.one)"),
        one("calls all servers of a cluster", "SELECT * FROM clusterAllReplicas('default', system.one)"),
        one("calls S3", "SELECT * FROM s3('http://127.0.0.1:1/x/y.tsv', 'TSV', 'x String')"),
        one("calls MySQL", "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')"),
        one("calls PostgreSQL", "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')"),
        one(
            "makes a table of a URL",
            "CREATE TABLE fluxdb_attack_url (x String) ENGINE = URL('http://127.0.0.1:1/', 'TSV')",
        ),
        one(
            "makes a table of Kafka",
            "CREATE TABLE fluxdb_attack_kafka (x String) ENGINE = Kafka('127.0.0.1:1', 't', 'g', 'TSV')",
        ),
        one(
            "makes a database of MySQL",
            "CREATE DATABASE fluxdb_attack_mysql ENGINE = MySQL('127.0.0.1:1', 'd', 'u', 'p')",
        ),
        Attack::new("reads a URL as a dictionary", run(cx, "SELECT dictGet('fluxdb_attack_http', 'v', toUInt64(1))"))
            .prepared(run(
                cx,
                "CREATE DICTIONARY fluxdb_attack_http (k UInt64, v String) PRIMARY KEY k \
             SOURCE(HTTP(URL 'http://127.0.0.1:8123/?query=SELECT%201,2' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
            )),
        Attack::new(
            "reads a program as a dictionary",
            run(cx, "SELECT dictGet('fluxdb_attack_program', 'v', toUInt64(1))"),
        )
        .prepared(run(
            cx,
            "CREATE DICTIONARY fluxdb_attack_program (k UInt64, v String) PRIMARY KEY k \
                 SOURCE(EXECUTABLE(COMMAND 'echo 1,2' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
        )),
        one("ends the server", "SYSTEM SHUTDOWN"),
        one("stops merges", "SYSTEM STOP MERGES"),
        one("reads the configuration anew", "SYSTEM RELOAD CONFIG"),
        one("lets the server reload its users", "SYSTEM RELOAD USERS"),
        one("makes a named collection", "CREATE NAMED COLLECTION fluxdb_attack AS url = 'http://127.0.0.1:1/'"),
        one("grants itself everything", "GRANT ALL ON *.* TO CURRENT_USER"),
        one("grants itself sources", "GRANT SOURCES ON *.* TO CURRENT_USER"),
        one("grants itself files", "GRANT FILE ON *.* TO CURRENT_USER"),
        one("makes a quota for everybody", "CREATE QUOTA fluxdb_attack FOR INTERVAL 1 hour MAX queries = 1 TO ALL"),
        one("makes a profile for everybody", "CREATE SETTINGS PROFILE fluxdb_attack SETTINGS readonly = 1 TO ALL"),
        one("hides the server's settings", "CREATE ROW POLICY fluxdb_attack ON system.settings USING 0 TO ALL"),
        one("makes a table among the server's own", "CREATE TABLE system.fluxdb_attack (x UInt8) ENGINE = Memory"),
        one("lifts the limit of its memory", "SELECT 1 SETTINGS max_memory_usage_for_user = 0"),
        one("makes a user without a password", "CREATE USER fluxdb_attack IDENTIFIED WITH no_password"),
        one("writes a backup to a file", "BACKUP TABLE fluxdb_marker TO File('/tmp/fluxdb_attack')"),
    ];
    let about = [
        ("changes the system account's password", format!("ALTER USER {system} IDENTIFIED BY 'x'")),
        ("removes the system account", format!("DROP USER {system}")),
        ("takes the system account's place", format!("CREATE USER OR REPLACE {system} IDENTIFIED BY 'x'")),
        ("takes rights from the system account", format!("REVOKE ALL ON *.* FROM {system}")),
        ("acts as the system account", format!("EXECUTE AS {system} SELECT 1")),
        (
            "makes a view that runs as the system account",
            format!("CREATE VIEW fluxdb_attack_view DEFINER = {system} SQL SECURITY DEFINER AS SELECT 1"),
        ),
    ];
    all.extend(about.map(|(what, text)| one(what, &text)));
    all
}
