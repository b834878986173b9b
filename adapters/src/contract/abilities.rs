//! What some engines can do and others cannot: inner users and databases, metrics. Settings are beside.

use serde::Serialize;

use super::{Account, Answer, Call, Cx};

/// What an inner user may do, in the words that are the same for every engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything that the engine lets a tenant do: users, databases, settings. Never the system account's own powers over the host.
    Superuser,
    /// Reads and writes data, and makes tables, in its databases.
    Readwrite,
    /// Reads data in its databases.
    Read,
    /// What the engine's own dump tool needs, and no writing.
    Backup,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Self::Superuser, Self::Readwrite, Self::Read, Self::Backup];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Superuser => "superuser",
            Role::Readwrite => "readwrite",
            Role::Read => "read",
            Role::Backup => "backup",
        }
    }
}

/// Something that a user of a role must, or must not, be able to do: run by the conformance suite as that user, in order.
#[derive(Clone, Debug)]
pub struct Proof {
    /// For people: `writes a row`.
    pub what: &'static str,
    /// Run as the user, in its database.
    pub calls: Vec<Call>,
    /// Whether all of them must succeed, or the last must be refused (for want of permission, not by a dead connection).
    pub allowed: bool,
}

impl Proof {
    /// This must work.
    pub fn can(what: &'static str, calls: Vec<Call>) -> Self {
        Self { what, calls, allowed: true }
    }

    /// The server must refuse this.
    pub fn cannot(what: &'static str, calls: Vec<Call>) -> Self {
        Self { what, calls, allowed: false }
    }
}

/// Inner users. Calls are run as the system account, and may be run again.
pub trait Users: Sync {
    /// Whether there is such a role.
    ///
    /// # Errors
    /// A sentence that says why not: `Meilisearch has keys, not users`.
    fn role(&self, role: Role) -> Result<(), &'static str>;

    /// Versions in which users cannot be made.
    fn not_in(&self) -> &'static [&'static str] {
        &[]
    }

    /// Makes a user or brings it to this password and role. `databases`: where the role counts; empty for engines
    /// without named databases. What the user had before and has no more is taken away.
    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call>;

    /// Removes a user with its rights, giving what it owns to the user's account; a missing one is fine.
    /// `databases`: every inner database there is.
    fn drop(&self, cx: &Cx, username: &str, databases: &[String]) -> Vec<Call>;

    /// Asks for the names of all users.
    fn list(&self, cx: &Cx) -> Vec<Call>;

    /// The names in the answers to `list`, the engine's own accounts left out.
    fn names(&self, answers: &[Answer]) -> Vec<String>;

    /// What a user of this role can and cannot do; at least one of each, where the role is not everything.
    /// `database` is one of its own (empty text where there are none) in which [`super::Engine::marker`] was written
    /// as the owner before.
    fn proofs(&self, cx: &Cx, role: Role, database: &str) -> Vec<Proof>;
}

/// Inner databases (keyspaces, topics are not). Calls are run as the system account, and may be run again.
pub trait Databases: Sync {
    /// Makes a database that the user's account owns; one that is there is fine.
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call>;

    /// Removes a database with everything in it; a missing one is fine.
    fn drop(&self, cx: &Cx, name: &str) -> Vec<Call>;

    /// Asks for the names of all databases.
    fn list(&self, cx: &Cx) -> Vec<Call>;

    /// The names in the answers to `list`, the engine's own left out.
    fn names(&self, answers: &[Answer]) -> Vec<String>;
}

/// One number that a server says about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Stable name, the same for every engine that has it: `connections`, `queries_total`, `cache_hit_ratio`, `data_bytes`, ...
    pub name: &'static str,
    /// `count`, `bytes`, `seconds`, `ratio`, `per_second`; a name that ends in `_total` only grows.
    pub unit: &'static str,
    /// Its value now.
    pub value: f64,
}

/// Numbers that a server says about itself.
pub trait Metrics: Sync {
    /// Asks for them; few and cheap calls, made every 10 s. As the system account.
    fn calls(&self, cx: &Cx) -> Vec<Call>;

    /// The numbers in the answers.
    fn parse(&self, answers: &[Answer]) -> Vec<Metric>;
}

/// Something that was written, to be found again after a restart.
#[derive(Clone, Debug)]
pub struct Marker {
    /// Writes it, as the user in its own database; may be run again.
    pub write: Vec<Call>,
    /// Reads it: the answer's text contains the value.
    pub read: Call,
}

/// A promise of the SKU that the running server can be asked about.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// For people: `shared_buffers`.
    pub what: &'static str,
    /// Asks, as the system account.
    pub call: Call,
    /// What the answer must contain as its first value.
    pub expect: String,
    /// Finds the value in the answer; [`Answer::first`] mostly.
    pub read: fn(&Answer) -> Option<String>,
}
