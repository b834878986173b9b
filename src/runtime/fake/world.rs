//! What there is in the in-memory runtime: containers, volumes, secrets, images, ports.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use fluxdb_adapters::{FILES_DIR, Secret};

use super::faults::FaultPlan;
use super::server::{Accounts, Data};
use crate::domain::container::{ContainerSpec, LABEL_INSTANCE};
use crate::domain::egress::Egress;
use crate::domain::host::{HostInfo, HostLimits};
use crate::domain::{InstanceId, Result};
use crate::runtime::{ContainerDetail, ContainerState, ContainerSummary, ExecOutput, ImageSummary, errors};

/// Changes what inspect says, to see that a weakened container is noticed.
pub type Tamper = fn(&mut ContainerDetail);

/// A container.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) spec: ContainerSpec,
    pub(crate) id: String,
    pub(crate) image_id: String,
    pub(crate) state: ContainerState,
    /// Of the last start; another for each.
    pub(crate) pid: i32,
    pub(crate) exit_code: i32,
    pub(crate) oom_killed: bool,
    pub(crate) started_at: Option<jiff::Timestamp>,
    pub(crate) finished_at: Option<jiff::Timestamp>,
    /// Copied when it was made, as Podman does: path and content.
    pub(crate) files: BTreeMap<String, Secret>,
    /// Accounts that live in the process alone (RESP engines).
    pub(crate) accounts: Accounts,
    /// Connections that are still refused, as a server that starts refuses them.
    pub(crate) refusals: u32,
    pub(crate) log: Vec<String>,
    pub(crate) tamper: Option<Tamper>,
    /// As settled in this run; `None` = nobody did, so that everything is reached.
    pub(crate) egress: Option<Egress>,
}

/// A volume.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) owner: (u32, u32),
    /// `None` = empty.
    pub(crate) data: Option<Data>,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) images: BTreeMap<String, ImageSummary>,
    /// References that a pull finds; a pull of any other fails.
    pub(crate) registry: BTreeSet<String>,
    pub(crate) registry_reachable: bool,
    pub(crate) buildable: bool,
    /// Ports that other programs of the host have.
    pub(crate) taken_ports: BTreeSet<u16>,
    pub(crate) available: bool,
    pub(crate) seeding: std::result::Result<(), String>,
    pub(crate) attesting: std::result::Result<(), String>,
    pub(crate) confining: std::result::Result<(), String>,
    pub(crate) host: HostInfo,
    pub(crate) tamper: Option<Tamper>,
    pub(crate) refusals_after_start: u32,
    pub(crate) delays: HashMap<&'static str, Duration>,
    /// What the next programs inside a container answer.
    pub(crate) planned_execs: VecDeque<ExecOutput>,
    pub(crate) calls: Vec<&'static str>,
    pub(crate) faults: FaultPlan,
    /// Names and ids never repeat.
    pub(crate) serial: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            containers: BTreeMap::new(),
            volumes: BTreeMap::new(),
            secrets: BTreeMap::new(),
            images: BTreeMap::new(),
            registry: BTreeSet::new(),
            registry_reachable: true,
            buildable: true,
            taken_ports: BTreeSet::new(),
            available: true,
            seeding: Ok(()),
            attesting: Ok(()),
            confining: Ok(()),
            host: host(),
            tamper: None,
            refusals_after_start: 0,
            delays: HashMap::new(),
            planned_execs: VecDeque::new(),
            calls: Vec::new(),
            faults: FaultPlan::default(),
            serial: 0,
        }
    }

    pub(crate) fn next_id(&mut self) -> String {
        self.serial += 1;
        format!("{:064x}", self.serial)
    }

    pub(crate) fn add_image(&mut self, reference: &str) -> ImageSummary {
        let image = ImageSummary {
            id: self.next_id(),
            references: vec![reference.to_owned()],
            size_bytes: 100 << 20,
            created_at: Some(jiff::Timestamp::now()),
            arch: Some(self.host.arch.clone()),
        };
        self.images.insert(reference.to_owned(), image.clone());
        image
    }

    /// Makes a container, as the trait says.
    pub(crate) fn create(&mut self, spec: &ContainerSpec) -> Result<ContainerDetail> {
        use crate::domain::container::LABEL_SPEC;
        if let Some(there) = self.containers.get(&spec.name) {
            if there.spec.labels.get(LABEL_SPEC) == spec.labels.get(LABEL_SPEC) {
                return Ok(there.detail());
            }
            return Err(errors::container_exists(&spec.name));
        }
        let image_id =
            self.images.get(&spec.image).map(|i| i.id.clone()).ok_or_else(|| errors::image_missing(&spec.image))?;
        if !self.volumes.contains_key(&spec.volume) {
            return Err(errors::volume_missing(&spec.volume));
        }
        let mut files = BTreeMap::new();
        for mount in &spec.secrets {
            let content = self.secrets.get(&mount.source).ok_or_else(|| errors::secret_missing(&mount.source))?;
            files.insert(mount.target.clone(), content.clone());
        }
        let container = Container {
            spec: spec.clone(),
            id: self.next_id(),
            image_id,
            state: ContainerState::Created,
            pid: 0,
            exit_code: 0,
            oom_killed: false,
            started_at: None,
            finished_at: None,
            files,
            accounts: Accounts::new(),
            refusals: 0,
            log: Vec::new(),
            tamper: self.tamper,
            egress: None,
        };
        let detail = container.detail();
        self.containers.insert(spec.name.clone(), container);
        Ok(detail)
    }

    /// Starts a container; an empty volume is initialised. Says whether it was not running.
    pub(crate) fn start(&mut self, name: &str, egress: Option<Egress>) -> Result<bool> {
        let egress = egress.filter(|_| self.confining.is_ok());
        let container = self.containers.get(name).ok_or_else(|| errors::container_missing(name))?;
        if container.state == ContainerState::Running {
            return Ok(false);
        }
        for port in &container.spec.ports {
            let port = port.host_port;
            let other = self
                .containers
                .values()
                .any(|c| c.state == ContainerState::Running && c.spec.ports.iter().any(|p| p.host_port == port));
            if other || self.taken_ports.contains(&port) {
                return Err(errors::port_taken(&port.to_string()));
            }
        }
        let volume = self
            .volumes
            .get_mut(&container.spec.volume)
            .ok_or_else(|| errors::start_failed(name, "the volume is gone"))?;
        self.serial += 1;
        let system_identifier = self.serial;
        let refusals = self.refusals_after_start;
        let pid = i32::try_from(self.serial).unwrap_or(i32::MAX);
        let container = self.containers.get_mut(name).ok_or_else(|| errors::container_missing(name))?;
        super::server::boot(container, volume, system_identifier).map_err(|why| errors::start_failed(name, &why))?;
        container.refusals = refusals;
        container.state = ContainerState::Running;
        container.egress = egress;
        container.pid = pid;
        container.started_at = Some(jiff::Timestamp::now());
        container.log.push("ready to accept connections".into());
        Ok(true)
    }

    /// Ends a container. Says whether it ran.
    pub(crate) fn stop(&mut self, name: &str, exit_code: i32) -> bool {
        let Some(container) = self.containers.get_mut(name) else { return false };
        if container.state != ContainerState::Running {
            return false;
        }
        container.state = ContainerState::Exited;
        container.egress = None;
        container.exit_code = exit_code;
        container.finished_at = Some(jiff::Timestamp::now());
        container.log.push("shut down".into());
        true
    }
}

impl Container {
    pub(crate) fn instance(&self) -> Option<InstanceId> {
        self.spec.labels.get(LABEL_INSTANCE)?.parse().ok()
    }

    pub(crate) fn file(&self, name: &str) -> Option<&Secret> {
        self.files.get(&format!("{FILES_DIR}/{name}"))
    }

    pub(crate) fn summary(&self) -> ContainerSummary {
        ContainerSummary {
            name: self.spec.name.clone(),
            id: self.id.clone(),
            state: self.state,
            pid: if self.state == ContainerState::Running { self.pid } else { 0 },
            labels: self.spec.labels.clone(),
        }
    }

    pub(crate) fn detail(&self) -> ContainerDetail {
        let spec = &self.spec;
        let mut mounts = vec![("volume".to_owned(), spec.volume.clone(), spec.volume_path.clone())];
        mounts.extend(spec.tmpfs.iter().map(|t| ("tmpfs".to_owned(), "tmpfs".to_owned(), t.path.clone())));
        let mut detail = ContainerDetail {
            summary: self.summary(),
            image_id: self.image_id.clone(),
            exit_code: self.exit_code,
            oom_killed: self.oom_killed,
            error: String::new(),
            started_at: self.started_at,
            finished_at: self.finished_at,
            user: spec.user.clone(),
            effective_caps: spec.extra_caps.iter().map(|c| format!("CAP_{}", c.trim_start_matches("CAP_"))).collect(),
            no_new_privileges: spec.no_new_privileges,
            read_only_root: spec.read_only_root,
            limits: recorded(&spec.limits),
            log_size_bytes: spec.log_size_bytes,
            ports: spec.ports.iter().map(|p| (p.host_ip.clone(), p.host_port, p.container_port)).collect(),
            env: spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect(),
            argv: spec.argv.clone(),
            network_namespace: String::new(),
            mounts,
        };
        if let Some(tamper) = self.tamper {
            tamper(&mut detail);
        }
        detail
    }
}

/// A recorded 0 cannot be told from "not set".
fn recorded(asked: &HostLimits) -> HostLimits {
    HostLimits { oom_score_adj: asked.oom_score_adj.filter(|v| *v != 0), ..asked.clone() }
}

/// A roomy rootless host that enforces every limit.
fn host() -> HostInfo {
    HostInfo {
        podman_version: "4.9.3".into(),
        socket: "fake".into(),
        rootless: true,
        cgroup_version: 2,
        cgroup_controllers: ["cpu", "io", "memory", "pids"].map(Into::into).into(),
        cgroup_manager: "systemd".into(),
        oci_runtime: "crun".into(),
        storage_driver: "overlay".into(),
        graph_root: "/fake/storage".into(),
        volume_path: "/fake/storage/volumes".into(),
        storage_total_bytes: 1 << 40,
        storage_free_bytes: 1 << 39,
        network_backend: "netavark".into(),
        cpus: 16,
        memory_bytes: 64 << 30,
        swap_bytes: 0,
        kernel: "6.1.0".into(),
        distribution: "debian 12".into(),
        arch: "amd64".into(),
        local: true,
    }
}
