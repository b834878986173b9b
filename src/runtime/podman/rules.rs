//! The packet filter inside a container's network namespace: what closes outgoing traffic, and how it is read back.
//!
//! Only the OUTPUT of the namespace is filtered, and without connection tracking, whose modules may be missing: a server
//! without capabilities cannot forge packets, so a TCP packet that is not a bare SYN belongs to a connection that a client
//! opened. Clients come in through published ports: by DNAT from the bridge (rootful), over the namespace's own loopback
//! (slirp4netns with rootlessport, pasta for clients on the host), or from outside through pasta.

use std::path::PathBuf;

use super::tools::{self, Tool};

/// Refused rather than dropped, so that a server that asks gets its answer immediately and not after a timeout.
/// ICMPv6 133, 135, 136, 143: without neighbour discovery no client on IPv6 is answered. No program can send these itself.
const V4: &str = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT DROP [0:0]
-A OUTPUT -o lo -j ACCEPT
-A OUTPUT -p tcp ! --syn -j ACCEPT
-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
-A OUTPUT -j REJECT
COMMIT
";
const V6: &str = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT DROP [0:0]
-A OUTPUT -o lo -j ACCEPT
-A OUTPUT -p icmpv6 --icmpv6-type 133 -j ACCEPT
-A OUTPUT -p icmpv6 --icmpv6-type 135 -j ACCEPT
-A OUTPUT -p icmpv6 --icmpv6-type 136 -j ACCEPT
-A OUTPUT -p icmpv6 --icmpv6-type 143 -j ACCEPT
-A OUTPUT -p tcp ! --syn -j ACCEPT
-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
-A OUTPUT -j REJECT
COMMIT
";
const OPEN: &str = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";

/// The same for both families at once. Declared before it is deleted, so that both work whether it is there or not.
const NFT: &str = "\
table inet fluxdb
delete table inet fluxdb
table inet fluxdb {
  chain output {
    type filter hook output priority 0; policy drop;
    oifname \"lo\" accept
    icmpv6 type { 133, 135, 136, 143 } accept
    tcp flags & (fin | syn | rst | ack) != syn accept
    meta l4proto tcp reject with tcp reset
    reject
  }
}
";
const NFT_OPEN: &str = "table inet fluxdb\ndelete table inet fluxdb\n";

/// A kernel may lack what refuses; what drops it never does.
fn without_reject(rules: &str) -> String {
    rules.lines().filter(|line| !line.to_lowercase().contains("reject")).fold(String::new(), |all, l| all + l + "\n")
}

/// Closes outgoing traffic of the namespace that this thread is in.
///
/// # Errors
/// What each way answered; nothing may be closed then.
pub(super) fn close() -> Result<(), String> {
    let mut failures = Vec::new();
    for rules in [NFT.to_owned(), without_reject(NFT)] {
        match tools::run(Tool::Nft, &["-f", "-"], &rules) {
            Ok(_) => return Ok(()),
            Err(why) => failures.push(why),
        }
    }
    for (v4, v6) in [(V4.to_owned(), V6.to_owned()), (without_reject(V4), without_reject(V6))] {
        match restore(&v4, &v6) {
            Ok(()) => return Ok(()),
            Err(why) => failures.push(why),
        }
    }
    failures.dedup();
    Err(failures.join("; "))
}

/// Opens it again. Rules may have been made by a tool that was not there at an earlier start, so each is asked.
///
/// # Errors
/// No tool could do it.
pub(super) fn open() -> Result<(), String> {
    let nft = tools::run(Tool::Nft, &["-f", "-"], NFT_OPEN).map(|_| ());
    let iptables = restore(OPEN, OPEN);
    nft.or(iptables)
}

/// Both families side by side. Where the kernel has no filter for IPv6, the namespace does without IPv6.
fn restore(v4: &str, v6: &str) -> Result<(), String> {
    let wait = ["-w", "5"];
    let (four, six) = std::thread::scope(|scope| {
        let six = scope.spawn(|| tools::run(Tool::Ip6tablesRestore, &wait, v6));
        let four = tools::run(Tool::IptablesRestore, &wait, v4);
        (four, six.join().unwrap_or_else(|_| Err("the thread for IPv6 ended".into())))
    });
    four?;
    match six {
        Ok(_) => Ok(()),
        Err(_) if !has_ipv6() => Ok(()),
        Err(why) => disable_ipv6().map_err(|e| format!("{why}, and IPv6 cannot be switched off: {e}")),
    }
}

/// Whether outgoing traffic of this thread's namespace is closed, as the kernel lists the rules.
///
/// # Errors
/// No tool can list them.
pub(super) fn are_closed() -> Result<bool, String> {
    if tools::run(Tool::Nft, &["list", "table", "inet", "fluxdb"], "").is_ok_and(|listed| is_closed_nft(&listed)) {
        return Ok(true);
    }
    let (four, six) = std::thread::scope(|scope| {
        let six = scope.spawn(|| tools::run(Tool::Ip6tablesSave, &["-t", "filter"], ""));
        let four = tools::run(Tool::IptablesSave, &["-t", "filter"], "");
        (four, six.join().unwrap_or_else(|_| Err("the thread for IPv6 ended".into())))
    });
    match four {
        Ok(four) => Ok(is_closed(&four) && (six.is_ok_and(|six| is_closed(&six)) || !has_ipv6())),
        // Where there is nft alone, it has answered already.
        Err(_) if tools::find(Tool::Nft).is_some() => Ok(false),
        Err(why) => Err(why),
    }
}

/// Nothing goes out but what one of our rules lets through.
fn is_closed(saved: &str) -> bool {
    let ours = |line: &str| {
        ["-o lo ", "! --tcp-flags FIN,SYN,RST,ACK SYN ", "--icmpv6-type "].iter().any(|known| line.contains(known))
    };
    let lets_through =
        |line: &&str| line.starts_with("-A OUTPUT") && line.contains("-j ") && !line.contains("-j REJECT");
    saved.lines().any(|l| l.starts_with(":OUTPUT DROP "))
        && saved.lines().filter(lets_through).all(|l| l.ends_with("-j ACCEPT") && ours(l))
}

fn is_closed_nft(listed: &str) -> bool {
    let ours =
        |line: &str| ["oifname \"lo\" ", "icmpv6 type ", "tcp flags "].iter().any(|known| line.starts_with(known));
    let rules =
        listed.lines().map(str::trim).filter(|l| l.ends_with("accept") || l.contains("jump ") || l.contains("goto "));
    listed.contains("policy drop;") && rules.into_iter().all(|l| l.ends_with("accept") && ours(l))
}

/// A file of /proc/net as this thread's namespace has it (`/proc/net` itself is the main thread's).
pub(super) fn proc_net(file: &str) -> String {
    std::fs::read_to_string(PathBuf::from("/proc/thread-self/net").join(file)).unwrap_or_default()
}

/// Whether any interface but loopback has an IPv6 address.
fn has_ipv6() -> bool {
    proc_net("if_inet6").lines().any(|line| line.split_whitespace().last().is_some_and(|name| name != "lo"))
}

fn disable_ipv6() -> std::io::Result<()> {
    // Both are of the namespace that the writing thread is in.
    for which in ["all", "default"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "\
*filter
:INPUT ACCEPT [42:2494]
:FORWARD ACCEPT [0:0]
:OUTPUT DROP [0:0]
-A OUTPUT -o lo -j ACCEPT
-A OUTPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT
-A OUTPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT
-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
-A OUTPUT -j REJECT --reject-with icmp-port-unreachable
COMMIT
";

    #[test]
    fn what_is_listed_is_closed_only_when_nothing_else_goes_out() {
        assert!(is_closed(SAVED));
        assert!(!is_closed(""), "an empty table lets everything through");
        assert!(!is_closed(&SAVED.replace("OUTPUT DROP", "OUTPUT ACCEPT")));
        for other in ["-A OUTPUT -j ACCEPT", "-A OUTPUT -d 10.0.0.0/8 -j ACCEPT", "-A OUTPUT -j mine"] {
            assert!(!is_closed(&SAVED.replace("COMMIT", other)), "{other}");
        }
    }

    #[test]
    fn the_same_of_nft() {
        let listed = "table inet fluxdb {\n\tchain output {\n\t\ttype filter hook output priority filter; policy drop;\n\
            \t\toifname \"lo\" accept\n\t\ticmpv6 type { nd-router-solicit, nd-neighbor-solicit } accept\n\
            \t\ttcp flags & (fin | syn | rst | ack) != syn accept\n\t\tmeta l4proto tcp reject with tcp reset\n\t\treject\n\t}\n}\n";
        assert!(is_closed_nft(listed));
        assert!(!is_closed_nft(&listed.replace("policy drop", "policy accept")));
        assert!(!is_closed_nft(&listed.replace("\t\treject\n", "\t\tip daddr 10.0.0.1 accept\n")));
        assert!(!is_closed_nft(""));
    }

    #[test]
    fn without_what_refuses_the_rest_stays() {
        for rules in [V4, V6, NFT] {
            let left = without_reject(rules);
            assert!(!left.contains("eject") && left.to_lowercase().contains("drop") && left.contains("lo"), "{left}");
        }
    }
}
