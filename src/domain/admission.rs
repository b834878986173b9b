//! Whether this host has room for one more instance, and the numbers behind the answer.

use fluxdb_adapters::Size;
use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind, Result};

/// What the host has, what is promised, and how far promises may exceed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Processors.
    pub cpus: u32,
    /// Memory for instances in MiB: physical memory less the reserve.
    pub memory_mib: u64,
    /// vCPUs promised to instances that should run.
    pub vcpu_allocated: u64,
    /// Memory promised to instances that should run, MiB.
    pub memory_mib_allocated: u64,
    /// How many times the processors may be promised.
    pub cpu_overcommit: f64,
    /// How many times the memory may be promised.
    pub memory_overcommit: f64,
}

/// The verdict, with its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Admission {
    /// Whether it fits.
    pub admitted: bool,
    /// Why not; empty when it fits.
    pub reasons: Vec<String>,
    /// MiB asked for.
    pub memory_mib_asked: u64,
    /// MiB that can still be promised.
    pub memory_mib_available: u64,
    /// vCPUs asked for.
    pub vcpu_asked: u64,
    /// vCPUs that can still be promised.
    pub vcpu_available: u64,
}

/// Judges a size against the capacity. Pure.
pub fn admit(size: &Size, have: &Capacity) -> Admission {
    let promise = |amount: f64, allocated: u64| (amount.max(0.0) as u64).saturating_sub(allocated);
    let memory_available = promise(have.memory_mib as f64 * have.memory_overcommit, have.memory_mib_allocated);
    let vcpu_available = promise(f64::from(have.cpus) * have.cpu_overcommit, have.vcpu_allocated);
    let (memory, vcpu) = (u64::from(size.memory_mib), u64::from(size.vcpu));
    let mut reasons = Vec::new();
    if vcpu > u64::from(have.cpus) {
        reasons.push(format!("it has {vcpu} vCPUs and the host has {} processors", have.cpus));
    } else if vcpu > vcpu_available {
        reasons.push(format!("it has {vcpu} vCPUs and {vcpu_available} are left to promise"));
    }
    if memory > memory_available {
        reasons.push(format!("it has {memory} MiB of memory and {memory_available} MiB are left to promise"));
    }
    Admission {
        admitted: reasons.is_empty(),
        reasons,
        memory_mib_asked: memory,
        memory_mib_available: memory_available,
        vcpu_asked: vcpu,
        vcpu_available,
    }
}

impl Admission {
    /// The verdict as an error (507) where it does not fit.
    ///
    /// # Errors
    /// `Capacity`, with the numbers.
    pub fn require(&self, sku: &str) -> Result<()> {
        if self.admitted {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Capacity,
            "insufficient_capacity",
            format!(
                "The host has no room for {sku}: {}. Choose a smaller SKU, stop or delete an instance, or raise [admission] overcommit in the configuration.",
                self.reasons.join("; ")
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Capacity = Capacity {
        cpus: 2,
        memory_mib: 8192,
        vcpu_allocated: 0,
        memory_mib_allocated: 0,
        cpu_overcommit: 4.0,
        memory_overcommit: 1.0,
    };

    fn size(vcpu: u32, memory_mib: u32) -> Size {
        Size { vcpu, memory_mib, storage_gib: 8 }
    }

    #[test]
    fn what_fits_exactly_is_admitted() {
        assert!(admit(&size(2, 8192), &HOST).admitted);
    }

    #[test]
    fn more_processors_than_the_host_has_are_refused_whatever_the_factor() {
        let verdict = admit(&size(4, 1024), &HOST);
        assert_eq!(verdict.reasons, ["it has 4 vCPUs and the host has 2 processors"]);
        assert_eq!(verdict.require("D4s").expect_err("refused").kind, ErrorKind::Capacity);
    }

    #[test]
    fn promises_count() {
        let have = Capacity { memory_mib_allocated: 7168, ..HOST };
        assert!(admit(&size(1, 1024), &have).admitted);
        assert!(!admit(&size(1, 1025), &have).admitted);
        let twice = Capacity { memory_overcommit: 2.0, ..have };
        assert!(admit(&size(1, 4096), &twice).admitted);
    }
}
