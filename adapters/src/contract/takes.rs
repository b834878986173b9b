//! What the value of a setting takes of an instance. `crate::budget` adds it up; every size, count of connections and count
//! of threads in a catalogue answers, also with [`Takes::NOTHING`].

/// How an amount is compared with what the instance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Set aside as long as the server runs (a cache, a log on the disk): all of these are added up.
    Kept,
    /// Taken while one session or job works (a sort, temporary files), beside everything that is kept.
    Work,
    /// A limit for what other settings or the server take: compared alone.
    Ceiling,
}

/// What is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Nobody has answered yet; the contract tests refuse it for sizes and counts.
    Unsaid,
    /// Nothing that adds up: a limit of what clients send, a threshold, an estimate.
    Nothing,
    /// The instance's memory.
    Memory(How),
    /// The heap of a JVM, which itself is part of the memory ([`Beside`]).
    Heap(How),
    /// The instance's storage, beside the data themselves.
    Storage(How),
    /// So many clients at once: a process or thread, a socket, and [`Takes::each`] bytes of memory for each.
    Sessions,
    /// The same in a server whose threads serve many clients each.
    Clients,
    /// So many processes or threads of the server, and [`Takes::each`] bytes of memory for each.
    Workers,
    /// So many open files, and [`Takes::each`] bytes of memory for each.
    Files,
}

impl What {
    /// As in JSON; `None` where nothing is taken.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Unsaid | Self::Nothing => None,
            Self::Memory(_) => Some("memory"),
            Self::Heap(_) => Some("heap"),
            Self::Storage(_) => Some("storage"),
            Self::Sessions | Self::Clients => Some("connections"),
            Self::Workers => Some("processes"),
            Self::Files => Some("files"),
        }
    }
}

/// What multiplies an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// The value of this other setting (`true` = 1, `false` = 0).
    Value(&'static str),
    /// One more than it: a leader beside its workers.
    OneMore(&'static str),
    /// A number.
    By(u32),
}

/// What the value of a setting takes of the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// What is taken.
    pub what: What,
    /// Bytes for each where the value is a count, or where its unit says nothing about bytes.
    pub each: u64,
    /// What multiplies it.
    pub times: &'static [Factor],
}

const KIB: u64 = 1024;

impl Takes {
    /// Not answered yet.
    pub const UNSAID: Self = Self::of(What::Unsaid);
    /// Nothing that adds up.
    pub const NOTHING: Self = Self::of(What::Nothing);
    /// Memory that is set aside.
    pub const MEMORY: Self = Self::of(What::Memory(How::Kept));
    /// Memory of one session or job while it works.
    pub const WORK: Self = Self::of(What::Memory(How::Work));
    /// A limit of memory.
    pub const CEILING: Self = Self::of(What::Memory(How::Ceiling));
    /// Heap that is set aside.
    pub const HEAP: Self = Self::of(What::Heap(How::Kept));
    /// Heap of one session or job while it works.
    pub const HEAP_WORK: Self = Self::of(What::Heap(How::Work));
    /// A limit of heap.
    pub const HEAP_CEILING: Self = Self::of(What::Heap(How::Ceiling));
    /// Files that are kept beside the data: logs.
    pub const STORAGE: Self = Self::of(What::Storage(How::Kept));
    /// Files of one session or job while it works; what stays of one topic.
    pub const SPILL: Self = Self::of(What::Storage(How::Work));
    /// A limit of storage.
    pub const STORAGE_CEILING: Self = Self::of(What::Storage(How::Ceiling));
    /// Open files, of which the server knows a KiB each.
    pub const FILES: Self = Self::of(What::Files).each(KIB);

    const fn of(what: What) -> Self {
        Self { what, each: 1, times: &[] }
    }

    /// Clients at once, with KiB of memory for each.
    pub const fn sessions(kib: u64) -> Self {
        Self::of(What::Sessions).each(kib * KIB)
    }

    /// Clients of a server with few threads, with KiB of memory for each.
    pub const fn clients(kib: u64) -> Self {
        Self::of(What::Clients).each(kib * KIB)
    }

    /// Processes or threads, with KiB of memory for each.
    pub const fn workers(kib: u64) -> Self {
        Self::of(What::Workers).each(kib * KIB)
    }

    /// The same with so many bytes for each.
    pub const fn each(mut self, bytes: u64) -> Self {
        self.each = bytes;
        self
    }

    /// The same, multiplied.
    pub const fn times(mut self, factors: &'static [Factor]) -> Self {
        self.times = factors;
        self
    }
}

/// What a server takes that no setting says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// For people: `the heap`.
    pub name: &'static str,
    /// MiB of memory that are set aside for it.
    pub memory_mib: u32,
    /// Whether it is the heap that settings take parts of.
    pub heap: bool,
    /// MiB of storage that are kept for it.
    pub storage_mib: u32,
    /// Processes and threads.
    pub pids: u32,
}

impl Beside {
    const NOTHING: Self = Self { name: "", memory_mib: 0, heap: false, storage_mib: 0, pids: 0 };

    /// The heap of a JVM.
    pub const fn heap(memory_mib: u32) -> Self {
        Self { name: "the heap", memory_mib, heap: true, ..Self::NOTHING }
    }

    /// Other memory.
    pub const fn memory(name: &'static str, memory_mib: u32) -> Self {
        Self { name, memory_mib, ..Self::NOTHING }
    }

    /// Files beside the data.
    pub const fn storage(name: &'static str, storage_mib: u32) -> Self {
        Self { name, storage_mib, ..Self::NOTHING }
    }

    /// Processes or threads.
    pub const fn processes(name: &'static str, pids: u32) -> Self {
        Self { name, pids, ..Self::NOTHING }
    }
}
