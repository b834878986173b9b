//! Whether this host can run instances, what is missing, and what to do about it.

use crate::api::{Requirements, StorageInfo};
use crate::config::Config;
use crate::domain::host::HostInfo;
use crate::runtime::ContainerRuntime;
use at_rest::AtRest;

mod at_rest;
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

/// Whether what lies in the volumes is encrypted on the disk.
pub async fn storage(host: &HostInfo) -> StorageInfo {
    let (word, detail) = match gather::encrypted(Ok(host)).await {
        AtRest::Yes(how) => ("yes", how),
        AtRest::No(why) => ("no", why),
        AtRest::Unknown(why) | AtRest::Zfs(why) => ("unknown", why),
    };
    StorageInfo { volumes: host.volume_path.clone(), encrypted_at_rest: word.into(), detail }
}
