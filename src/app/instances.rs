//! Reading instances, and changing what needs no new container.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::accept::{Asked, no_instance};
use super::actions::{self, Action};
use super::caller::Caller;
use super::create::{Wrong, check_labels, check_name, check_storage, find_sku};
use super::{App, Permission, budget};
use crate::api::{Accepted, PatchInstance, State};
use crate::domain::instance::{Desired, Grant, InstanceRecord};
use crate::domain::operation::OperationKind;
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::ops::configure::ConfigureParams;
use crate::ops::create::ResizeParams;
use crate::ops::registry::Entry;
use crate::store::{audit, instances};

/// Instances on a page when the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// The most on a page.
pub const MOST_LIMIT: usize = 1000;

/// Filters of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct InstanceQuery {
    /// Engine id.
    pub engine: Option<String>,
    /// State: `RUNNING`, `STOPPED`, ...
    pub state: Option<State>,
    /// Project.
    pub project: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Label: `key` or `key=value`.
    pub label: Option<String>,
    /// Part of the name.
    pub q: Option<String>,
    /// `created_at` (default), `-created_at`, `name`, `-name`.
    #[param(pattern = "^-?(created_at|name)$")]
    pub sort: Option<String>,
    /// Instances on the page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// From the page before.
    pub page_token: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Created { down: bool },
    Name { down: bool },
}

impl InstanceQuery {
    fn sort(&self) -> Result<Sort> {
        match self.sort.as_deref() {
            None | Some("created_at") => Ok(Sort::Created { down: false }),
            Some("-created_at") => Ok(Sort::Created { down: true }),
            Some("name") => Ok(Sort::Name { down: false }),
            Some("-name") => Ok(Sort::Name { down: true }),
            Some(_) => Err(Error::invalid("?sort", "must be created_at, -created_at, name or -name")),
        }
    }

    fn matches(&self, entry: &Entry) -> bool {
        let r = &entry.record;
        let is = |want: &Option<String>, have: &str| want.as_ref().is_none_or(|w| w == have);
        is(&self.engine, &r.engine)
            && is(&self.project, &r.project)
            && is(&self.region, &r.region)
            && self.state.is_none_or(|s| s == actions::state(entry))
            && self.q.as_ref().is_none_or(|q| r.name.contains(q.as_str()))
            && self.label.as_ref().is_none_or(|l| match l.split_once('=') {
                Some((key, value)) => r.labels.get(key).is_some_and(|v| v == value),
                None => r.labels.contains_key(l),
            })
    }
}

/// A page size from a query.
///
/// # Errors
/// `Invalid` beyond 1 to 1000.
pub fn page_limit(limit: Option<u32>) -> Result<usize> {
    match limit {
        None => Ok(DEFAULT_LIMIT),
        Some(n) if (1..=MOST_LIMIT).contains(&(n as usize)) => Ok(n as usize),
        Some(_) => Err(Error::invalid("?limit", format!("must be 1 to {MOST_LIMIT}"))),
    }
}

/// The id in a page token.
///
/// # Errors
/// `Invalid` for what is no token of ours.
pub fn page_token<T: std::str::FromStr>(token: Option<&str>) -> Result<Option<T>> {
    let wrong = || Error::invalid("?page_token", "is not a token of an earlier page");
    token.map(|t| t.parse().map_err(|_| wrong())).transpose()
}

impl App {
    /// A page of the instances that the caller may see, as JSON.
    ///
    /// # Errors
    /// `Invalid` for a query that makes no sense.
    pub async fn list_instances(&self, caller: &Caller, query: InstanceQuery) -> Result<Bytes> {
        caller.require(Permission::Read)?;
        let (sort, limit) = (query.sort()?, page_limit(query.limit)?);
        let after: Option<InstanceId> = page_token(query.page_token.as_deref())?;
        let after = match after {
            None => None,
            // The page goes on behind this instance; a deleted one has no place any more.
            Some(id) => Some(self.core.registry.record(id).ok_or_else(|| {
                Error::invalid("?page_token", "points behind an instance that is gone; read the list again")
            })?),
        };
        Ok(self.core.registry.with_all(|entries| {
            let mut found: Vec<&Entry> =
                entries.filter(|e| caller.sees(&e.record.project) && query.matches(e)).collect();
            // The registry is in the order of ids, which is the order of creation.
            if sort != (Sort::Created { down: false }) {
                found.sort_by(|a, b| order(sort, &a.record, &b.record));
            }
            let start = after
                .as_ref()
                .map_or(0, |last| found.partition_point(|e| order(sort, &e.record, last) != Ordering::Greater));
            let page = &found[start.min(found.len())..];
            let more = page.len() > limit;
            let page = &page[..limit.min(page.len())];
            let mut out = BytesMut::with_capacity(64 + page.len() * 2048);
            out.extend_from_slice(b"{\"items\":[");
            for (i, entry) in page.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b",");
                }
                out.extend_from_slice(&self.instance_json(entry));
            }
            out.extend_from_slice(b"],\"next_page_token\":");
            match page.last().filter(|_| more) {
                Some(last) => out.extend_from_slice(format!("\"{}\"}}", last.record.id).as_bytes()),
                None => out.extend_from_slice(b"null}"),
            }
            out.freeze()
        }))
    }

    /// One instance: its version for the ETag, and its JSON.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_instance(&self, caller: &Caller, id: InstanceId) -> Result<(u64, Bytes)> {
        caller.require(Permission::Read)?;
        self.core
            .registry
            .with(id, |e| caller.sees(&e.record.project).then(|| (e.record.row_version, self.instance_json(e))))
            .flatten()
            .ok_or_else(no_instance)
    }

    /// Looks at an instance that the caller may see.
    pub(super) fn look<T>(&self, caller: &Caller, id: InstanceId, f: impl FnOnce(&Entry) -> Result<T>) -> Result<T> {
        self.core
            .registry
            .with(id, |e| if caller.sees(&e.record.project) { f(e) } else { Err(no_instance()) })
            .unwrap_or_else(|| Err(no_instance()))
    }

    /// Changes an instance. Another SKU makes an operation (and restarts a running server), and so does opening or closing
    /// the outgoing traffic of a running one (without a restart); all else is done at once.
    ///
    /// # Errors
    /// `PreconditionFailed` when `if_match` is not the current version; `Invalid`, `Capacity`, `Conflict`.
    pub async fn patch_instance(
        self: &Arc<Self>,
        caller: &Caller,
        id: InstanceId,
        if_match: Option<u64>,
        body: PatchInstance,
    ) -> Result<Accepted> {
        self.require_writable(caller).await?;
        let before = self.look(caller, id, |e| {
            if if_match.is_some_and(|v| v != e.record.row_version) {
                return Err(Error::new(
                    ErrorKind::PreconditionFailed,
                    "precondition_failed",
                    "The instance has changed since it was read; read it again and repeat the change.",
                ));
            }
            Ok(e.record.clone())
        })?;
        let (after, resized) = apply(&before, &body)?;
        if resized {
            return self.resize(caller, &before, after).await;
        }
        // One that does not run is settled at its start.
        if after.egress != before.egress && before.desired == Desired::Running {
            return self.change_egress(caller, &before, after, json!(body)).await;
        }
        let entry = caller.audit(Some(id), None, json!(body), "accepted");
        let record = self
            .core
            .store
            .write(move |tx| {
                let mut after = after;
                instances::update(tx, &mut after)?;
                audit::append(tx, &after.project, &entry)?;
                Ok(after)
            })
            .await?;
        let record = self.core.registry.put(record);
        self.core.announce_instance(&record, "CHANGED", "");
        Ok(Accepted { operation: None, instance: self.instance_view(id), password: None })
    }

    /// With whatever else was asked for in the same request; a failure takes back the traffic alone.
    async fn change_egress(
        self: &Arc<Self>,
        caller: &Caller,
        before: &InstanceRecord,
        mut after: InstanceRecord,
        audit: serde_json::Value,
    ) -> Result<Accepted> {
        let id = before.id;
        self.look(caller, id, |e| actions::require(e, Action::Configure))?;
        let params = ConfigureParams { previous: before.settings.clone(), restart: false, egress: Some(before.egress) };
        let asked = Asked {
            kind: OperationKind::Configure,
            instance: Some(id),
            project: after.project.clone(),
            params: json!(params),
            audit,
        };
        let (operation, _) = self
            .accept(caller, asked, move |tx| {
                instances::update(tx, &mut after)?;
                Ok(Some(after))
            })
            .await?;
        Ok(self.accepted(operation, Some(id)).await)
    }

    async fn resize(
        self: &Arc<Self>,
        caller: &Caller,
        before: &InstanceRecord,
        mut after: InstanceRecord,
    ) -> Result<Accepted> {
        let id = before.id;
        self.look(caller, id, |e| actions::require(e, Action::Resize))?;
        let host = self.core.refresh_host_if_unknown().await?;
        self.admission(&after, &host, Some(id)).await?.require(&after.sku)?;
        after.revision += 1;
        after.restart_revision = after.revision;
        let params =
            ResizeParams { previous_sku: before.sku.clone(), previous_size: before.size, sku: after.sku.clone() };
        let asked = Asked {
            kind: OperationKind::Resize,
            instance: Some(id),
            project: after.project.clone(),
            params: json!(params),
            audit: json!({ "sku": after.sku, "storage_gib": after.size.storage_gib, "egress": after.egress }),
        };
        let (operation, _) = self
            .accept(caller, asked, move |tx| {
                instances::update(tx, &mut after)?;
                Ok(Some(after))
            })
            .await?;
        Ok(self.accepted(operation, Some(id)).await)
    }
}

fn order(sort: Sort, a: &InstanceRecord, b: &InstanceRecord) -> Ordering {
    let (way, down) = match sort {
        Sort::Created { down } => (a.id.cmp(&b.id), down),
        Sort::Name { down } => (a.name.cmp(&b.name).then(a.id.cmp(&b.id)), down),
    };
    if down { way.reverse() } else { way }
}

/// The record after the change, and whether its container has to change too.
fn apply(before: &InstanceRecord, body: &PatchInstance) -> Result<(InstanceRecord, bool)> {
    let mut wrong = Wrong::default();
    let mut after = before.clone();
    if let Some(name) = &body.name {
        wrong.check("/name", check_name(name));
        after.name.clone_from(name);
    }
    if let Some(labels) = &body.labels {
        check_labels(&mut wrong, labels);
        after.labels.clone_from(labels);
    }
    if let Some(protected) = body.deletion_protection {
        after.deletion_protection = protected;
    }
    if let Some(open) = body.egress {
        after.egress = open;
    }
    if let Some(id) = &body.sku
        && let Some(sku) = find_sku(&mut wrong, id)
    {
        let facts = before.engine()?.facts();
        if sku.size.memory_mib < facts.floor.memory_mib {
            let text = format!("has {} MiB; {} needs {} MiB", sku.size.memory_mib, facts.title, facts.floor.memory_mib);
            wrong.add("/sku", text);
        }
        after.sku = sku.id.to_owned();
        // Storage that was granted stays: data cannot be made smaller by a SKU.
        let storage_gib = before.size.storage_gib.max(sku.size.storage_gib);
        after.size = Grant { storage_gib, ..Grant::from(sku.size) };
    }
    if let Some(gib) = body.storage_gib {
        wrong.check("/storage_gib", check_storage(gib));
        if gib < before.size.storage_gib {
            wrong.add("/storage_gib", format!("is {} GiB now and can only grow", before.size.storage_gib));
        }
        after.size.storage_gib = after.size.storage_gib.max(gib);
    }
    let resized = after.sku != before.sku || after.size != before.size;
    if resized && wrong.is_empty() {
        let at = if after.sku == before.sku { "/storage_gib" } else { "/sku" };
        budget::check(&mut wrong, before.engine()?, before.version()?, after.size.into(), &after.settings, Some(at));
    }
    wrong.none()?;
    Ok((after, resized))
}
