//! The container of an instance: one function builds it, with the security baseline that no engine can weaken.

use std::collections::BTreeMap;

use fluxdb_adapters::{Cx, FILES_DIR, Launch, Secret, budget};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::host::{HostClass, HostLimits};
use super::instance::{InstanceRecord, SpecHash};
use super::{Error, InstanceId, Result, bootstrap};

/// Label: id of the installation that made it.
pub const LABEL_OWNER: &str = "fluxdb.owner";
/// Label: id of the instance.
pub const LABEL_INSTANCE: &str = "fluxdb.instance";
/// Label: name of the instance when its container was made; for people.
pub const LABEL_NAME: &str = "fluxdb.name";
/// Label: hash of the specification.
pub const LABEL_SPEC: &str = "fluxdb.spec";
/// Label: engine id.
pub const LABEL_ENGINE: &str = "fluxdb.engine";
/// Label: what it is: `instance`, `template`, `repair`.
pub const LABEL_KIND: &str = "fluxdb.kind";

/// Size of the tmpfs that holds rendered files and passwords, MiB.
const FILES_TMPFS_MIB: u32 = 1;
/// A container's log is cut at this size. Podman shows it rounded to four decimal digits, so it is a round number.
const LOG_SIZE_BYTES: i64 = 10_000_000;

/// Names of an instance's things in the runtime.
#[derive(Clone, Debug)]
pub struct Names {
    owner: String,
    id: InstanceId,
}

impl Names {
    /// Names under this installation.
    pub fn new(owner: &str, id: InstanceId) -> Self {
        Self { owner: owner.to_owned(), id }
    }

    /// The container.
    pub fn container(&self) -> String {
        format!("fluxdb-{}-{}", self.owner, self.id)
    }

    /// The data volume.
    pub fn volume(&self) -> String {
        format!("fluxdb-{}-{}-data", self.owner, self.id)
    }

    /// A file, at this revision. Secrets cannot be replaced before Podman 4.6, so each revision has its own.
    pub fn secret(&self, file: &str, revision: u32) -> String {
        format!("{}{revision}-{file}", self.secret_prefix())
    }

    /// What all secrets of the instance begin with. Podman takes 64 characters at most, so only the random end of the id
    /// is in it.
    pub fn secret_prefix(&self) -> String {
        let id = self.id.to_string().replace('-', "");
        format!("fluxdb-{}-{}-r", self.owner, &id[id.len() - 16..])
    }
}

/// A file that the container sees below [`FILES_DIR`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretMount {
    /// Name in the runtime.
    pub source: String,
    /// Absolute path.
    pub target: String,
}

/// A memory-backed directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsMount {
    /// Absolute path.
    pub path: String,
    /// MiB.
    pub size_mib: u32,
    /// Octal permissions, `0700`.
    pub mode: String,
    /// Whether it belongs to the container's user (otherwise root, readable to all).
    pub owned: bool,
    /// Whether programs may be run from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exec: bool,
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// Address on the host.
    pub host_ip: String,
    /// Port on the host.
    pub host_port: u16,
    /// Port in the container.
    pub container_port: u16,
}

/// A container as it is asked of the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Image, as the runtime knows it.
    pub image: String,
    /// Instead of the image's entrypoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Arguments for the entrypoint.
    pub argv: Vec<String>,
    /// Environment; no secrets.
    pub env: BTreeMap<String, String>,
    /// `uid:gid`.
    pub user: String,
    /// The data volume.
    pub volume: String,
    /// Where it is mounted.
    pub volume_path: String,
    /// Memory-backed directories.
    pub tmpfs: Vec<TmpfsMount>,
    /// Files, each 0400 for the container's user.
    pub secrets: Vec<SecretMount>,
    /// Ports.
    pub ports: Vec<PortMapping>,
    /// `/dev/shm`, bytes.
    pub shm_bytes: u64,
    /// Limits of the host's class.
    pub limits: HostLimits,
    /// Open files, soft and hard.
    pub nofile: u64,
    /// Signal that ends it.
    pub stop_signal: i32,
    /// Seconds until it is killed.
    pub stop_grace_secs: u32,
    /// Capabilities kept although all are dropped.
    pub extra_caps: Vec<String>,
    /// Largest log, bytes.
    pub log_size_bytes: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Always true; here so that it is sent, hashed and compared like the rest.
    pub read_only_root: bool,
    /// Always true.
    pub no_new_privileges: bool,
    /// Always `["ALL"]`.
    pub cap_drop: Vec<String>,
}

/// A container with the files that must be there before it is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to create.
    pub spec: ContainerSpec,
    /// Secrets to put first: name and content.
    pub files: Vec<(String, Secret)>,
    /// Hash over the specification; the label `fluxdb.spec`.
    pub hash: SpecHash,
}

/// Builds the container of an instance: facts + SKU + security baseline.
///
/// # Errors
/// A record or template that this binary cannot make sense of (`Internal`).
pub fn plan(owner: &str, record: &InstanceRecord, cx: &Cx, class: HostClass) -> Result<Plan> {
    let engine = record.engine()?;
    let launch = engine.launch(&bootstrap::launch_context(engine, cx)).map_err(Error::internal)?;
    plan_launch(owner, record, cx, class, launch, record.revision)
}

/// Builds the container of an instance for this way of starting it. `revision` is in the names of its files.
///
/// # Errors
/// As [`plan`].
pub fn plan_launch(
    owner: &str,
    record: &InstanceRecord,
    cx: &Cx,
    class: HostClass,
    launch: Launch,
    revision: u32,
) -> Result<Plan> {
    let engine = record.engine()?;
    let facts = engine.facts();
    let names = Names::new(owner, record.id);

    let mut tmpfs = vec![TmpfsMount {
        path: FILES_DIR.into(),
        size_mib: FILES_TMPFS_MIB,
        mode: "0755".into(),
        owned: false,
        exec: false,
    }];
    tmpfs.extend(facts.tmpfs.iter().map(|t| TmpfsMount {
        path: t.path.into(),
        size_mib: budget::tmpfs_mib(t.size_mib, cx.size.memory_mib),
        mode: "0700".into(),
        owned: true,
        exec: t.exec,
    }));
    let mut secrets = Vec::new();
    let mut files = Vec::new();
    for file in launch.files {
        let name = names.secret(file.name, revision);
        secrets.push(SecretMount { source: name.clone(), target: format!("{FILES_DIR}/{}", file.name) });
        files.push((name, file.content));
    }
    let host = budget::host_share(engine, cx);
    let mut spec = ContainerSpec {
        name: names.container(),
        image: record.image_reference.clone(),
        entrypoint: launch.entrypoint,
        argv: launch.argv,
        env: launch.env.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        user: format!("{}:{}", facts.user.uid, facts.user.gid),
        volume: names.volume(),
        volume_path: facts.volume_path.to_owned(),
        tmpfs,
        secrets,
        ports: facts
            .ports
            .iter()
            .zip(record.ports())
            .map(|(port, host_port)| PortMapping {
                host_ip: record.host_ip.clone(),
                host_port,
                container_port: port.number,
            })
            .collect(),
        shm_bytes: u64::from(host.shm_mib) * 1024 * 1024,
        limits: super::sku::limits_for(record.sku()?.series, &cx.size, host.pids, class),
        nofile: u64::from(host.nofile),
        stop_signal: facts.stop.signal,
        stop_grace_secs: facts.stop.grace_secs,
        extra_caps: facts.extra_caps.iter().map(|(cap, _)| (*cap).to_owned()).collect(),
        log_size_bytes: LOG_SIZE_BYTES,
        labels: BTreeMap::new(),
        read_only_root: true,
        no_new_privileges: true,
        cap_drop: vec!["ALL".into()],
    };
    // Files are hashed by name, which holds the revision: a hash of a password has no place in a label.
    let hash = hash(&spec)?;
    spec.labels = labels(owner, record.id);
    spec.labels.insert(LABEL_NAME.into(), record.name.clone());
    spec.labels.insert(LABEL_SPEC.into(), hash.0.clone());
    spec.labels.insert(LABEL_KIND.into(), "instance".into());
    spec.labels.insert(LABEL_ENGINE.into(), facts.id.into());
    Ok(Plan { spec, files, hash })
}

/// Labels that everything of an instance bears.
pub fn labels(owner: &str, id: InstanceId) -> BTreeMap<String, String> {
    BTreeMap::from([(LABEL_OWNER.into(), owner.to_owned()), (LABEL_INSTANCE.into(), id.to_string())])
}

fn hash(spec: &ContainerSpec) -> Result<SpecHash> {
    let json = serde_json::to_vec(spec).map_err(Error::internal)?;
    Ok(SpecHash(Sha256::digest(&json).iter().take(16).map(|b| format!("{b:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_short_enough_for_podman() {
        let names = Names::new("0123456789ab", InstanceId::generate());
        for engine in fluxdb_adapters::all() {
            let templates = engine.facts().templates.iter().map(|t| t.name);
            for file in templates.chain([fluxdb_adapters::SYSTEM_PASSWORD_FILE]) {
                let name = names.secret(file, 99_999);
                assert!(name.len() <= 64 && name.starts_with(&names.secret_prefix()), "{name}");
            }
        }
    }
}
