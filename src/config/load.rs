//! How a configuration comes about: defaults, then file, then environment, then flags; the later wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::{Config, check, keys};

/// Environment variables, so that tests need not change those of the process.
pub type Environment = BTreeMap<String, String>;

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// Keys with their values: flag, key, value.
    pub values: Vec<(&'static str, &'static str, String)>,
}

/// A configuration, and where each part came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration; valid.
    pub config: Config,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Where each key that was set came from.
    pub sources: BTreeMap<String, Source>,
}

/// Where a key was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a file, on this line.
    File(PathBuf, usize),
    /// By an environment variable.
    Env(String),
    /// By a flag.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path, line) => write!(f, "{}:{line}", path.display()),
            Source::Env(name) => write!(f, "environment variable {name}"),
            Source::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Everything that is wrong with a configuration, a line each: where, which key, what is allowed.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl ConfigError {
    fn one(line: impl Into<String>) -> Self {
        Self(vec![line.into()])
    }
}

/// Reads file, environment and flags.
///
/// # Errors
/// Lines that name file and line (or variable, or flag), key, and what is allowed.
pub fn load(flags: &Flags, env: &Environment) -> Result<Loaded, ConfigError> {
    let mut sources = BTreeMap::new();
    let (mut table, file) = match find_file(flags, env)? {
        Some(path) => (read_file(&path, &mut sources)?, Some(path)),
        None => (Table::new(), None),
    };
    apply_environment(&mut table, &mut sources, env)?;
    for (flag, key, value) in &flags.values {
        apply(&mut table, &mut sources, key, value, Source::Flag(flag))?;
    }
    let mut config = deserialize(table, &sources)?;
    settle_paths(&mut config, env, sources.contains_key("data.dir"))?;
    let problems = check::problems(&config);
    if problems.is_empty() {
        return Ok(Loaded { config, file, sources });
    }
    Err(ConfigError(problems.into_iter().map(|(key, text)| at(&sources, key, &text)).collect()))
}

/// Where the daemon's state is when nobody says otherwise: `$XDG_DATA_HOME/fluxdb` or `~/.local/share/fluxdb`.
///
/// # Errors
/// Neither variable is set.
pub fn default_data_dir(env: &Environment) -> Result<PathBuf, ConfigError> {
    let absolute = |name: &str| env.get(name).map(PathBuf::from).filter(|p| p.is_absolute());
    if let Some(dir) = absolute("XDG_DATA_HOME") {
        return Ok(dir.join("fluxdb"));
    }
    absolute("HOME").map(|home| home.join(".local/share/fluxdb")).ok_or_else(|| {
        ConfigError::one(
            "neither XDG_DATA_HOME nor HOME is set: say where the daemon's state is with --data-dir or FLUXDB_DATA_DIR",
        )
    })
}

fn find_file(flags: &Flags, env: &Environment) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(path) = flags.config.clone().or_else(|| env.get("FLUXDB_CONFIG").map(PathBuf::from)) {
        return Ok(Some(path)); // named, so it must be there
    }
    let flag_dir = flags.values.iter().find(|(_, key, _)| *key == "data.dir").map(|(_, _, value)| value);
    let data_dir = match flag_dir.or_else(|| env.get("FLUXDB_DATA_DIR")) {
        Some(dir) => expand(Path::new(dir), env),
        None => default_data_dir(env)?,
    };
    let of_user = env.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let of_user = of_user.or_else(|| env.get("HOME").map(|home| Path::new(home).join(".config")));
    let mut places = vec![data_dir.join("config.toml")];
    places.extend(of_user.map(|dir| dir.join("fluxdb/config.toml")));
    places.push(PathBuf::from("/etc/fluxdb/config.toml"));
    Ok(places.into_iter().find(|path| path.is_file()))
}

fn read_file(path: &Path, sources: &mut BTreeMap<String, Source>) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| ConfigError::one(format!("{}: the configuration cannot be read: {e}", path.display())))?;
    let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let failed = |error: &toml::de::Error, key: Option<String>| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        let key = key.filter(|k| k != ".").map(|k| format!(" {k}:")).unwrap_or_default();
        ConfigError::one(format!("{}:{line}:{key} {}", path.display(), error.message().replace('\n', " ")))
    };
    let document = DeTable::parse(&text).map_err(|e| failed(&e, None))?;
    note_lines(document.get_ref(), "", &mut |key, offset| {
        sources.insert(key, Source::File(path.to_owned(), line_of(offset)));
    });
    // Read as the structs first: only this reader knows the line of what does not fit.
    let reader = toml::Deserializer::parse(&text).map_err(|e| failed(&e, None))?;
    serde_path_to_error::deserialize::<_, Config>(reader).map_err(|e| failed(e.inner(), Some(e.path().to_string())))?;
    toml::from_str(&text).map_err(|e| failed(&e, None))
}

fn note_lines(table: &DeTable<'_>, prefix: &str, note: &mut impl FnMut(String, usize)) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        note(path.clone(), key.span().start);
        if let DeValue::Table(inner) = value.get_ref() {
            note_lines(inner, &path, note);
        }
    }
}

fn apply_environment(
    table: &mut Table,
    sources: &mut BTreeMap<String, Source>,
    env: &Environment,
) -> Result<(), ConfigError> {
    let keys = keys::all();
    for (name, key) in keys::SHORT_FORMS {
        if let Some(value) = env.get(name) {
            apply(table, sources, key, value, Source::Env(name.to_owned()))?;
        }
    }
    for key in &keys {
        if let Some(value) = env.get(&key.env) {
            apply(table, sources, &key.path, value, Source::Env(key.env.clone()))?;
        }
    }
    // A misspelt variable must not be ignored; others that begin with FLUXDB_ are scripts' and clients' own.
    for name in env.keys().filter(|name| !keys.iter().any(|k| &k.env == *name)) {
        let Some(rest) = name.strip_prefix("FLUXDB_") else { continue };
        let prefix = format!("FLUXDB_{}_", rest.split('_').next().unwrap_or_default());
        let known: Vec<_> = keys.iter().filter(|k| k.env.starts_with(&prefix)).map(|k| k.env.as_str()).collect();
        if !known.is_empty() && name.starts_with(&prefix) {
            return Err(ConfigError::one(format!(
                "environment variable {name}: no such setting; allowed is {}",
                known.join(", ")
            )));
        }
    }
    Ok(())
}

fn apply(
    table: &mut Table,
    sources: &mut BTreeMap<String, Source>,
    path: &str,
    text: &str,
    source: Source,
) -> Result<(), ConfigError> {
    let key = keys::all().into_iter().find(|k| k.path == path).expect("flags and short forms name keys that exist");
    let value = key.parse(text).map_err(|e| ConfigError::one(format!("{source}: {path}: {e}")))?;
    keys::set(table, path, value);
    sources.insert(path.to_owned(), source);
    Ok(())
}

fn deserialize(table: Table, sources: &BTreeMap<String, Source>) -> Result<Config, ConfigError> {
    serde_path_to_error::deserialize::<_, Config>(Value::Table(table)).map_err(|e| {
        let key = e.path().to_string();
        ConfigError::one(at(sources, &key, &e.inner().message().replace('\n', " ")))
    })
}

fn at(sources: &BTreeMap<String, Source>, key: &str, text: &str) -> String {
    let source = sources.get(key).or_else(|| {
        let below = format!("{key}.");
        sources.iter().find(|(path, _)| path.starts_with(&below)).map(|(_, source)| source)
    });
    match source {
        Some(source) => format!("{source}: {key} {text}"),
        None => format!("configuration: {key} {text}"),
    }
}

fn settle_paths(config: &mut Config, env: &Environment, data_dir_set: bool) -> Result<(), ConfigError> {
    if !data_dir_set {
        config.data.dir = default_data_dir(env)?;
    }
    let jwks_file = config.auth.jwt.as_mut().and_then(|jwt| jwt.jwks_file.as_mut());
    for path in [Some(&mut config.data.dir), config.data.master_key_file.as_mut(), jwks_file].into_iter().flatten() {
        if path.as_os_str().is_empty() {
            continue; // check::problems says so
        }
        let expanded = expand(path, env);
        *path = std::path::absolute(&expanded)
            .map_err(|e| ConfigError::one(format!("{}: not a usable path: {e}", expanded.display())))?;
    }
    Ok(())
}

/// `~/` is the home directory, as a shell would have it.
fn expand(path: &Path, env: &Environment) -> PathBuf {
    match (path.strip_prefix("~"), env.get("HOME")) {
        (Ok(rest), Some(home)) => Path::new(home).join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
