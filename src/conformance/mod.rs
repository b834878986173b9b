//! The conformance suite: what every engine must do on a real server, in real containers, asked through the same use cases
//! that the API has. It makes a daemon of its own in this process, with its own state and label, and removes all of it.

mod basics;
mod change;
mod egress;
mod files;
mod identity;
mod keep;
mod open;
mod people;
mod repair;
mod rig;
mod scan;
mod secrets;
mod tenant;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use rig::{Options, Rig};

use crate::domain::conformance::{Check, Outcome, Row};
use crate::domain::{Error, Result};

/// No check takes longer, a Cassandra that starts on one core included.
const CHECK_LIMIT: Duration = Duration::from_secs(420);

/// What came of a check: held, not offered by the engine (and why), or an error that says what was seen.
type Verdict = Result<Outcome>;

/// Boxed, so that two dozen checks do not become one enormous future.
type Run = for<'a> fn(&'a mut Rig) -> BoxFuture<'a, Verdict>;

/// Every check, in order: later ones build on what earlier ones left.
const CHECKS: &[(&str, Run)] = &[
    ("create", |r| Box::pin(basics::create(r))),
    ("query", |r| Box::pin(basics::query(r))),
    ("wrong_password", |r| Box::pin(basics::wrong_password(r))),
    ("empty_password", |r| Box::pin(basics::empty_password(r))),
    ("no_password", |r| Box::pin(open::no_password(r))),
    ("baseline", |r| Box::pin(basics::baseline(r))),
    ("limits", |r| Box::pin(basics::limits(r))),
    ("egress", |r| Box::pin(egress::egress(r))),
    ("identity", |r| Box::pin(identity::identity(r))),
    ("secrets_at_rest", |r| Box::pin(secrets::secrets_at_rest(r))),
    ("metrics", |r| Box::pin(basics::metrics(r))),
    ("restart_keeps_data", |r| Box::pin(keep::restart(r))),
    ("recreate_keeps_data", |r| Box::pin(keep::recreate(r))),
    ("config_test", |r| Box::pin(files::config_test(r))),
    ("tuning", |r| Box::pin(change::tuning(r))),
    ("settings_known", |r| Box::pin(change::settings_known(r))),
    ("settings_dynamic", |r| Box::pin(change::settings_dynamic(r))),
    ("settings_restart", |r| Box::pin(change::settings_restart(r))),
    ("databases", |r| Box::pin(people::databases(r))),
    ("users", |r| Box::pin(people::users(r))),
    ("role_superuser", |r| Box::pin(people::role_superuser(r))),
    ("role_readwrite", |r| Box::pin(people::role_readwrite(r))),
    ("role_read", |r| Box::pin(people::role_read(r))),
    ("role_backup", |r| Box::pin(people::role_backup(r))),
    ("tenant", |r| Box::pin(tenant::tenant(r))),
    ("rotation", |r| Box::pin(people::rotation(r))),
    ("repair_account", |r| Box::pin(repair::repair_account(r))),
    ("resize", |r| Box::pin(change::resize(r))),
    ("stop", |r| Box::pin(keep::stop(r))),
    ("start_keeps_data", |r| Box::pin(keep::start(r))),
    ("delete_leaves_nothing", |r| Box::pin(keep::delete(r))),
];

/// Runs every check on one engine version and answers its row. `said` hears each check as it ends.
///
/// # Errors
/// What keeps the suite from beginning: no Podman, no such engine or version. A check that fails is in the row.
pub async fn run(options: Options, said: &mut (dyn FnMut(&Check) + Send)) -> Result<Row> {
    let mut rig = Rig::start(options).await?;
    let mut checks = Vec::with_capacity(CHECKS.len());
    for (name, check) in CHECKS {
        let outcome = match tokio::time::timeout(CHECK_LIMIT, check(&mut rig)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(e)) => Outcome::Failed(e.story()),
            Err(_) => Outcome::Failed(format!("it did not end within {} s", CHECK_LIMIT.as_secs())),
        };
        let check = Check { name: (*name).to_owned(), outcome };
        said(&check);
        checks.push(check);
        // Nothing can be asked of what was never there.
        if *name == "create" && matches!(checks.last().map(|c: &Check| &c.outcome), Some(Outcome::Failed(_))) {
            break;
        }
    }
    let row = rig.row(checks).await;
    rig.end().await;
    Ok(row)
}

/// A check that did not hold.
fn failed<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::new(crate::domain::ErrorKind::Conflict, "check_failed", what.into()))
}

/// The engine has no such thing.
fn not_offered(why: impl Into<String>) -> Verdict {
    Ok(Outcome::NotOffered(why.into()))
}
