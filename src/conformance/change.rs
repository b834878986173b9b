//! Size and settings: what is promised is what the running server says.

use std::collections::BTreeMap;

use fluxdb_adapters::{Apply, Setting, Settings};

use super::rig::caller;
use super::{Rig, Verdict, failed, keep, not_offered};
use crate::api::{PatchInstance, UpdateSettings};
use crate::domain::Result;
use crate::domain::conformance::Outcome;
use crate::domain::sku;
use crate::ops::configure::same;

pub(super) async fn tuning(rig: &mut Rig) -> Verdict {
    let cx = rig.cx().await?;
    let promises = rig.engine.tuned(&cx);
    if promises.is_empty() {
        return not_offered("the server cannot be asked about its size");
    }
    for promise in promises {
        let answers = rig.as_system(std::slice::from_ref(&promise.call)).await?;
        let seen = answers.first().and_then(promise.read);
        if seen.as_deref() != Some(promise.expect.as_str()) {
            return failed(format!("{} is {seen:?}, not {:?}", promise.what, promise.expect));
        }
    }
    Ok(Outcome::Passed)
}

/// A SKU with more memory: the server is restarted with it and says so.
pub(super) async fn resize(rig: &mut Rig) -> Verdict {
    keep::write(rig, "before-resize").await?;
    let record = rig.record()?;
    let larger = sku::SKUS.iter().filter(|s| s.size.memory_mib > record.size.memory_mib);
    let Some(larger) = larger.min_by_key(|s| s.size.memory_mib) else { return not_offered("there is no larger SKU") };
    let body = PatchInstance { sku: Some(larger.id.to_owned()), ..PatchInstance::default() };
    let accepted = rig.app.patch_instance(&caller(), record.id, None, body).await?;
    rig.ended(accepted).await?;
    keep::read(rig, "before-resize").await?;
    match tuning(rig).await? {
        Outcome::NotOffered(why) => not_offered(format!("resized and data kept, but {why}")),
        other => Ok(other),
    }
}

async fn current(rig: &Rig, settings: &dyn Settings) -> Result<BTreeMap<String, String>> {
    let cx = rig.cx().await?;
    Ok(settings.parse(&cx, &rig.as_system(&settings.read(&cx)).await?))
}

fn offered<'a>(rig: &Rig, settings: &'a dyn Settings) -> impl Iterator<Item = &'a Setting> {
    let version = rig.options.version.clone().unwrap_or_default();
    settings.catalogue().iter().filter(move |s| !s.not_in.contains(&version.as_str()))
}

/// The server knows every setting of the catalogue, and what it says is a value that the catalogue would take.
pub(super) async fn settings_known(rig: &mut Rig) -> Verdict {
    let Some(settings) = rig.engine.settings() else { return not_offered("it has no settings to change here") };
    let now = current(rig, settings).await?;
    let mut wrong = Vec::new();
    for setting in offered(rig, settings) {
        match now.get(setting.name) {
            // What the server does not say is proven by its start with another value, in `settings_restart`.
            None if setting.apply != Apply::Dynamic => {}
            None => wrong.push(format!("{} is not known to the server", setting.name)),
            Some(value) if value == setting.default => {}
            Some(value) => {
                if let Err(why) = setting.check(value) {
                    wrong.push(format!("{} is {value:?}, but {why}", setting.name));
                }
            }
        }
    }
    if wrong.is_empty() { Ok(Outcome::Passed) } else { failed(wrong.join("; ")) }
}

pub(super) async fn settings_dynamic(rig: &mut Rig) -> Verdict {
    changed(rig, Apply::Dynamic).await
}

pub(super) async fn settings_restart(rig: &mut Rig) -> Verdict {
    changed(rig, Apply::Restart).await
}

/// Changes every setting of the kind that has another value near its default, all at once, sees them in the server, and
/// takes them back. Those that depend on each other are tried one by one where the server refuses all together.
async fn changed(rig: &Rig, apply: Apply) -> Verdict {
    let Some(settings) = rig.engine.settings() else { return not_offered("it has no settings to change here") };
    let before = current(rig, settings).await?;
    let fixed = |s: &&Setting| !s.default.is_empty() && s.apply == apply;
    let wanted: BTreeMap<String, String> = offered(rig, settings)
        .filter(fixed)
        .filter_map(|s| Some((s.name.to_owned(), s.another(before.get(s.name).map_or(s.default, String::as_str))?)))
        .collect();
    if wanted.is_empty() {
        return not_offered(format!("no setting of the kind {apply:?}"));
    }
    let container = rig.app.core.runtime.inspect(&rig.container()?).await?.map(|d| d.started_at);
    set(rig, wanted.clone()).await?;
    let now = current(rig, settings).await?;
    let wrong: Vec<String> = wanted
        .iter()
        .filter(|(name, value)| now.get(*name).is_some_and(|seen| !same(seen, value)))
        .map(|(name, value)| format!("{name} is {:?}, not {value:?}", now.get(name)))
        .collect();
    if !wrong.is_empty() {
        set(rig, BTreeMap::new()).await?;
        return failed(wrong.join("; "));
    }
    let after = rig.app.core.runtime.inspect(&rig.container()?).await?.map(|d| d.started_at);
    if apply == Apply::Dynamic && container != after {
        let cx = rig.cx().await?;
        let at_once = |s: &Setting| wanted.contains_key(s.name) && !settings.change(&cx, s, None).is_empty();
        set(rig, BTreeMap::new()).await?;
        if offered(rig, settings).any(at_once) {
            return failed("the server was restarted although the settings count at once");
        }
        return not_offered("in this version they take a restart, and did");
    }
    // What was set must also count after a restart, and be gone when it is taken back.
    if apply == Apply::Dynamic {
        let accepted = rig.app.restart_instance(&caller(), rig.instance()?.id).await?;
        rig.ended(accepted).await?;
        let now = current(rig, settings).await?;
        let lost: Vec<&String> =
            wanted.iter().filter(|(n, v)| now.get(*n).is_some_and(|s| !same(s, v))).map(|(n, _)| n).collect();
        if !lost.is_empty() {
            set(rig, BTreeMap::new()).await?;
            return failed(format!("lost by a restart: {lost:?}"));
        }
    }
    set(rig, BTreeMap::new()).await?;
    let now = current(rig, settings).await?;
    let left: Vec<String> = before
        .iter()
        .filter(|(name, value)| wanted.contains_key(*name) && !now.get(*name).is_some_and(|n| same(n, value)))
        .map(|(name, value)| format!("{name} is {:?}, was {value:?}", now.get(name)))
        .collect();
    if left.is_empty() { Ok(Outcome::Passed) } else { failed(format!("not taken back: {}", left.join("; "))) }
}

async fn set(rig: &Rig, settings: BTreeMap<String, String>) -> Result<()> {
    let accepted = rig.app.update_settings(&caller(), rig.instance()?.id, UpdateSettings { settings }).await?;
    rig.ended(accepted).await.map(|_| ())
}
