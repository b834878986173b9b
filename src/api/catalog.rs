//! What can be had: engines, sizes, images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SettingView;
use crate::domain::host::HostLimits;

/// An engine in the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EngineView {
    /// Id.
    pub id: String,
    /// Name.
    pub title: String,
    /// `relational`, `document`, `key_value`, ...
    pub category: String,
    /// Licence note.
    pub license: String,
    /// Versions, newest first.
    pub versions: Vec<EngineVersion>,
    /// The default.
    pub default_version: String,
    /// Ports.
    pub ports: BTreeMap<String, u16>,
    /// What can be done with its default version here, now; `versions` has the same for each.
    pub capabilities: BTreeMap<String, bool>,
    /// The least memory, MiB.
    pub minimum_memory_mib: u32,
    /// `real` (the conformance suite passed on a real server), `protocol_only` (on another server that speaks its
    /// protocol) or `not_yet`: the best of its versions.
    pub verified: String,
    /// What a user should know before choosing it.
    pub caveats: Vec<String>,
    /// Roles of inner users: `null` where it is offered, otherwise why not. Empty where no route makes users (`capabilities`).
    pub roles: BTreeMap<String, Option<String>>,
    /// Parameters that can be changed.
    pub settings: Vec<SettingView>,
}

/// A version in the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EngineVersion {
    /// Id.
    pub id: String,
    /// Image, with registry or the operator's own.
    pub image: String,
    /// Day after which upstream fixes nothing.
    pub end_of_life: String,
    /// Whether that day has passed.
    pub ended: bool,
    /// Whether it can be built here, without a registry.
    pub buildable: bool,
    /// As of the engine, for this version.
    pub verified: String,
    /// What can be done with this version here, now: true only where the server can and a route offers it.
    pub capabilities: BTreeMap<String, bool>,
}

/// A SKU, and what it becomes on this host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SkuView {
    /// Id.
    pub id: String,
    /// `B`, `D`, `E`, `F`.
    pub series: String,
    /// What the series is for.
    pub title: String,
    /// vCPUs.
    pub vcpu: u32,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Default storage, GiB.
    pub storage_gib: u32,
    /// Whether this host has room for one now.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Whether this host enforces its limits.
    pub enforced: bool,
    /// What is asked of this host.
    pub limits: HostLimits,
}

/// An image: present, or could be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImageView {
    /// Engine id.
    pub engine: String,
    /// Version id.
    pub version: String,
    /// Name under which it is present, or would be pulled.
    pub reference: String,
    /// Whether it is in the store.
    pub present: bool,
    /// Its id; empty when it is not present.
    pub digest: String,
    /// Bytes; 0 when it is not present.
    pub size_bytes: u64,
    /// Whether it can be built from distribution packages.
    pub buildable: bool,
    /// Whether an initialised data directory is kept for quick creation.
    pub template: bool,
}

/// Asks for an image.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageRequest {
    /// Engine id.
    pub engine: String,
    /// Version id; the engine's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}
