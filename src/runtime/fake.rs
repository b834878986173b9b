//! The in-memory runtime: keeps the promises of [`ContainerRuntime`], with faults and drift where a test wants them.
//!
//! It outlives a simulated crash of the daemon: the test keeps the `Arc` and opens a new application on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::Secret;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::BroadcastStream;

use super::{
    Attested, Confined, ContainerDetail, ContainerRuntime, ContainerState, ContainerSummary, ExecOutput, ImageProgress,
    ImageSummary, ProgressSink, RuntimeEvent, Seeded, errors,
};
use crate::domain::container::{ContainerSpec, LABEL_OWNER};
use crate::domain::egress::Egress;
use crate::domain::host::HostInfo;
use crate::domain::{Error, ErrorKind, Result};

mod faults;
mod knobs;
pub(crate) mod server;
mod world;

pub use faults::{At, Fault, FaultPlan};
pub use knobs::VolumeContent;
pub use world::Tamper;
pub(crate) use world::World;

/// Engines whose servers the in-memory runtime can play; their protocols stand for those of the others.
pub const ENGINES: [&str; 4] = ["postgresql", "mariadb", "redis", "valkey"];

/// The in-memory runtime.
pub struct FakeRuntime {
    world: Mutex<World>,
    events: broadcast::Sender<RuntimeEvent>,
    hung: watch::Sender<usize>,
}

impl FakeRuntime {
    /// An empty one.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(World::new()),
            events: broadcast::channel(1024).0,
            hung: watch::channel(0).0,
        })
    }

    /// One with an image for every version that can be built locally, named as the local builds are.
    pub fn with_images() -> Arc<Self> {
        let runtime = Self::new();
        for engine in fluxdb_adapters::all() {
            let facts = engine.facts();
            for version in facts.versions.iter().filter(|v| v.local.is_some()) {
                runtime.add_image(&format!("localhost/fluxdb/{}:{}", facts.id, version.id));
            }
        }
        runtime
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A test that panicked while holding it must not hide its own message behind this one.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.lock())
    }

    /// One call: counts it, lets planned faults strike, and acts all at once.
    pub(crate) async fn call<T: Send>(
        &self,
        name: &'static str,
        needs_runtime: bool,
        act: impl FnOnce(&mut World) -> Result<T> + Send,
    ) -> Result<T> {
        let (fault, delay) = self.world(|w| {
            w.calls.push(name);
            (w.faults.strike(&w.calls), w.delays.get(name).copied())
        });
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        match fault {
            None => self.act(needs_runtime, act),
            Some(Fault::FailBefore(error)) => Err(error),
            Some(Fault::FailAfter(error)) => self.act(needs_runtime, act).and(Err(error)),
            Some(Fault::HangBefore) => self.hang().await,
            Some(Fault::HangAfter) => {
                self.act(needs_runtime, act)?;
                self.hang().await
            }
        }
    }

    fn act<T>(&self, needs_runtime: bool, act: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let mut world = self.lock();
        if needs_runtime && !world.available {
            return Err(errors::unavailable("the fake runtime was made unavailable"));
        }
        act(&mut world)
    }

    async fn hang<T>(&self) -> Result<T> {
        self.hung.send_modify(|n| *n += 1);
        std::future::pending().await
    }

    fn tell(&self, instance: Option<crate::domain::InstanceId>, action: &str) {
        if let Some(instance) = instance {
            self.emit(RuntimeEvent::Container { instance, action: action.to_owned() });
        }
    }
}

async fn show(progress: &ProgressSink, text: &str) {
    for current in 0..=3 {
        let line = ImageProgress { current, max: 3, text: text.to_owned() };
        // A full channel drops, as the sink says.
        let _ = progress.try_send(line);
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl ContainerRuntime for FakeRuntime {
    async fn ping(&self) -> Result<()> {
        self.call("ping", true, |_| Ok(())).await
    }

    async fn host(&self) -> Result<HostInfo> {
        self.call("host", true, |w| Ok(w.host.clone())).await
    }

    async fn containers(&self) -> Result<Vec<ContainerSummary>> {
        self.call("containers", true, |w| {
            let ours = w.containers.values().filter(|c| c.spec.labels.contains_key(LABEL_OWNER));
            Ok(ours.map(|c| c.summary()).collect())
        })
        .await
    }

    async fn volumes(&self) -> Result<Vec<(String, BTreeMap<String, String>)>> {
        self.call("volumes", true, |w| {
            let ours = w.volumes.iter().filter(|(_, v)| v.labels.contains_key(LABEL_OWNER));
            Ok(ours.map(|(name, v)| (name.clone(), v.labels.clone())).collect())
        })
        .await
    }

    async fn secrets(&self, prefix: &str) -> Result<Vec<String>> {
        self.call("secrets", true, |w| Ok(w.secrets.keys().filter(|n| n.starts_with(prefix)).cloned().collect())).await
    }

    async fn inspect(&self, name: &str) -> Result<Option<ContainerDetail>> {
        self.call("inspect", true, |w| Ok(w.containers.get(name).map(|c| c.detail()))).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerDetail> {
        self.call("create", true, |w| w.create(spec)).await
    }

    async fn start(&self, name: &str, egress: Egress) -> Result<()> {
        let act = |w: &mut World| {
            if w.start(name, Some(egress))? {
                self.tell(w.containers.get(name).and_then(|c| c.instance()), "start");
            }
            Ok(())
        };
        self.call("start", true, act).await
    }

    async fn confine(&self, detail: &ContainerDetail, egress: Egress) -> Result<Confined> {
        self.call("confine", true, |w| {
            if let Err(why) = &w.confining {
                return Ok(Confined::NotEnforced(why.clone()));
            }
            let running = |c: &&mut world::Container| c.summary().run() == detail.summary.run();
            match w.containers.get_mut(&detail.summary.name).filter(running) {
                Some(container) if container.state == ContainerState::Running => {
                    container.egress = Some(egress);
                    Ok(Confined::AsAsked)
                }
                _ => Ok(Confined::NotEnforced("The container does not run.".into())),
            }
        })
        .await
    }

    async fn stop(&self, name: &str, _grace: Duration) -> Result<()> {
        let act = |w: &mut World| {
            if w.stop(name, 0) {
                self.tell(w.containers.get(name).and_then(|c| c.instance()), "died");
            }
            Ok(())
        };
        self.call("stop", true, act).await
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let act = |w: &mut World| {
            if let Some(gone) = w.containers.remove(name) {
                self.tell(gone.instance(), "remove");
            }
            Ok(())
        };
        self.call("remove", true, act).await
    }

    async fn logs(&self, name: &str, lines: u32) -> Result<Vec<String>> {
        self.call("logs", true, |w| {
            let log = &w.containers.get(name).ok_or_else(|| errors::container_missing(name))?.log;
            Ok(log[log.len().saturating_sub(lines as usize)..].to_vec())
        })
        .await
    }

    async fn exec(&self, name: &str, _exec: &fluxdb_adapters::Exec, _limit: Duration) -> Result<ExecOutput> {
        self.call("exec", true, |w| {
            let found = w.containers.get(name).ok_or_else(|| errors::container_missing(name))?;
            if found.state != ContainerState::Running {
                return Err(errors::container_not_running(name));
            }
            w.planned_execs.pop_front().ok_or_else(|| {
                let public = "The in-memory runtime has no programs; a test plans what they answer.";
                Error::new(ErrorKind::Unsupported, "exec_unsupported", public)
            })
        })
        .await
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>, uid: u32, gid: u32) -> Result<()> {
        self.call("create_volume", true, |w| {
            w.volumes.entry(name.to_owned()).or_insert_with(|| world::Volume {
                labels: labels.clone(),
                owner: (uid, gid),
                data: None,
            });
            Ok(())
        })
        .await
    }

    async fn volume_exists(&self, name: &str) -> Result<bool> {
        self.call("volume_exists", true, |w| Ok(w.volumes.contains_key(name))).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.call("remove_volume", true, |w| {
            if w.containers.values().any(|c| c.spec.volume == name) {
                return Err(errors::volume_in_use(name));
            }
            w.volumes.remove(name);
            Ok(())
        })
        .await
    }

    async fn seed_volume(&self, from: &str, to: &str, engine: &'static str, unique: u64) -> Result<Seeded> {
        self.call("seed_volume", true, |w| {
            if let Err(why) = &w.seeding {
                return Ok(Seeded::Unsupported(why.clone()));
            }
            let used =
                |v: &str| w.containers.values().any(|c| c.state == ContainerState::Running && c.spec.volume == v);
            if let Some(name) = [from, to].into_iter().find(|v| used(v)) {
                return Err(errors::volume_in_use(name));
            }
            let source = w.volumes.get(from).ok_or_else(|| errors::volume_missing(from))?;
            let Some(mut data) = source.data.clone() else {
                return Err(Error::internal(format!("the template {from} is empty")));
            };
            if data.engine != engine {
                return Err(Error::internal(format!("the template {from} belongs to {}", data.engine)));
            }
            let owner = source.owner;
            let target = w.volumes.get_mut(to).ok_or_else(|| errors::volume_missing(to))?;
            data.copied_from = Some(from.to_owned());
            data.system_identifier = unique;
            target.data = Some(data);
            target.owner = owner;
            Ok(Seeded::Copied { bytes: 40 << 20, reflinked: false })
        })
        .await
    }

    async fn put_secret(&self, name: &str, content: &Secret) -> Result<()> {
        self.call("put_secret", true, |w| {
            w.secrets.entry(name.to_owned()).or_insert_with(|| content.clone());
            Ok(())
        })
        .await
    }

    async fn remove_secret(&self, name: &str) -> Result<()> {
        self.call("remove_secret", true, |w| {
            w.secrets.remove(name);
            Ok(())
        })
        .await
    }

    async fn find_image(&self, reference: &str) -> Result<Option<ImageSummary>> {
        self.call("find_image", true, |w| Ok(w.images.get(reference).cloned())).await
    }

    async fn images(&self) -> Result<Vec<ImageSummary>> {
        self.call("images", true, |w| Ok(w.images.values().cloned().collect())).await
    }

    async fn pull_image(&self, reference: &str, progress: ProgressSink) -> Result<ImageSummary> {
        show(&progress, "copying layers").await;
        self.call("pull_image", true, |w| {
            if !w.registry_reachable {
                return Err(errors::registry_unreachable(reference, "connection refused"));
            }
            if !w.registry.contains(reference) {
                return Err(errors::pull_failed(reference, "manifest unknown"));
            }
            Ok(w.add_image(reference))
        })
        .await
    }

    async fn build_image(
        &self,
        engine: &str,
        version: &str,
        reference: &str,
        progress: ProgressSink,
    ) -> Result<ImageSummary> {
        show(&progress, "installing packages").await;
        self.call("build_image", true, |w| {
            let known = fluxdb_adapters::find(engine)
                .and_then(|e| e.facts().version(version))
                .is_some_and(|v| v.local.is_some());
            if !known {
                return Err(errors::build_unsupported(format!("There is no recipe to build {engine} {version} here.")));
            }
            if !w.buildable {
                return Err(errors::build_failed(reference, "E: Unable to locate package"));
            }
            Ok(w.add_image(reference))
        })
        .await
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.call("remove_image", true, |w| {
            if w.containers.values().any(|c| c.spec.image == reference) {
                return Err(errors::image_in_use(reference));
            }
            w.images.remove(reference);
            Ok(())
        })
        .await
    }

    async fn attest(&self, detail: &ContainerDetail) -> Result<Attested> {
        self.call("attest", true, |w| {
            if let Err(why) = &w.attesting {
                return Ok(Attested::Unreadable(why.clone()));
            }
            let running = w.containers.get(&detail.summary.name).filter(|c| c.state == ContainerState::Running);
            Ok(match running {
                Some(container) => Attested::Read(container.spec.limits.clone()),
                None => Attested::Unreadable("the container does not run".into()),
            })
        })
        .await
    }

    fn events(&self) -> BoxStream<'static, RuntimeEvent> {
        // A listener that was too slow has missed something: the same as a lost connection.
        BroadcastStream::new(self.events.subscribe()).map(|event| event.unwrap_or(RuntimeEvent::Lost)).boxed()
    }
}
