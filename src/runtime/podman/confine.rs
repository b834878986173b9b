//! Settling what a container may reach: from the host, in the container's network namespace. The container itself has no
//! capability to change it.

use std::fs::File;
use std::io::ErrorKind as IoError;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

use super::{PodmanRuntime, rules};
use crate::domain::detail::ContainerDetail;
use crate::domain::egress::Egress;
use crate::domain::{Error, Result};
use crate::runtime::Confined;

/// Where nothing is (RFC 863, RFC 5737): the datagram that tells an open namespace from a closed one goes here.
const DISCARD: u16 = 9;
const NOBODY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// What is to be done in a namespace.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Order {
    /// Files that stand for it; the first that can be entered counts.
    namespaces: Vec<PathBuf>,
    egress: Egress,
    /// Nothing runs in it yet and nothing was settled.
    fresh: bool,
}

impl Order {
    pub(super) fn new(detail: &ContainerDetail, egress: Egress, fresh: bool) -> Self {
        let mut namespaces = Vec::new();
        if !detail.network_namespace.is_empty() {
            // A file with a random name: it cannot be mistaken for that of another container, as a process id could.
            namespaces.push(PathBuf::from(&detail.network_namespace));
        }
        if detail.summary.pid > 0 {
            namespaces.push(format!("/proc/{}/ns/net", detail.summary.pid).into());
        }
        Self { namespaces, egress, fresh }
    }
}

/// Carries an order out, in a thread of its own: it does not come back from the namespace.
///
/// # Errors
/// Why it is not so; a sentence for users.
pub(super) fn settle(order: &Order) -> std::result::Result<(), String> {
    let order = order.clone();
    let thread = std::thread::Builder::new().name("confine".into()).spawn(move || {
        enter(&order.namespaces)?;
        in_namespace(order.egress, order.fresh)
    });
    let thread = thread.map_err(|e| format!("no thread: {e}"))?;
    thread.join().unwrap_or_else(|_| Err("the thread that settles it ended".into()))
}

fn in_namespace(egress: Egress, fresh: bool) -> std::result::Result<(), String> {
    match (egress, fresh) {
        (Egress::Open, true) => Ok(()),
        (Egress::Closed, true) => {
            rules::close()?;
            prove_closed()
        }
        (Egress::Closed, false) => {
            if !rules::are_closed()? {
                rules::close()?;
                if !rules::are_closed()? {
                    return Err("the rules that were set are not there when they are read back".into());
                }
            }
            prove_closed()
        }
        (Egress::Open, false) => match rules::are_closed() {
            Ok(true) => {
                rules::open()?;
                let still = rules::are_closed()?;
                if still { Err("the rules are still there after they were removed".into()) } else { Ok(()) }
            }
            Ok(false) => Ok(()),
            // Where no tool is, none has closed it.
            Err(_) => Ok(()),
        },
    }
}

/// Moves this thread into the first of these namespaces that is one, and not the host's own.
fn enter(namespaces: &[PathBuf]) -> std::result::Result<(), String> {
    let id = |meta: &std::fs::Metadata| (meta.dev(), meta.ino());
    let own = std::fs::metadata("/proc/self/ns/net").map_err(|e| format!("/proc/self/ns/net: {e}"))?;
    // An ordinary user may not read it.
    let first = std::fs::metadata("/proc/1/ns/net").ok();
    let forbidden = [Some(id(&own)), first.as_ref().map(id)];
    let mut failures = Vec::new();
    for path in namespaces {
        let entered = File::open(path).map_err(|e| e.to_string()).and_then(|file| {
            let there = file.metadata().map_err(|e| e.to_string())?;
            if forbidden.contains(&Some(id(&there))) {
                return Err("it is the host's own".into());
            }
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|e| e.to_string())
        });
        match entered {
            Ok(()) => return Ok(()),
            Err(why) => failures.push(format!("{}: {why}", path.display())),
        }
    }
    if failures.is_empty() {
        failures.push("Podman does not name it".into());
    }
    Err(format!("its network namespace cannot be entered ({})", failures.join("; ")))
}

/// Tries it: the kernel itself refuses a datagram to each network that there is a route to.
fn prove_closed() -> std::result::Result<(), String> {
    let v4 = rules::proc_net("route")
        .lines()
        .skip(1)
        .filter_map(beyond)
        .map(|a| SocketAddr::from((a, DISCARD)))
        .collect::<Vec<_>>();
    let v6 = rules::proc_net("if_inet6").lines().filter_map(neighbour).map(SocketAddr::from).collect::<Vec<_>>();
    for to in v4.into_iter().chain(v6) {
        let any =
            if to.is_ipv4() { SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)) } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let sent = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(to)?;
            // pasta gives a container the host's own addresses: what is sent to them stays inside.
            if socket.local_addr()?.ip() == to.ip() { Err(IoError::AddrInUse.into()) } else { socket.send(&[0]) }
        });
        // Refused (EPERM), or no way there at all, which is as good.
        if sent.is_ok() {
            return Err(format!("the rules are set, and a datagram to {to} was let out all the same"));
        }
    }
    Ok(())
}

/// An address behind a line of the routing table; `None` for loopback.
fn beyond(line: &str) -> Option<Ipv4Addr> {
    let mut fields = line.split_whitespace();
    let (interface, destination) = (fields.next()?, fields.next()?);
    // The four bytes as one number of this machine.
    let destination = Ipv4Addr::from(u32::from_str_radix(destination, 16).ok()?.to_ne_bytes());
    let next = Ipv4Addr::from(u32::from(destination).wrapping_add(1));
    let address = if destination.is_unspecified() { NOBODY } else { next };
    (interface != "lo").then_some(address)
}

/// A neighbour on the link of an interface with an IPv6 address; `None` for loopback.
fn neighbour(line: &str) -> Option<SocketAddrV6> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let scope = u32::from_str_radix(fields.get(1)?, 16).ok()?;
    let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    (*fields.get(5)? != "lo").then_some(SocketAddrV6::new(address, DISCARD, 0, scope))
}

impl PodmanRuntime {
    /// Settles it. A host that cannot do it is no error but an answer.
    pub(super) async fn settle(&self, detail: &ContainerDetail, egress: Egress, fresh: bool) -> Result<Confined> {
        let place = self.place().await?;
        if !place.local {
            return Ok(not_enforced(
                egress,
                "Podman runs on another machine, whose network namespaces cannot be reached from here. \
                 Run fluxdb on that machine, or keep its outgoing traffic closed with a firewall there.",
            ));
        }
        let order = Order::new(detail, egress, fresh);
        let root = rustix::process::geteuid().is_root();
        let settled = if root {
            tokio::task::spawn_blocking(move || settle(&order)).await.map_err(Error::internal)?
        } else if place.rootless {
            self.network_helper.settle(order).await
        } else {
            Err("Podman runs as root and fluxdb does not; run both as the same user".into())
        };
        Ok(match settled {
            Ok(()) => Confined::AsAsked,
            Err(why) => not_enforced(egress, &why),
        })
    }
}

fn not_enforced(egress: Egress, why: &str) -> Confined {
    match egress {
        Egress::Closed => {
            Confined::NotEnforced(format!("Outgoing traffic is not closed: {}.", why.trim_end_matches('.')))
        }
        Egress::Open => {
            Confined::NotEnforced(format!("Outgoing traffic may still be closed: {}.", why.trim_end_matches('.')))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_try_come_from_the_tables_of_the_kernel() {
        assert_eq!(beyond("eth0\t00000000\t0100580A\t0003\t0\t0\t0\t00000000\t0\t0\t0"), Some(NOBODY));
        assert_eq!(
            beyond("eth0\t0000580A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0"),
            Some(Ipv4Addr::new(10, 88, 0, 1))
        );
        assert_eq!(beyond("lo\t0000007F\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0"), None);
        let line = "fe800000000000009496bcfffe9c49f5 02 40 20 80     eth0";
        assert_eq!(neighbour(line).map(|n| (n.scope_id(), n.port())), Some((2, 9)));
        assert_eq!(neighbour("00000000000000000000000000000001 01 80 10 80       lo"), None);
    }

    #[test]
    fn the_hosts_own_namespace_is_never_entered() {
        let own = Order { namespaces: vec!["/proc/self/ns/net".into()], egress: Egress::Closed, fresh: true };
        assert!(settle(&own).is_err_and(|why| why.contains("the host's own")));
        let none = Order { namespaces: vec![], egress: Egress::Closed, fresh: true };
        assert!(settle(&none).is_err_and(|why| why.contains("Podman does not name it")));
    }
}
