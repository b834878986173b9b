//! Calls for InfluxDB 2. Most are made by `two.sh` inside the container, which looks up the numbers of things by name.

use super::ORGANISATION;
use crate::quote::percent;
use crate::{Account, Call, Cx, Exec, Secret};

const SCRIPT: &str = include_str!("two.sh");

fn script(words: Vec<String>, password: Option<&Secret>) -> Call {
    let argv = ["sh", "-c", SCRIPT, "sh"].into_iter().map(Into::into).chain(words).collect();
    let password = password.map_or_else(String::new, |p| json(p.expose()));
    Call::exec(Exec {
        argv,
        env: Vec::new(),
        login: false,
        stdin: Secret::new(format!("{password}\n")),
        refused_when: "the server refused the login",
    })
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A GET of the API as the operator.
pub(super) fn get(cx: &Cx, path: &str) -> Call {
    Call::get(path).anonymously().header("Authorization", format!("Token {}", cx.system.password.expose()))
}

/// The first administrator, whose token is the system account's password; refused where there is one.
pub(super) fn set_up(cx: &Cx) -> Call {
    let body = serde_json::json!({
        "username": cx.system.username,
        "password": cx.system.password.expose(),
        "token": cx.system.password.expose(),
        "org": ORGANISATION,
        "bucket": cx.database.as_deref().unwrap_or("defaultdb"),
        "retentionPeriodSeconds": 0,
    });
    Call::json("POST", "/api/v2/setup", &body).anonymously().tolerating(&["422"])
}

pub(super) fn make_bucket(name: &str) -> Call {
    script(vec!["bucket".into(), json(name), percent(name)], None)
}

pub(super) fn drop_bucket(name: &str) -> Call {
    script(vec!["drop-bucket".into(), percent(name)], None)
}

pub(super) fn put_user(account: &Account, writes: bool, databases: &[String]) -> Call {
    let role = if writes { "readwrite" } else { "read" };
    let mut words = vec!["user".into(), json(&account.username), percent(&account.username), role.into()];
    words.extend(databases.iter().map(|d| percent(d)));
    script(words, Some(&account.password))
}

/// The user's account: reads and writes every bucket, also those to come.
pub(super) fn put_owner(account: &Account) -> Call {
    let name = &account.username;
    script(vec!["user".into(), json(name), percent(name), "owner".into()], Some(&account.password))
}

pub(super) fn drop_user(name: &str) -> Call {
    script(vec!["drop-user".into(), percent(name)], None)
}

pub(super) fn set_password(account: &Account) -> Call {
    script(vec!["password".into(), percent(&account.username)], Some(&account.password))
}
