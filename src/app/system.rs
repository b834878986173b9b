//! The module, the host, the catalogue.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use fluxdb_adapters::Role;
use serde_json::json;

use super::abilities::{capabilities, offered};
use super::accept::Asked;
use super::caller::Caller;
use super::{App, actions, requirements};
use crate::api::{
    Accepted, AuditInfo, EngineVersion, EngineView, PodmanStatus, Requirements, SkuView, Status, SystemInfo,
    WorkerStatus,
};
use crate::domain::admission::admit;
use crate::domain::host::{HostClass, HostInfo, HostLimits};
use crate::domain::operation::OperationKind;
use crate::domain::{Error, ErrorKind, Result, conformance, sku};
use crate::module::module;
use crate::ops::image;
use crate::store::instances;

impl App {
    /// How the module is.
    pub async fn status(&self) -> Status {
        let reachable = self.core.runtime.ping().await;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        self.core.registry.with_all(|entries| {
            for entry in entries {
                *counts.entry(actions::state(entry).as_str().to_owned()).or_default() += 1;
            }
        });
        let workers: Vec<WorkerStatus> =
            self.workers.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut problems: Vec<String> =
            self.problems.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect();
        if let Err(e) = &reachable {
            problems.push(e.public.clone());
        }
        problems.extend(workers.iter().filter(|w| !w.ok).map(|w| format!("{}: {}", w.name, w.detail)));
        Status {
            module: module().id.clone(),
            name: module().name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            installation: self.core.owner.clone(),
            enabled: self.enabled,
            uptime_secs: self.started.elapsed().as_secs(),
            status: if problems.is_empty() { "ok".into() } else { "degraded".into() },
            podman_reachable: reachable.is_ok(),
            instances: counts,
            problems,
            workers,
        }
    }

    /// What the host needs, and what to do where it is missing.
    pub async fn requirements(&self) -> Requirements {
        requirements::check(Some(&*self.core.runtime), &self.core.config).await
    }

    /// What the host has and what is promised.
    ///
    /// # Errors
    /// `Unavailable` while the runtime was never reached.
    pub async fn system_info(&self) -> Result<SystemInfo> {
        let host = match self.core.refresh_host().await {
            Ok(host) => host,
            Err(e) => self.core.host().ok_or(e)?,
        };
        let (vcpu, memory) = self.core.store.read(|db| instances::allocated(db, None)).await?;
        let capacity = self.capacity(&host, vcpu, memory);
        Ok(SystemInfo {
            cpus: host.cpus,
            memory_mib: host.memory_bytes >> 20,
            memory_reserve_mib: self.core.config.admission.memory_reserve_mib,
            swap_mib: host.swap_bytes >> 20,
            disk_total_bytes: host.storage_total_bytes,
            disk_free_bytes: host.storage_free_bytes,
            kernel: host.kernel.clone(),
            distribution: host.distribution.clone(),
            arch: host.arch.clone(),
            vcpu_allocatable: (f64::from(capacity.cpus) * capacity.cpu_overcommit) as u64,
            vcpu_allocated: vcpu,
            memory_mib_allocatable: (capacity.memory_mib as f64 * capacity.memory_overcommit) as u64,
            memory_mib_allocated: memory,
            storage: requirements::storage(&host).await,
            audit: AuditInfo {
                keep_days: self.core.config.audit.keep_days,
                oldest_at: self.core.store.read(crate::store::audit::oldest).await?,
            },
        })
    }

    /// How the container runtime is.
    pub async fn podman_status(&self) -> PodmanStatus {
        match self.core.refresh_host().await {
            Ok(host) => podman_view(&host),
            Err(e) => PodmanStatus {
                error: Some(e.public),
                ..self.core.host().map(|h| PodmanStatus { reachable: false, ..podman_view(&h) }).unwrap_or_default()
            },
        }
    }

    /// Installs Podman through the distribution's package manager.
    ///
    /// # Errors
    /// `Forbidden` (`install_not_allowed`) unless the operator allowed it; `Unsupported` on other distributions.
    pub async fn podman_install(self: &Arc<Self>, caller: &Caller) -> Result<Accepted> {
        self.require_writable(caller).await?;
        if !self.core.config.podman.allow_install {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "install_not_allowed",
                "The operator did not allow this daemon to install packages. Set allow_install = true under [podman], or install Podman by hand.",
            ));
        }
        if !std::path::Path::new("/usr/bin/apt-get").exists() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "install_unsupported",
                "Only Debian and its relatives are supported. Install podman with your own package manager.",
            ));
        }
        let asked = Asked {
            kind: OperationKind::PodmanInstall,
            instance: None,
            project: String::new(),
            params: json!({}),
            audit: json!({}),
        };
        let (operation, _) = self.accept_without_runtime(caller, asked).await?;
        Ok(self.accepted(operation, None).await)
    }

    /// The catalogue.
    pub async fn engines(&self) -> Vec<EngineView> {
        fluxdb_adapters::all().iter().map(|e| self.engine_view(*e)).collect()
    }

    /// One engine of the catalogue.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn engine(&self, id: &str) -> Result<EngineView> {
        let engine = fluxdb_adapters::find(id).ok_or_else(|| Error::not_found("engine"))?;
        Ok(self.engine_view(engine))
    }

    fn engine_view(&self, engine: &'static dyn fluxdb_adapters::Engine) -> EngineView {
        let facts = engine.facts();
        let word = |v: serde_json::Value| v.as_str().unwrap_or_default().to_owned();
        let today = jiff::Timestamp::now().to_string();
        EngineView {
            id: facts.id.to_owned(),
            title: facts.title.to_owned(),
            category: word(json!(facts.category)),
            license: facts.license.to_owned(),
            versions: facts
                .versions
                .iter()
                .map(|v| {
                    let sources = image::sources(&self.core.config.images, facts, v);
                    EngineVersion {
                        id: v.id.to_owned(),
                        image: sources.reference,
                        end_of_life: v.end_of_life.to_owned(),
                        ended: today.as_str() > v.end_of_life,
                        buildable: sources.local.is_some(),
                        verified: conformance::verified(facts.id, Some(v.id)).into(),
                        capabilities: capabilities(engine, v.id),
                    }
                })
                .collect(),
            default_version: facts.default_version.to_owned(),
            ports: facts.ports.iter().map(|p| (p.name.to_owned(), p.number)).collect(),
            capabilities: capabilities(engine, facts.default_version),
            minimum_memory_mib: facts.floor.memory_mib,
            verified: conformance::verified(facts.id, None).into(),
            caveats: facts.caveats.iter().map(|c| (*c).to_owned()).collect(),
            roles: engine
                .users_in(facts.default_version)
                .filter(|_| offered("users"))
                .map(|users| {
                    let offered = |r: Role| (r.as_str().to_owned(), users.role(r).err().map(str::to_owned));
                    Role::ALL.map(offered).into()
                })
                .unwrap_or_default(),
            settings: engine
                .settings()
                .map(|s| s.catalogue().iter().map(|s| super::settings::view(s, None, None)).collect())
                .unwrap_or_default(),
        }
    }

    /// The SKUs, and what each becomes on this host.
    pub async fn skus(&self) -> Vec<SkuView> {
        let host = self.core.refresh_host_if_unknown().await.ok();
        let (vcpu, memory) = self.core.store.read(|db| instances::allocated(db, None)).await.unwrap_or_default();
        sku::SKUS
            .iter()
            .map(|s| {
                let class = host.as_ref().map(|h| HostClass::of(h));
                let verdict = host.as_ref().map(|h| admit(&s.size, &self.capacity(h, vcpu, memory)));
                let reason = match &verdict {
                    None => Some("The container runtime was not reached yet.".to_owned()),
                    Some(v) if !v.admitted => Some(format!("No room: {}.", v.reasons.join("; "))),
                    Some(_) => None,
                };
                SkuView {
                    id: s.id.to_owned(),
                    series: s.series.letter().to_owned(),
                    title: s.series.title().to_owned(),
                    vcpu: s.size.vcpu,
                    memory_mib: s.size.memory_mib,
                    storage_gib: s.size.storage_gib,
                    available: reason.is_none(),
                    reason,
                    enforced: class.is_some_and(HostClass::enforces),
                    // The engine adds its own number of processes; 256 is the smallest floor.
                    limits: class.map_or_else(HostLimits::default, |c| sku::limits_for(s.series, &s.size, 256, c)),
                }
            })
            .collect()
    }
}

fn podman_view(host: &HostInfo) -> PodmanStatus {
    let class = HostClass::of(host);
    PodmanStatus {
        reachable: true,
        error: None,
        version: host.podman_version.clone(),
        socket: host.socket.clone(),
        rootless: host.rootless,
        storage_driver: host.storage_driver.clone(),
        storage_total_bytes: host.storage_total_bytes,
        storage_free_bytes: host.storage_free_bytes,
        cgroup_version: host.cgroup_version,
        cgroup_controllers: host.cgroup_controllers.clone(),
        cgroup_manager: host.cgroup_manager.clone(),
        oci_runtime: host.oci_runtime.clone(),
        network_backend: host.network_backend.clone(),
        limits_enforced: class.enforces(),
        limits_reason: class.reason(host),
    }
}
