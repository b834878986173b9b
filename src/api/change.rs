//! What changes instances, and what is answered at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Instance, Operation};
use crate::domain::admission::Admission;
use crate::domain::container::ContainerSpec;

/// Asks for an instance.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstance {
    /// 1 to 63 characters: lower case letters, digits, `-`; starts with a letter, ends with a letter or digit.
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$")]
    pub name: String,
    /// Engine id, see `/engines`.
    pub engine: String,
    /// Version id; the engine's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SKU id, see `/skus`; `B1ms` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Storage in GiB; the SKU's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 16384)]
    pub storage_gib: Option<u32>,
    /// Tenant; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where; `local` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The user's own labels: at most 64, keys and values at most 63 characters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// First database; the engine's default when absent. Only for engines with named databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// First account; the engine's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its password, 12 to 128 printable characters; a strong one is made when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Engine settings by name, see `/engines/{engine}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Published port; one is chosen when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1024, maximum = 65535)]
    pub port: Option<u16>,
    /// Refuses deletion until it is switched off.
    #[serde(default)]
    pub deletion_protection: bool,
    /// Opens outgoing traffic; otherwise the server reaches nothing but its clients.
    #[serde(default)]
    pub egress: bool,
}

/// Changes an instance; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchInstance {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$")]
    pub name: Option<String>,
    /// New labels; replaces all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// New SKU; restarts a running instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// More storage in GiB; never less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 16384)]
    pub storage_gib: Option<u32>,
    /// Refuse deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// Open or close outgoing traffic; takes effect immediately, without a restart. Connections that are open stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<bool>,
}

/// Answer to a change.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// What to follow; null when nothing long had to be done.
    #[schema(required)]
    pub operation: Option<Operation>,
    /// The instance as it is now; null when the operation is not about one, or it is gone.
    #[schema(required)]
    pub instance: Option<Instance>,
    /// The account's password, in the answer to a create only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// What a create would do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DryRun {
    /// The instance as it would be shown.
    pub instance: Instance,
    /// Rendered files by path; passwords are `***`.
    pub files: BTreeMap<String, String>,
    /// The container as it would be asked of the runtime.
    #[schema(value_type = Object)]
    pub container: ContainerSpec,
    /// Whether there is room.
    pub admission: Admission,
    /// Where the image would come from: `present`, `pull`, `build`.
    pub image_source: String,
}
