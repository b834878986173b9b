//! What module.json says: the only place where id, table prefix and permissions are written.

use std::sync::LazyLock;

use serde::Deserialize;

/// The document itself, embedded.
pub const JSON: &str = include_str!("../module.json");

/// module.json, as far as the program needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Module {
    /// `620600`
    pub id: String,
    /// Name in Flux.
    pub name: String,
    /// Version; the package's.
    pub version: String,
    /// SPDX expression; the package's.
    pub license: String,
    /// What it needs of its platform.
    pub requires: Requires,
    /// What every table's name begins with.
    pub table_prefix: String,
    /// Path below which every route lives.
    pub base_path: String,
    /// Permissions.
    pub permissions: Vec<ModulePermission>,
}

/// What the module needs of its platform.
#[derive(Clone, Debug, Deserialize)]
pub struct Requires {
    /// Versions of Flux that can load it: `>=1.0.0`.
    pub flux: String,
}

/// A permission in module.json.
#[derive(Clone, Debug, Deserialize)]
pub struct ModulePermission {
    /// `databases:read`
    pub id: String,
    /// What it allows, for people.
    pub description: String,
}

static MODULE: LazyLock<Module> =
    LazyLock::new(|| serde_json::from_str(JSON).expect("module.json is embedded and tested"));

/// What module.json says.
pub fn module() -> &'static Module {
    &MODULE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Permission;

    #[test]
    fn constants_that_must_be_known_at_compile_time_agree_with_it() {
        assert_eq!(module().base_path, crate::api::BASE);
        assert_eq!(
            (module().version.as_str(), module().license.as_str()),
            (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_LICENSE"))
        );
        assert_eq!(module().requires.flux, ">=1.0.0");
        let permissions: Vec<_> = module().permissions.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(permissions, [Permission::Read.as_str(), Permission::Write.as_str()]);
        assert_eq!(module().table_prefix, format!("{}_databases_", module().id));
    }

    #[test]
    fn every_table_of_the_migrations_bears_the_prefix() {
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).expect("migrations") {
            let path = entry.expect("entry").path();
            let sql = std::fs::read_to_string(&path).expect("SQL");
            for line in sql.lines().filter(|l| l.starts_with("CREATE TABLE") || l.starts_with("DROP TABLE")) {
                assert!(line.contains(&format!("\"{}", module().table_prefix)), "{}: {line}", path.display());
            }
        }
    }
}
