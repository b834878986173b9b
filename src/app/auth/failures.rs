//! Whether an address has failed too often lately.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Addresses that are remembered; beyond them the one that began longest ago is forgotten.
const MOST: usize = 4096;

/// Failures by address, over a window that begins with the first of them. Bounded in memory.
pub(super) struct Failures {
    limit: u32,
    window: Duration,
    seen: HashMap<IpAddr, (Instant, u32)>,
}

impl Failures {
    pub(super) fn new(limit: u32, window_secs: u64) -> Self {
        Self { limit: limit.max(1), window: Duration::from_secs(window_secs.max(1)), seen: HashMap::new() }
    }

    /// Seconds that this address has to wait; `None` when it may try.
    pub(super) fn wait_secs(&self, ip: IpAddr, now: Instant) -> Option<u32> {
        let (began, count) = self.seen.get(&party(ip))?;
        let left = self.window.checked_sub(now.saturating_duration_since(*began))?;
        (*count >= self.limit).then(|| u32::try_from(left.as_secs() + 1).unwrap_or(u32::MAX))
    }

    /// Counts a failure.
    pub(super) fn count(&mut self, ip: IpAddr, now: Instant) {
        let (window, ip) = (self.window, party(ip));
        let over = |began: &Instant| now.saturating_duration_since(*began) >= window;
        if !self.seen.contains_key(&ip) && self.seen.len() >= MOST {
            self.seen.retain(|_, (began, _)| !over(began));
            let oldest = self.seen.iter().min_by_key(|(_, (began, _))| *began).map(|(ip, _)| *ip);
            if let (Some(oldest), true) = (oldest, self.seen.len() >= MOST) {
                self.seen.remove(&oldest);
            }
        }
        let entry = self.seen.entry(ip).or_insert((now, 0));
        if over(&entry.0) {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }
}

/// Who is behind an address: with IPv6, one client has a whole /64.
fn party(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn too_many_failures_have_to_wait_out_the_window() {
        let mut failures = Failures::new(3, 60);
        let now = Instant::now();
        for _ in 0..2 {
            failures.count(ip("192.0.2.1"), now);
        }
        assert_eq!(failures.wait_secs(ip("192.0.2.1"), now), None);
        failures.count(ip("::ffff:192.0.2.1"), now);
        assert_eq!(failures.wait_secs(ip("192.0.2.1"), now), Some(61), "an IPv4 address in IPv6 is the same");
        assert_eq!(failures.wait_secs(ip("192.0.2.2"), now), None);
        let later = now + Duration::from_secs(61);
        assert_eq!(failures.wait_secs(ip("192.0.2.1"), later), None);
        failures.count(ip("192.0.2.1"), later);
        assert_eq!(failures.wait_secs(ip("192.0.2.1"), later), None, "a new window begins at one");
    }

    #[test]
    fn a_whole_ipv6_network_is_one() {
        let mut failures = Failures::new(2, 60);
        let now = Instant::now();
        failures.count(ip("2001:db8::1"), now);
        failures.count(ip("2001:db8::ffff:2"), now);
        assert!(failures.wait_secs(ip("2001:db8::3"), now).is_some());
        assert!(failures.wait_secs(ip("2001:db8:0:1::3"), now).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut failures = Failures::new(1, 60);
        let now = Instant::now();
        let most = u32::try_from(MOST).unwrap();
        for n in 0..most + 50 {
            failures.count(IpAddr::from(n.to_be_bytes()), now + Duration::from_millis(n.into()));
        }
        assert_eq!(failures.seen.len(), MOST);
        let later = now + Duration::from_secs(5);
        assert!(failures.wait_secs(IpAddr::from((most + 49).to_be_bytes()), later).is_some(), "the latest is known");
        assert!(failures.wait_secs(IpAddr::from(0_u32.to_be_bytes()), later).is_none(), "the oldest is forgotten");
    }
}
