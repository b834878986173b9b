//! Asking for an instance: every field is checked before anything is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use fluxdb_adapters::{Engine, NameKind, Secret};
use serde_json::json;

use super::accept::Asked;
use super::caller::Caller;
use super::settings::check_settings;
use super::{App, Permission, budget, ports};
use crate::api::{Accepted, CreateInstance, DryRun};
use crate::domain::admission::{Admission, Capacity, admit};
use crate::domain::container;
use crate::domain::error::FieldError;
use crate::domain::host::HostInfo;
use crate::domain::instance::{Desired, Grant, InstanceRecord};
use crate::domain::operation::OperationKind;
use crate::domain::sku::{self, Sku};
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::ops::core::credential_context;
use crate::ops::image;
use crate::ops::registry::Entry;
use crate::store::credentials::{self, CredentialRow, Role};
use crate::store::instances;
use crate::vault::passwords;

const DEFAULT_PROJECT: &str = "default";
const DEFAULT_REGION: &str = "local";
const MOST_LABELS: usize = 64;

impl App {
    /// Asks for a new instance. Nothing is started in the request; follow the operation.
    ///
    /// # Errors
    /// `Invalid` with every field that is wrong; `AlreadyExists`, `Capacity`, `Unavailable`.
    pub async fn create_instance(self: &Arc<Self>, caller: &Caller, body: CreateInstance) -> Result<Accepted> {
        self.require_writable(caller).await?;
        let asked = self.check(caller, &body)?;
        let host = self.core.refresh_host_if_unknown().await?;
        let admission = self.admission(&asked.record, &host, None).await?;
        admission.require(&asked.record.sku)?;

        let id = asked.record.id;
        let system_user = asked.engine.facts().system_user;
        let system_password = passwords::generate();
        let generated = body.password.is_none();
        let user_password = body.password.map_or_else(passwords::generate, Secret::new);
        let seal = |role: Role, username: &str, password: &Secret| -> Result<CredentialRow> {
            Ok(CredentialRow {
                username: username.to_owned(),
                hash: String::new(), // argon2id costs more than an answer may take; the operation adds it
                ciphertext: self.core.vault.seal(&credential_context(id, role, username), password)?,
            })
        };
        let system = seal(Role::System, system_user, &system_password)?;
        let user = seal(Role::User, &asked.record.username, &user_password)?;

        let chosen = body.port;
        let endpoints = self.core.config.endpoints.clone();
        let capacity = self.capacity(&host, 0, 0);
        let mut record = asked.record;
        let audit = json!({
            "name": record.name, "engine": record.engine, "version": record.version, "sku": record.sku,
            "project": record.project, "storage_gib": record.size.storage_gib, "egress": record.egress,
        });
        let asked = Asked {
            kind: OperationKind::Create,
            instance: Some(id),
            project: record.project.clone(),
            params: json!({}),
            audit,
        };
        let (operation, record) = self
            .accept(caller, asked, move |tx| {
                // Again inside the transaction: two requests may have fitted one by one.
                let (vcpu, memory) = instances::allocated(tx, None)?;
                let capacity = Capacity { vcpu_allocated: vcpu, memory_mib_allocated: memory, ..capacity };
                admit(&record.size.into(), &capacity).require(&record.sku)?;
                let taken = instances::ports(tx, &record.host_ip)?;
                ports::choose(&mut record, chosen, &endpoints, taken)?;
                instances::insert(tx, &record)?;
                credentials::put(tx, id, Role::System, &system)?;
                credentials::put(tx, id, Role::User, &user)?;
                Ok(Some(record))
            })
            .await?;
        if let Some(record) = record {
            self.core.announce_instance(&record, "CREATING", "");
        }
        let mut accepted = self.accepted(operation, Some(id)).await;
        // The only answer that carries it; a password that the caller chose is not repeated.
        accepted.password = generated.then(|| user_password.expose().to_owned());
        Ok(accepted)
    }

    /// What a create would do: nothing is made.
    ///
    /// # Errors
    /// As [`App::create_instance`], room aside.
    pub async fn dry_run_instance(&self, caller: &Caller, body: CreateInstance) -> Result<DryRun> {
        caller.require(Permission::Write)?;
        let mut record = self.check(caller, &body)?.record;
        let host = self.core.refresh_host_if_unknown().await?;
        let admission = self.admission(&record, &host, None).await?;
        let facts = record.engine()?.facts();
        let sources = image::sources(&self.core.config.images, facts, record.version()?);
        let found = image::present(&self.core, &sources).await?;
        let images = &self.core.config.images;
        let image_source = match (&found, images.pull, images.build && sources.local.is_some()) {
            (Some(_), _, _) => "present",
            (None, true, _) => "pull",
            (None, false, true) => "build",
            (None, false, false) => "none",
        };
        if let Some((reference, image)) = found {
            record.image_reference = reference;
            record.image_digest = image.id;
        } else {
            record.image_reference = sources.reference;
        }
        let endpoints = &self.core.config.endpoints;
        let ip = record.host_ip.clone();
        let taken = self.core.store.read(move |db| instances::ports(db, &ip)).await?;
        ports::choose(&mut record, body.port, endpoints, taken)?;
        let mask = || crate::ops::core::masked();
        let plan = container::plan(
            &self.core.owner,
            &record,
            &record.cx(&self.endpoint_host(&record), mask(), mask())?,
            self.core.class().await?,
        )?;
        let files = plan
            .spec
            .secrets
            .iter()
            .zip(&plan.files)
            .map(|(mount, (_, content))| (mount.target.clone(), content.expose().to_owned()))
            .collect();
        let mut entry = Entry::new(Arc::new(record));
        entry.observed = crate::domain::instance::Observed::Absent;
        Ok(DryRun {
            instance: self.view(&entry),
            files,
            container: plan.spec,
            admission,
            image_source: image_source.to_owned(),
        })
    }

    /// Checks every field and answers the record as it would be stored, port aside.
    fn check(&self, caller: &Caller, body: &CreateInstance) -> Result<Checked> {
        let mut wrong = Wrong::default();
        wrong.check("/name", check_name(&body.name));
        let project = body.project.clone().unwrap_or_else(|| DEFAULT_PROJECT.to_owned());
        wrong.check("/project", check_name(&project));
        let region = body.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned());
        wrong.check("/region", check_name(&region));
        check_labels(&mut wrong, &body.labels);
        let sku = find_sku(&mut wrong, body.sku.as_deref().unwrap_or(sku::DEFAULT_SKU));
        if let Some(gib) = body.storage_gib {
            wrong.check("/storage_gib", check_storage(gib));
        }
        if let Some(password) = &body.password {
            wrong.check("/password", passwords::check_user_password(password));
        }
        if let Some(port) = body.port {
            wrong.check("/port", ports::check(port));
        }
        let engine = fluxdb_adapters::find(&body.engine);
        if engine.is_none() {
            let known: Vec<_> = fluxdb_adapters::all().iter().map(|e| e.facts().id).collect();
            wrong.add("/engine", format!("is not an engine that fluxdb knows; it knows {}", known.join(", ")));
        }
        let (Some(engine), Some(sku)) = (engine, sku) else { return Err(wrong.into_error()) };
        let facts = engine.facts();
        let version = body.version.clone().unwrap_or_else(|| facts.default_version.to_owned());
        if facts.version(&version).is_none() {
            let known: Vec<_> = facts.versions.iter().map(|v| v.id).collect();
            wrong.add("/version", format!("is not a version of {}; there are {}", facts.title, known.join(", ")));
        }
        if sku.size.memory_mib < facts.floor.memory_mib {
            let text = format!("has {} MiB; {} needs {} MiB", sku.size.memory_mib, facts.title, facts.floor.memory_mib);
            wrong.add("/sku", text);
        }
        let username = body.username.clone().unwrap_or_else(|| facts.default_username.to_owned());
        if facts.single_account && username != facts.default_username {
            wrong.add("/username", format!("must be {}: {} has a single account", facts.default_username, facts.title));
        } else if body.username.is_some() && !facts.single_account {
            wrong.check("/username", engine.check_name(NameKind::User, &username));
        }
        let settings = body.settings.clone();
        let mut size = sku.size;
        size.storage_gib = body.storage_gib.unwrap_or(size.storage_gib);
        let mut values = Wrong::default();
        check_settings(&mut values, engine, &version, &settings, None);
        // Sizes are added up when each is one.
        let sized = values.is_empty() && check_storage(size.storage_gib).is_ok();
        if let (Some(version), true) = (facts.version(&version), sized) {
            budget::check(&mut values, engine, version, size, &settings, None);
        }
        wrong.append(values);
        let database = match (&body.database, facts.default_database) {
            (Some(name), _) => {
                wrong.check("/database", engine.check_name(NameKind::Database, name));
                Some(name.clone())
            }
            (None, default) => default.map(str::to_owned),
        };
        wrong.none()?;
        if !caller.sees(&project) {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "project_forbidden",
                format!("This token is limited to other projects than {project:?}."),
            ));
        }
        let now = jiff::Timestamp::now();
        let record = InstanceRecord {
            id: InstanceId::generate(),
            name: body.name.clone(),
            engine: facts.id.to_owned(),
            version,
            image_reference: String::new(),
            image_digest: String::new(),
            sku: sku.id.to_owned(),
            size: Grant::from(size),
            project,
            region,
            labels: body.labels.clone(),
            desired: Desired::Running,
            revision: 1,
            restart_revision: 1,
            username,
            database,
            host_ip: self.core.config.endpoints.bind.to_string(),
            port: 0,
            more_ports: Vec::new(),
            settings,
            seeded_from: None,
            initialized_at: None,
            deletion_protection: body.deletion_protection,
            egress: body.egress,
            last_error: None,
            created_at: now,
            updated_at: now,
            row_version: 1,
        };
        Ok(Checked { record, engine })
    }

    /// What the host has and what is promised.
    pub(super) fn capacity(&self, host: &HostInfo, vcpu_allocated: u64, memory_mib_allocated: u64) -> Capacity {
        let config = &self.core.config.admission;
        Capacity {
            cpus: host.cpus,
            memory_mib: (host.memory_bytes >> 20).saturating_sub(config.memory_reserve_mib),
            vcpu_allocated,
            memory_mib_allocated,
            cpu_overcommit: config.cpu_overcommit,
            memory_overcommit: config.memory_overcommit,
        }
    }

    /// Whether there is room for this record; what it already holds does not count against it.
    pub(super) async fn admission(
        &self,
        record: &InstanceRecord,
        host: &HostInfo,
        except: Option<InstanceId>,
    ) -> Result<Admission> {
        let (vcpu, memory) = self.core.store.read(move |db| instances::allocated(db, except)).await?;
        Ok(admit(&record.size.into(), &self.capacity(host, vcpu, memory)))
    }
}

struct Checked {
    record: InstanceRecord,
    engine: &'static dyn Engine,
}

/// Collects what is wrong, so that one answer names everything.
#[derive(Default)]
pub(super) struct Wrong(Vec<FieldError>);

impl Wrong {
    pub(super) fn add(&mut self, pointer: &str, detail: impl Into<String>) {
        self.0.push(FieldError { pointer: pointer.to_owned(), detail: detail.into() });
    }

    pub(super) fn check(&mut self, pointer: &str, result: Result<(), String>) {
        if let Err(detail) = result {
            self.add(pointer, detail);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn append(&mut self, other: Wrong) {
        self.0.extend(other.0);
    }

    pub(super) fn none(&mut self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(std::mem::take(self).into_error()) }
    }

    pub(super) fn into_error(self) -> Error {
        let text: Vec<_> = self.0.iter().map(|f| format!("{} {}", f.pointer, f.detail)).collect();
        let mut error = Error::new(ErrorKind::Invalid, "invalid_request", format!("{}.", text.join("; ")));
        error.fields = self.0;
        error
    }
}

/// Names of instances, projects and regions: labels of DNS, so that they can become host names.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ok = (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-');
    if ok {
        return Ok(());
    }
    Err("must be 1 to 63 characters: lower case letters, digits and -, starting with a letter and not ending with -"
        .into())
}

pub(super) fn check_labels(wrong: &mut Wrong, labels: &BTreeMap<String, String>) {
    if labels.len() > MOST_LABELS {
        wrong.add("/labels", format!("must be at most {MOST_LABELS}"));
    }
    let bad = |text: &str| text.chars().count() > 63 || text.chars().any(char::is_control);
    for (key, value) in labels {
        let pointer = format!("/labels/{}", key.replace('~', "~0").replace('/', "~1"));
        if key.is_empty() || bad(key) {
            wrong.add("/labels", "must have keys of 1 to 63 characters without control characters");
        } else if bad(value) {
            wrong.add(&pointer, "must be at most 63 characters without control characters");
        }
    }
}

pub(super) fn find_sku(wrong: &mut Wrong, id: &str) -> Option<&'static Sku> {
    let found = sku::find(id);
    if found.is_none() {
        let known: Vec<_> = sku::SKUS.iter().map(|s| s.id).collect();
        wrong.add("/sku", format!("is not a SKU; there are {}", known.join(", ")));
    }
    found
}

pub(super) fn check_storage(gib: u32) -> Result<(), String> {
    if (1..=sku::MAX_STORAGE_GIB).contains(&gib) {
        return Ok(());
    }
    Err(format!("must be 1 to {}", sku::MAX_STORAGE_GIB))
}
