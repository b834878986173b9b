//! Images: which are here, which could be, and getting them ahead of time.

use std::sync::Arc;

use serde_json::json;

use super::accept::Asked;
use super::caller::Caller;
use super::{App, Permission};
use crate::api::{Accepted, ImageRequest, ImageView};
use crate::domain::operation::OperationKind;
use crate::domain::{Error, ErrorKind, Result};
use crate::ops::host_work::{ImageParams, no_recipe};
use crate::ops::image;
use crate::store::templates;

impl App {
    /// Every image that an engine version could run.
    ///
    /// # Errors
    /// `Unavailable` while the runtime is away.
    pub async fn list_images(&self, caller: &Caller) -> Result<Vec<ImageView>> {
        caller.require(Permission::Read)?;
        let here = self.core.runtime.images().await?;
        let kept = self.core.store.read(templates::all).await?;
        let mut views = Vec::new();
        for facts in fluxdb_adapters::all().iter().map(|e| e.facts()) {
            for version in facts.versions {
                let sources = image::sources(&self.core.config.images, facts, version);
                let find = |name: &String| here.iter().find(|i| i.references.contains(name)).map(|i| (name.clone(), i));
                let found = find(&sources.reference).or_else(|| sources.local.as_ref().and_then(find));
                let template = kept.iter().any(|t| {
                    t.ready
                        && t.engine == facts.id
                        && found.as_ref().is_some_and(|(_, i)| i.id == t.image_digest)
                        && t.version == version.id
                });
                views.push(ImageView {
                    engine: facts.id.to_owned(),
                    version: version.id.to_owned(),
                    present: found.is_some(),
                    digest: found.as_ref().map(|(_, i)| i.id.clone()).unwrap_or_default(),
                    size_bytes: found.as_ref().map_or(0, |(_, i)| i.size_bytes),
                    reference: found.map_or(sources.reference, |(name, _)| name),
                    buildable: sources.local.is_some(),
                    template,
                });
            }
        }
        Ok(views)
    }

    /// Pulls an image.
    ///
    /// # Errors
    /// `Invalid`, `Unavailable`.
    pub async fn pull_image(self: &Arc<Self>, caller: &Caller, body: ImageRequest) -> Result<Accepted> {
        self.get_image(caller, OperationKind::ImagePull, body).await
    }

    /// Builds an image out of distribution packages.
    ///
    /// # Errors
    /// `Invalid`, `Unsupported` without a recipe, `Unavailable`.
    pub async fn build_image(self: &Arc<Self>, caller: &Caller, body: ImageRequest) -> Result<Accepted> {
        self.get_image(caller, OperationKind::ImageBuild, body).await
    }

    async fn get_image(self: &Arc<Self>, caller: &Caller, kind: OperationKind, body: ImageRequest) -> Result<Accepted> {
        self.require_writable(caller).await?;
        let engine = fluxdb_adapters::find(&body.engine)
            .ok_or_else(|| Error::invalid("/engine", "is not an engine that fluxdb knows"))?;
        let facts = engine.facts();
        let id = body.version.as_deref().unwrap_or(facts.default_version);
        let version = facts
            .version(id)
            .ok_or_else(|| Error::invalid("/version", format!("is not a version of {}", facts.title)))?;
        let sources = image::sources(&self.core.config.images, facts, version);
        if kind == OperationKind::ImageBuild && sources.local.is_none() {
            return Err(no_recipe(&format!("{} {}", facts.title, version.id)));
        }
        let config = &self.core.config.images;
        let allowed = if kind == OperationKind::ImageBuild { config.build } else { config.pull };
        if !allowed {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "switched_off",
                "This way of getting images is switched off in the configuration, section [images].",
            ));
        }
        let params = ImageParams { engine: facts.id.to_owned(), version: version.id.to_owned() };
        let asked = Asked { kind, instance: None, project: String::new(), params: json!(params), audit: json!(params) };
        let (operation, _) = self.accept(caller, asked, |_| Ok(None)).await?;
        Ok(self.accepted(operation, None).await)
    }
}
