//! Outgoing traffic, tried from inside the container: closed it reaches nothing, opened it reaches what this rig listens on
//! (so the check can fail), and closed again nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fluxdb_adapters::{Exec, Secret};

use super::rig::{CALL_LIMIT, caller};
use super::{Rig, Verdict, failed, not_offered};
use crate::api::PatchInstance;
use crate::domain::conformance::Outcome;
use crate::domain::egress::Egress;
use crate::domain::{Error, Result};

/// Tries every target at once and prints what let it through. Two seconds are long on one's own machine; a connection or
/// datagram that is refused ends immediately. The default gateway, the name servers and the host's name (with pasta the only
/// way to the host) are the container's own.
const SCRIPT: &str = r#"
try() { timeout 2 bash -c "exec 3<>/dev/$1/$2/$3 && echo -n x >&3" 2>/dev/null && echo "$1 $2 $3"; }
gateway=
while read -r _ to via _; do
  [ "$to" = 00000000 ] && gateway=$((16#${via:6:2})).$((16#${via:4:2})).$((16#${via:2:2})).$((16#${via:0:2}))
done < /proc/net/route
while read -r address names; do
  [[ " $names " = *" host.containers.internal "* ]] && TARGETS+=" $address,$TCP,$UDP"
done < /etc/hosts
for target in $TARGETS ${gateway:+$gateway,$TCP,$UDP}; do
  IFS=, read -r host tcp udp <<< "$target"
  try tcp "$host" "$tcp" & try udp "$host" "$udp" &
done
while read -r word server _; do
  [ "$word" = nameserver ] && { try udp "$server" 53 & try tcp "$server" 53 & }
done < /etc/resolv.conf
wait
echo done
"#;

pub(super) async fn egress(rig: &mut Rig) -> Verdict {
    let network = rig.shown()?.network;
    if network.egress != Egress::Closed {
        return failed("a new instance is not closed");
    }
    if !network.enforced {
        let why = network.reason.unwrap_or_else(|| "no reason is given".into());
        return not_offered(format!("this host: {why}"));
    }
    let ears = Ears::open()?;
    let reached = attempt(rig, &ears).await?;
    if !reached.is_empty() {
        return failed(format!("closed, and yet it reached {}", reached.join(", ")));
    }
    change(rig, true).await?;
    if !rig.shown()?.badges.iter().any(|b| b == "EGRESS_OPEN") {
        return failed("there is no badge that it is open");
    }
    let reached = attempt(rig, &ears).await?;
    let heard = |kind: &str| reached.iter().any(|r| r == kind);
    if !heard("tcp, as the host heard") || !heard("udp, as the host heard") {
        return failed(format!("opened, and yet it reached only {reached:?}: this check proves nothing here"));
    }
    change(rig, false).await?;
    let reached = attempt(rig, &ears).await?;
    if !reached.is_empty() {
        return failed(format!("closed again, and yet it reached {}", reached.join(", ")));
    }
    rig.as_user(&[rig.engine.ping()]).await?;
    Ok(Outcome::Passed)
}

async fn change(rig: &Rig, open: bool) -> Result<()> {
    let body = PatchInstance { egress: Some(open), ..PatchInstance::default() };
    let accepted = rig.app.patch_instance(&caller(), rig.instance()?.id, None, body).await?;
    rig.ended(accepted).await?;
    let network = rig.shown()?.network;
    if network.egress == Egress::from(open) && network.enforced {
        return Ok(());
    }
    failed(format!("it is {} instead: {}", network.egress.as_str(), network.reason.unwrap_or_default()))
}

/// What got out, as the container says and as it was heard here.
async fn attempt(rig: &Rig, ears: &Ears) -> Result<Vec<String>> {
    ears.forget();
    let mut reached = inside(rig, ears).await?;
    let (tcp, udp) = ears.heard().await;
    // pasta gives a container the host's own addresses, so a datagram to one of them may have stayed inside.
    let own = own_addresses();
    reached.retain(|line| {
        udp || !line.strip_prefix("udp ").is_some_and(|to| own.contains(to.split(' ').next().unwrap_or(to)))
    });
    reached.extend(tcp.then(|| "tcp, as the host heard".to_owned()));
    reached.extend(udp.then(|| "udp, as the host heard".to_owned()));
    Ok(reached)
}

/// Runs the script inside; where the image has no bash, in the container's network from outside.
async fn inside(rig: &Rig, ears: &Ears) -> Result<Vec<String>> {
    let name = rig.container()?;
    let env = ears.environment();
    let exec = Exec {
        argv: ["bash", "-c", SCRIPT].map(Into::into).into(),
        env: env.iter().map(|(key, value)| (*key, value.clone())).collect(),
        login: false,
        stdin: Secret::new(""),
        refused_when: "",
    };
    let said = match rig.app.core.runtime.exec(&name, &exec, CALL_LIMIT).await {
        Ok(output) if output.stdout.ends_with("done\n") => output.stdout,
        _ => from_outside(rig, &name, &env).await?,
    };
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    match lines.split_last() {
        Some((last, reached)) if last == "done" => Ok(reached.to_vec()),
        _ => failed(format!("the targets could not be tried from inside: {said}")),
    }
}

async fn from_outside(rig: &Rig, name: &str, env: &[(&'static str, String)]) -> Result<String> {
    let Some(detail) = rig.app.core.runtime.inspect(name).await? else { return failed("there is no container") };
    let pid = detail.summary.pid.to_string();
    let enter = ["nsenter", "--net", "--target", &pid, "bash", "-c", SCRIPT];
    let unshare: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["podman", "unshare"] };
    let words: Vec<&str> = unshare.iter().chain(&enter).copied().collect();
    let ended = tokio::process::Command::new(words[0]).args(&words[1..]).envs(env.iter().cloned()).output().await;
    Ok(String::from_utf8_lossy(&ended.map_err(Error::internal)?.stdout).into_owned())
}

/// Listens on every address of this host, and notes whether anything arrived.
struct Ears {
    tcp: u16,
    udp: u16,
    connections: Arc<AtomicU32>,
    datagrams: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
}

impl Ears {
    fn open() -> Result<Self> {
        // Where the host has no IPv6 there is nothing to reach over it.
        let any =
            |port| [SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
        let tcp = TcpListener::bind(&any(0)[..]).map_err(Error::internal)?;
        let udp = UdpSocket::bind(&any(0)[..]).map_err(Error::internal)?;
        let ears = Self {
            tcp: tcp.local_addr().map_err(Error::internal)?.port(),
            udp: udp.local_addr().map_err(Error::internal)?.port(),
            connections: Arc::default(),
            datagrams: Arc::default(),
            over: Arc::default(),
        };
        tcp.set_nonblocking(true).map_err(Error::internal)?;
        udp.set_nonblocking(true).map_err(Error::internal)?;
        let (connections, datagrams, over) = (ears.connections.clone(), ears.datagrams.clone(), ears.over.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let (connection, datagram) = (tcp.accept().is_ok(), udp.recv_from(&mut [0; 16]).is_ok());
                connections.fetch_add(connection.into(), Ordering::Relaxed);
                datagrams.fetch_add(datagram.into(), Ordering::Relaxed);
                if !connection && !datagram {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        Ok(ears)
    }

    /// Whether connections and datagrams came.
    async fn heard(&self) -> (bool, bool) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        (self.connections.load(Ordering::Relaxed) > 0, self.datagrams.load(Ordering::Relaxed) > 0)
    }

    fn forget(&self) {
        self.connections.store(0, Ordering::Relaxed);
        self.datagrams.store(0, Ordering::Relaxed);
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let (tcp, udp) = (self.tcp, self.udp);
        let targets: Vec<String> = own_addresses().iter().map(|a| format!("{a},{tcp},{udp}")).collect();
        vec![("TARGETS", targets.join(" ")), ("TCP", tcp.to_string()), ("UDP", udp.to_string())]
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Every address of this host but loopback, from the kernel's tables. Those of a link bear the interface that containers
/// have: eth0 on a bridge, tap0 behind slirp4netns.
fn own_addresses() -> BTreeSet<String> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/net/{file}")).unwrap_or_default();
    let (trie, six) = (read("fib_trie"), read("if_inet6"));
    let mut found: BTreeSet<String> = four(&trie).map(|a| a.to_string()).collect();
    for line in six.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let Some(address) = fields.first().and_then(|hex| u128::from_str_radix(hex, 16).ok()) else { continue };
        let address = Ipv6Addr::from(address);
        if IpAddr::from(address).is_loopback() {
            continue;
        }
        if address.is_unicast_link_local() {
            found.extend(["eth0", "tap0"].map(|interface| format!("{address}%{interface}")));
        } else {
            found.insert(address.to_string());
        }
    }
    found
}

/// The local addresses of a routing table: each stands on the line before its `/32 host LOCAL`.
fn four(trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let lines: Vec<&str> = trie.lines().collect();
    let local = |pair: &[&str]| {
        let address = pair[0].trim().strip_prefix("|-- ")?.parse::<Ipv4Addr>().ok()?;
        (pair[1].contains("/32 host LOCAL") && !address.is_loopback()).then_some(address)
    };
    lines.windows(2).filter_map(local).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_read_from_the_table() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.88.0.1\n        /32 host LOCAL\n     |-- 10.88.255.255\n        \
            /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(four(trie).collect::<Vec<_>>(), [Ipv4Addr::new(10, 88, 0, 1)]);
    }
}
