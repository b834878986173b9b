//! The engine's own shell, inside the instance's container.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use fluxdb_adapters::Shell;
use serde_json::Value;

use super::args::ConnectArgs;
use super::client::Client;
use super::exit::{CliError, Exit, Result};
use super::session::Session;
use crate::api::{ConnectionString, PodmanStatus, State};
use crate::domain::container::Names;

/// `fluxdb connect`: becomes `podman exec`. The password is in the environment of that process alone: podman is told
/// the variable's name, so no argument list shows it.
///
/// # Errors
/// As the API says; Podman cannot be run.
pub fn connect(session: &Session, args: &ConnectArgs) -> Result {
    let client = session.client()?;
    let (instance, _) = session.find(&client, &args.name)?;
    if instance.state != State::Running {
        return Err(CliError::new(Exit::Conflict, format!("{} is {}.", instance.name, instance.state.as_str()))
            .note(format!("Start it: fluxdb start {}", instance.name)));
    }
    let engine = fluxdb_adapters::find(&instance.engine).ok_or_else(|| {
        CliError::failed(format!("This fluxdb does not know the engine {}; the daemon is newer.", instance.engine))
    })?;
    let container = Names::new(&installation(&client)?, instance.id).container();
    let path = format!("/databases/{}/connection-string", instance.id);
    let secret: ConnectionString = client.read(&path, &[("format", "uri"), ("reveal", "true")])?;
    let password = secret.password.ok_or_else(|| {
        CliError::new(Exit::NotPermitted, "The daemon did not give the password; this needs databases:write.")
    })?;
    let shell = engine.shell(&secret.username, instance.database.as_deref());
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let argv = podman_argv(podman_url(session, &client).as_deref(), terminal, &container, &shell, &args.args);
    let error = Command::new("podman").args(argv).env(shell.password_env, password).exec();
    // Only reached when podman could not be started.
    Err(CliError::failed(format!("podman could not be started: {error}.")).note(
        "`fluxdb connect` runs podman on this machine; from elsewhere use a client with `fluxdb url NAME --reveal`.",
    ))
}

fn installation(client: &Client) -> Result<String> {
    let status: Value = client.read("/status", &[])?;
    status.get("installation").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        CliError::failed("The daemon does not say its installation id, so the container's name is not known.")
    })
}

/// Which Podman: the one that the environment names, else the daemon's own socket when this process can see it (the
/// daemon may run as another user), else whatever `podman` finds.
fn podman_url(session: &Session, client: &Client) -> Option<String> {
    let named = ["FLUXDB_PODMAN_URL", "CONTAINER_HOST"].iter().find_map(|name| session.env.get(*name));
    if let Some(url) = named.filter(|url| !url.is_empty()) {
        return Some(url.clone());
    }
    let socket = client.read::<PodmanStatus>("/podman/status", &[]).ok()?.socket;
    let url = if socket.starts_with('/') { format!("unix://{socket}") } else { socket };
    match url.strip_prefix("unix://") {
        Some(path) => Path::new(path).exists().then_some(url),
        None => url.contains("://").then_some(url),
    }
}

fn podman_argv(url: Option<&str>, terminal: bool, container: &str, shell: &Shell, extra: &[String]) -> Vec<String> {
    let mut argv = Vec::new();
    if let Some(url) = url {
        argv.extend(["--url".to_owned(), url.to_owned()]);
    }
    argv.extend(["exec", if terminal { "-it" } else { "-i" }, "-e", shell.password_env, container].map(str::to_owned));
    argv.extend(shell.argv.iter().cloned());
    argv.extend(extra.iter().cloned());
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_named_and_never_an_argument() {
        let shell = Shell { argv: vec!["psql".into(), "-U".into(), "app".into()], password_env: "PGPASSWORD" };
        let argv =
            podman_argv(Some("unix:///run/p.sock"), false, "fluxdb-x", &shell, &["-c".into(), "SELECT 1".into()]);
        let words = "--url unix:///run/p.sock exec -i -e PGPASSWORD fluxdb-x psql -U app -c SELECT 1";
        assert_eq!(argv.join(" "), words);
        assert_eq!(podman_argv(None, true, "c", &shell, &[])[..4].join(" "), "exec -it -e PGPASSWORD");
    }
}
