//! SKUs: series B, D, E, F and their sizes, named in Azure's manner, and what each asks of a host.

use fluxdb_adapters::Size;

use super::host::{HostClass, HostLimits};

/// What a series is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// Burstable: half a share of CPU, yields under contention.
    B,
    /// General purpose.
    D,
    /// Memory optimised: its memory is not swapped and is the last to be reclaimed.
    E,
    /// Compute optimised: double share of CPU, no swap.
    F,
}

impl Series {
    /// Every series.
    pub const ALL: [Series; 4] = [Series::B, Series::D, Series::E, Series::F];

    /// The letter.
    pub fn letter(self) -> &'static str {
        match self {
            Series::B => "B",
            Series::D => "D",
            Series::E => "E",
            Series::F => "F",
        }
    }

    /// One line for people.
    pub fn title(self) -> &'static str {
        match self {
            Series::B => "Burstable",
            Series::D => "General purpose",
            Series::E => "Memory optimised",
            Series::F => "Compute optimised",
        }
    }
}

/// One SKU.
#[derive(Clone, Copy, Debug)]
pub struct Sku {
    /// `B1ms`, `D2s`.
    pub id: &'static str,
    /// Its series.
    pub series: Series,
    /// What it grants; `storage_gib` is the default, a request may ask for more.
    pub size: Size,
}

const fn sku(id: &'static str, series: Series, vcpu: u32, memory_mib: u32, storage_gib: u32) -> Sku {
    Sku { id, series, size: Size { vcpu, memory_mib, storage_gib } }
}

/// Every SKU, smallest first within a series.
pub static SKUS: &[Sku] = &[
    sku("B1ls", Series::B, 1, 512, 8),
    sku("B1s", Series::B, 1, 1024, 16),
    sku("B1ms", Series::B, 1, 2048, 32),
    sku("B2s", Series::B, 2, 4096, 32),
    sku("B2ms", Series::B, 2, 8192, 64),
    sku("B4ms", Series::B, 4, 16_384, 128),
    sku("D1s", Series::D, 1, 4096, 32),
    sku("D2s", Series::D, 2, 8192, 64),
    sku("D4s", Series::D, 4, 16_384, 128),
    sku("D8s", Series::D, 8, 32_768, 256),
    sku("D16s", Series::D, 16, 65_536, 512),
    sku("E1s", Series::E, 1, 8192, 32),
    sku("E2s", Series::E, 2, 16_384, 64),
    sku("E4s", Series::E, 4, 32_768, 128),
    sku("E8s", Series::E, 8, 65_536, 256),
    sku("E16s", Series::E, 16, 131_072, 512),
    sku("F1s", Series::F, 1, 2048, 32),
    sku("F2s", Series::F, 2, 4096, 64),
    sku("F4s", Series::F, 4, 8192, 128),
    sku("F8s", Series::F, 8, 16_384, 256),
    sku("F16s", Series::F, 16, 32_768, 512),
];

/// The SKU when a request names none.
pub const DEFAULT_SKU: &str = "B1ms";

/// The largest volume that may be asked for, GiB.
pub const MAX_STORAGE_GIB: u32 = 16_384;

/// The SKU with this id.
pub fn find(id: &str) -> Option<&'static Sku> {
    SKUS.iter().find(|s| s.id == id)
}

/// CPU period in microseconds; the quota is a multiple of it.
pub const CPU_PERIOD_US: u64 = 100_000;

/// What a SKU asks of this class of host. What the class cannot do is `None`, and [`HostClass::reason`] says why.
pub fn limits_for(series: Series, size: &Size, pids: u32, class: HostClass) -> HostLimits {
    let mib = 1024 * 1024;
    let memory = u64::from(size.memory_mib) * mib;
    if !class.limits_memory() {
        return HostLimits::default();
    }
    let no_swap = matches!(series, Series::E | Series::F);
    HostLimits {
        memory_bytes: Some(memory),
        // Memory and swap together. B and D may swap as much again as they have memory, where the host has swap.
        memory_swap_bytes: Some(if no_swap { memory } else { memory * 2 }),
        // There is no swappiness on cgroup v2, and asking for it makes the start fail; there, E has no swap at all.
        swappiness: (class == HostClass::RootfulV1 && series == Series::E).then_some(0),
        // On v2 this becomes memory.low: reclaimed last.
        // Whole MiB: the kernel rounds to pages, and what it says is compared with what was asked.
        memory_reservation_bytes: (series == Series::E).then_some(u64::from(size.memory_mib / 10 * 9) * mib),
        cpu_quota_us: class.enforces().then_some(u64::from(size.vcpu) * CPU_PERIOD_US),
        cpu_shares: class.enforces().then_some(match series {
            Series::B => 512,
            Series::D | Series::E => 1024,
            Series::F => 2048,
        }),
        pids: Some(u64::from(pids)),
        // An ordinary user may not lower it.
        oom_score_adj: (series == Series::E && class.rootful()).then_some(-500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_the_default_exists() {
        let mut ids: Vec<_> = SKUS.iter().map(|s| s.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), SKUS.len());
        assert!(find(DEFAULT_SKU).is_some());
    }

    #[test]
    fn swappiness_is_never_asked_of_cgroup_v2() {
        for class in [HostClass::RootfulV2, HostClass::RootlessV2, HostClass::RootlessPlain] {
            for s in SKUS {
                assert_eq!(limits_for(s.series, &s.size, 100, class).swappiness, None);
            }
        }
    }

    #[test]
    fn a_rootless_user_never_lowers_the_oom_score() {
        let e = find("E1s").expect("E1s");
        assert_eq!(limits_for(e.series, &e.size, 100, HostClass::RootlessV2).oom_score_adj, None);
        assert_eq!(limits_for(e.series, &e.size, 100, HostClass::RootfulV1).oom_score_adj, Some(-500));
    }

    #[test]
    fn a_host_is_asked_for_what_is_delegated() {
        let d = find("D1s").expect("D1s");
        let all = limits_for(d.series, &d.size, 100, HostClass::RootlessV2);
        let no_cpu = HostLimits { cpu_quota_us: None, cpu_shares: None, ..all };
        assert_eq!(limits_for(d.series, &d.size, 100, HostClass::RootlessV2NoCpu), no_cpu);
        assert!(no_cpu.memory_bytes.is_some() && no_cpu.pids.is_some());
        assert_eq!(limits_for(d.series, &d.size, 100, HostClass::RootlessPlain), HostLimits::default());
    }
}
