//! How people and programs connect.

use serde::Serialize;

use super::Account;

/// The spellings of a connection string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UriFormat {
    /// The engine's URI.
    Uri,
    /// A JDBC URL.
    Jdbc,
    /// Shell variables, a line each.
    Env,
    /// A command line for the engine's own client; the password is asked for or taken from the environment.
    Cli,
    /// YAML mapping.
    Yaml,
    /// .NET connection string.
    Dotnet,
}

impl UriFormat {
    /// Every format.
    pub const ALL: [UriFormat; 6] = [Self::Uri, Self::Jdbc, Self::Env, Self::Cli, Self::Yaml, Self::Dotnet];
}

/// Where a client connects and as whom.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    /// Host name or address.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
    /// Account and password.
    pub account: &'a Account,
    /// Database; `None` where the engine has none.
    pub database: Option<&'a str>,
}

/// A command to run inside the container, for people: the engine's own shell.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Program and arguments; no secret.
    pub argv: Vec<String>,
    /// The environment variable from which the program takes the password; empty where it asks.
    pub password_env: &'static str,
}

/// What a name is for; the rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// An inner database.
    Database,
    /// An inner user.
    User,
}
