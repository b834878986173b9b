//! Where Podman is reached.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::PodmanConfig;
use crate::domain::{Error, ErrorKind, Result};

/// A place where the Podman service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

/// What the configuration and the environment say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// An operator named it: there and nowhere else.
    Named(Address),
    /// The usual place of this user, or a service of our own when nothing answers there.
    Usual(Address),
}

/// Chooses where to look: the configuration, then `CONTAINER_HOST`, then the usual socket of this user.
///
/// # Errors
/// `Invalid` for a URL that cannot be used, with what to do instead.
pub(super) fn wanted(config: &PodmanConfig, env: impl Fn(&str) -> Option<String>, uid: u32) -> Result<Wanted> {
    if let Some(url) = &config.url {
        return parse(url, "[podman] url").map(Wanted::Named);
    }
    if let Some(url) = env("CONTAINER_HOST").filter(|v| !v.is_empty()) {
        return parse(&url, "CONTAINER_HOST").map(Wanted::Named);
    }
    let directory = match env("XDG_RUNTIME_DIR").filter(|v| !v.is_empty()) {
        _ if uid == 0 => PathBuf::from("/run"),
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(format!("/run/user/{uid}")),
    };
    Ok(Wanted::Usual(Address::Unix(directory.join("podman/podman.sock"))))
}

fn parse(url: &str, source: &str) -> Result<Address> {
    let bad = |detail: String| Error::new(ErrorKind::Invalid, "podman_url", format!("{source}: {detail}"));
    match url.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Address::Unix(PathBuf::from(path))),
        Some(("unix", _)) => Err(bad(format!("{url} must name an absolute path, unix:///path"))),
        Some(("tcp" | "http", host)) if host.contains(':') => Ok(Address::Tcp(host.trim_end_matches('/').to_owned())),
        Some(("tcp" | "http", _)) => Err(bad(format!("{url} must name a port, tcp://host:port"))),
        Some(("ssh", _)) => Err(bad(
            "ssh:// is not spoken here. Forward the socket, `ssh -nNT -L /path/podman.sock:/run/user/UID/podman/podman.sock HOST`, and use unix:///path/podman.sock".into(),
        )),
        Some(_) | None => Err(bad(format!("{url} is neither unix:///path nor tcp://host:port"))),
    }
}

/// The socket of the service that we run ourselves.
///
/// # Errors
/// `Invalid` when the path is longer than the system allows for a socket.
pub(super) fn own_socket(data_dir: &Path) -> Result<PathBuf> {
    let dir = std::path::absolute(data_dir).map_err(Error::internal)?;
    let socket = dir.join("podman.sock");
    if socket.as_os_str().len() > 107 {
        return Err(Error::new(
            ErrorKind::Invalid,
            "podman_socket_path",
            format!(
                "{} is too long for a socket (107 bytes). Set [data] dir to a shorter path, or [podman] url.",
                socket.display()
            ),
        ));
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(url: Option<&str>, env: &[(&str, &str)], uid: u32) -> Result<Wanted> {
        let config = PodmanConfig { url: url.map(Into::into), ..PodmanConfig::default() };
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        wanted(&config, |key| env.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()), uid)
    }

    #[test]
    fn the_configuration_wins_then_the_environment_then_the_usual_place() {
        let env = [("CONTAINER_HOST", "tcp://10.0.0.1:8080"), ("XDG_RUNTIME_DIR", "/run/user/7")];
        let named = |a: &str| Wanted::Named(Address::Unix(a.into()));
        assert_eq!(look(Some("unix:///a.sock"), &env, 7).expect("url"), named("/a.sock"));
        assert_eq!(look(None, &env, 7).expect("env"), Wanted::Named(Address::Tcp("10.0.0.1:8080".into())));
        let usual = |a: &str| Wanted::Usual(Address::Unix(a.into()));
        assert_eq!(look(None, &env[1..], 7).expect("usual"), usual("/run/user/7/podman/podman.sock"));
        assert_eq!(look(None, &[], 7).expect("usual"), usual("/run/user/7/podman/podman.sock"));
        assert_eq!(look(None, &env[1..], 0).expect("root"), usual("/run/podman/podman.sock"));
    }

    #[test]
    fn what_cannot_be_used_says_what_to_do() {
        assert!(look(Some("ssh://me@host/run/podman.sock"), &[], 7).expect_err("ssh").public.contains("Forward"));
        for url in ["unix://relative", "tcp://host", "podman.sock", "ftp://x:1"] {
            assert_eq!(look(Some(url), &[], 7).expect_err(url).code, "podman_url");
        }
    }
}
