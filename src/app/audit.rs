//! Who did what, as the caller may see it; and noting what was refused.

use super::{Caller, Permission};
use crate::api::{AuditEntry, Page};
use crate::domain::{Error, InstanceId, Result};
use crate::store::{self, Store};

/// A page of the audit log, newest first: lines older than `before`, at most `limit` (1 to 1000).
///
/// A caller who is limited to projects sees the lines about these only.
///
/// # Errors
/// `Forbidden` without write: the log holds addresses and names of others.
pub async fn list_audit(
    store: &Store,
    caller: &Caller,
    instance: Option<InstanceId>,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<AuditEntry>> {
    caller.require(Permission::Write)?;
    let limit = limit.clamp(1, 1000);
    let projects = caller.identity.projects.clone();
    let mut items =
        store.read(move |db| store::audit::list(db, instance, projects.as_deref(), before, limit + 1)).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_page_token = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items, next_page_token })
}

/// Notes a change that a known caller asked for and did not get. For HTTP: after the refusal, before the answer.
///
/// `project` is the instance's where it is known and visible, else empty. The answer does not depend on this, so that
/// a failure goes to the log only.
pub async fn refused(store: &Store, caller: &Caller, project: &str, instance: Option<InstanceId>, error: &Error) {
    let entry = caller.audit(instance, error.operation, serde_json::json!({}), error.code);
    let project = project.to_owned();
    if let Err(e) = store.write(move |db| store::audit::append(db, &project, &entry)).await {
        tracing::warn!(error = %e.story(), "could not note a refused change in the audit log");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app::testing;
    use crate::domain::ErrorKind;

    #[tokio::test]
    async fn pages_follow_each_other_without_gap() {
        let world = testing::World::new();
        let admin = testing::caller(Permission::Write, None);
        for n in 0..5 {
            let error = Error::conflict("busy", format!("{n}"));
            refused(&world.store, &admin, "", None, &error).await;
        }
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = list_audit(&world.store, &admin, None, before, 2).await.unwrap();
            seen.extend(page.items.iter().map(|e| e.id));
            assert!(page.items.iter().all(|e| e.result == "busy" && e.actor == "tester" && e.ip == "192.0.2.9"));
            match page.next_page_token {
                Some(next) => before = Some(next.parse().unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, [5, 4, 3, 2, 1]);
    }

    #[tokio::test]
    async fn a_limited_caller_sees_its_own_projects_and_a_reader_nothing() {
        let world = testing::World::new();
        let red = testing::caller(Permission::Write, Some(&["red"]));
        for project in ["red", "blue", ""] {
            refused(&world.store, &red, project, None, &Error::not_found("thing")).await;
        }
        assert_eq!(list_audit(&world.store, &red, None, None, 10).await.unwrap().items.len(), 1);
        let reader = testing::caller(Permission::Read, None);
        assert_eq!(list_audit(&world.store, &reader, None, None, 10).await.unwrap_err().kind, ErrorKind::Forbidden);
    }
}
