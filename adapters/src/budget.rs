//! What the settings of an instance take together, compared with what its size grants.

use std::fmt::Write;

use crate::{Apply, Cx, Engine, Factor, How, Kind, Setting, Settings, What};

/// Memory that settings may set aside, per cent of the instance's. The rest is for connections' buffers, the server's own
/// tables and code, and the page cache of the host, which is charged to the container too.
const KEPT_MEMORY: u128 = 80;
/// With what one session takes while it works: beyond it the kernel ends the server sooner than the session.
const USED_MEMORY: u128 = 90;
/// A limit that the server itself keeps may be nearly everything: SQL Server starts with 2000 of 2048 MiB only.
const CEILING: u128 = 98;
/// Heap that settings may set aside: garbage collectors need the rest.
const KEPT_HEAP: u128 = 80;
/// Storage that logs may keep: half of it stays for the data.
const KEPT_STORAGE: u128 = 50;
/// With the temporary files of one session.
const USED_STORAGE: u128 = 90;
/// How many times the SKU's own number of connections there may be without a restart, where the server takes that.
const HEADROOM: u32 = 4;
/// The server's own need is taken to be at most this much of its floor, MiB.
const MOST_FLOOR_MIB: u32 = 256;

/// What of the instance there is a limit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Memory.
    Memory,
    /// The heap of the server's JVM.
    Heap,
    /// Storage.
    Storage,
}

/// What one setting takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name, or what it is where no setting says it.
    pub name: &'static str,
    /// Its value and unit.
    pub value: String,
    /// Of what.
    pub resource: Resource,
    /// How it is compared.
    pub how: How,
    /// Bytes.
    pub bytes: u128,
    /// Whether the user has set it (or what multiplies it), and under which name.
    pub set: Option<&'static str>,
    /// Bytes that one unit of the setting takes.
    unit: u128,
}

/// A limit that is exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Of what there is too little.
    pub resource: Resource,
    /// What is compared, the largest first.
    pub shares: Vec<Share>,
    /// Its sum in bytes.
    pub sum: u128,
    /// What the sum may be, in bytes.
    pub limit: u128,
    /// What the instance has, in bytes.
    pub has: u128,
}

/// Everything that settings take of the instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Memory, heap and storage.
    pub shares: Vec<Share>,
    /// Processes and threads beside the engine's floor.
    pub pids: u32,
    /// Open files beside the engine's floor.
    pub files: u32,
}

/// Adds up what the settings take: the user's values (`cx.settings`), the SKU's and the defaults.
pub fn budget(engine: &dyn Engine, cx: &Cx) -> Budget {
    let Some(settings) = engine.settings() else {
        let sessions = engine.max_connections(&cx.size);
        return Budget { pids: sessions, files: sessions, ..Budget::default() };
    };
    let mut budget = Budget::default();
    // Where no setting says it, the rendered configuration does.
    let (mut sessions, mut clients) = (engine.max_connections(&cx.size), 0_u32);
    let heap_mib = settings.beside(cx).iter().filter(|b| b.heap).map(|b| b.memory_mib).sum();
    for beside in settings.beside(cx) {
        budget.pids = budget.pids.saturating_add(beside.pids);
        for (resource, mib) in [(Resource::Memory, beside.memory_mib), (Resource::Storage, beside.storage_mib)] {
            let bytes = u128::from(mib) << 20;
            let (name, value) = (beside.name, String::new());
            budget.shares.push(Share { name, value, resource, how: How::Kept, bytes, set: None, unit: 0 });
        }
    }
    for setting in known(settings, cx) {
        let count = || {
            let (times, _) = factor(settings, cx, setting);
            let amount = thousandths(setting, &value(settings, cx, setting)).saturating_mul(times) / 1_000_000;
            u32::try_from(amount).unwrap_or(u32::MAX)
        };
        match setting.takes.what {
            What::Unsaid | What::Nothing => {}
            What::Memory(how) => budget.shares.push(share(settings, cx, setting, Resource::Memory, how, heap_mib)),
            What::Heap(how) => budget.shares.push(share(settings, cx, setting, Resource::Heap, how, heap_mib)),
            What::Storage(how) => budget.shares.push(share(settings, cx, setting, Resource::Storage, how, heap_mib)),
            What::Sessions | What::Clients => {
                // The limits of a running container cannot be raised: some room for a change without a restart.
                let dynamic = setting.apply == Apply::Dynamic;
                let room = if dynamic { engine.max_connections(&cx.size) * HEADROOM } else { 0 };
                let most = count().max(room);
                clients = clients.saturating_add(most);
                if setting.takes.what == What::Sessions {
                    sessions = sessions.max(most);
                }
                budget.shares.push(share(settings, cx, setting, Resource::Memory, How::Kept, heap_mib));
            }
            What::Workers => {
                budget.pids = budget.pids.saturating_add(count());
                budget.shares.push(share(settings, cx, setting, Resource::Memory, How::Kept, heap_mib));
            }
            What::Files => {
                budget.files = budget.files.saturating_add(count());
                budget.shares.push(share(settings, cx, setting, Resource::Memory, How::Kept, heap_mib));
            }
        }
    }
    budget.pids = budget.pids.saturating_add(sessions);
    budget.files = budget.files.saturating_add(clients.max(engine.max_connections(&cx.size)));
    budget.shares.retain(|s| s.bytes > 0);
    budget
}

/// What an instance may take of the host beside memory, CPU and storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostShare {
    /// Processes and threads.
    pub pids: u32,
    /// Open files.
    pub nofile: u32,
    /// `/dev/shm`, MiB.
    pub shm_mib: u32,
}

impl HostShare {
    /// Whether a container with the other's limits is enough for this.
    pub fn within(&self, other: &Self) -> bool {
        self.pids <= other.pids && self.nofile <= other.nofile && self.shm_mib <= other.shm_mib
    }
}

/// The most processes: what a kernel numbers when it is not told otherwise. One instance may not have more.
const MAX_PIDS: u32 = 32_768;
/// The most open files: `fs.nr_open` when it is not set.
const MAX_FILES: u32 = 1_048_576;

/// The engine's floor, and what the size and the settings ask beside it.
pub fn host_share(engine: &dyn Engine, cx: &Cx) -> HostShare {
    let (floor, budget) = (&engine.facts().floor, budget(engine, cx));
    HostShare {
        pids: floor.pids.saturating_add(budget.pids).min(MAX_PIDS),
        nofile: floor.nofile.saturating_add(budget.files).min(MAX_FILES),
        shm_mib: engine.shm_mib(cx),
    }
}

/// A memory-backed directory of this size for a small instance, for this one. What is in it counts against the memory.
/// Directories for sockets and single files stay as they are.
pub fn tmpfs_mib(size_mib: u32, memory_mib: u32) -> u32 {
    if size_mib < 16 { size_mib } else { size_mib.max(memory_mib / 64) }
}

impl Budget {
    /// What is more than the size grants.
    pub fn excesses(&self, engine: &dyn Engine, cx: &Cx) -> Vec<Excess> {
        let mib = u128::from(cx.size.memory_mib);
        // What the server itself needs, whatever it is told.
        let own = u128::from((engine.facts().floor.memory_mib / 4).min(MOST_FLOOR_MIB));
        let heap = engine
            .settings()
            .map_or(0, |s| s.beside(cx).iter().filter(|b| b.heap).map(|b| u128::from(b.memory_mib)).sum());
        let memory = mib << 20;
        let kept_memory = (memory * KEPT_MEMORY / 100).min(mib.saturating_sub(own) << 20);
        let storage = u128::from(cx.size.storage_gib) << 30;
        let heap: u128 = heap << 20;
        let mut found = Vec::new();
        for (resource, has, kept, used) in [
            (Resource::Memory, memory, kept_memory, memory * USED_MEMORY / 100),
            (Resource::Heap, heap, heap * KEPT_HEAP / 100, heap * USED_MEMORY / 100),
            (Resource::Storage, storage, storage * KEPT_STORAGE / 100, storage * USED_STORAGE / 100),
        ] {
            let of = |hows: &[How]| -> Vec<Share> {
                let mut all: Vec<Share> =
                    self.shares.iter().filter(|s| s.resource == resource && hows.contains(&s.how)).cloned().collect();
                all.sort_by_key(|s| std::cmp::Reverse(s.bytes));
                all
            };
            let mut compare = |shares: Vec<Share>, limit: u128| {
                let sum = shares.iter().map(|s| s.bytes).fold(0, u128::saturating_add);
                let over = sum > limit;
                if over {
                    found.push(Excess { resource, shares, sum, limit, has });
                }
                over
            };
            if !compare(of(&[How::Kept]), kept) {
                compare(of(&[How::Kept, How::Work]), used);
            }
            for ceiling in of(&[How::Ceiling]) {
                compare(vec![ceiling], has * CEILING / 100);
            }
        }
        found
    }
}

impl Excess {
    /// The largest of what the user has set; `None` where the SKU's own values are too large, which is a defect.
    pub fn largest_set(&self) -> Option<&Share> {
        self.shares.iter().find(|s| s.set.is_some())
    }

    /// The largest value of this setting that fits beside the others, in its unit; `None` where none does, or where
    /// another setting multiplies it.
    pub fn largest_value(&self, share: &Share) -> Option<u128> {
        let room = self.limit.checked_sub(self.sum - share.bytes)?;
        (share.unit > 0 && share.set == Some(share.name)).then(|| room / share.unit).filter(|n| *n > 0)
    }

    /// A sentence: which settings take how much of what, and what there is.
    pub fn text(&self) -> String {
        let what = match self.resource {
            Resource::Memory => "memory",
            Resource::Heap => "the heap",
            Resource::Storage => "storage",
        };
        let mut text = String::new();
        for (i, share) in self.shares.iter().take(4).enumerate() {
            let joint = if i == 0 { "" } else { ", " };
            let equals = if share.value.is_empty() { String::new() } else { format!("={}", share.value) };
            let _ = write!(text, "{joint}{}{equals} takes {}", share.name, amount(share.bytes));
        }
        if self.shares.len() > 4 {
            let _ = write!(text, ", {} others", self.shares.len() - 4);
        }
        let together = if self.shares.len() > 1 { format!(", together {}", amount(self.sum)) } else { String::new() };
        format!("{text}{together}; of {} of {what} settings may take {}", amount(self.has), amount(self.limit))
    }
}

fn known<'a>(settings: &'a dyn Settings, cx: &'a Cx) -> impl Iterator<Item = &'static Setting> + 'a {
    settings.catalogue().iter().filter(|s| !s.not_in.contains(&cx.version.id))
}

/// The user's value, or what counts without one.
fn value(settings: &dyn Settings, cx: &Cx, setting: &Setting) -> String {
    cx.settings.get(setting.name).cloned().unwrap_or_else(|| settings.usual(cx, setting))
}

fn share(
    settings: &dyn Settings,
    cx: &Cx,
    setting: &'static Setting,
    resource: Resource,
    how: How,
    heap_mib: u32,
) -> Share {
    let text = value(settings, cx, setting);
    let unit = bytes_of(setting, heap_mib);
    let (times, by) = factor(settings, cx, setting);
    let set = cx.settings.contains_key(setting.name).then_some(setting.name).or(by);
    // `unit` is in millionths of a byte, so that a hundredth of a heap is exact too.
    let unit = unit.saturating_mul(times) / 1000;
    let bytes = thousandths(setting, &text).saturating_mul(unit) / 1_000_000_000;
    let shown = match setting.kind {
        Kind::Integer { unit: "", .. } | Kind::Float { .. } | Kind::Boolean => text,
        Kind::Integer { unit, .. } => format!("{text} {unit}"),
        Kind::Choice { .. } | Kind::Text { .. } => text,
    };
    Share { name: setting.name, value: shown, resource, how, bytes, set, unit: unit / 1_000_000 }
}

/// What multiplies a setting, per mille, so that 1.5 is exact; and the setting of it that the user has set.
fn factor(settings: &dyn Settings, cx: &Cx, setting: &Setting) -> (u128, Option<&'static str>) {
    let (mut times, mut set) = (1000_u128, None);
    for factor in setting.takes.times {
        let name = match *factor {
            Factor::Value(name) | Factor::OneMore(name) => name,
            Factor::By(number) => {
                times = times.saturating_mul(number.into());
                continue;
            }
        };
        let Some(other) = known(settings, cx).find(|s| s.name == name) else { continue };
        set = set.or(cx.settings.contains_key(name).then_some(name));
        let by = thousandths(other, &value(settings, cx, other));
        let by = if matches!(factor, Factor::OneMore(_)) { by + 1000 } else { by };
        times = times.saturating_mul(by) / 1000;
    }
    (times, set)
}

/// Millionths of a byte in one unit of the setting.
fn bytes_of(setting: &Setting, heap_mib: u32) -> u128 {
    let heap = u128::from(heap_mib) << 20;
    let is_heap = matches!(setting.takes.what, What::Heap(_));
    let bytes: u128 = match setting.kind {
        Kind::Integer { unit: "B" | "bytes", .. } => 1,
        Kind::Integer { unit: "KiB", .. } => 1 << 10,
        Kind::Integer { unit: "MiB", .. } => 1 << 20,
        Kind::Integer { unit: "GiB", .. } => 1 << 30,
        Kind::Integer { unit: "%", .. } if is_heap => return heap * 10_000,
        // A share between 0 and 1.
        Kind::Float { .. } if is_heap => heap,
        Kind::Integer { .. } | Kind::Float { .. } | Kind::Boolean | Kind::Choice { .. } | Kind::Text { .. } => 1,
    };
    bytes * u128::from(setting.takes.each) * 1_000_000
}

/// A value in thousandths. Words that are no amount are 0: `-1` and others below 0, and text.
fn thousandths(setting: &Setting, value: &str) -> u128 {
    match setting.kind {
        Kind::Boolean => u128::from(value == "true") * 1000,
        Kind::Integer { .. } | Kind::Float { .. } => {
            let (whole, part) = value.split_once('.').unwrap_or((value, ""));
            let digits: String = part.chars().chain("000".chars()).take(3).collect();
            match (whole.parse::<u128>(), digits.parse::<u128>()) {
                (Ok(whole), Ok(part)) => whole.saturating_mul(1000).saturating_add(part),
                _ => 0,
            }
        }
        Kind::Choice { .. } | Kind::Text { .. } => 0,
    }
}

/// `512 GiB`, `1.4 GiB`, `300 MiB`.
pub fn amount(bytes: u128) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut at = 0;
    while at + 1 < units.len() && bytes >> (10 * (at + 1)) >= 4 {
        at += 1;
    }
    let tenths = (bytes * 10) >> (10 * at);
    let rest = if tenths.is_multiple_of(10) || at == 0 { String::new() } else { format!(".{}", tenths % 10) };
    format!("{}{rest} {}", tenths / 10, units[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Takes;

    #[test]
    fn amounts_are_exact_and_readable() {
        assert_eq!(amount(512 << 30), "512 GiB");
        assert_eq!(amount(6 * (1 << 30) + (1 << 29)), "6.5 GiB");
        assert_eq!(amount(1500 << 20), "1500 MiB");
        assert_eq!(amount(17), "17 B");
        let gib = Setting::float("c", 0.25, 10.0, "", Apply::Restart, "").takes(Takes::MEMORY.each(1 << 30));
        assert_eq!(bytes_of(&gib, 0) * thousandths(&gib, "0.25"), (256 << 20) * 1_000_000_000);
        let share = Setting::float("c", 0.0, 1.0, "", Apply::Restart, "").takes(Takes::HEAP);
        assert_eq!(bytes_of(&share, 100) * thousandths(&share, "0.5"), (50 << 20) * 1_000_000_000);
        assert_eq!(thousandths(&share, "-1"), 0);
    }
}
