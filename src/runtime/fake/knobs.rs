//! What a test may do behind the daemon's back, and what it may look at.

use std::time::Duration;

use super::faults::{At, Fault};
use super::world::Tamper;
use super::{FakeRuntime, World};
use crate::domain::InstanceId;
use crate::domain::egress::Egress;
use crate::domain::host::HostInfo;
use crate::runtime::{ContainerState, ExecOutput, RuntimeEvent};

/// What is in a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeContent {
    /// Engine that wrote it.
    pub engine: &'static str,
    /// The template volume it was copied from.
    pub copied_from: Option<String>,
    /// Identifier of the cluster; a copy has its own.
    pub system_identifier: u64,
    /// Accounts.
    pub accounts: Vec<String>,
    /// Databases.
    pub databases: Vec<String>,
}

impl FakeRuntime {
    /// Plans a fault.
    pub fn inject(&self, at: At, fault: Fault) {
        self.world(|w| w.faults.add(at, fault));
    }

    /// Takes back every fault that has not struck.
    pub fn clear_faults(&self) {
        self.world(|w| w.faults.clear());
    }

    /// Names of all calls since the start or the last [`FakeRuntime::forget_calls`], in order. Those of the wire are
    /// called `wire`.
    pub fn calls(&self) -> Vec<&'static str> {
        self.world(|w| w.calls.clone())
    }

    /// Begins to count anew.
    pub fn forget_calls(&self) {
        self.world(|w| w.calls.clear());
    }

    /// Waits until a call hangs by a planned fault; the number of calls that hang.
    pub async fn hung(&self) -> usize {
        let mut watch = self.hung.subscribe();
        let seen = watch.wait_for(|n| *n > 0).await.map(|n| *n);
        seen.unwrap_or_default()
    }

    /// Lets each call of this name take a while, so that a test can act meanwhile.
    pub fn delay(&self, call: &'static str, by: Duration) {
        self.world(|w| w.delays.insert(call, by));
    }

    /// Plans what the next program inside a container answers; plans are used up in order.
    pub fn plan_exec(&self, answer: ExecOutput) {
        self.world(|w| w.planned_execs.push_back(answer));
    }

    /// Puts an image into the store.
    pub fn add_image(&self, reference: &str) {
        self.world(|w| w.add_image(reference));
    }

    /// Removes an image behind our back, in use or not.
    pub fn lose_image(&self, reference: &str) {
        self.world(|w| w.images.remove(reference));
    }

    /// Lets pulls find this reference.
    pub fn publish_image(&self, reference: &str) {
        self.world(|w| w.registry.insert(reference.to_owned()));
    }

    /// Whether the registry answers.
    pub fn set_registry_reachable(&self, reachable: bool) {
        self.world(|w| w.registry_reachable = reachable);
    }

    /// Whether builds succeed.
    pub fn set_buildable(&self, buildable: bool) {
        self.world(|w| w.buildable = buildable);
    }

    /// Like `podman rm -f` from outside.
    pub fn lose_container(&self, name: &str) {
        let gone = self.world(|w| w.containers.remove(name));
        if let Some(instance) = gone.and_then(|c| c.instance()) {
            self.emit(RuntimeEvent::Container { instance, action: "remove".into() });
        }
    }

    /// Like `podman stop` from outside, or a crash of the server.
    pub fn end_container(&self, name: &str, exit_code: i32) {
        let instance = self.world(|w| w.stop(name, exit_code).then(|| w.containers.get(name)?.instance()).flatten());
        if let Some(instance) = instance {
            self.emit(RuntimeEvent::Container { instance, action: "died".into() });
        }
    }

    /// Like `podman restart` from outside: another process, in a network that nobody has settled.
    pub fn restart_container(&self, name: &str) {
        let instance = self.world(|w| {
            w.stop(name, 0);
            w.start(name, None).is_ok().then(|| w.containers.get(name)?.instance()).flatten()
        });
        if let Some(instance) = instance {
            self.emit(RuntimeEvent::Container { instance, action: "start".into() });
        }
    }

    /// Every container ends and every port is free, as after a reboot of the host.
    pub fn reboot(&self) {
        self.world(|w| {
            let names: Vec<String> = w.containers.keys().cloned().collect();
            for name in names {
                w.stop(&name, 137);
            }
            w.taken_ports.clear();
        });
        self.emit(RuntimeEvent::Lost);
    }

    /// Another program takes a port.
    pub fn take_port(&self, port: u16) {
        self.world(|w| w.taken_ports.insert(port));
    }

    /// It gives the port back.
    pub fn free_port(&self, port: u16) {
        self.world(|w| w.taken_ports.remove(&port));
    }

    /// Removes a volume with all that is in it, in use or not.
    pub fn lose_volume(&self, name: &str) {
        self.world(|w| w.volumes.remove(name));
    }

    /// Whether the runtime answers at all; says [`RuntimeEvent::Lost`] when it is back. Containers go on meanwhile.
    pub fn set_available(&self, available: bool) {
        let back = self.world(|w| !std::mem::replace(&mut w.available, available) && available);
        if back {
            self.emit(RuntimeEvent::Lost);
        }
    }

    /// What [`crate::runtime::ContainerRuntime::host`] answers.
    pub fn set_host(&self, host: HostInfo) {
        self.world(|w| w.host = host);
    }

    /// Whether volumes can be copied here; says why not.
    pub fn set_seeding(&self, possible: Result<(), String>) {
        self.world(|w| w.seeding = possible);
    }

    /// Whether cgroup files can be read here; says why not.
    pub fn set_attesting(&self, possible: Result<(), String>) {
        self.world(|w| w.attesting = possible);
    }

    /// Whether outgoing traffic can be closed here; says why not.
    pub fn set_confining(&self, possible: Result<(), String>) {
        self.world(|w| w.confining = possible);
    }

    /// Names of the running containers, with what they may reach; `None` where nobody has settled it.
    pub fn reach(&self) -> Vec<(String, Option<Egress>)> {
        let running = |c: &&super::world::Container| c.state == ContainerState::Running;
        self.world(|w| w.containers.values().filter(running).map(|c| (c.spec.name.clone(), c.egress)).collect())
    }

    /// Lets containers that are made from now on differ from what was asked.
    pub fn set_tamper(&self, tamper: Option<Tamper>) {
        self.world(|w| w.tamper = tamper);
    }

    /// Lets each server refuse this many connections after it was started.
    pub fn set_refusals_after_start(&self, refusals: u32) {
        self.world(|w| w.refusals_after_start = refusals);
    }

    /// Says something on the event stream.
    pub fn emit(&self, event: RuntimeEvent) {
        // No listener is fine: nobody has subscribed yet.
        let _ = self.events.send(event);
    }

    /// Names of the containers, with whether they run.
    pub fn container_states(&self) -> Vec<(String, ContainerState)> {
        self.world(|w| w.containers.iter().map(|(n, c)| (n.clone(), c.state)).collect())
    }

    /// The container of an instance.
    pub fn container_of(&self, instance: InstanceId) -> Option<String> {
        self.world(|w| w.containers.values().find(|c| c.instance() == Some(instance)).map(|c| c.spec.name.clone()))
    }

    /// Names of the volumes.
    pub fn volume_names(&self) -> Vec<String> {
        self.world(|w| w.volumes.keys().cloned().collect())
    }

    /// What is in a volume; `None` when it is missing or empty.
    pub fn volume_content(&self, name: &str) -> Option<VolumeContent> {
        self.world(|w| {
            let data = w.volumes.get(name)?.data.as_ref()?;
            Some(VolumeContent {
                engine: data.engine,
                copied_from: data.copied_from.clone(),
                system_identifier: data.system_identifier,
                accounts: data.accounts.keys().cloned().collect(),
                databases: data.databases.iter().cloned().collect(),
            })
        })
    }

    /// Names of the secrets.
    pub fn secret_names(&self) -> Vec<String> {
        self.world(|w| w.secrets.keys().cloned().collect())
    }

    /// Everything that there is, images aside, a line each: what a clean slate must not have.
    pub fn everything(&self) -> Vec<String> {
        self.world(|w: &mut World| {
            let containers = w.containers.keys().map(|n| format!("container {n}"));
            let volumes = w.volumes.keys().map(|n| format!("volume {n}"));
            let secrets = w.secrets.keys().map(|n| format!("secret {n}"));
            containers.chain(volumes).chain(secrets).collect()
        })
    }
}
