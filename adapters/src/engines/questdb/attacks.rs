//! Known ways to the files of QuestDB's server. Its one account may do everything with the data.

use crate::{Attack, Call};

pub(super) fn all() -> Vec<Attack> {
    let one = |what, text: &str| Attack::new(what, vec![Call::sql(text)]);
    let copied = "CREATE TABLE IF NOT EXISTS fluxdb_attack (x VARCHAR)";
    let copy = |what, text: &str| Attack::new(what, vec![Call::sql(text)]).prepared(vec![Call::sql(copied)]);
    vec![
        one("reads a file as Parquet", "SELECT * FROM read_parquet('/var/lib/questdb/import/trades.parquet')"),
        one("reads a file as Parquet by a relative path", "SELECT * FROM read_parquet('trades.parquet')"),
        one("reads a file as Parquet above its directory", "SELECT * FROM read_parquet('../import/trades.parquet')"),
        one("reads a URL as Parquet", "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')"),
        one("lists files", "SELECT * FROM import_files()"),
        copy("reads a file by COPY", "COPY fluxdb_attack FROM 'readme.txt'"),
        copy("reads the system's accounts by COPY", "COPY fluxdb_attack FROM '/etc/passwd'"),
        copy("reads the configuration by COPY", "COPY fluxdb_attack FROM '../conf/server.conf'"),
        copy("writes a file above its directory", "COPY fluxdb_attack TO '../fluxdb_attack' WITH FORMAT PARQUET"),
        one(
            "makes a table on another volume",
            "CREATE TABLE fluxdb_attack_volume (ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY IN VOLUME 'x'",
        ),
        copy("makes a table in another directory", "CREATE TABLE '../../fluxdb_attack' (x INT)"),
        one("reads the account's password", "SELECT value FROM (SHOW PARAMETERS) WHERE property_path LIKE '%password'")
            .gained_when(|answers| {
                answers.iter().flat_map(crate::Answer::column).any(|v| !v.chars().all(|c| c == '*'))
            }),
        one("crashes the server", "SELECT simulate_crash('C')")
            .gained_when(|answers| answers.iter().flat_map(crate::Answer::column).any(|v| v.starts_with('t'))),
        one("makes a user", "CREATE USER fluxdb_attack WITH PASSWORD 'x'"),
        one("changes the account's password", "ALTER USER admin WITH PASSWORD 'x'"),
    ]
}
