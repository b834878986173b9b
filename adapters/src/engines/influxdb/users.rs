//! Users of InfluxDB read or write databases; an administrator may do everything, so that only fluxdb is one.

use super::{Influxdb, influxql, is_two, rows, show, two};
use crate::quote::{influx_ident, influx_literal};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// Makes a user anew: version 1 has no statement that takes everything back.
pub(super) fn put(cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
    if is_two(cx) {
        return vec![two::put_user(account, role == Role::Readwrite, databases)];
    }
    let (user, password) = (influx_ident(&account.username), influx_literal(account.password.expose()));
    let mut calls = vec![
        influxql(None, &format!("DROP USER {user}")).tolerating(&["user_not_found"]),
        influxql(None, &format!("CREATE USER {user} WITH PASSWORD {password}")),
    ];
    calls.extend(databases.iter().map(|d| grant(&account.username, role, d)));
    calls
}

/// Adds a database to what a user of version 1 may use.
pub(super) fn grant(username: &str, role: Role, database: &str) -> Call {
    let right = if role == Role::Read { "READ" } else { "ALL" };
    influxql(None, &format!("GRANT {right} ON {} TO {}", influx_ident(database), influx_ident(username)))
}

impl Users for Influxdb {
    fn role(&self, role: Role) -> Result<(), &'static str> {
        match role {
            Role::Readwrite | Role::Read => Ok(()),
            Role::Superuser => Err("InfluxDB has one kind of administrator, who could remove fluxdb's own account"),
            Role::Backup => Err("InfluxDB has no role for backups: only an administrator makes them"),
        }
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        put(cx, account, role, databases)
    }

    fn drop(&self, cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        if is_two(cx) {
            return vec![two::drop_user(username)];
        }
        vec![influxql(None, &format!("DROP USER {}", influx_ident(username))).tolerating(&["user_not_found"])]
    }

    fn list(&self, cx: &Cx) -> Vec<Call> {
        vec![if is_two(cx) { two::get(cx, "/private/legacy/authorizations") } else { show("SHOW USERS") }]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let one = answers.iter().flat_map(rows).filter(|r| r.get(1).and_then(|admin| admin.as_bool()) == Some(false));
        let one = one.filter_map(|r| r.get(0)?.as_str());
        let two = answers.iter().filter_map(|a| a.json().get("authorizations")?.as_array()).flatten();
        let two = two.filter_map(|a| a.get("token")?.as_str());
        one.chain(two).map(Into::into).collect()
    }

    fn proofs(&self, cx: &Cx, role: Role, database: &str) -> Vec<Proof> {
        let ask = |text: &str| vec![influxql(Some(database), text)];
        let write = |point: &str| {
            let body = Some(crate::Secret::new(point));
            vec![Call::http("POST", format!("/write?db={}", crate::quote::percent(database)), body).media("text/plain")]
        };
        let reads = Proof::can("reads points", ask("SELECT * FROM fluxdb_marker LIMIT 1"));
        let mut proofs = vec![reads];
        if role == Role::Readwrite {
            proofs.push(Proof::can("writes a point", write("fluxdb_proof value=1i")));
        } else {
            proofs.push(Proof::cannot("writes a point", write("fluxdb_proof value=1i")));
        }
        if !is_two(cx) {
            proofs.push(Proof::cannot("makes a user", ask("CREATE USER fluxdb_proof WITH PASSWORD 'fluxdb_proof'")));
            proofs.push(Proof::cannot("makes a database", ask("CREATE DATABASE fluxdb_proof")));
        }
        proofs
    }
}
