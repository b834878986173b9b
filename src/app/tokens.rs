//! API tokens: making, listing and removing them, and the first administrator's.

use std::path::{Path, PathBuf};

use fluxdb_adapters::Secret;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;

use super::auth::Authenticator;
use super::{Caller, Permission, idempotency};
use crate::api::{AuditEntry, CreateToken, CreatedToken, Page, Token};
use crate::domain::error::FieldError;
use crate::domain::{Error, ErrorKind, Result, TokenId};
use crate::store::tokens::TokenRow;
use crate::store::{self, Connection, Store};
use crate::vault::files::{hex, write_private};
use crate::vault::{Hasher, Vault};

/// Name of the first administrator's token.
pub const ADMIN: &str = "admin";
/// Its file in the data directory.
pub const ADMIN_FILE: &str = "admin.token";

const PREFIX: &str = "fdb";
const LOOKUP_BYTES: usize = 8;
const SECRET_LENGTH: usize = 43;
const SECRET_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Names that the daemon itself uses as actors.
const RESERVED: [&str; 3] = ["local", "reconciler", "system"];
const LONGEST_NAME: usize = 63;
const MOST_PROJECTS: usize = 64;

/// Makes a token. Its secret is in the answer and nowhere else.
///
/// # Errors
/// `Forbidden` (`permission_denied`) without write, (`token_too_wide`) for a limited caller who asks for more than it
/// has; `Invalid` with pointers; `AlreadyExists` (`name_taken`).
pub async fn create_token(store: &Store, vault: &Vault, caller: &Caller, request: CreateToken) -> Result<CreatedToken> {
    caller.require(Permission::Write)?;
    check(&request)?;
    if !within(caller, &request.projects) {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "token_too_wide",
            "Your token is limited to projects; a token made with it has to name some of these and no other.",
        ));
    }
    let now = Timestamp::now();
    let expires_at = request.expires_in_days.map(|days| now + SignedDuration::from_hours(24 * i64::from(days)));
    let (row, secret) =
        mint(vault.hasher(), request.name, request.permissions, request.projects, now, expires_at).await?;
    let token = row.token.clone();
    let caller = caller.clone();
    store
        .write(move |db| {
            store::tokens::insert(db, &row)?;
            idempotency::reserve(db, &caller, None)?;
            store::audit::append(db, "", &caller.audit(None, None, audited(&row.token), "accepted"))
        })
        .await?;
    Ok(CreatedToken { token, secret: secret.expose().to_owned() })
}

/// Tokens that the caller may see, oldest first: all, or those within its projects.
///
/// # Errors
/// `Forbidden` without write.
pub async fn list_tokens(store: &Store, caller: &Caller) -> Result<Page<Token>> {
    caller.require(Permission::Write)?;
    let mut items = store.read(store::tokens::all).await?;
    items.retain(|token| within(caller, &token.projects));
    Ok(Page { items, next_page_token: None })
}

/// Removes a token; at once it is good for nothing.
///
/// # Errors
/// `Forbidden` without write; `NotFound`; `Conflict` (`last_admin_token`) for the last one that may do everything for ever.
pub async fn delete_token(store: &Store, auth: &Authenticator, caller: &Caller, id: TokenId) -> Result<()> {
    caller.require(Permission::Write)?;
    let by = caller.clone();
    store
        .write(move |db| {
            let all = store::tokens::all(db)?;
            let token = all
                .iter()
                .find(|token| token.id == id && within(&by, &token.projects))
                .ok_or_else(|| Error::not_found("token"))?;
            if is_admin(token) && all.iter().filter(|t| is_admin(t)).count() == 1 {
                return Err(Error::conflict(
                    "last_admin_token",
                    "This is the last token with databases:write, without limit to projects and without expiry; make \
                     another such token first, or nobody could manage this daemon.",
                ));
            }
            store::tokens::delete(db, id)?;
            idempotency::reserve(db, &by, None)?;
            store::audit::append(db, "", &by.audit(None, None, audited(token), "accepted"))
        })
        .await?;
    auth.forget(id);
    Ok(())
}

/// The first administrator's token at a start.
#[derive(Debug)]
pub enum AdminToken {
    /// There was no token at all; this one was made. To be printed once.
    Made {
        /// The file that holds it too.
        path: PathBuf,
        /// The token.
        token: Secret,
    },
    /// The file is there.
    Kept {
        /// Where.
        path: PathBuf,
    },
    /// There are tokens, but no file: the local command line needs `FLUXDB_TOKEN`, or `fluxdb token reset-admin`.
    FileGone {
        /// Where it was.
        path: PathBuf,
    },
}

/// Makes the first token where there is none, in the store and in `admin.token` (0600) in the data directory.
///
/// # Errors
/// `Internal` (`admin_token_file`) when the file cannot be written; then nothing was made.
pub async fn ensure_admin_token(store: &Store, vault: &Vault, data_dir: &Path) -> Result<AdminToken> {
    let path = data_dir.join(ADMIN_FILE);
    if store.read(store::tokens::all).await?.is_empty() {
        let token = replace_admin(store, vault.hasher(), &path, "fluxdb serve").await?;
        return Ok(AdminToken::Made { path, token });
    }
    Ok(if path.exists() { AdminToken::Kept { path } } else { AdminToken::FileGone { path } })
}

/// Replaces the token `admin` by a new one, which is answered and written to the file. For the operator of the host:
/// it needs the state file but neither master key nor daemon. A daemon that runs takes notice within seconds.
///
/// # Errors
/// As [`ensure_admin_token`].
pub async fn reset_admin_token(store: &Store, data_dir: &Path) -> Result<Secret> {
    replace_admin(store, &Hasher::default(), &data_dir.join(ADMIN_FILE), "fluxdb token reset-admin").await
}

async fn replace_admin(store: &Store, hasher: &Hasher, path: &Path, route: &'static str) -> Result<Secret> {
    let permissions = vec![Permission::Read.as_str().to_owned(), Permission::Write.as_str().to_owned()];
    let (row, secret) = mint(hasher, ADMIN.to_owned(), permissions, Vec::new(), Timestamp::now(), None).await?;
    // The file first: after a crash in between there is no row yet, and the next start does it all again.
    write_private(path, &format!("{}\n", secret.expose())).map_err(|e| {
        Error::new(
            ErrorKind::Internal,
            "admin_token_file",
            format!("The administrator's token could not be written to {}; check owner and space.", path.display()),
        )
        .caused_by(e)
    })?;
    store
        .write(move |db| {
            let old = store::tokens::all(db)?.into_iter().find(|token| token.name == ADMIN);
            if let Some(old) = old {
                store::tokens::delete(db, old.id)?;
            }
            store::tokens::insert(db, &row)?;
            local_audit(db, route, &row.token)
        })
        .await?;
    Ok(secret)
}

fn local_audit(db: &Connection, route: &str, token: &Token) -> Result<()> {
    let entry = AuditEntry {
        id: 0,
        at: Timestamp::now().to_string(),
        actor: "local".to_owned(),
        token_id: None,
        ip: String::new(),
        user_agent: String::new(),
        route: route.to_owned(),
        instance_id: None,
        operation_id: None,
        params: audited(token),
        result: "accepted".to_owned(),
    };
    store::audit::append(db, "", &entry)
}

/// Public part and secret of what looks like one of our tokens.
pub(super) fn split(token: &str) -> Option<(&str, &str)> {
    let mut parts = token.splitn(3, '_');
    let (prefix, lookup, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let lookup_fits =
        lookup.len() == LOOKUP_BYTES * 2 && lookup.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (prefix == PREFIX && lookup_fits && secret.len() == SECRET_LENGTH).then_some((lookup, secret))
}

async fn mint(
    hasher: &Hasher,
    name: String,
    permissions: Vec<String>,
    projects: Vec<String>,
    now: Timestamp,
    expires_at: Option<Timestamp>,
) -> Result<(TokenRow, Secret)> {
    let mut lookup = [0_u8; LOOKUP_BYTES];
    rand::fill(&mut lookup);
    let lookup = hex(&lookup);
    let secret: String = {
        let mut rng = rand::rng();
        (0..SECRET_LENGTH).map(|_| char::from(SECRET_ALPHABET[rng.random_range(0..SECRET_ALPHABET.len())])).collect()
    };
    let text = Secret::new(format!("{PREFIX}_{lookup}_{secret}"));
    let hash = hasher.hash_password(&Secret::new(secret)).await?;
    let token = Token {
        id: TokenId::generate(),
        name,
        permissions,
        projects,
        expires_at: expires_at.map(|at| at.to_string()),
        last_used_at: None,
        created_at: now.to_string(),
    };
    Ok((TokenRow { token, lookup, hash }, text))
}

fn check(request: &CreateToken) -> Result<()> {
    let mut fields = Vec::new();
    let mut wrong = |pointer: String, detail: &str| fields.push(FieldError { pointer, detail: detail.to_owned() });
    if !is_name(&request.name) {
        wrong("/name".into(), "use 1 to 63 letters, digits, '.', '_' or '-', a letter or digit first");
    } else if RESERVED.contains(&request.name.as_str()) {
        wrong("/name".into(), "is a name that the daemon uses itself; choose another");
    }
    if request.permissions.is_empty() {
        wrong("/permissions".into(), "name databases:read, databases:write or both");
    }
    for (at, permission) in request.permissions.iter().enumerate() {
        if Permission::parse(permission).is_none() {
            wrong(format!("/permissions/{at}"), "is neither databases:read nor databases:write");
        } else if request.permissions[..at].contains(permission) {
            wrong(format!("/permissions/{at}"), "is there twice");
        }
    }
    if request.projects.len() > MOST_PROJECTS {
        wrong("/projects".into(), "are more than 64");
    }
    for (at, project) in request.projects.iter().enumerate().take(MOST_PROJECTS) {
        if !is_name(project) {
            wrong(format!("/projects/{at}"), "is not the name of a project");
        } else if request.projects[..at].contains(project) {
            wrong(format!("/projects/{at}"), "is there twice");
        }
    }
    if request.expires_in_days.is_some_and(|days| !(1..=3650).contains(&days)) {
        wrong("/expires_in_days".into(), "use 1 to 3650, or leave it out");
    }
    let Some(first) = fields.first() else { return Ok(()) };
    let mut error = Error::invalid(first.pointer.clone(), first.detail.clone());
    error.fields = fields;
    Err(error)
}

fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Whether a token for these projects (none = all) can do no more than the caller.
fn within(caller: &Caller, projects: &[String]) -> bool {
    caller.identity.projects.is_none() || (!projects.is_empty() && projects.iter().all(|p| caller.sees(p)))
}

/// May do everything, for ever.
fn is_admin(token: &Token) -> bool {
    token.projects.is_empty()
        && token.expires_at.is_none()
        && token.permissions.iter().any(|p| p == Permission::Write.as_str())
}

fn audited(token: &Token) -> serde_json::Value {
    serde_json::json!({
        "token_id": token.id,
        "name": token.name,
        "permissions": token.permissions,
        "projects": token.projects,
        "expires_at": token.expires_at,
    })
}

#[cfg(test)]
mod tests;
