//! What some engines can do and others cannot: inner users and databases, settings, metrics.

use std::collections::BTreeMap;

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

/// When a changed setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// At once.
    Dynamic,
    /// After a restart, which fluxdb does.
    Restart,
    /// At creation only.
    Immutable,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Kind {
    /// A whole number in `unit` (empty: a plain number), as the engine takes it in its configuration without the unit.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// `MiB`, `ms`, ...
        unit: &'static str,
    },
    /// A number.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// `true` or `false`, whatever the engine's own words are.
    Boolean,
    /// One of these.
    Choice {
        /// The words.
        values: &'static [&'static str],
    },
    /// A text without control characters, quotes and backslashes, at most this long.
    Text {
        /// Characters.
        longest: u32,
    },
}

/// One parameter that users really change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The engine's own name.
    pub name: &'static str,
    /// Values it takes.
    pub kind: Kind,
    /// What counts when neither the user nor the SKU says otherwise; empty where that depends on the SKU.
    pub default: &'static str,
    /// When a change counts.
    pub apply: Apply,
    /// One line.
    pub meaning: &'static str,
    /// Where its smallest value is a word of its own ("0 = no limit"): the smallest of the others.
    pub least: Option<i32>,
    /// Versions that do not know it.
    #[serde(skip)]
    pub not_in: &'static [&'static str],
}

impl Setting {
    /// A whole number.
    pub const fn int(
        name: &'static str,
        min: i64,
        max: i64,
        unit: &'static str,
        default: &'static str,
        apply: Apply,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Integer { min, max, unit }, default, apply, meaning, least: None, not_in: &[] }
    }

    /// A number.
    pub const fn float(
        name: &'static str,
        min: f64,
        max: f64,
        default: &'static str,
        apply: Apply,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Float { min, max }, default, apply, meaning, least: None, not_in: &[] }
    }

    /// `true` or `false`.
    pub const fn flag(name: &'static str, default: &'static str, apply: Apply, meaning: &'static str) -> Self {
        Self { name, kind: Kind::Boolean, default, apply, meaning, least: None, not_in: &[] }
    }

    /// One of some words.
    pub const fn choice(
        name: &'static str,
        values: &'static [&'static str],
        default: &'static str,
        apply: Apply,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Choice { values }, default, apply, meaning, least: None, not_in: &[] }
    }

    /// A text.
    pub const fn text(
        name: &'static str,
        longest: u32,
        default: &'static str,
        apply: Apply,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Text { longest }, default, apply, meaning, least: None, not_in: &[] }
    }

    /// The same, unknown to these versions.
    pub const fn not_in(mut self, versions: &'static [&'static str]) -> Self {
        self.not_in = versions;
        self
    }

    /// The same, whose smallest value is a word of its own, and the next one is this.
    pub const fn least(mut self, least: i32) -> Self {
        self.least = Some(least);
        self
    }

    /// Says what is wrong with a value.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let ok = match self.kind {
            Kind::Integer { min, max, .. } => value.parse::<i64>().is_ok_and(|n| {
                let counts = n == min || self.least.is_none_or(|least| n >= i64::from(least));
                (min..=max).contains(&n) && counts && n.to_string() == value
            }),
            Kind::Float { min, max } => {
                value.parse::<f64>().is_ok_and(|n| n.is_finite() && (min..=max).contains(&n))
                    && value.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
            }
            Kind::Boolean => value == "true" || value == "false",
            Kind::Choice { values } => values.contains(&value),
            Kind::Text { longest } => {
                value.chars().count() <= longest as usize
                    && !value.chars().any(|c| c.is_control() || ['\'', '"', '\\', '`'].contains(&c))
            }
        };
        if ok {
            return Ok(());
        }
        Err(match self.kind {
            Kind::Integer { min, max, unit } if self.least.is_some() => {
                let (least, unit) = (
                    self.least.map_or(min, i64::from),
                    if unit.is_empty() { unit.into() } else { format!(" of {unit}") },
                );
                format!("must be {min} or a whole number{unit} from {least} to {max}")
            }
            Kind::Integer { min, max, unit: "" } => format!("must be a whole number from {min} to {max}"),
            Kind::Integer { min, max, unit } => format!("must be a whole number of {unit} from {min} to {max}"),
            Kind::Float { min, max } => format!("must be a number from {min} to {max}"),
            Kind::Boolean => "must be true or false".into(),
            Kind::Choice { values } => format!("must be one of {}", values.join(", ")),
            Kind::Text { longest } => {
                format!("must be at most {longest} characters without quotes, backslashes and control characters")
            }
        })
    }

    /// A value inside the range that is neither the default nor `avoid`: for tests on real servers.
    pub fn another(&self, avoid: &str) -> Option<String> {
        let differs = |v: &String| v != self.default && v != avoid;
        match self.kind {
            Kind::Integer { min, max, unit } => {
                let default = self.default.parse::<i64>().unwrap_or(min);
                let near = if default == min { self.least.map_or(min, i64::from) } else { default };
                // One more than "never" is mostly a limit under which nothing works.
                let limit = near == 0 && max >= 60_000 && ["ms", "s"].contains(&unit);
                let first = if limit { 60_000 } else { near.saturating_add(1) };
                [first, near.saturating_add(1), near.saturating_sub(1), near.saturating_mul(2), min, max]
                    .into_iter()
                    .filter(|n| (min..=max).contains(n))
                    .map(|n| n.to_string())
                    .find(|n| differs(n) && self.check(n).is_ok())
            }
            Kind::Float { min, max } => [(min + max) / 2.0, min, max].into_iter().map(|n| n.to_string()).find(differs),
            Kind::Boolean => ["true", "false"].map(str::to_owned).into_iter().find(differs),
            Kind::Choice { values } => values.iter().map(|v| (*v).to_owned()).find(differs),
            Kind::Text { .. } => None,
        }
    }
}

/// Parameters that users change.
pub trait Settings: Sync {
    /// What can be changed; 20 to 60 parameters for a large engine.
    fn catalogue(&self) -> &'static [Setting];

    /// Asks the server what counts now.
    fn read(&self, cx: &Cx) -> Vec<Call>;

    /// Values by name in the answers to `read`, in the catalogue's units and words (`true`, `64`).
    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String>;

    /// Sets a dynamic setting in the running server; `None` = back to what the SKU or the engine says (`cx.settings` holds
    /// it no more). What is rendered for the next start holds it too. Empty where only a restart can do it.
    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call>;
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
