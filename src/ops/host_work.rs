//! Operations that are not about an instance: getting an image, installing Podman.

use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::drive::Op;
use super::image;
use crate::domain::operation::OperationKind;
use crate::domain::{Error, ErrorKind, Result};
use crate::runtime::ImageProgress;
use crate::vault::MASTER_KEY_VARIABLE;

/// Which image; the operation's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageParams {
    /// Engine id.
    pub engine: String,
    /// Version id.
    pub version: String,
}

/// Pulls or builds an image.
///
/// # Errors
/// `image_pull_failed`, `image_build_failed`, ...
pub async fn image(op: &Op) -> Result<()> {
    let params: ImageParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    let engine = fluxdb_adapters::find(&params.engine).ok_or_else(|| Error::not_found("engine"))?;
    let facts = engine.facts();
    let version = facts.version(&params.version).ok_or_else(|| Error::not_found("version"))?;
    let sources = image::sources(&op.core.config.images, facts, version);
    let build = op.record.kind == OperationKind::ImageBuild;
    let sources = &sources;
    op.step(if build { "build" } else { "pull" }, || async move {
        let _one_at_a_time = op.core.image_lock.lock().await;
        let image = if build {
            let local = sources.local.as_deref().ok_or_else(|| no_recipe(&params_text(facts.title, version.id)))?;
            op.core.runtime.build_image(facts.id, version.id, local, op.progress()).await?
        } else {
            op.core.runtime.pull_image(&sources.reference, op.progress()).await?
        };
        Ok(format!("{} ({} MiB)", image.references.first().cloned().unwrap_or_default(), image.size_bytes >> 20))
    })
    .await
}

fn params_text(title: &str, version: &str) -> String {
    format!("{title} {version}")
}

/// The error for a version without a recipe.
pub fn no_recipe(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "image_build_unsupported",
        format!("{what} cannot be built here: there is no recipe for it. `fluxdb images list` shows what can."),
    )
}

/// Packages that Podman needs on Debian and its relatives to run as an ordinary user.
const PACKAGES: [&str; 8] =
    ["podman", "uidmap", "slirp4netns", "netavark", "aardvark-dns", "iptables", "fuse-overlayfs", "mmdebstrap"];

/// Installs Podman through apt. Refused at the request where it may not.
///
/// # Errors
/// `install_failed` with the package manager's last lines.
pub async fn podman_install(op: &Op) -> Result<()> {
    op.step("update", || apt(op, &["update"])).await?;
    op.step("install", || {
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(PACKAGES);
        async move { apt(op, &arguments).await }
    })
    .await?;
    op.core.wake.notify_one();
    Ok(())
}

async fn apt(op: &Op, arguments: &[&str]) -> Result<String> {
    let root = rustix::process::geteuid().is_root();
    let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "apt-get"]); // -n: refuse rather than ask for a password nobody can type
    }
    let failed = |text: String| Error::new(ErrorKind::Conflict, "install_failed", text);
    let mut child = command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Secrets of the daemon are not for what it starts, which may start what stays.
        .env_remove(MASTER_KEY_VARIABLE)
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("FLUXDB_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(format!("The package manager could not be started: {e}. Install Podman by hand.")))?;
    let progress = op.progress();
    let mut last = Vec::new();
    let out = child.stdout.take().ok_or_else(|| Error::internal("no pipe"))?;
    let err = child.stderr.take().ok_or_else(|| Error::internal("no pipe"))?;
    let errors = tokio::spawn(async move {
        let mut lines = BufReader::new(err).lines();
        let mut kept = Vec::new();
        while let Ok(Some(line)) = lines.next_line().await {
            kept.push(line);
            if kept.len() > 10 {
                kept.remove(0);
            }
        }
        kept
    });
    let mut lines = BufReader::new(out).lines();
    let mut count = 0;
    while let Ok(Some(line)) = lines.next_line().await {
        count += 1;
        // A slow reader must not slow the installation down.
        let _ = progress.try_send(ImageProgress { current: count, max: 0, text: line.clone() });
        last.push(line);
        if last.len() > 10 {
            last.remove(0);
        }
    }
    let status = tokio::time::timeout(Duration::from_secs(900), child.wait())
        .await
        .map_err(|_| failed("The package manager does not end. Look for another one that holds its lock.".into()))?
        .map_err(Error::internal)?;
    last.extend(errors.await.map_err(Error::internal)?);
    if status.success() {
        return Ok(last.last().cloned().unwrap_or_default());
    }
    Err(failed(format!("The package manager failed ({status}). Its last lines:\n{}", last.join("\n"))))
}
