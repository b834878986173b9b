//! What can be done with an engine here: what its adapter can, where the API offers it. Nothing is claimed ahead of its route.

use std::collections::BTreeMap;

use fluxdb_adapters::Engine;

/// Something that an engine may be able to do.
pub struct Ability {
    /// Its name in `capabilities`.
    pub name: &'static str,
    /// The route that offers it, as in the OpenAPI document: `/databases/{id}/settings`.
    pub route: &'static str,
    /// Whether there is such a route. A test in `http` compares it with the routes that are served.
    pub offered: bool,
    /// Whether the adapter can, in this version.
    can: fn(&dyn Engine, &str) -> bool,
}

/// Every ability, in the order of its names.
pub const ABILITIES: [Ability; 8] = [
    Ability {
        name: "databases",
        route: "/databases/{id}/databases",
        offered: false,
        can: |engine, _| engine.databases().is_some(),
    },
    Ability {
        name: "metrics",
        route: "/databases/{id}/metrics",
        offered: false,
        can: |engine, _| engine.metrics().is_some(),
    },
    Ability {
        name: "named_databases",
        route: "/databases",
        offered: true,
        can: |engine, _| engine.facts().default_database.is_some(),
    },
    Ability { name: "quick_create", route: "/databases", offered: true, can: |engine, _| engine.seed().is_some() },
    Ability { name: "resize", route: "/databases/{id}", offered: true, can: |_, _| true },
    Ability { name: "settings", route: "/databases/{id}/settings", offered: true, can: has_settings },
    Ability { name: "tls", route: "/databases/{id}/tls", offered: false, can: |_, _| false },
    Ability {
        name: "users",
        route: "/databases/{id}/users",
        offered: false,
        can: |engine, version| engine.users_in(version).is_some(),
    },
];

fn has_settings(engine: &dyn Engine, version: &str) -> bool {
    engine.settings().is_some_and(|s| s.catalogue().iter().any(|setting| !setting.not_in.contains(&version)))
}

/// Whether the API offers an ability at all, to any engine.
pub fn offered(name: &str) -> bool {
    ABILITIES.iter().any(|a| a.name == name && a.offered)
}

/// What can be done with this version of an engine.
pub fn capabilities(engine: &dyn Engine, version: &str) -> BTreeMap<String, bool> {
    ABILITIES.iter().map(|a| (a.name.to_owned(), a.offered && (a.can)(engine, version))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_offered_and_some_engine_can_it() {
        let claimed = |name: &str| {
            let mut versions =
                fluxdb_adapters::all().iter().flat_map(|e| e.facts().versions.iter().map(move |v| (*e, v.id)));
            versions.any(|(engine, version)| capabilities(engine, version)[name])
        };
        for ability in ABILITIES {
            assert_eq!(claimed(ability.name), ability.offered, "{}", ability.name);
        }
    }
}
