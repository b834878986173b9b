//! What is done in this process and not by a daemon: serve, enable, disable, a new administrator token.

use std::process::{Command, Stdio};

use super::args::EnableArgs;
use super::exit::{CliError, Exit, Result};
use super::session::Session;
use crate::app::{activation, requirements};

/// Runs a future to its end.
///
/// # Errors
/// The system gives no threads.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

/// `fluxdb enable`: the enable hook of the Flux loader. Running it again changes nothing.
///
/// # Errors
/// Something required is missing, or the state cannot be prepared.
pub fn enable(session: &Session, args: &EnableArgs) -> Result {
    let config = session.config(&[])?.config;
    let mut found = block_on(requirements::check(None, &config))?;
    let podman_missing = found.items.iter().any(|item| item.name == "podman" && !item.ok);
    if podman_missing && args.install_podman {
        install_podman(session)?;
        found = block_on(requirements::check(None, &config))?;
    }
    for item in found.items.iter().filter(|item| !item.ok) {
        let word = if item.required { "missing" } else { "advice" };
        session.out.remark(format!("{word}: {}: {}\n  {}", item.name, item.detail, item.fix));
    }
    if !found.ok {
        return Err(CliError::failed("The module was not enabled: something required is missing (see above).")
            .note("More: fluxdb doctor --local"));
    }
    let was = block_on(activation::set_enabled(&config.data, true))??;
    let already = if was { " already" } else { "" };
    session.out.line(format!("The module is{already} enabled; its state is in {}.", config.data.dir.display()))?;
    session.out.remark("A daemon that runs already takes notice when it is started again.");
    Ok(())
}

/// `fluxdb disable`: the disable hook of the Flux loader. Containers go on, data stays.
///
/// # Errors
/// The state cannot be written.
pub fn disable(session: &Session) -> Result {
    let config = session.config(&[])?.config;
    block_on(activation::set_enabled(&config.data, false))??;
    session.out.line("The module is disabled: a daemon answers /status and reads, and refuses changes. Instances and data stay as they are.")?;
    session.out.remark("A daemon that runs takes notice when it is started again.");
    Ok(())
}

/// `fluxdb token reset-admin`: on the state itself, for whoever may write it.
///
/// # Errors
/// There is no state, or it cannot be written.
pub fn reset_admin(session: &Session) -> Result {
    let data = session.config(&[])?.config.data;
    if !data.state_file().exists() {
        return Err(CliError::new(Exit::NotFound, format!("There is no state in {}.", data.dir.display()))
            .note("Say where it is with --data-dir, or start a daemon: its first start makes a token."));
    }
    block_on(activation::reset_admin_token(&data))??;
    session.out.line(format!("There is a new administrator token in {}.", data.admin_token_file().display()))
}

/// Runs apt-get as root or through `sudo -n`, with its output on standard error.
fn install_podman(session: &Session) -> Result {
    if !std::path::Path::new("/usr/bin/apt-get").exists() {
        return Err(CliError::failed("Only Debian and its relatives are supported here.")
            .note("Install Podman with this distribution's package manager, then run `fluxdb enable` again."));
    }
    let root = rustix::process::geteuid().is_root();
    let install: Vec<&str> =
        ["install", "--yes", "--no-install-recommends"].into_iter().chain(requirements::PACKAGES).collect();
    for arguments in [&["update"][..], &install] {
        let mut words = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
        words.extend(arguments);
        if !root {
            words.splice(0..0, ["sudo", "-n"]); // -n: refuse rather than wait for a password
        }
        session.out.remark(format!("+ {}", words.join(" ")));
        // No deadline: who runs this sees what apt-get does, and ending it half-way leaves packages half installed.
        let status = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).stdout(std::io::stderr()).status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => {
                return Err(CliError::failed(format!(
                    "The package manager failed ({status}); its messages are above."
                )));
            }
            Err(e) => {
                return Err(CliError::new(
                    Exit::NotPermitted,
                    format!("The package manager could not be started: {e}."),
                )
                .note("Run this as root, or allow sudo without a password for apt-get."));
            }
        }
    }
    Ok(())
}
