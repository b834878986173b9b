//! What an adapter is told about one instance, and how it is started.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Facts, Secret, Version};

/// Where rendered files and passwords appear in every container (a small tmpfs, each file 0400 for the engine's user).
pub const FILES_DIR: &str = "/fluxdb";

/// File below [`FILES_DIR`] with the password of the system account.
pub const SYSTEM_PASSWORD_FILE: &str = "system-password";

/// What an instance may use, as its SKU says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Storage in GiB.
    pub storage_gib: u32,
}

/// An account with its password.
#[derive(Clone, Debug)]
pub struct Account {
    /// Name as the engine knows it.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// Where clients reach the instance, for servers that tell clients where to connect.
#[derive(Clone, Debug)]
pub struct Advertised {
    /// Host name or address.
    pub host: String,
    /// Published ports, in the order of [`super::Facts::ports`].
    pub ports: Vec<u16>,
}

/// All that an adapter needs to know about one instance.
#[derive(Clone, Debug)]
pub struct Cx {
    /// Version id, one of [`super::Facts::versions`].
    pub version: &'static Version,
    /// What the SKU grants.
    pub size: Size,
    /// The account `fluxdb` uses.
    pub system: Account,
    /// The user's account; the same as `system` where the engine has a single one.
    pub user: Account,
    /// The user's database; `None` where the engine has none.
    pub database: Option<String>,
    /// Settings that the user has set, by name; checked against the catalogue.
    pub settings: BTreeMap<String, String>,
    /// Where clients reach it.
    pub advertised: Advertised,
    /// 128 random bits that stay with the instance: for cluster ids.
    pub unique: u128,
}

impl Cx {
    /// Without accounts and addresses: for what follows from size and settings alone.
    pub fn sized(facts: &Facts, version: &'static Version, size: Size, settings: BTreeMap<String, String>) -> Self {
        let account = |name: &str| Account { username: name.to_owned(), password: Secret::new(String::new()) };
        Self {
            version,
            size,
            system: account(facts.system_user),
            user: account(facts.default_username),
            database: facts.default_database.map(str::to_owned),
            settings,
            advertised: Advertised { host: String::new(), ports: facts.ports.iter().map(|p| p.number).collect() },
            unique: 0,
        }
    }
}

/// A file for the container, placed at [`FILES_DIR`]`/name`.
#[derive(Clone, Debug)]
pub struct File {
    /// File name; at most 24 characters, so that Podman takes its secret's name.
    pub name: &'static str,
    /// Text.
    pub content: Secret,
}

/// How the server is started.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Instead of the image's entrypoint; `None` keeps that. Never holds a secret.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments for the entrypoint. Never holds a secret.
    pub argv: Vec<String>,
    /// Environment. Never holds a secret: passwords travel in `files`.
    pub env: Vec<(&'static str, String)>,
    /// Files below [`FILES_DIR`].
    pub files: Vec<File>,
}

/// How a server checks a configuration without starting.
#[derive(Clone, Copy, Debug)]
pub struct ConfigTest {
    /// The rendered file: one of [`Launch::files`].
    pub file: &'static str,
    /// A shell script that takes the file on standard input, beside a running server; it fails and says why, or it is well.
    pub script: &'static str,
    /// A line at the file's end that makes it fail, so that it is known to test something.
    pub wrong: &'static str,
}
