//! Whether what the settings take together fits the size of the instance: at creation, for other settings, for another size.

use std::collections::BTreeMap;

use fluxdb_adapters::budget::{self, Excess, Resource};
use fluxdb_adapters::{Cx, Engine, Size, Version};

use super::create::Wrong;
use crate::domain::sku::{MAX_STORAGE_GIB, SKUS};

/// Adds an error for each limit that is exceeded. `at`: the field of the size that is asked for; without it, the settings
/// are.
pub(super) fn check(
    wrong: &mut Wrong,
    engine: &dyn Engine,
    version: &'static Version,
    size: Size,
    settings: &BTreeMap<String, String>,
    at: Option<&str>,
) {
    for excess in excesses(engine, version, size, settings) {
        let pointer = match (at, excess.largest_set().and_then(|share| share.set), excess.resource) {
            (Some(at), ..) => at.to_owned(),
            (None, Some(name), _) => format!("/settings/{}", name.replace('~', "~0").replace('/', "~1")),
            (None, None, Resource::Storage) => "/storage_gib".to_owned(),
            (None, None, Resource::Memory | Resource::Heap) => "/sku".to_owned(),
        };
        let text = format!("is too large: {}. {}", excess.text(), advice(engine, version, size, settings, &excess));
        let text = if at.is_some() { text.replacen("is too large", "is too small for the settings", 1) } else { text };
        wrong.add(&pointer, text.trim_end());
    }
}

fn excesses(
    engine: &dyn Engine,
    version: &'static Version,
    size: Size,
    settings: &BTreeMap<String, String>,
) -> Vec<Excess> {
    let cx = Cx::sized(engine.facts(), version, size, settings.clone());
    budget::budget(engine, &cx).excesses(engine, &cx)
}

/// What to do about it: a smaller value, or a size that is enough.
fn advice(
    engine: &dyn Engine,
    version: &'static Version,
    size: Size,
    settings: &BTreeMap<String, String>,
    excess: &Excess,
) -> String {
    let fits = |size: Size| excesses(engine, version, size, settings).iter().all(|e| e.resource != excess.resource);
    let larger = match excess.resource {
        Resource::Storage => {
            // The limits are shares of the storage, and some of what the SKU says grows with it.
            let mut gib = u32::try_from((excess.sum * excess.has / excess.limit.max(1)) >> 30).unwrap_or(u32::MAX);
            while gib <= MAX_STORAGE_GIB && !fits(Size { storage_gib: gib, ..size }) {
                gib += gib / 8 + 1;
            }
            (gib <= MAX_STORAGE_GIB).then(|| format!("storage_gib {gib}"))
        }
        Resource::Memory | Resource::Heap => {
            let larger = SKUS.iter().filter(|s| s.size.memory_mib > size.memory_mib);
            let fitting = larger.filter(|s| fits(Size { storage_gib: size.storage_gib, ..s.size }));
            fitting.min_by_key(|s| s.size.memory_mib).map(|s| format!("SKU {} or another with as much memory", s.id))
        }
    };
    let smaller = excess.largest_set().map(|share| match fitting_value(engine, version, size, settings, excess) {
        Some(most) => format!("at most {most} for {}", share.name),
        None => format!("a smaller value for {}", share.set.unwrap_or(share.name)),
    });
    match (smaller, larger) {
        (Some(smaller), Some(larger)) => format!("Choose {smaller}, or {larger}"),
        (Some(only), None) | (None, Some(only)) => format!("Choose {only}"),
        (None, None) => String::new(),
    }
}

/// The largest value of the largest setting with which this resource has room enough: what is kept and what is used beside
/// it have limits of their own, so one answer may need another.
fn fitting_value(
    engine: &dyn Engine,
    version: &'static Version,
    size: Size,
    settings: &BTreeMap<String, String>,
    excess: &Excess,
) -> Option<u128> {
    let name = excess.largest_set()?.name;
    let mut excess = excess.clone();
    let mut settings = settings.clone();
    for _ in 0..4 {
        let share = excess.shares.iter().find(|s| s.name == name)?;
        let most = excess.largest_value(share)?;
        settings.insert(name.to_owned(), most.to_string());
        let left = excesses(engine, version, size, &settings);
        match left.into_iter().find(|e| e.resource == excess.resource) {
            None => return Some(most),
            Some(next) => excess = next,
        }
    }
    None
}
