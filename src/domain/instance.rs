//! What should happen next to an instance, given what was asked and what was seen.
//!
//! ```text
//!            Unknown ──observe──▶ Absent / Present
//!  want running:  Absent ─create▶ Present(stopped) ─start▶ Present(running) ─await ready▶ at rest
//!                 Present(other spec) ─stop▶ ─remove▶ Absent (the data is in the volume)
//!  want stopped:  Present(running) ─stop▶ at rest
//!  want deleted:  Present ─stop▶ ─remove▶ Absent ─purge▶ gone (volume, secrets, then the row)
//! ```

use std::collections::BTreeMap;

use fluxdb_adapters::{Account, Advertised, Cx, Engine, Secret, Size, Version};
use serde::{Deserialize, Serialize};

use super::egress::Egress;
use super::sku::Sku;
use super::{Error, InstanceId, Result};

/// What the user wants of the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// Serving.
    Running,
    /// Kept, not serving.
    Stopped,
    /// Gone, data and all.
    Deleted,
}

/// Hash of the container specification; also a label on the container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SpecHash(pub String);

/// What was asked, as far as the container is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Running, stopped or deleted.
    pub desired: Desired,
    /// Of the container that should run.
    pub spec: SpecHash,
}

/// What was last seen. `Unknown` is a real answer: a call was cut short and may or may not have landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Look before doing anything.
    Unknown,
    /// There is no container.
    Absent,
    /// There is one.
    Present {
        /// Its main process runs.
        running: bool,
        /// An authenticated query was answered through the endpoint since it was started.
        ready: bool,
        /// From its label.
        spec: SpecHash,
    },
}

/// One thing to do. Each may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Ask the runtime what is there.
    Observe,
    /// Make the container on its volume, with its files, and compare it with what was asked.
    Create,
    /// Start it.
    Start,
    /// Wait until an authenticated query is answered, then attest its limits.
    AwaitReady,
    /// Stop it, waiting for the engine's grace.
    Stop,
    /// Remove the container; the volume stays.
    Remove,
    /// Remove volume, secrets and row.
    Purge,
}

impl Step {
    /// Its name in an operation's list of steps.
    pub fn name(self) -> &'static str {
        match self {
            Step::Observe => "observe",
            Step::Create => "container",
            Step::Start => "start",
            Step::AwaitReady => "ready",
            Step::Stop => "stop",
            Step::Remove => "remove",
            Step::Purge => "purge",
        }
    }
}

/// What to do next, or `None` when the world is as asked. Pure and total.
pub fn next_step(want: &Intent, seen: &Observed) -> Option<Step> {
    use Desired::{Deleted, Running, Stopped};
    use Observed::{Absent, Present, Unknown};
    match (want.desired, seen) {
        (_, Unknown) => Some(Step::Observe),
        (Deleted, Absent) => Some(Step::Purge),
        (Running, Absent) => Some(Step::Create),
        // A stopped instance needs no container; it is made when it is started.
        (Stopped, Absent) => None,
        (Stopped | Deleted, Present { running: true, .. }) => Some(Step::Stop),
        (Deleted, Present { .. }) => Some(Step::Remove),
        (Stopped, Present { .. }) => None,
        (Running, Present { running: true, spec, .. }) if *spec != want.spec => Some(Step::Stop),
        (Running, Present { spec, .. }) if *spec != want.spec => Some(Step::Remove),
        (Running, Present { running: false, .. }) => Some(Step::Start),
        (Running, Present { ready: false, .. }) => Some(Step::AwaitReady),
        (Running, Present { .. }) => None,
    }
}

/// One instance as it is kept in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// Its id.
    pub id: InstanceId,
    /// Unique within the project.
    pub name: String,
    /// Engine id.
    pub engine: String,
    /// Version id.
    pub version: String,
    /// The image it runs, as it is named in the runtime; empty until one was found.
    pub image_reference: String,
    /// That image's id or digest; empty until one was found.
    pub image_digest: String,
    /// SKU id.
    pub sku: String,
    /// vCPUs, memory and storage granted.
    pub size: Grant,
    /// Tenant.
    pub project: String,
    /// Where.
    pub region: String,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// What the user wants.
    pub desired: Desired,
    /// Grows with each change of files, passwords, settings or size; names the secrets in the runtime.
    pub revision: u32,
    /// The oldest revision that a running container may be of: settings that count at once need no new container.
    pub restart_revision: u32,
    /// The user's account.
    pub username: String,
    /// The user's database, where the engine has named ones.
    pub database: Option<String>,
    /// Address that the port is published on.
    pub host_ip: String,
    /// Published port where clients connect.
    pub port: u16,
    /// Published ports of what else the server listens on, in the order of the engine's facts.
    pub more_ports: Vec<u16>,
    /// Engine settings that the user has set, by name.
    pub settings: BTreeMap<String, String>,
    /// Template from which the volume was copied, until the first ready.
    pub seeded_from: Option<String>,
    /// First time that it was ready; from then on a missing volume is data loss, not a fresh start.
    pub initialized_at: Option<jiff::Timestamp>,
    /// Refuses deletion.
    pub deletion_protection: bool,
    /// Outgoing traffic was opened by the user; closed otherwise.
    pub egress: bool,
    /// The last failure that still matters.
    pub last_error: Option<StoredError>,
    /// When it was asked for.
    pub created_at: jiff::Timestamp,
    /// Last change of this record.
    pub updated_at: jiff::Timestamp,
    /// Grows with every change; the ETag.
    pub row_version: u64,
}

/// What the SKU and the request grant: [`Size`] as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Storage in GiB.
    pub storage_gib: u32,
}

impl From<Size> for Grant {
    fn from(s: Size) -> Self {
        Self { vcpu: s.vcpu, memory_mib: s.memory_mib, storage_gib: s.storage_gib }
    }
}

impl From<Grant> for Size {
    fn from(s: Grant) -> Self {
        Self { vcpu: s.vcpu, memory_mib: s.memory_mib, storage_gib: s.storage_gib }
    }
}

/// An error as it is kept: what the user may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StoredError {
    /// Stable slug, see docs/OPERATIONS.md.
    pub code: String,
    /// What happened and what to do.
    pub detail: String,
    /// Whether trying again may help.
    pub retryable: bool,
}

impl From<&Error> for StoredError {
    fn from(e: &Error) -> Self {
        Self { code: e.code.to_owned(), detail: e.public.clone(), retryable: e.retryable() }
    }
}

impl InstanceRecord {
    /// The adapter.
    ///
    /// # Errors
    /// `Internal` when the store names an engine that this binary does not know (a downgrade).
    pub fn engine(&self) -> Result<&'static dyn Engine> {
        fluxdb_adapters::find(&self.engine)
            .ok_or_else(|| Error::internal(format!("engine {} is not in this binary", self.engine)))
    }

    /// The version's facts.
    ///
    /// # Errors
    /// `Internal` when the store names a version that this binary does not know (a downgrade).
    pub fn version(&self) -> Result<&'static Version> {
        self.engine()?
            .facts()
            .version(&self.version)
            .ok_or_else(|| Error::internal(format!("version {} {} is not in this binary", self.engine, self.version)))
    }

    /// The SKU.
    ///
    /// # Errors
    /// `Internal` when the store names a SKU that this binary does not know (a downgrade).
    pub fn sku(&self) -> Result<&'static Sku> {
        super::sku::find(&self.sku).ok_or_else(|| Error::internal(format!("SKU {} is not in this binary", self.sku)))
    }

    /// What its container may reach.
    pub fn egress(&self) -> Egress {
        self.egress.into()
    }

    /// Every published port, in the order of the engine's facts.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        std::iter::once(self.port).chain(self.more_ports.iter().copied())
    }

    /// What the adapter needs to know, with the passwords. `host`: the name that clients use.
    ///
    /// # Errors
    /// As [`InstanceRecord::version`].
    pub fn cx(&self, host: &str, system_password: Secret, user_password: Secret) -> Result<Cx> {
        let facts = self.engine()?.facts();
        let user = Account { username: self.username.clone(), password: user_password };
        let system = Account { username: facts.system_user.to_owned(), password: system_password };
        Ok(Cx {
            version: self.version()?,
            size: self.size.into(),
            system: if facts.single_account { user.clone() } else { system },
            user,
            database: self.database.clone(),
            settings: self.settings.clone(),
            advertised: Advertised { host: host.to_owned(), ports: self.ports().collect() },
            unique: self.id.as_u128(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(s: &str) -> SpecHash {
        SpecHash(s.into())
    }

    /// What the world looks like after a step went well.
    fn after(step: Step, seen: &Observed, real: &Observed, want: &Intent) -> Observed {
        match (step, seen) {
            (Step::Observe, _) => real.clone(),
            (Step::Create, _) => Observed::Present { running: false, ready: false, spec: want.spec.clone() },
            (Step::Start, Observed::Present { spec, .. }) => {
                Observed::Present { running: true, ready: false, spec: spec.clone() }
            }
            (Step::AwaitReady, Observed::Present { spec, .. }) => {
                Observed::Present { running: true, ready: true, spec: spec.clone() }
            }
            (Step::Stop, Observed::Present { spec, .. }) => {
                Observed::Present { running: false, ready: false, spec: spec.clone() }
            }
            (Step::Remove, _) => Observed::Absent,
            (step, seen) => panic!("{step:?} makes no sense when {seen:?}"),
        }
    }

    #[test]
    fn every_start_comes_to_rest_as_asked() {
        let mut starts = vec![Observed::Absent];
        for running in [true, false] {
            for ready in [true, false] {
                for s in ["old", "new"] {
                    starts.push(Observed::Present { running, ready: ready && running, spec: spec(s) });
                }
            }
        }
        for desired in [Desired::Running, Desired::Stopped, Desired::Deleted] {
            for real in &starts {
                let want = Intent { desired, spec: spec("new") };
                let mut seen = Observed::Unknown;
                let mut purged = false;
                for _ in 0..8 {
                    match next_step(&want, &seen) {
                        Some(Step::Purge) => {
                            purged = true;
                            break;
                        }
                        Some(step) => seen = after(step, &seen, real, &want),
                        None => break,
                    }
                }
                match desired {
                    Desired::Running => {
                        assert_eq!(
                            seen,
                            Observed::Present { running: true, ready: true, spec: spec("new") },
                            "from {real:?}"
                        );
                    }
                    Desired::Stopped => {
                        assert!(!matches!(seen, Observed::Present { running: true, .. } | Observed::Unknown))
                    }
                    Desired::Deleted => assert!(purged && seen == Observed::Absent),
                }
            }
        }
    }

    #[test]
    fn nothing_is_done_before_looking() {
        for desired in [Desired::Running, Desired::Stopped, Desired::Deleted] {
            assert_eq!(next_step(&Intent { desired, spec: spec("x") }, &Observed::Unknown), Some(Step::Observe));
        }
    }
}
