//! Finds the image of an instance: present, else pulled, else built out of distribution packages.

use std::sync::Arc;

use fluxdb_adapters::{Facts, Version};

use super::Core;
use super::drive::Op;
use crate::config::ImageConfig;
use crate::domain::instance::InstanceRecord;
use crate::domain::{Error, InstanceId, Result};
use crate::runtime::ImageSummary;

/// Where an image may come from, in the order of trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The operator's own reference, or the official one.
    pub reference: String,
    /// Name of the one built here; `None` where the engine has no recipe, or the operator named an own image.
    pub local: Option<String>,
}

/// The references of a version.
pub fn sources(config: &ImageConfig, facts: &Facts, version: &Version) -> Sources {
    if let Some(own) = config.overrides.get(facts.id).and_then(|v| v.get(version.id)) {
        return Sources { reference: own.clone(), local: None };
    }
    Sources {
        reference: format!("{}/{}", config.registry, version.reference),
        local: version.local.map(|_| format!("localhost/fluxdb/{}:{}", facts.id, version.id)),
    }
}

/// An image that is present, with the name by which it was found.
///
/// # Errors
/// As the runtime's.
pub async fn present(core: &Core, sources: &Sources) -> Result<Option<(String, ImageSummary)>> {
    for reference in [Some(&sources.reference), sources.local.as_ref()].into_iter().flatten() {
        if let Some(image) = core.runtime.find_image(reference).await? {
            return Ok(Some((reference.clone(), image)));
        }
    }
    Ok(None)
}

/// Makes sure that an instance's image is there and that its record names it.
///
/// # Errors
/// `image_unavailable` when it is not present and can neither be pulled nor built.
pub async fn ensure(op: &Op, id: InstanceId) -> Result<Arc<InstanceRecord>> {
    let core = &op.core;
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    let (facts, version) = (record.engine()?.facts(), record.version()?);
    if !record.image_reference.is_empty()
        && let Some(image) = core.runtime.find_image(&record.image_reference).await?
        && image.id == record.image_digest
    {
        return Ok(record);
    }
    let (reference, image) = obtain(op, facts, version).await?;
    fits(core, &reference, &image)?;
    core.change_record(id, move |r| {
        r.image_reference = reference;
        r.image_digest = image.id;
    })
    .await
}

/// An image for other processors would be started, and end without a word that helps.
fn fits(core: &Core, reference: &str, image: &ImageSummary) -> Result<()> {
    let here = core.host().map(|h| h.arch.clone()).unwrap_or_default();
    match &image.arch {
        Some(arch) if !here.is_empty() && *arch != here => Err(Error::conflict(
            "image_wrong_architecture",
            format!(
                "The image {reference} is for {arch}, and this host is {here}. Remove it (podman rmi {reference}) and get one for {here}: `fluxdb images pull` or `fluxdb images build`."
            ),
        )),
        _ => Ok(()),
    }
}

/// Present, else pulled, else built.
///
/// # Errors
/// `image_unavailable`, with what each way said.
pub async fn obtain(op: &Op, facts: &Facts, version: &Version) -> Result<(String, ImageSummary)> {
    let core = &op.core;
    let sources = sources(&core.config.images, facts, version);
    if let Some(found) = present(core, &sources).await? {
        return Ok(found);
    }
    let _one_at_a_time = core.image_lock.lock().await;
    // Somebody else may have got it meanwhile.
    if let Some(found) = present(core, &sources).await? {
        return Ok(found);
    }
    let mut tried = Vec::new();
    if core.config.images.pull {
        match core.runtime.pull_image(&sources.reference, op.progress()).await {
            Ok(image) => return Ok((sources.reference, image)),
            Err(e) if e.code == "podman_unavailable" => return Err(e),
            Err(e) => tried.push(format!("pulling {}: {}", sources.reference, e.public)),
        }
    } else {
        tried.push("pulling is switched off in the configuration".to_owned());
    }
    match sources.local {
        Some(local) if core.config.images.build => {
            match core.runtime.build_image(facts.id, version.id, &local, op.progress()).await {
                Ok(image) => return Ok((local, image)),
                Err(e) if e.code == "podman_unavailable" => return Err(e),
                Err(e) => tried.push(format!("building {local}: {}", e.public)),
            }
        }
        Some(_) => tried.push("building is switched off in the configuration".to_owned()),
        None => tried.push(format!("{} {} has no recipe to build it here", facts.title, version.id)),
    }
    Err(Error::new(
        crate::domain::ErrorKind::Conflict,
        "image_unavailable",
        format!(
            "There is no image for {} {}. {}. Make a registry reachable, load the image by hand, name one under [images.overrides], or choose a version that can be built.",
            facts.title,
            version.id,
            tried.join("; ")
        ),
    ))
}
