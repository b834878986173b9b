//! Who may call, and who did: tokens and the audit log.

use super::args::{AuditArgs, TokenCommand};
use super::client::{self, Change, typed};
use super::exit::{CliError, Exit, Result};
use super::output::{Rows, age, when};
use super::session::Session;
use crate::api::{AuditEntry, CreateToken, CreatedToken, SystemInfo, Token};
use crate::app::Permission;
use crate::domain::{InstanceId, TokenId};

/// `fluxdb token`
///
/// # Errors
/// As the API says.
pub fn token(session: &Session, command: &TokenCommand) -> Result {
    match command {
        TokenCommand::Create { name, write, only_project, expires_days } => {
            let permission = if *write { Permission::Write } else { Permission::Read };
            let request = CreateToken {
                name: name.clone(),
                permissions: vec![permission.as_str().to_owned()],
                projects: only_project.clone(),
                expires_in_days: *expires_days,
            };
            create(session, &request)
        }
        TokenCommand::List => list(session),
        TokenCommand::Delete { name } => delete(session, name),
        TokenCommand::ResetAdmin => super::local::reset_admin(session),
    }
}

fn create(session: &Session, request: &CreateToken) -> Result {
    let client = session.client()?;
    let change = Change { method: "POST", path: "/tokens", body: Some(client::json(request)?), if_match: None };
    let answer = client.change(change, &[])?;
    if session.out.json {
        return session.out.value(&answer.body);
    }
    let created: CreatedToken = typed(answer.body)?;
    let until = created.token.expires_at.map(|at| format!(" until {}", when(&at))).unwrap_or_default();
    session.out.remark(format!(
        "Token {} may {}{until}. It is shown this once:",
        created.token.name,
        created.token.permissions.join(", ")
    ));
    session.out.line(created.secret)
}

fn list(session: &Session) -> Result {
    let items = session.client()?.all("/tokens")?;
    let table = |items: Vec<_>| {
        let mut rows = Rows::new(&["name", "permissions", "projects", "expires", "last used", "age", "id"]);
        for item in items {
            let t: Token = typed(item)?;
            rows.push([
                t.name,
                t.permissions.join(" "),
                if t.projects.is_empty() { "all".into() } else { t.projects.join(" ") },
                t.expires_at.map_or_else(|| "never".into(), |at| when(&at)),
                t.last_used_at.map_or("never".into(), |at| format!("{} ago", age(&at))),
                age(&t.created_at),
                t.id.to_string(),
            ]);
        }
        Ok(rows)
    };
    session.out.items(items, table, "There is no token.")
}

fn delete(session: &Session, name: &str) -> Result {
    let client = session.client()?;
    let id = match name.parse::<TokenId>() {
        Ok(id) => id,
        Err(_) => {
            client.all::<Token>("/tokens")?.into_iter().find(|t| t.name == name).map(|t| t.id).ok_or_else(|| {
                CliError::new(Exit::NotFound, format!("There is no token {name}.")).note("See: fluxdb token list")
            })?
        }
    };
    let path = format!("/tokens/{id}");
    client.change(Change { method: "DELETE", path: &path, body: None, if_match: None }, &[])?;
    session.out.line(format!("Token {name} is deleted."))
}

/// `fluxdb audit`
///
/// # Errors
/// As the API says.
pub fn audit(session: &Session, args: &AuditArgs) -> Result {
    let client = session.client()?;
    let instance = match args.instance.as_deref() {
        Some(name) => Some(match name.parse::<InstanceId>() {
            Ok(id) => id.to_string(), // it may be gone; what was done to it is not
            Err(_) => session.find(&client, name)?.0.id.to_string(),
        }),
        None => None,
    };
    let query: Vec<_> = instance.as_deref().map(|id| ("instance", id)).into_iter().collect();
    let items = client.list("/audit", &query, Some(args.limit))?;
    let table = |items: Vec<_>| {
        let mut rows = Rows::new(&["at", "who", "from", "what", "result", "instance", "parameters"]);
        for item in items {
            let a: AuditEntry = typed(item)?;
            let params = if a.params.as_object().is_some_and(serde_json::Map::is_empty) {
                String::new()
            } else {
                a.params.to_string()
            };
            rows.push([
                when(&a.at),
                a.actor,
                a.ip,
                a.route,
                a.result,
                a.instance_id.map(|id| id.to_string()).unwrap_or_default(),
                params,
            ]);
        }
        Ok(rows)
    };
    session.out.items(items, table, "Nothing has been done yet.")?;
    let info: SystemInfo = client.read("/system-info", &[])?;
    let kept = match info.audit.keep_days {
        0 => "for ever".to_owned(),
        days => format!("for {days} days"),
    };
    let oldest = info.audit.oldest_at.map(|at| format!("; the oldest is of {}", when(&at))).unwrap_or_default();
    session.out.remark(format!("Lines are kept {kept} (audit.keep_days){oldest}."));
    Ok(())
}
