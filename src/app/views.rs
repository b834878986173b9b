//! Records as the API shows them.

use bytes::Bytes;
use fluxdb_adapters::{Account, Endpoint as To, Secret, UriFormat};

use super::abilities::capabilities;
use super::{App, actions};
use crate::api::{Endpoint, ImageRef, Instance, InstanceSize, Network, PublishedPort};
use crate::domain::InstanceId;
use crate::domain::instance::{Desired, InstanceRecord, Observed};
use crate::ops::registry::Entry;

impl App {
    /// The instance as the API shows it; `None` when there is none.
    pub fn instance_view(&self, id: InstanceId) -> Option<Instance> {
        self.core.registry.with(id, |entry| self.view(entry))
    }

    /// The same as JSON, made once for each change.
    pub(super) fn instance_json(&self, entry: &Entry) -> Bytes {
        entry.json(|entry| {
            // A view is plain data: strings, numbers, maps with string keys; it always serialises.
            serde_json::to_vec(&self.view(entry)).expect("views serialise").into()
        })
    }

    pub(super) fn view(&self, entry: &Entry) -> Instance {
        let record = &entry.record;
        let engine = fluxdb_adapters::find(&record.engine);
        let facts = engine.map(|e| e.facts());
        let size = record.size.into();
        let mut badges = Vec::new();
        let today = jiff::Timestamp::now().to_string();
        if facts.and_then(|f| f.version(&record.version)).is_some_and(|v| today.as_str() > v.end_of_life) {
            badges.push("END_OF_LIFE".to_owned());
        }
        let running = matches!(entry.observed, Observed::Present { running: true, .. });
        if running && !entry.limits.enforced && entry.limits.reason.is_some() {
            badges.push("LIMITS_NOT_ENFORCED".to_owned());
        }
        let network = network(entry);
        if record.egress {
            badges.push("EGRESS_OPEN".to_owned());
        } else if running && !network.enforced && network.reason.is_some() {
            badges.push("EGRESS_NOT_ENFORCED".to_owned());
        }
        if record.desired == Desired::Running && matches!(entry.observed, Observed::Unknown) {
            badges.push("UNOBSERVED".to_owned());
        }
        Instance {
            id: record.id,
            name: record.name.clone(),
            engine: record.engine.clone(),
            version: record.version.clone(),
            image: ImageRef { reference: record.image_reference.clone(), digest: record.image_digest.clone() },
            sku: record.sku.clone(),
            size: InstanceSize {
                vcpu: record.size.vcpu,
                memory_mib: record.size.memory_mib,
                storage_gib: record.size.storage_gib,
                connections: engine.map_or(0, |e| e.max_connections(&size)),
            },
            project: record.project.clone(),
            region: record.region.clone(),
            labels: record.labels.clone(),
            desired: record.desired,
            state: actions::state(entry),
            health: actions::health(entry),
            health_reason: entry
                .complaint
                .clone()
                .filter(|_| matches!(entry.observed, Observed::Present { ready: true, .. })),
            badges,
            allowed_actions: actions::allowed(entry),
            capabilities: engine.map(|e| capabilities(e, &record.version)).unwrap_or_default(),
            endpoint: self.endpoint(record),
            endpoints: facts
                .map(|f| {
                    let published = |(p, port): (&fluxdb_adapters::Port, u16)| PublishedPort {
                        name: p.name.to_owned(),
                        host: self.endpoint_host(record),
                        port,
                    };
                    f.ports.iter().zip(record.ports()).map(published).collect()
                })
                .unwrap_or_default(),
            username: record.username.clone(),
            database: record.database.clone(),
            limits: entry.limits.clone(),
            network,
            deletion_protection: record.deletion_protection,
            created_at: record.created_at.to_string(),
            updated_at: record.updated_at.to_string(),
            current_operation: entry.operation.map(|(id, _)| id),
            last_error: record.last_error.clone(),
        }
    }

    fn endpoint(&self, record: &InstanceRecord) -> Endpoint {
        let host = self.endpoint_host(record);
        let uri = self
            .connection_text(record, UriFormat::Uri, record.database.as_deref(), Secret::new("***"))
            .unwrap_or_default()
            // The mask is not a password, so it is not encoded like one.
            .replace("%2A%2A%2A", "***");
        Endpoint { host, port: record.port, tls: false, uri_masked: uri }
    }

    /// The host name that users connect to.
    pub(super) fn endpoint_host(&self, record: &InstanceRecord) -> String {
        self.core.config.endpoints.host.clone().unwrap_or_else(|| record.host_ip.clone())
    }

    /// A connection string with this password; `None` where the engine has no such spelling.
    pub(super) fn connection_text(
        &self,
        record: &InstanceRecord,
        format: UriFormat,
        database: Option<&str>,
        password: Secret,
    ) -> Option<String> {
        let engine = fluxdb_adapters::find(&record.engine)?;
        let account = Account { username: record.username.clone(), password };
        let host = self.endpoint_host(record);
        // An IPv6 address stands in brackets in a URI.
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let to = To { host: &host, port: record.port, account: &account, database };
        Some(engine.connection_string(format, &to)?.expose().to_owned())
    }
}

/// What was read back counts for what it was read for: a change that was only just asked for is not enforced yet.
fn network(entry: &Entry) -> Network {
    let egress = entry.record.egress();
    if entry.network.egress == egress { entry.network.clone() } else { Network { egress, ..Network::default() } }
}
