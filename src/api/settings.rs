//! Parameters of an engine that users change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings of an instance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// Everything that can be changed.
    pub items: Vec<SettingView>,
    /// Why `effective` is missing; null when the server answered.
    #[schema(required)]
    pub degraded: Option<String>,
}

/// One parameter of an engine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingView {
    /// The engine's own name.
    pub name: String,
    /// `integer`, `float`, `boolean`, `choice`, `text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Where the smallest number is a word of its own (0 = no limit): the smallest of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Unit of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The words of a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// What counts when nobody says otherwise; absent where that depends on the SKU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `dynamic` (at once), `restart` (fluxdb restarts the server), `immutable` (at creation only).
    pub apply: String,
    /// What its value takes of the instance: `memory`, `heap` (of the server's JVM), `storage`, `connections`, `processes`,
    /// `files`. What settings take together is compared with the SKU and the storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
    /// One line.
    pub meaning: String,
    /// What the user has set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// What counts in the running server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
}

/// Replaces the settings that the user has set; what is absent goes back to the default.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSettings {
    /// Values by name, as text: numbers in the setting's unit, `true` or `false`.
    pub settings: BTreeMap<String, String>,
}
