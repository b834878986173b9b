//! Which keys there are: their paths, types and environment variables, read off the structs themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{Config, JwtConfig};

/// A key that an operator may set.
#[derive(Clone, Debug)]
pub struct Key {
    /// `server.listen`
    pub path: String,
    /// `FLUXDB_SERVER_LISTEN`
    pub env: String,
    /// A value of its type; what it says does not matter.
    sample: Value,
}

/// Environment variables that are short for a key, the weakest first. [`Key::env`] is stronger than these.
pub const SHORT_FORMS: [(&str, &str); 2] = [("CONTAINER_HOST", "podman.url"), ("FLUXDB_LISTEN", "server.listen")];

/// Every key, sorted by path. A field that is added to a struct is here without more ado.
pub fn all() -> Vec<Key> {
    let mut out = Vec::new();
    collect(&mut out, "", &table(&every_option_set()));
    out
}

/// The defaults by path; keys that are absent by default are not in it.
pub fn defaults() -> BTreeMap<String, Value> {
    let mut out = Vec::new();
    collect(&mut out, "", &table(&Config::default()));
    out.into_iter().map(|key| (key.path, key.sample)).collect()
}

impl Key {
    /// Reads the text of an environment variable as a value of the key's type.
    ///
    /// # Errors
    /// A sentence that says what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match &self.sample {
            Value::String(_) => Ok(Value::String(text.to_owned())),
            Value::Integer(_) => {
                text.parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number"))
            }
            Value::Float(_) => text.parse().map(Value::Float).map_err(|_| format!("{text:?} is not a number")),
            Value::Boolean(_) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(Value::Boolean(true)),
                "false" | "no" | "off" | "0" => Ok(Value::Boolean(false)),
                _ => Err(format!("{text:?} is neither true nor false")),
            },
            Value::Table(_) | Value::Array(_) | Value::Datetime(_) => toml::from_str::<Table>(&format!("v = {text}"))
                .ok()
                .and_then(|mut t| t.remove("v"))
                .ok_or_else(|| format!("{text:?} is not a TOML value; write for example {}", self.sample)),
        }
    }
}

/// Sets `path` in `table`, making the tables on the way.
pub(super) fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

fn collect(out: &mut Vec<Key>, prefix: &str, table: &Table) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            // The keys of a map are the operator's own.
            Value::Table(inner) if path != "images.overrides" => collect(out, &path, inner),
            _ => {
                let env = format!("FLUXDB_{}", path.replace('.', "_").to_uppercase());
                out.push(Key { path, env, sample: value.clone() });
            }
        }
    }
}

fn table(config: &Config) -> Table {
    Table::try_from(config).expect("the configuration is made of tables, strings, numbers and booleans")
}

fn every_option_set() -> Config {
    let mut config = Config::default();
    config.data.master_key_file = Some(PathBuf::from("key"));
    config.podman.url = Some("unix:///run/podman/podman.sock".into());
    config.endpoints.host = Some("db.example.org".into());
    config.images.overrides = BTreeMap::from([(
        "postgresql".into(),
        BTreeMap::from([("17".into(), "mirror.example.org/postgres:17".into())]),
    )]);
    config.auth.jwt = Some(JwtConfig {
        issuer: "https://flux.example.org".into(),
        audience: "fluxdb".into(),
        jwks_file: Some(PathBuf::from("jwks.json")),
        jwks_url: Some("https://flux.example.org/jwks.json".into()),
    });
    config
}
