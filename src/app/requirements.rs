//! Whether this host can run instances, what is missing, and what to do about it.

use crate::api::Requirements;
use crate::config::Config;
use crate::runtime::ContainerRuntime;

mod gather;
mod judge;
mod parse;

/// Packages that rootless Podman and local image builds need on Debian and its relatives.
pub const PACKAGES: [&str; 8] =
    ["podman", "uidmap", "slirp4netns", "netavark", "aardvark-dns", "iptables", "fuse-overlayfs", "mmdebstrap"];

/// Looks at the host: through the runtime where there is one, else through Podman's own command. Takes some hundred
/// milliseconds (Podman forks tools to answer), at most half a minute where nothing answers.
pub async fn check(runtime: Option<&dyn ContainerRuntime>, config: &Config) -> Requirements {
    let facts = gather::facts(runtime, config).await;
    let items = judge::all(&facts, config);
    Requirements { ok: items.iter().all(|item| item.ok || !item.required), items }
}
