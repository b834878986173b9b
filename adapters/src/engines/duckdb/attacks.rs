//! Known ways to files, other servers and the server around DuckDB; for whatever role. What a reader may not write is in the
//! proofs of its role.

use crate::{Attack, Call};

fn sql(text: &str) -> Vec<Call> {
    vec![Call::sql(text)]
}

/// The temporary directory of the user's own database: the only one that the engine lets statements reach.
macro_rules! temporary {
    ($name:literal) => {
        concat!("'/data/databases/defaultdb.duckdb.tmp/", $name, "'")
    };
}

pub(super) fn all() -> Vec<Attack> {
    let one = |what, text: &str| Attack::new(what, sql(text));
    vec![
        one("reads a file", "SELECT * FROM read_text('/etc/passwd')"),
        one("reads a file by its name alone", "SELECT * FROM '/etc/passwd'"),
        one("reads the verifiers of passwords", "SELECT * FROM read_text('/data/accounts.json')"),
        one("reads the server's configuration", "SELECT * FROM read_csv('/fluxdb/server.json')"),
        one("reads the environment", "SELECT * FROM read_blob('/proc/self/environ')"),
        one("lists the databases' directory", "SELECT * FROM glob('/data/databases/*')"),
        one("lists a directory that databases share", "SELECT * FROM glob('/data/tmp/*')"),
        one("reads a variable of the environment", "SELECT getenv('PATH')"),
        one("writes a file", "COPY (SELECT 1) TO '/tmp/fluxdb_attack.csv'"),
        one("writes a file that databases share", "COPY (SELECT 1) TO '/data/tmp/fluxdb_attack.csv'"),
        one("writes a file beside its database", concat!("COPY (SELECT 1) TO ", temporary!("a.csv"))),
        one("writes a file while explaining", concat!("EXPLAIN ANALYZE COPY (SELECT 1) TO ", temporary!("b.csv"))),
        one(
            "writes a file while explaining with options",
            concat!("EXPLAIN (ANALYZE) COPY (SELECT 1) TO ", temporary!("c.csv")),
        ),
        one(
            "writes a file by a prepared statement",
            concat!("PREPARE fluxdb_attack AS COPY (SELECT 1) TO ", temporary!("d.csv")),
        ),
        one("writes a file behind a comment", concat!("/* SELECT */ COPY (SELECT 1) TO ", temporary!("e.csv"))),
        one("writes a file in a second statement", concat!("SELECT 1; COPY (SELECT 1) TO ", temporary!("f.csv"))),
        Attack::new(
            "writes a file with bound values",
            vec![Call::bound(concat!("COPY (SELECT $1) TO ", temporary!("g.csv")), &["x"])],
        ),
        one("exports its database", concat!("EXPORT DATABASE ", temporary!("export"))),
        one("imports a database", concat!("IMPORT DATABASE ", temporary!("export"))),
        one("opens another database", "ATTACH '/data/databases/postgres.duckdb' AS fluxdb_attack"),
        one("makes a database", concat!("ATTACH ", temporary!("x.duckdb"), " AS fluxdb_attack")),
        one("makes a database in memory, beside the limits", "ATTACH ':memory:' AS fluxdb_attack"),
        one("lets its database go", "DETACH defaultdb"),
        one("loads an extension from a file", concat!("LOAD ", temporary!("x.duckdb_extension"))),
        one("fetches an extension", "INSTALL httpfs"),
        one("fetches an extension from elsewhere", "FORCE INSTALL fluxdb FROM 'http://127.0.0.1:1'"),
        one("loads what calls other servers", "LOAD httpfs"),
        one("calls another server", "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')"),
        one("lifts the memory limit", "SET memory_limit = '1TB'"),
        one("lifts the memory limit to the default", "RESET memory_limit"),
        one("switches files on", "SET enable_external_access = true"),
        one("unlocks the configuration", "SET lock_configuration = false"),
        one("moves the temporary directory", "SET temp_directory = '/data'"),
        one("allows a directory", "SET allowed_directories = ['/']"),
        one("lets the server write profiles", "PRAGMA enable_profiling"),
        one("writes a log as a file", "CALL enable_logging(storage = 'file', storage_path = '/data/fluxdb_attack')"),
        one("keeps a secret as a file", "CREATE PERSISTENT SECRET fluxdb_attack (TYPE http, BEARER_TOKEN 'x')"),
        one("reads the server's own objects", "SELECT * FROM statement"),
        one(
            "makes a user",
            "FLUXDB {\"put_user\": {\"name\": \"x\", \"password\": \"x\", \"role\": \"owner\", \"databases\": null}}",
        ),
        one("becomes the system account", "FLUXDB {\"set_password\": {\"name\": \"fluxdb\", \"password\": \"x\"}}"),
        one("removes a database", "FLUXDB {\"drop_database\": \"defaultdb\"}"),
        one("sees all users", "FLUXDB {\"users\": true}"),
        Attack::new(
            "logs in to the system account's own place",
            sql("SELECT 1").into_iter().map(|c| c.in_database("postgres")).collect(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_directory_is_that_of_the_default_database() {
        assert_eq!(super::super::FACTS.default_database, Some("defaultdb"));
    }
}
