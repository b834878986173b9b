//! The ports of this host at which instances are reached.

use std::collections::BTreeSet;
use std::net::TcpListener;

use crate::config::EndpointConfig;
use crate::domain::error::FieldError;
use crate::domain::instance::InstanceRecord;
use crate::domain::{Error, ErrorKind, Result};

/// Ports below 1024 take rights that an ordinary user has not.
pub(super) fn check(port: u16) -> Result<(), String> {
    if port >= 1024 { Ok(()) } else { Err("must be 1024 to 65535".into()) }
}

/// The port where clients connect, and one for each thing more that the server listens on.
pub(super) fn choose(
    record: &mut InstanceRecord,
    chosen: Option<u16>,
    endpoints: &EndpointConfig,
    mut taken: BTreeSet<u16>,
) -> Result<()> {
    let free = |taken: &BTreeSet<u16>| free_port(endpoints.bind, endpoints.port_first, endpoints.port_last, taken);
    record.port = match chosen {
        Some(port) if taken.contains(&port) => {
            let text = format!(
                "The port {port} on {} belongs to another instance; choose another or leave it out.",
                record.host_ip
            );
            let mut error = Error::conflict("port_taken", text);
            error.fields.push(FieldError { pointer: "/port".into(), detail: "is taken".into() });
            return Err(error);
        }
        Some(port) => port,
        None => free(&taken)?,
    };
    taken.insert(record.port);
    record.more_ports.clear();
    for _ in 1..record.engine()?.facts().ports.len() {
        let port = free(&taken)?;
        taken.insert(port);
        record.more_ports.push(port);
    }
    Ok(())
}

/// A port of the range that no instance has and nothing listens on. Starts anywhere, so that the port of a deleted
/// instance is not handed to the next one at once.
fn free_port(bind: std::net::IpAddr, first: u16, last: u16, taken: &BTreeSet<u16>) -> Result<u16> {
    let count = u32::from(last) - u32::from(first) + 1;
    let start = rand::random::<u32>() % count;
    (0..count)
        .map(|i| first + u16::try_from((start + i) % count).unwrap_or_default())
        .find(|port| !taken.contains(port) && TcpListener::bind((bind, *port)).is_ok())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Capacity,
                "no_free_port",
                format!(
                    "No port from {first} to {last} is free on {bind}; widen [endpoints] port_first and port_last."
                ),
            )
        })
}
