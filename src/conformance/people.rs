//! Inner databases and users: hostile names, what each role may, and changing a password.

use std::time::{Duration, Instant};

use fluxdb_adapters::{Account, NameKind, Proof, Role, Secret};

use super::{Rig, Verdict, failed, keep, not_offered};
use crate::domain::conformance::Outcome;
use crate::domain::{ErrorKind, Result};
use crate::vault::passwords;

/// Names that end badly where quoting is forgotten. An engine refuses them by its own rules, or takes them as they are.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "plain",
        "a\"b",
        "a'b",
        "a`b",
        "a;drop table x",
        "a\\b",
        "a_b%",
        "$(id)",
        "--x",
        "gr\u{fc}\u{df}e",
        "\u{6570}\u{636e}",
        "select",
        "a b",
        "a.b",
        "a/b",
        "a#b",
        "A",
        "a",
    ]
    .map(str::to_owned)
    .into();
    names.extend([63, 64].map(|n| "x".repeat(n)));
    names
}

pub(super) async fn databases(rig: &mut Rig) -> Verdict {
    let Some(databases) = rig.engine.databases() else { return not_offered("it has no named databases") };
    let cx = rig.cx().await?;
    let mut tried = 0;
    for name in hostile() {
        if rig.engine.check_name(NameKind::Database, &name).is_err() {
            continue;
        }
        tried += 1;
        let story = |e: crate::domain::Error| e.context(format!("database {name:?}"));
        for _ in 0..2 {
            rig.as_system(&databases.create(&cx, &name)).await.map_err(story)?;
        }
        let listed = databases.names(&rig.as_system(&databases.list(&cx)).await?);
        if !listed.contains(&name) {
            return failed(format!("{name:?} was made but is not in {listed:?}"));
        }
        for _ in 0..2 {
            rig.as_system(&databases.drop(&cx, &name)).await.map_err(story)?;
        }
        let listed = databases.names(&rig.as_system(&databases.list(&cx)).await?);
        if listed.contains(&name) {
            return failed(format!("{name:?} was dropped but is in {listed:?}"));
        }
    }
    let own = databases.names(&rig.as_system(&databases.list(&cx)).await?);
    match &cx.database {
        Some(name) if !own.contains(name) => failed(format!("the user's own {name:?} is not in {own:?}")),
        _ if tried == 0 => failed("every name was refused"),
        _ => Ok(Outcome::Passed),
    }
}

pub(super) async fn users(rig: &mut Rig) -> Verdict {
    let Some(users) = rig.engine.users_in(&rig.record()?.version) else {
        return not_offered("it has no inner users in this version");
    };
    let cx = rig.cx().await?;
    let Some(role) = Role::ALL.into_iter().rev().find(|r| users.role(*r).is_ok()) else {
        return not_offered("it has no role of ours");
    };
    let own: Vec<String> = cx.database.iter().cloned().collect();
    let mut tried = 0;
    for name in hostile() {
        if rig.engine.check_name(NameKind::User, &name).is_err() {
            continue;
        }
        tried += 1;
        let story = |e: crate::domain::Error| e.context(format!("user {name:?}"));
        let account = Account { username: name.clone(), password: passwords::generate() };
        for _ in 0..2 {
            rig.as_system(&users.put(&cx, &account, role, &own)).await.map_err(story)?;
        }
        let listed = users.names(&rig.as_system(&users.list(&cx)).await?);
        if !listed.contains(&name) {
            return failed(format!("{name:?} was made but is not in {listed:?}"));
        }
        rig.as_account(&account, cx.database.clone(), &[rig.engine.ping()]).await.map_err(story)?;
        for _ in 0..2 {
            rig.as_system(&users.drop(&cx, &name, &own)).await.map_err(story)?;
        }
        soon_refused(rig, &account, cx.database.as_ref()).await.map_err(story)?;
    }
    if tried == 0 { failed("every name was refused") } else { Ok(Outcome::Passed) }
}

pub(super) async fn role_superuser(rig: &mut Rig) -> Verdict {
    role(rig, Role::Superuser).await
}

pub(super) async fn role_readwrite(rig: &mut Rig) -> Verdict {
    role(rig, Role::Readwrite).await
}

pub(super) async fn role_read(rig: &mut Rig) -> Verdict {
    role(rig, Role::Read).await
}

pub(super) async fn role_backup(rig: &mut Rig) -> Verdict {
    role(rig, Role::Backup).await
}

/// A user of the role can do what it says and nothing more.
async fn role(rig: &Rig, role: Role) -> Verdict {
    let Some(users) = rig.engine.users_in(&rig.record()?.version) else {
        return not_offered("it has no inner users in this version");
    };
    if let Err(why) = users.role(role) {
        return not_offered(why);
    }
    keep::write(rig, "for-the-roles").await?;
    let cx = rig.cx().await?;
    let own: Vec<String> = cx.database.iter().cloned().collect();
    let account = Account { username: format!("proof{}", role.as_str()), password: passwords::generate() };
    rig.as_system(&users.put(&cx, &account, role, &own)).await?;
    let proofs = users.proofs(&cx, role, cx.database.as_deref().unwrap_or_default());
    let mut wrong = Vec::new();
    for proof in &proofs {
        if let Err(e) = prove(rig, &account, cx.database.clone(), proof).await {
            wrong.push(e.story());
        }
    }
    rig.as_system(&users.drop(&cx, &account.username, &own)).await?;
    if proofs.is_empty() {
        return failed("the adapter names nothing that the role can do");
    }
    if wrong.is_empty() { Ok(Outcome::Passed) } else { failed(wrong.join("; ")) }
}

async fn prove(rig: &Rig, account: &Account, database: Option<String>, proof: &Proof) -> Result<()> {
    let outcome = rig.as_account(account, database, &proof.calls).await;
    match (proof.allowed, outcome) {
        (true, Ok(_)) => Ok(()),
        (true, Err(e)) => failed(format!("cannot, but should: {}: {}", proof.what, e.story())),
        (false, Ok(_)) => failed(format!("can, but should not: {}", proof.what)),
        // Refused for want of permission; a dead connection or a server that does not answer proves nothing.
        (false, Err(e)) if matches!(e.kind, ErrorKind::Invalid | ErrorKind::Unauthenticated) => Ok(()),
        (false, Err(e)) => failed(format!("was not refused: {}: {}", proof.what, e.story())),
    }
}

/// A new password counts, the old one does not; then back, because the daemon keeps the old one.
pub(super) async fn rotation(rig: &mut Rig) -> Verdict {
    let cx = rig.cx().await?;
    let fresh = Account {
        username: cx.user.username.clone(),
        password: Secret::new(format!("{}'\\\"x", passwords::generate().expose())),
    };
    let calls = rig.engine.set_password(&fresh);
    if calls.is_empty() {
        return not_offered("passwords stand in rendered files and count after a restart");
    }
    rig.as_system(&calls).await?;
    let ping = [rig.engine.ping()];
    let new = soon_accepted(rig, &fresh, cx.database.as_ref()).await;
    let old = soon_refused(rig, &cx.user, cx.database.as_ref()).await;
    let by = if cx.user.username == cx.system.username { &fresh } else { &cx.system };
    rig.as_account(by, None, &rig.engine.set_password(&cx.user)).await?;
    soon_accepted(rig, &cx.user, cx.database.as_ref()).await?;
    new?;
    old?;
    rig.as_account(&cx.user, cx.database.clone(), &ping).await?;
    Ok(Outcome::Passed)
}

/// Some servers remember for a few seconds whom they let in.
const MEMORY: Duration = Duration::from_secs(15);

async fn soon_refused(rig: &Rig, account: &Account, database: Option<&String>) -> Result<()> {
    let started = Instant::now();
    loop {
        match rig.as_account(account, database.cloned(), &[rig.engine.ping()]).await {
            Err(e) if e.code == "login_refused" => return Ok(()),
            other if started.elapsed() > MEMORY => return failed(format!("it still counts: {other:?}")),
            _ => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

async fn soon_accepted(rig: &Rig, account: &Account, database: Option<&String>) -> Result<()> {
    let started = Instant::now();
    loop {
        match rig.as_account(account, database.cloned(), &[rig.engine.ping()]).await {
            Ok(_) => return Ok(()),
            Err(e) if started.elapsed() > MEMORY => return Err(e),
            Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}
