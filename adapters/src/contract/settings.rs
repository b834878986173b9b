//! Parameters of an engine that users change.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Answer, Beside, Call, Cx, Takes};

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
    /// What its value takes of the instance.
    #[serde(skip)]
    pub takes: Takes,
}

impl Setting {
    const fn plain(name: &'static str, kind: Kind, default: &'static str, apply: Apply, meaning: &'static str) -> Self {
        Self { name, kind, default, apply, meaning, least: None, not_in: &[], takes: Takes::NOTHING }
    }

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
        Self { takes: Takes::UNSAID, ..Self::plain(name, Kind::Integer { min, max, unit }, default, apply, meaning) }
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
        Self { takes: Takes::UNSAID, ..Self::plain(name, Kind::Float { min, max }, default, apply, meaning) }
    }

    /// `true` or `false`.
    pub const fn flag(name: &'static str, default: &'static str, apply: Apply, meaning: &'static str) -> Self {
        Self::plain(name, Kind::Boolean, default, apply, meaning)
    }

    /// One of some words.
    pub const fn choice(
        name: &'static str,
        values: &'static [&'static str],
        default: &'static str,
        apply: Apply,
        meaning: &'static str,
    ) -> Self {
        Self::plain(name, Kind::Choice { values }, default, apply, meaning)
    }

    /// A text.
    pub const fn text(
        name: &'static str,
        longest: u32,
        default: &'static str,
        apply: Apply,
        meaning: &'static str,
    ) -> Self {
        Self::plain(name, Kind::Text { longest }, default, apply, meaning)
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

    /// The same, whose value takes this of the instance.
    pub const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
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
            Kind::Float { min, max } => {
                // Half as much again, in hundredths: 1.1 * 1.5 is no short number.
                let near = self.default.parse::<f64>().unwrap_or(min) * 150.0;
                [near.round() / 100.0, (min + max) / 2.0, min, max]
                    .into_iter()
                    .filter(|n| (min..=max).contains(n))
                    .map(|n| n.to_string())
                    .find(differs)
            }
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

    /// The value of a setting that the user has not set, in the catalogue's unit and words: the SKU's, or the default.
    /// Every setting that takes something of the instance has a number here.
    fn usual(&self, _cx: &Cx, setting: &Setting) -> String {
        setting.default.to_owned()
    }

    /// What the server takes of the instance beside its settings: a JVM's heap, the process itself.
    fn beside(&self, _cx: &Cx) -> Vec<Beside> {
        Vec::new()
    }

    /// Asks the server what counts now.
    fn read(&self, cx: &Cx) -> Vec<Call>;

    /// Values by name in the answers to `read`, in the catalogue's units and words (`true`, `64`).
    fn parse(&self, cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String>;

    /// Sets a dynamic setting in the running server; `None` = back to what the SKU or the engine says (`cx.settings` holds
    /// it no more). What is rendered for the next start holds it too. Empty where only a restart can do it.
    fn change(&self, cx: &Cx, setting: &Setting, value: Option<&str>) -> Vec<Call>;
}
