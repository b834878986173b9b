//! What a database server in the in-memory runtime knows: accounts, databases, and the few statements that change them.

use std::collections::{BTreeMap, BTreeSet};

use fluxdb_adapters::{Call, Engine, Protocol, Request, SYSTEM_PASSWORD_FILE, Secret};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::domain::container::LABEL_ENGINE;

use super::world::{Container, Volume};

/// Passwords by account; `None` = an account that cannot log in yet.
pub(crate) type Accounts = BTreeMap<String, Option<Password>>;

/// A password as the server keeps it.
#[derive(Clone, Debug)]
pub(crate) enum Password {
    /// As it was given.
    Clear(Secret),
    /// SHA-256, hexadecimal.
    Hashed(String),
    /// `mysql_native_password`: twice SHA-1, `*` and hexadecimal.
    Native(String),
}

impl Password {
    pub(crate) fn is(&self, given: &Secret) -> bool {
        match self {
            Self::Clear(secret) => secret == given,
            Self::Hashed(hash) => *hash == sha256(given.expose()),
            Self::Native(hash) => *hash == native(given.expose()),
        }
    }
}

/// An initialised data directory.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) engine: &'static str,
    /// The template it was copied from.
    pub(crate) copied_from: Option<String>,
    pub(crate) system_identifier: u64,
    pub(crate) accounts: Accounts,
    pub(crate) databases: BTreeSet<String>,
}

/// What came of a statement: an error code where the server refuses.
type Outcome = std::result::Result<(), &'static str>;

/// The engine that a container runs.
pub(crate) fn engine_of(container: &Container) -> Option<&'static dyn Engine> {
    fluxdb_adapters::find(container.spec.labels.get(LABEL_ENGINE)?)
}

/// What happens when the process starts: an empty volume is initialised, RESP engines read their accounts.
pub(super) fn boot(container: &mut Container, volume: &mut Volume, system_identifier: u64) -> Result<(), String> {
    let engine = engine_of(container).ok_or("no engine has such a program")?;
    let facts = engine.facts();
    if let Some(data) = &volume.data {
        if data.engine != facts.id {
            return Err(format!("the volume holds data of {}", data.engine));
        }
    } else {
        let mut accounts = Accounts::new();
        if facts.protocol != Protocol::Resp {
            let password = container.file(SYSTEM_PASSWORD_FILE).ok_or("no superuser password is given")?;
            accounts.insert(facts.system_user.to_owned(), Some(Password::Clear(password.clone())));
        }
        volume.data = Some(Data {
            engine: facts.id,
            copied_from: None,
            system_identifier,
            accounts,
            databases: BTreeSet::from(["postgres".to_owned(), "mysql".to_owned()]),
        });
    }
    // A repair start: what the server is told before it serves. An error of one statement keeps it from no other.
    if let (Some(data), Some(statements)) = (&mut volume.data, container.file("repair.sql")) {
        for text in statements.expose().lines() {
            let _ =
                if facts.protocol == Protocol::Mysql { mysql(data, true, text) } else { postgres(data, true, text) };
        }
    }
    if facts.protocol == Protocol::Resp {
        let file = container.file("server.conf").ok_or("server.conf is missing")?;
        container.accounts = resp_accounts(file.expose());
    }
    Ok(())
}

/// `#user NAME on #HASH ...` lines: the start script makes the access file of them.
fn resp_accounts(file: &str) -> Accounts {
    file.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = (words.next()? == "#user").then(|| words.next())??;
            let hash = words.find_map(|w| w.strip_prefix('#'));
            Some((name.to_owned(), hash.map(|h| Password::Hashed(h.to_owned()))))
        })
        .collect()
}

/// Carries out one call as `username`; the error is the server's code.
pub(crate) fn carry_out(
    engine: &dyn Engine,
    container: &mut Container,
    data: &mut Data,
    username: &str,
    call: &Call,
) -> Outcome {
    let facts = engine.facts();
    let is_system = username == facts.system_user;
    match (&call.request, facts.protocol) {
        (Request::Sql { text, .. }, Protocol::Postgres) => postgres(data, is_system, text.expose()),
        (Request::Sql { text, .. }, Protocol::Mysql) => mysql(data, is_system, text.expose()),
        (Request::Resp(words), Protocol::Resp) => resp(&mut container.accounts, is_system, words),
        _ => Err("the in-memory runtime does not speak this protocol"),
    }
}

fn postgres(data: &mut Data, is_system: bool, text: &str) -> Outcome {
    let Some((verb, rest)) = split_verb(text, &["CREATE ROLE", "ALTER ROLE", "CREATE DATABASE", "SELECT"]) else {
        return if is_system { Ok(()) } else { Err("42501") };
    };
    if verb == "SELECT" {
        return Ok(());
    }
    if !is_system {
        return Err("42501");
    }
    let (name, rest) = quoted(rest, '"').ok_or("42601")?;
    match verb {
        "CREATE ROLE" => {
            if data.accounts.contains_key(&name) {
                return Err("42710");
            }
            data.accounts.insert(name, None);
        }
        "ALTER ROLE" => {
            let Some(at) = rest.find("PASSWORD") else { return Ok(()) };
            let account = data.accounts.get_mut(&name).ok_or("42704")?;
            let literal = rest[at + "PASSWORD".len()..].trim_start();
            let (escapes, literal) = literal.strip_prefix('E').map_or((false, literal), |l| (true, l));
            let (password, _) = quoted(literal, '\'').ok_or("42601")?;
            let password = if escapes { password.replace("\\\\", "\\") } else { password };
            *account = Some(Password::Clear(Secret::new(password)));
        }
        _ => {
            if !data.databases.insert(name) {
                return Err("42P04");
            }
        }
    }
    Ok(())
}

fn mysql(data: &mut Data, is_system: bool, text: &str) -> Outcome {
    let verbs = ["CREATE USER", "ALTER USER", "CREATE DATABASE", "SELECT"];
    let Some((verb, rest)) = split_verb(text, &verbs) else {
        return if is_system { Ok(()) } else { Err("1227") };
    };
    if verb == "SELECT" {
        return Ok(());
    }
    if !is_system {
        return Err("1227");
    }
    let (conditional, rest) =
        split_verb(rest, &["IF NOT EXISTS", "IF EXISTS"]).map_or((false, rest), |(_, r)| (true, r));
    match verb {
        "CREATE DATABASE" => {
            let (name, _) = quoted(rest, '`').ok_or("1064")?;
            if !data.databases.insert(name) && !conditional {
                return Err("1007");
            }
        }
        "CREATE USER" => {
            let (name, _) = mysql_literal(rest).ok_or("1064")?;
            if data.accounts.contains_key(&name) {
                return if conditional { Ok(()) } else { Err("1396") };
            }
            data.accounts.insert(name, None);
        }
        _ => {
            let (name, rest) = mysql_literal(rest).ok_or("1064")?;
            let Some(account) = data.accounts.get_mut(&name) else {
                return if conditional { Ok(()) } else { Err("1396") };
            };
            // Limits of an account, which the fake does not keep.
            if rest.contains(" WITH MAX_") {
                return Ok(());
            }
            let at = rest.find("IDENTIFIED BY").ok_or("1064")?;
            let given = rest[at + "IDENTIFIED BY".len()..].trim_start();
            let (hashed, given) =
                split_verb(given, &["PASSWORD"]).map_or((false, given), |(_, literal)| (true, literal));
            let (password, _) = mysql_literal(given).ok_or("1064")?;
            *account = Some(if hashed { Password::Native(password) } else { Password::Clear(Secret::new(password)) });
        }
    }
    Ok(())
}

fn resp(accounts: &mut Accounts, is_system: bool, words: &[Secret]) -> Outcome {
    let words: Vec<&str> = words.iter().map(Secret::expose).collect();
    match words.as_slice() {
        ["ACL", "SETUSER", name, rules @ ..] => {
            if !is_system {
                return Err("NOPERM");
            }
            let hash = rules.iter().find_map(|w| w.strip_prefix('#'));
            accounts.insert((*name).to_owned(), hash.map(|h| Password::Hashed(h.to_owned())));
            Ok(())
        }
        ["ACL" | "CONFIG", ..] if !is_system => Err("NOPERM"),
        _ => Ok(()),
    }
}

/// The verb that the text begins with and what follows it.
fn split_verb<'a, 'v>(text: &'a str, verbs: &[&'v str]) -> Option<(&'v str, &'a str)> {
    verbs.iter().find_map(|v| text.strip_prefix(*v).map(|rest| (*v, rest.trim_start())))
}

/// A quoted name or literal in which the quote is doubled, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let rest = text.strip_prefix(quote)?;
    let mut out = String::new();
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            out.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            out.push(quote);
        } else {
            return Some((out, &rest[at + c.len_utf8()..]));
        }
    }
    None
}

/// A literal of MariaDB, with backslash escapes undone.
fn mysql_literal(text: &str) -> Option<(String, &str)> {
    let (value, rest) = quoted(text, '\'')?;
    Some((value.replace("\\\\", "\\"), rest))
}

fn native(text: &str) -> String {
    let hash = Sha1::digest(Sha1::digest(text.as_bytes()));
    hash.iter().fold("*".to_owned(), |text, b| format!("{text}{b:02X}"))
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fluxdb_adapters::Account;

    /// The fake must understand exactly what the adapters say, with every awkward character.
    #[test]
    fn passwords_set_by_the_adapters_are_understood() {
        let password = Secret::new("a'b\\c\"d`e%f");
        for engine in super::super::ENGINES.iter().filter_map(|id| fluxdb_adapters::find(id)) {
            let facts = engine.facts();
            let mut accounts = Accounts::from([("o'dd\"user".to_owned(), None), (facts.system_user.to_owned(), None)]);
            let mut data = Data {
                engine: facts.id,
                copied_from: None,
                system_identifier: 1,
                accounts: accounts.clone(),
                databases: BTreeSet::new(),
            };
            for name in ["o'dd\"user", facts.system_user] {
                for call in engine.set_password(&Account { username: name.into(), password: password.clone() }) {
                    match &call.request {
                        Request::Sql { text, .. } if facts.protocol == Protocol::Postgres => {
                            postgres(&mut data, true, text.expose()).expect("understood");
                        }
                        Request::Sql { text, .. } => mysql(&mut data, true, text.expose()).expect("understood"),
                        Request::Resp(words) => resp(&mut accounts, true, words).expect("understood"),
                        other => panic!("{other:?}"),
                    }
                }
                let known = if facts.protocol == Protocol::Resp { &accounts } else { &data.accounts };
                assert!(known[name].as_ref().is_some_and(|p| p.is(&password)), "{} {name}", facts.id);
            }
        }
    }
}
