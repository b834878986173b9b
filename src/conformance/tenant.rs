//! What a tenant may not become: the adapter's known attacks, as the user's account and as an inner user of every role.

use fluxdb_adapters::{Account, Answer, Attack, Role};

use super::rig::caller;
use super::{Rig, Verdict, failed, not_offered};
use crate::domain::conformance::Outcome;
use crate::domain::{Error, ErrorKind, Result};
use crate::vault::passwords;

/// Runs every attack as everybody; then the system account and the user must still get in, before and after a restart.
pub(super) async fn tenant(rig: &mut Rig) -> Verdict {
    let cx = rig.cx().await?;
    let attacks = rig.engine.attacks(&cx);
    if attacks.is_empty() {
        return not_offered("the adapter knows of no way up or out");
    }
    let accounts = accounts(rig).await?;
    let mut wrong = Vec::new();
    for account in &accounts {
        for attack in attacks.iter().filter(|a| !a.restart) {
            prepare(rig, account, attack).await?;
            wrong.extend(attempt(rig, account, attack).await.err());
        }
    }
    wrong.extend(in_control(rig, "after the attacks").await.err());
    if attacks.iter().any(|a| a.restart) {
        for account in &accounts {
            for attack in attacks.iter().filter(|a| a.restart) {
                prepare(rig, account, attack).await?;
            }
        }
    }
    let accepted = rig.app.restart_instance(&caller(), rig.instance()?.id).await?;
    rig.ended(accepted).await?;
    wrong.extend(administer(rig).await.err());
    for account in &accounts {
        for attack in attacks.iter().filter(|a| a.restart) {
            wrong.extend(attempt(rig, account, attack).await.err());
        }
    }
    wrong.extend(in_control(rig, "after a restart").await.err());
    wrong.extend(remove(rig, &accounts).await.err());
    if wrong.is_empty() {
        return Ok(Outcome::Passed);
    }
    failed(wrong.iter().map(Error::story).collect::<Vec<_>>().join("; "))
}

/// Does in the tenant's database what fluxdb does there, so that whatever was laid out for the system account is run into.
async fn administer(rig: &Rig) -> Result<()> {
    let cx = rig.cx().await?;
    let own: Vec<String> = cx.database.iter().cloned().collect();
    let mut calls = Vec::new();
    if let Some((databases, name)) = rig.engine.databases().zip(cx.database.as_deref()) {
        calls.extend(databases.create(&cx, name));
    }
    if let Some(users) = rig.engine.users_in(&rig.record()?.version) {
        let account = Account { username: "tenantprobe".into(), password: passwords::generate() };
        for role in Role::ALL.into_iter().filter(|r| users.role(*r).is_ok()) {
            calls.extend(users.put(&cx, &account, role, &own));
        }
        calls.extend(users.drop(&cx, &account.username, &own));
    }
    calls.extend(rig.engine.metrics().into_iter().flat_map(|m| m.calls(&cx)));
    rig.as_system(&calls).await.map_err(|e| e.context("what fluxdb does in the tenant's database"))?;
    Ok(())
}

/// The user's account, and one inner user of each role that the engine has.
async fn accounts(rig: &Rig) -> Result<Vec<Account>> {
    let cx = rig.cx().await?;
    let mut accounts = vec![cx.user.clone()];
    let Some(users) = rig.engine.users_in(&rig.record()?.version) else { return Ok(accounts) };
    let own: Vec<String> = cx.database.iter().cloned().collect();
    for role in Role::ALL.into_iter().filter(|r| users.role(*r).is_ok()) {
        let account = Account { username: format!("tenant{}", role.as_str()), password: passwords::generate() };
        rig.as_system(&users.put(&cx, &account, role, &own)).await?;
        accounts.push(account);
    }
    Ok(accounts)
}

async fn remove(rig: &Rig, accounts: &[Account]) -> Result<()> {
    let cx = rig.cx().await?;
    let Some(users) = rig.engine.users_in(&rig.record()?.version) else { return Ok(()) };
    let own: Vec<String> = cx.database.iter().cloned().collect();
    for account in accounts.iter().filter(|a| a.username != cx.user.username) {
        rig.as_system(&users.drop(&cx, &account.username, &own)).await?;
    }
    Ok(())
}

/// Each call alone: that one is refused keeps nobody from trying the next.
async fn prepare(rig: &Rig, account: &Account, attack: &Attack) -> Result<()> {
    let database = rig.record()?.database.clone();
    for call in &attack.prepare {
        let _ = rig.as_account(account, database.clone(), std::slice::from_ref(call)).await;
    }
    Ok(())
}

/// # Errors
/// The attack succeeded, or nobody can tell because the server did not answer.
async fn attempt(rig: &Rig, account: &Account, attack: &Attack) -> Result<()> {
    if attack.gain.is_empty() {
        return Ok(());
    }
    let who = &account.username;
    match rig.as_account(account, rig.record()?.database.clone(), &attack.gain).await {
        Ok(answers) if (attack.gained)(&answers) => failed(format!("{who} {}: {}", attack.what, shown(&answers))),
        Ok(_) => Ok(()),
        Err(e) if matches!(e.kind, ErrorKind::Invalid | ErrorKind::Unauthenticated) => Ok(()),
        Err(e) => failed(format!("{who} {} was not refused: {}", attack.what, e.story())),
    }
}

/// The first words of what was gained; in a test's own server, so its passwords may be seen.
fn shown(answers: &[Answer]) -> String {
    answers.iter().map(Answer::text).collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// The account that fluxdb uses and the user's both log in.
pub(super) async fn in_control(rig: &Rig, when: &str) -> Result<()> {
    let ping = [rig.engine.ping()];
    rig.as_system(&ping).await.map_err(|e| e.context(format!("{when}, fluxdb's own account")))?;
    rig.as_user(&ping).await.map_err(|e| e.context(format!("{when}, the user's account")))?;
    Ok(())
}
