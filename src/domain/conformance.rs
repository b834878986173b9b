//! What the conformance suite found: the only source of "verified".

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "why")]
pub enum Outcome {
    /// It held.
    Passed,
    /// The engine has no such thing; says why.
    NotOffered(String),
    /// It did not hold; says what was seen.
    Failed(String),
}

/// One check of one engine version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Whose server was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// The engine itself.
    Real,
    /// Another server that speaks the same protocol.
    ProtocolOnly,
}

/// One run of the suite: engine, version, image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Engine id.
    pub engine: String,
    /// Version id.
    pub version: String,
    /// Image that ran.
    pub image: String,
    /// Whose server it was.
    pub server: Server,
    /// Day, `YYYY-MM-DD`.
    pub date: String,
    /// Podman and the host's class of limits.
    pub host: String,
    /// Milliseconds from the request to the first authenticated answer.
    pub ready_ms: u64,
    /// Memory of the idle server, MiB, from its cgroup; 0 = could not be read.
    pub idle_mib: u64,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Row {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && !self.checks.iter().any(|c| matches!(c.outcome, Outcome::Failed(_)))
    }
}

/// The rows that this binary was built with (`docs/conformance.json`).
pub fn recorded() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    // A file of the repository; a test parses it.
    ROWS.get_or_init(|| serde_json::from_str(include_str!("../../docs/conformance.json")).unwrap_or_default())
}

/// How an engine's version was verified: `real`, `protocol_only`, `not_yet`. Without a version: the best of all.
pub fn verified(engine: &str, version: Option<&str>) -> &'static str {
    let rows =
        || recorded().iter().filter(|r| r.engine == engine && version.is_none_or(|v| r.version == v) && r.passed());
    if rows().any(|r| r.server == Server::Real) {
        "real"
    } else if rows().next().is_some() {
        "protocol_only"
    } else {
        "not_yet"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_rows_are_of_engines_and_versions_that_exist() {
        let rows: Vec<Row> = serde_json::from_str(include_str!("../../docs/conformance.json")).expect("the file");
        for row in rows {
            let engine = fluxdb_adapters::find(&row.engine).unwrap_or_else(|| panic!("{}", row.engine));
            assert!(engine.facts().version(&row.version).is_some(), "{} {}", row.engine, row.version);
            assert!(row.passed(), "{} {} is recorded although a check failed", row.engine, row.version);
        }
    }
}
