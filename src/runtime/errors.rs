//! The errors of a runtime, spelt once, so that Podman and the fake say the same.

use crate::domain::{Error, ErrorKind};

/// The runtime does not answer; trying again helps.
pub(crate) fn unavailable(why: impl Into<String>) -> Error {
    Error::unavailable(
        "podman_unavailable",
        "Podman does not answer. It is tried again by itself; `fluxdb doctor` says what is missing.",
    )
    .context(why)
}

/// A call took longer than it may.
pub(crate) fn timed_out(call: &str, after: std::time::Duration) -> Error {
    unavailable(format!("{call} was not answered within {} s", after.as_secs()))
}

/// Another container has this name.
pub(crate) fn container_exists(name: &str) -> Error {
    Error::conflict("container_exists", format!("There is already another container with the name {name}."))
}

/// No container of that name.
pub(crate) fn container_missing(name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "container_missing",
        format!("The container {name} is gone; it is made again at the next start."),
    )
}

/// The container is there but nothing runs in it.
pub(crate) fn container_not_running(name: &str) -> Error {
    Error::unavailable("container_not_running", "The server does not run at the moment; it is tried again by itself.")
        .context(format!("{name} does not run"))
}

/// A program inside the container took longer than it may.
pub(crate) fn exec_timeout(after: std::time::Duration) -> Error {
    let public = format!("A program inside the container did not end within {} s.", after.as_secs());
    Error::new(ErrorKind::Timeout, "exec_timeout", public)
}

/// A program inside the container said more than we take in.
pub(crate) fn exec_output_too_large(most_mib: usize) -> Error {
    let public = format!("A program inside the container wrote more than {most_mib} MiB.");
    Error::new(ErrorKind::Internal, "exec_output_too_large", public)
}

/// The image is not in the store.
pub(crate) fn image_missing(reference: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "image_missing",
        format!(
            "The image {reference} is not on this host; get it with `fluxdb images pull` or `fluxdb images build`."
        ),
    )
}

/// The data volume is not there.
pub(crate) fn volume_missing(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, "volume_missing", format!("The data volume {name} is gone."))
}

/// A file that the container needs was not put.
pub(crate) fn secret_missing(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, "secret_missing", "A file of the container is missing; it is put again.")
        .context(format!("no secret {name}"))
}

/// Something else listens on the port.
pub(crate) fn port_taken(ports: &str) -> Error {
    Error::conflict("port_taken", format!("Port {ports} is in use by another program on this host."))
}

/// The container did not start.
pub(crate) fn start_failed(name: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "container_start_failed",
        format!("The container could not be started. Podman: {}", first_line(why)),
    )
    .context(format!("{name}: {why}"))
}

/// Podman's own words, short enough for a sentence of ours.
fn first_line(why: &str) -> String {
    why.lines().next().unwrap_or_default().chars().take(300).collect()
}

/// A container still uses the volume.
pub(crate) fn volume_in_use(name: &str) -> Error {
    Error::conflict("volume_in_use", format!("The volume {name} is still used by a container; remove that first."))
}

/// A container still uses the image.
pub(crate) fn image_in_use(reference: &str) -> Error {
    Error::conflict("image_in_use", format!("The image {reference} is still used by an instance."))
}

/// The registry has no such image, or refuses it.
pub(crate) fn pull_failed(reference: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "image_pull_failed",
        format!("The image {reference} could not be pulled; check its name and, for a private registry, the login."),
    )
    .context(why)
}

/// The registry does not answer.
pub(crate) fn registry_unreachable(reference: &str, why: &str) -> Error {
    Error::unavailable(
        "registry_unreachable",
        format!(
            "The registry of {reference} cannot be reached. Check the network, set [images] registry, or build the image here with `fluxdb images build`."
        ),
    )
    .context(why)
}

/// The build went wrong; the last lines go with it.
pub(crate) fn build_failed(reference: &str, last_lines: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        "image_build_failed",
        format!(
            "The image {reference} could not be built; the operation's log and the daemon's log have the last lines."
        ),
    )
    .context(last_lines)
}

/// There is no way to build this here.
pub(crate) fn build_unsupported(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, "image_build_unsupported", why)
}
