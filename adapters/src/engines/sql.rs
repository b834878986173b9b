//! Connection strings that the SQL engines share.

use crate::quote::{percent, shell_word, yaml_string};
use crate::{Call, Endpoint, Marker, Secret, UriFormat};

/// What differs between the SQL engines' connection strings.
pub(super) struct Spelling {
    pub(super) scheme: &'static str,
    pub(super) jdbc: &'static str,
    /// Prefix of the environment variables, e.g. `PG`.
    pub(super) env: &'static [&'static str; 5],
    pub(super) cli: fn(&Endpoint<'_>) -> String,
}

pub(super) fn connection_string(s: &Spelling, format: UriFormat, to: &Endpoint<'_>) -> Secret {
    let user = &to.account.username;
    let password = to.account.password.expose();
    let database = to.database.unwrap_or_default();
    let (host, port) = (to.host, to.port);
    Secret::new(match format {
        UriFormat::Uri => {
            format!("{}://{}:{}@{host}:{port}/{}", s.scheme, percent(user), percent(password), percent(database))
        }
        UriFormat::Jdbc => format!(
            "jdbc:{}://{host}:{port}/{}?user={}&password={}",
            s.jdbc,
            percent(database),
            percent(user),
            percent(password)
        ),
        UriFormat::Env => {
            let port = port.to_string();
            let values = [host, &port, user, password, database];
            s.env.iter().zip(values).map(|(k, v)| format!("{k}={}\n", shell_word(v))).collect::<String>()
        }
        UriFormat::Cli => (s.cli)(to),
        UriFormat::Yaml => format!(
            "host: {}\nport: {port}\nusername: {}\npassword: {}\ndatabase: {}\n",
            yaml_string(host),
            yaml_string(user),
            yaml_string(password),
            yaml_string(database)
        ),
        UriFormat::Dotnet => format!(
            "Host={host};Port={port};Username={};Password={};Database={}",
            dotnet(user),
            dotnet(password),
            dotnet(database)
        ),
    })
}

/// A value of a .NET connection string: quoted where it holds a separator or quote.
pub(super) fn dotnet(value: &str) -> String {
    if value.contains([';', '\'', '"', '=']) || value.starts_with(' ') || value.ends_with(' ') {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// A table with the value in it. `literal` is quoted by the engine's rules; `unless_there` makes the insert repeatable.
pub(super) fn marker(literal: String, unless_there: &str) -> Marker {
    Marker {
        write: vec![
            Call::sql("CREATE TABLE IF NOT EXISTS fluxdb_marker (value varchar(64) PRIMARY KEY)"),
            Call::sql(format!("INSERT INTO fluxdb_marker (value) VALUES ({literal}) {unless_there}")),
        ],
        read: Call::sql(format!("SELECT value FROM fluxdb_marker WHERE value = {literal}")),
    }
}
