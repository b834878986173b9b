//! What a tenant may not become, and what it may still see: tried on real servers by the conformance suite.

use serde::Serialize;

use super::{Answer, Call, Launch};

/// A known way in which an ordinary account becomes more than it is, reaches what is not its own, or locks fluxdb out.
///
/// The suite runs it as the user's account and as an inner user of every role; nobody may succeed. Afterwards the system
/// account and the user must still be able to log in, before and after a restart.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Completes the sentence "the account ...": `runs a program through COPY`.
    pub what: &'static str,
    /// Run first, each in its own turn; whether one is refused does not matter.
    pub prepare: Vec<Call>,
    /// Whether the instance is restarted between `prepare` and `gain`.
    pub restart: bool,
    /// Run as the same account, in order. The attack failed when one of them is refused. Empty: what matters is only that
    /// the system account and the user can still log in.
    pub gain: Vec<Call>,
    /// For servers that answer instead of refusing: whether the answers to `gain` show that something was gained.
    pub gained: fn(&[Answer]) -> bool,
}

impl Attack {
    /// Succeeds when all of these calls are accepted.
    pub fn new(what: &'static str, gain: Vec<Call>) -> Self {
        Self { what, prepare: Vec::new(), restart: false, gain, gained: |_| true }
    }

    /// The same, after these calls, whose own outcome does not matter.
    pub fn prepared(mut self, prepare: Vec<Call>) -> Self {
        self.prepare = prepare;
        self
    }

    /// The same, with a restart of the instance before the gain.
    pub fn after_restart(mut self) -> Self {
        self.restart = true;
        self
    }

    /// The same, where only such answers are a gain.
    pub fn gained_when(mut self, gained: fn(&[Answer]) -> bool) -> Self {
        self.gained = gained;
        self
    }
}

/// When the server reads [`super::SYSTEM_PASSWORD_FILE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "when", content = "why")]
pub enum PasswordFile {
    /// There is no such file: the server is told a hash, or is claimed over the network.
    Absent,
    /// At the very first start only. The file then holds a password for that start alone, which fluxdb replaces before the
    /// tenant has an account: what stays in the container opens nothing.
    FirstStart,
    /// At each start, for this reason: the server cannot do without it.
    EveryStart(&'static str),
}

/// A path that answers without a password, and cannot be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OpenPath {
    /// Index in [`super::Facts::ports`].
    pub port: usize,
    /// `/ping`; everything below it where it ends in `*`, which an image may also lack. `POST /x` for another method, and what was
    /// asked for protocols other than HTTP (`CQL STARTUP`).
    pub path: &'static str,
    /// What it tells whoever asks.
    pub tells: &'static str,
}

/// How fluxdb's own account is brought back when the server refuses it, whatever a tenant or a person did inside.
#[derive(Clone, Debug)]
pub enum Repair {
    /// The account stands in the rendered files: each start of a new container brings it back.
    Restart,
    /// The server is started like this once, and has the account with its password when it answers. The container is then
    /// removed, and with it whatever `files` held.
    Start(Launch),
    /// There is no way, for this reason; a backup must be restored.
    Never(&'static str),
}
