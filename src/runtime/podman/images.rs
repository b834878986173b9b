//! Images: found, listed, pulled, removed.

use std::time::Duration;

use futures_util::StreamExt;
use podman_api::opts::PullOpts;
use serde::Deserialize;

use super::PodmanRuntime;
use super::fault::Fault;
use super::raw::escape;
use crate::domain::{Error, Result};
use crate::runtime::{ImageProgress, ImageSummary, ProgressSink, errors};

/// Nothing may be heard for a long time: before 4.8 Podman says nothing while a layer comes in. The operation that asks
/// has its own deadline.
const PULL_SILENCE: Duration = Duration::from_secs(1800);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImageDetail {
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    created: Option<jiff::Timestamp>,
    #[serde(default)]
    architecture: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedImage {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    created: i64,
}

impl PodmanRuntime {
    pub(super) async fn image(&self, reference: &str) -> Result<Option<ImageSummary>> {
        match self.raw.get::<ImageDetail>("image", &format!("/images/{}/json", escape(reference))).await {
            Ok(image) => Ok(Some(ImageSummary {
                id: image.id,
                references: image.repo_tags.unwrap_or_default(),
                size_bytes: image.size,
                created_at: image.created,
                arch: Some(image.architecture).filter(|a| !a.is_empty()),
            })),
            Err(fault) if missing(&fault) => Ok(None),
            Err(fault) => Err(self.error(fault)),
        }
    }

    pub(super) async fn list_images(&self) -> Result<Vec<ImageSummary>> {
        let all: Vec<ListedImage> = self.ok(self.raw.get("images", "/images/json").await)?;
        let summary = |image: ListedImage| ImageSummary {
            id: image.id.trim_start_matches("sha256:").to_owned(),
            references: image.repo_tags.or(image.names).unwrap_or_default(),
            size_bytes: image.size,
            created_at: jiff::Timestamp::from_second(image.created).ok(),
            arch: None,
        };
        // What has no name cannot be asked for.
        Ok(all.into_iter().map(summary).filter(|i| !i.references.is_empty()).collect())
    }

    pub(super) async fn pull(&self, reference: &str, progress: ProgressSink) -> Result<ImageSummary> {
        let images = self.api.images();
        let opts = PullOpts::builder().reference(reference).build();
        let mut reports = images.pull(&opts);
        let mut lines = 0;
        loop {
            let next = tokio::time::timeout(PULL_SILENCE, reports.next()).await;
            let report = match next.map_err(|_| Fault::TimedOut("pull", PULL_SILENCE)) {
                Ok(None) => break,
                Ok(Some(Ok(report))) => report,
                Ok(Some(Err(error))) => match Fault::from(error) {
                    Fault::Refused(_, text) => return Err(pull_error(reference, &text)),
                    fault => return Err(self.error(fault)),
                },
                Err(fault) => return Err(self.error(fault)),
            };
            // A failed pull is a 200 with a line that says so.
            if let Some(text) = report.error {
                return Err(pull_error(reference, &text));
            }
            if let Some(text) = report.stream {
                lines += 1;
                let line = ImageProgress { current: lines, max: 0, text: text.trim().to_owned() };
                let _ = progress.try_send(line); // a full channel drops, as the sink says
            }
        }
        self.image(reference).await?.ok_or_else(|| errors::pull_failed(reference, "it is not there after the pull"))
    }

    pub(super) async fn drop_image(&self, reference: &str) -> Result<()> {
        match self.raw.delete("remove image", &format!("/images/{}", escape(reference))).await {
            Ok(()) => Ok(()),
            Err(fault) if missing(&fault) => Ok(()),
            Err(fault) if fault.says("image is in use") || fault.says("image used by") => {
                Err(errors::image_in_use(reference).context(fault.text()))
            }
            Err(fault) => Err(self.error(fault)),
        }
    }
}

fn missing(fault: &Fault) -> bool {
    fault.says("image not known") || fault.says("no such image")
}

/// The registry away, or the image: the words of Go's network library tell.
fn pull_error(reference: &str, text: &str) -> Error {
    const AWAY: [&str; 10] = [
        "no such host",
        "connection refused",
        "connection reset",
        "network is unreachable",
        "no route to host",
        "i/o timeout",
        "Client.Timeout",
        "TLS handshake",
        "server misbehaving",
        "context deadline exceeded",
    ];
    if AWAY.iter().any(|words| text.contains(words)) {
        errors::registry_unreachable(reference, text)
    } else {
        errors::pull_failed(reference, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_is_away_is_told_from_an_image_that_is_not_there() {
        let away = "initializing source docker://r.invalid/x/y:1: pinging container registry r.invalid: Get \"https://r.invalid/v2/\": dial tcp: lookup r.invalid: no such host";
        assert_eq!(pull_error("x", away).code, "registry_unreachable");
        let unknown = "initializing source docker://r/x:9: reading manifest 9 in r/x: manifest unknown";
        assert_eq!(pull_error("x", unknown).code, "image_pull_failed");
    }
}
