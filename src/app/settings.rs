//! Engine settings: the catalogue with what counts now, and changing them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fluxdb_adapters::{Apply, Engine, Setting};
use serde_json::json;

use super::accept::{Asked, no_instance};
use super::actions::{self, Action};
use super::caller::Caller;
use super::create::Wrong;
use super::{App, Permission, budget};
use crate::api::{Accepted, SettingView, SettingsView, UpdateSettings};
use crate::domain::instance::{InstanceRecord, Observed};
use crate::domain::operation::OperationKind;
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::ops::configure::{ConfigureParams, needs_restart};
use crate::store::instances;

/// How long the server may take to say its settings.
const READ_LIMIT: Duration = Duration::from_secs(5);

impl App {
    /// The settings of an instance: what can be changed, what the user has set, and what counts in the server now.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` for an engine without settings.
    pub async fn settings(&self, caller: &Caller, id: InstanceId) -> Result<SettingsView> {
        caller.require(Permission::Read)?;
        let (record, running) = self.look(caller, id, |e| {
            Ok((e.record.clone(), matches!(e.observed, Observed::Present { running: true, ready: true, .. })))
        })?;
        let engine = record.engine()?;
        let settings = engine.settings().ok_or_else(|| unsupported(engine))?;
        let (effective, degraded) = if running {
            match self.effective(&record).await {
                Ok(values) => (values, None),
                Err(e) => (BTreeMap::new(), Some(e.public)),
            }
        } else {
            (BTreeMap::new(), Some("The server does not run, so what counts in it cannot be asked.".to_owned()))
        };
        let items = settings
            .catalogue()
            .iter()
            .filter(|s| !s.not_in.contains(&record.version.as_str()))
            .map(|s| view(s, record.settings.get(s.name), effective.get(s.name)))
            .collect();
        Ok(SettingsView { items, degraded })
    }

    async fn effective(&self, record: &InstanceRecord) -> Result<BTreeMap<String, String>> {
        let engine = record.engine()?;
        let settings = engine.settings().ok_or_else(|| unsupported(engine))?;
        let cx = self.core.cx(record).await?;
        let answers = self.core.talk(record, &cx.system, None, &settings.read(&cx), READ_LIMIT).await?;
        Ok(settings.parse(&cx, &answers))
    }

    /// Replaces the settings that the user has set. Those that take a restart restart a running server; a server
    /// that does not start with them gets those from before back.
    ///
    /// # Errors
    /// `Invalid` with a pointer to each setting that is wrong; `NotFound`, `Conflict`, `Unsupported`, `Unavailable`.
    pub async fn update_settings(
        self: &Arc<Self>,
        caller: &Caller,
        id: InstanceId,
        body: UpdateSettings,
    ) -> Result<Accepted> {
        self.require_writable(caller).await?;
        let before = self.look(caller, id, |e| Ok(e.record.clone()))?;
        let engine = before.engine()?;
        if engine.settings().is_none() {
            return Err(unsupported(engine));
        }
        let mut wrong = Wrong::default();
        check_settings(&mut wrong, engine, &before.version, &body.settings, Some(&before.settings));
        wrong.none()?;
        budget::check(&mut wrong, engine, before.version()?, before.size.into(), &body.settings, None);
        wrong.none()?;
        self.look(caller, id, |e| actions::require(e, Action::Configure))?;
        let mut after = (*before).clone();
        after.settings = body.settings;
        if after.settings == before.settings {
            return Ok(Accepted { operation: None, instance: self.instance_view(id), password: None });
        }
        let restart = needs_restart(&self.core, &after, &before.settings).await?;
        let params = ConfigureParams { previous: before.settings.clone(), restart, egress: None };
        let asked = Asked {
            kind: OperationKind::Configure,
            instance: Some(id),
            project: before.project.clone(),
            params: json!(params),
            audit: json!({ "settings": after.settings, "restart": restart }),
        };
        let settings = after.settings;
        let (operation, _) = self
            .accept(caller, asked, move |tx| {
                let mut record = instances::find(tx, id)?.ok_or_else(no_instance)?;
                record.settings = settings;
                record.revision += 1;
                if restart {
                    record.restart_revision = record.revision;
                }
                instances::update(tx, &mut record)?;
                Ok(Some(record))
            })
            .await?;
        Ok(self.accepted(operation, Some(id)).await)
    }
}

fn unsupported(engine: &dyn Engine) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "settings_unsupported",
        format!("{} has no settings that can be changed here.", engine.facts().title),
    )
}

/// Checks every setting against the catalogue. `before`: what an instance that exists has; none at creation.
pub(super) fn check_settings(
    wrong: &mut Wrong,
    engine: &dyn Engine,
    version: &str,
    settings: &BTreeMap<String, String>,
    before: Option<&BTreeMap<String, String>>,
) {
    for (name, value) in settings {
        let pointer = format!("/settings/{}", name.replace('~', "~0").replace('/', "~1"));
        let known = engine.settings().and_then(|s| s.catalogue().iter().find(|s| s.name == name));
        match known.filter(|s| !s.not_in.contains(&version)) {
            None => wrong.add(
                &pointer,
                format!("is not a setting of {} {version}; see GET .../settings or /engines", engine.facts().title),
            ),
            Some(setting) => {
                wrong.check(&pointer, setting.check(value));
                let stays = before.is_none_or(|b| b.get(name) == Some(value));
                if setting.apply == Apply::Immutable && !stays {
                    wrong.add(&pointer, "can be set at creation only");
                }
            }
        }
    }
    if let Some(before) = before {
        check_immutable(wrong, engine, settings, before);
    }
}

fn check_immutable(
    wrong: &mut Wrong,
    engine: &dyn Engine,
    settings: &BTreeMap<String, String>,
    before: &BTreeMap<String, String>,
) {
    let catalogue = engine.settings().map(|s| s.catalogue()).unwrap_or_default();
    for name in before.keys().filter(|name| !settings.contains_key(*name)) {
        if catalogue.iter().any(|s| s.name == name && s.apply == Apply::Immutable) {
            wrong.add("/settings", format!("must keep {name}, which can be set at creation only"));
        }
    }
}

/// A setting as the API shows it.
pub(super) fn view(setting: &Setting, set: Option<&String>, effective: Option<&String>) -> SettingView {
    let kind = serde_json::to_value(setting.kind).unwrap_or_default();
    let number = |key: &str| kind.get(key).and_then(serde_json::Value::as_f64);
    let text = |key: &str| kind.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    SettingView {
        name: setting.name.to_owned(),
        kind: text("type").unwrap_or_default(),
        minimum: number("min"),
        least: setting.least.map(f64::from),
        maximum: number("max"),
        unit: text("unit").filter(|u| !u.is_empty()),
        values: kind
            .get("values")
            .and_then(serde_json::Value::as_array)
            .map(|v| v.iter().filter_map(|w| w.as_str().map(str::to_owned)).collect()),
        default: Some(setting.default.to_owned()).filter(|d| !d.is_empty()),
        apply: serde_json::to_value(setting.apply).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default(),
        takes: setting.takes.what.as_str().map(str::to_owned),
        meaning: setting.meaning.to_owned(),
        set: set.cloned(),
        effective: effective.cloned(),
    }
}
