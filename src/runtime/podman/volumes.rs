//! Volumes, secrets, and templates copied into volumes.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::PoisonError;

use fluxdb_adapters::Secret;
use podman_api::opts::{VolumeCreateOpts, VolumeListFilter, VolumeListOpts};
use serde::Deserialize;

use super::PodmanRuntime;
use super::fault::{Fault, bounded};
use super::raw::{Body, escape};
use super::seed::{self, Unseeded};
use crate::domain::container::LABEL_OWNER;
use crate::domain::{Error, Result};
use crate::runtime::{Seeded, errors};

/// A copy that takes longer is not worth it; the instance is initialised in the ordinary way.
const SEED_LIMIT: std::time::Duration = std::time::Duration::from_secs(120);

/// Podman 4.3 writes to an unguarded map when it makes a secret: two at a time end its service with "concurrent map
/// writes", and with it every call that is under way. So there is one at a time, over all instances.
static ONE_SECRET: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VolumeDetail {
    mountpoint: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretEntry {
    spec: SecretSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretSpec {
    name: String,
}

impl PodmanRuntime {
    pub(super) async fn list_volumes(&self) -> Result<Vec<(String, BTreeMap<String, String>)>> {
        let filter = VolumeListFilter::LabelKeyVal(LABEL_OWNER.into(), self.owner.clone());
        let opts = VolumeListOpts::builder().filter([filter]).build();
        let volumes = self.api.volumes();
        let all = self.ok(bounded("volumes", self.limit(), volumes.list(&opts)).await)?;
        Ok(all.into_iter().map(|v| (v.name, v.labels.into_iter().collect())).collect())
    }

    pub(super) async fn make_volume(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        uid: u32,
        gid: u32,
    ) -> Result<()> {
        let owner = format!("uid={uid},gid={gid}");
        let opts = VolumeCreateOpts::builder()
            .name(name)
            .labels(labels.iter().collect::<HashMap<_, _>>())
            .options([("o", owner.as_str())])
            .build();
        match bounded("create volume", self.limit(), self.api.volumes().create(&opts)).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.says("volume already exists") => Ok(()),
            Err(fault) => Err(self.error(fault)),
        }
    }

    pub(super) async fn drop_volume(&self, name: &str) -> Result<()> {
        self.stop_filling(name).await;
        match bounded("remove volume", self.limit(), self.api.volumes().get(name).delete()).await {
            Ok(()) => Ok(()),
            Err(fault) if fault.says("no such volume") => Ok(()),
            Err(fault) if fault.says("volume is being used") => Err(errors::volume_in_use(name).context(fault.text())),
            Err(fault) => Err(self.error(fault)),
        }
    }
}

impl PodmanRuntime {
    /// Nothing may be written beside a template while it is removed.
    async fn stop_filling(&self, name: &str) {
        if !self.templates.lock().unwrap_or_else(PoisonError::into_inner).remove(name) {
            return;
        }
        let Ok(from) = self.mountpoint(name).await else { return }; // gone already, or the removal will say why
        let stopped = match self.place().await {
            Ok(place) if place.rootless => self.helper.stop_filling(from).await,
            Ok(_) | Err(_) => {
                let work = tokio::task::spawn_blocking(move || seed::stop_filling(&from));
                work.await.map_err(std::io::Error::other)
            }
        };
        if let Err(error) = stopped {
            tracing::warn!(volume = name, %error, "could not end the copying of a template that is removed");
        }
    }

    pub(super) async fn has_volume(&self, name: &str) -> Result<bool> {
        self.ok(self.raw.exists("volume", &format!("/volumes/{}/exists", escape(name))).await)
    }

    /// Where the files of a volume are; `None` where Podman's host is another machine.
    ///
    /// # Errors
    /// `volume_missing`; `Unavailable` while Podman is away.
    pub async fn volume_directory(&self, name: &str) -> Result<Option<PathBuf>> {
        if !self.place().await?.local {
            return Ok(None);
        }
        self.mountpoint(name).await.map(Some)
    }

    async fn mountpoint(&self, name: &str) -> Result<PathBuf> {
        match self.raw.get::<VolumeDetail>("volume", &format!("/volumes/{}/json", escape(name))).await {
            Ok(detail) => Ok(detail.mountpoint),
            Err(fault) if fault.says("no such volume") => Err(errors::volume_missing(name)),
            Err(fault) => Err(self.error(fault)),
        }
    }

    pub(super) async fn seed(&self, from: &str, to: &str, engine: &'static str, unique: u64) -> Result<Seeded> {
        let place = self.place().await?;
        if !place.local {
            let why = "The files of volumes can be copied only where Podman runs on the machine of the daemon.";
            return Ok(Seeded::Unsupported(why.into()));
        }
        let root = rustix::process::geteuid().is_root();
        if !place.rootless && !root {
            let why = "Podman runs as root and the daemon does not, so it may not read the files of volumes.";
            return Ok(Seeded::Unsupported(why.into()));
        }
        self.templates.lock().unwrap_or_else(PoisonError::into_inner).insert(from.to_owned());
        let (source, target) = (self.mountpoint(from).await?, self.mountpoint(to).await?);
        let copied = tokio::time::timeout(SEED_LIMIT, async {
            if place.rootless {
                self.helper.seed(source, target, engine, unique).await
            } else {
                let work = move || seed::seed(&source, &target, engine, unique, |text| tracing::warn!("{text}"));
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(Unseeded::Failed(e.to_string())))
            }
        });
        match copied.await {
            Ok(Ok(copied)) => Ok(Seeded::Copied { bytes: copied.bytes, reflinked: copied.reflinked }),
            Ok(Err(Unseeded::Unfit(why))) => Ok(Seeded::Unsupported(why)),
            Ok(Err(Unseeded::Failed(why))) => {
                Err(Error::internal(format!("the template {from} could not be copied: {why}")))
            }
            Err(_) => Err(self.error(Fault::TimedOut("copying a template", SEED_LIMIT))),
        }
    }

    pub(super) async fn list_secrets(&self, prefix: &str) -> Result<Vec<String>> {
        let all: Vec<SecretEntry> = self.ok(self.raw.get("secrets", "/secrets/json").await)?;
        Ok(all.into_iter().map(|s| s.spec.name).filter(|n| n.starts_with(prefix)).collect())
    }

    pub(super) async fn store_secret(&self, name: &str, content: &Secret) -> Result<()> {
        let path = format!("/secrets/create?name={}", escape(name));
        let _alone = ONE_SECRET.lock().await;
        match self.raw.post("create secret", &path, Body::Text(content.expose().to_owned())).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.says("secret name in use") => Ok(()),
            Err(fault) => Err(self.error(fault)),
        }
    }

    pub(super) async fn drop_secret(&self, name: &str) -> Result<()> {
        match self.raw.delete("remove secret", &format!("/secrets/{}", escape(name))).await {
            Ok(()) => Ok(()),
            Err(fault) if fault.says("no such secret") => Ok(()),
            Err(fault) => Err(self.error(fault)),
        }
    }
}
