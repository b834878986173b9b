//! Which of file, environment and flags wins, and what is said when something is wrong.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::LogFormat;

fn env(pairs: &[(&str, &str)]) -> Environment {
    let mut env: Environment = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    env.entry("HOME".into()).or_insert_with(|| "/nonexistent/home".into());
    env
}

fn with_file(text: &str, pairs: &[(&str, &str)], flags: Flags) -> (PathBuf, Result<Loaded, ConfigError>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let loaded = load(&Flags { config: Some(path.clone()), ..flags }, &env(pairs));
    (path, loaded)
}

#[test]
fn nothing_set_gives_the_defaults_and_a_data_dir_of_the_user() {
    let loaded = load(&Flags::default(), &env(&[])).unwrap();
    let mut expected = Config::default();
    expected.data.dir = PathBuf::from("/nonexistent/home/.local/share/fluxdb");
    assert_eq!(loaded.config, expected);
    assert_eq!(loaded.file, None);
    let loaded = load(&Flags::default(), &env(&[("XDG_DATA_HOME", "/nonexistent/xdg")])).unwrap();
    assert_eq!(loaded.config.data.dir, Path::new("/nonexistent/xdg/fluxdb"));
}

#[test]
fn environment_beats_file_and_flags_beat_both() {
    let text = "[server]\nlisten = '127.0.0.1:1111'\nshutdown_secs = 3\n[log]\nfilter = 'warn'\n";
    let (path, loaded) = with_file(text, &[], Flags::default());
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config.server.listen.port(), 1111);
    assert_eq!(loaded.sources["server.listen"], Source::File(path, 2));

    let (_, loaded) = with_file(text, &[("FLUXDB_LISTEN", "127.0.0.1:2222")], Flags::default());
    assert_eq!(loaded.unwrap().config.server.listen.port(), 2222);

    let both = [("FLUXDB_LISTEN", "127.0.0.1:2222"), ("FLUXDB_SERVER_LISTEN", "127.0.0.1:3333")];
    let (_, loaded) = with_file(text, &both, Flags::default());
    assert_eq!(loaded.unwrap().config.server.listen.port(), 3333);

    let flags = Flags { config: None, values: vec![("--listen", "server.listen", "127.0.0.1:4444".into())] };
    let (_, loaded) = with_file(text, &both, flags);
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config.server.listen.port(), 4444);
    assert_eq!(loaded.config.server.shutdown_secs, 3, "what nobody overrides stays as in the file");
    assert_eq!(loaded.config.log.filter, "warn");
}

#[test]
fn container_host_gives_way_to_our_own_variable() {
    let theirs = ("CONTAINER_HOST", "unix:///run/theirs.sock");
    assert_eq!(load(&Flags::default(), &env(&[theirs])).unwrap().config.podman.url.as_deref(), Some(theirs.1));
    let ours = ("FLUXDB_PODMAN_URL", "tcp://127.0.0.1:8888");
    assert_eq!(load(&Flags::default(), &env(&[theirs, ours])).unwrap().config.podman.url.as_deref(), Some(ours.1));
}

/// Every key has a variable: each is set to something that differs from the default, and arrives.
#[test]
fn every_field_can_be_set_by_its_variable() {
    let defaults = keys::defaults();
    for key in keys::all() {
        let text = match key.path.as_str() {
            "server.listen" => "127.0.0.1:9999".to_owned(),
            "endpoints.bind" => "::1".into(),
            "log.format" => "json".into(),
            "log.filter" => "debug".into(),
            "podman.url" => "tcp://127.0.0.1:8888".into(),
            "images.overrides" => "{ redis = { \"8.0\" = \"mirror.example.org/redis:8\" } }".into(),
            path if path.starts_with("auth.jwt.") => continue, // together, below
            path => match defaults.get(path) {
                Some(Value::Integer(n)) => (n + 1).to_string(),
                Some(Value::Float(x)) => (x + 0.5).to_string(),
                Some(Value::Boolean(b)) => (!b).to_string(),
                _ => "nonexistent".into(),
            },
        };
        let loaded =
            load(&Flags::default(), &env(&[(&key.env, &text)])).unwrap_or_else(|e| panic!("{}={text}: {e}", key.env));
        let now = Table::try_from(&loaded.config).unwrap();
        let got = key.path.split('.').try_fold(&Value::Table(now), |v, part| v.get(part)).cloned();
        assert!(got.is_some() && got.as_ref() != defaults.get(&key.path), "{} did not arrive: {got:?}", key.env);
        assert_eq!(loaded.sources[&key.path], Source::Env(key.env.clone()));
    }
    let jwt = [
        ("FLUXDB_AUTH_JWT_ISSUER", "https://flux.example.org"),
        ("FLUXDB_AUTH_JWT_AUDIENCE", "fluxdb"),
        ("FLUXDB_AUTH_JWT_JWKS_FILE", "~/jwks.json"),
    ];
    let got = load(&Flags::default(), &env(&jwt)).unwrap().config.auth.jwt.unwrap();
    assert_eq!((got.issuer.as_str(), got.audience.as_str()), ("https://flux.example.org", "fluxdb"));
    assert_eq!(got.jwks_file.as_deref(), Some(Path::new("/nonexistent/home/jwks.json")));
    let url = [jwt[0], jwt[1], ("FLUXDB_AUTH_JWT_JWKS_URL", "https://flux.example.org/jwks.json")];
    assert!(load(&Flags::default(), &env(&url)).unwrap().config.auth.jwt.unwrap().jwks_url.is_some());
}

#[test]
fn errors_name_the_place_the_key_and_what_is_allowed() {
    let refused = |text: &str, vars: &[(&str, &str)], parts: &[&str]| {
        let (path, loaded) = with_file(text, vars, Flags::default());
        let said = loaded.unwrap_err().to_string().replace(&path.display().to_string(), "FILE");
        for part in parts {
            assert!(said.contains(part), "{said:?} lacks {part:?}");
        }
    };
    refused("[server]\nlisten = 'here'\n", &[], &["FILE:2:", "server.listen", "invalid socket address"]);
    refused("[server]\n\nlisen = 1\n", &[], &["FILE:3:", "server", "unknown field `lisen`", "`listen`"]);
    refused("[log]\nformat = 'xml'\n", &[], &["FILE:2:", "log.format", "unknown variant `xml`", "`text` or `json`"]);
    refused("[server\n", &[], &["FILE:1:"]);
    refused("[endpoints]\nport_first = 70000\n", &[], &["FILE:2:", "endpoints.port_first"]);
    refused(
        "[endpoints]\nport_first = 80\n",
        &[],
        &["FILE:2:", "endpoints.port_first is 80; allowed is 1024 to 65535"],
    );
    refused("[endpoints]\nport_first = 3000\nport_last = 2000", &[], &["FILE:2:", "after endpoints.port_last = 2000"]);
    refused("[admission]\ncpu_overcommit = 0.0\n", &[], &["FILE:2:", "admission.cpu_overcommit", "more than 0"]);
    refused("[auth.jwt]\nissuer = 'i'\naudience = 'a'\n", &[], &["FILE:1:", "auth.jwt", "jwks_file nor jwks_url"]);
    refused("", &[("FLUXDB_DATA_READERS", "many")], &["FLUXDB_DATA_READERS: data.readers", "not a whole number"]);
    refused("", &[("FLUXDB_DATA_READERS", "-1")], &["FLUXDB_DATA_READERS: data.readers"]);
    refused("", &[("FLUXDB_SERVER_LISEN", "x")], &["FLUXDB_SERVER_LISEN: no such setting", "FLUXDB_SERVER_LISTEN"]);
    refused("", &[("CONTAINER_HOST", "ssh://me@there/x")], &["CONTAINER_HOST: podman.url", "Forward the socket"]);
    refused("", &[("FLUXDB_LOG_FILTER", "a=b=c")], &["FLUXDB_LOG_FILTER: log.filter"]);
    refused("[images.overrides.nosuchdb]\n'23' = 'x'\n", &[], &["FILE:1:", "\"nosuchdb\"; allowed is", "postgresql"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let (_, loaded) = with_file("[podman]\ncall_timeout_secs = 0\n[data]\nreaders = 0\n", &[], Flags::default());
    assert_eq!(loaded.unwrap_err().0.len(), 2);
}

#[test]
fn variables_of_scripts_are_left_alone() {
    load(&Flags::default(), &env(&[("FLUXDB_TOKEN", "x"), ("FLUXDB_IMAGE_CACHE", "x"), ("FLUXDB_URL", "x")])).unwrap();
}

#[test]
fn a_named_file_that_is_not_there_is_an_error_and_a_usual_one_is_found() {
    let missing = Flags { config: Some("/nonexistent/x.toml".into()), ..Flags::default() };
    assert!(load(&missing, &env(&[])).unwrap_err().to_string().contains("/nonexistent/x.toml"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.toml"), "[log]\nformat = 'json'\n").unwrap();
    let loaded = load(&Flags::default(), &env(&[("FLUXDB_DATA_DIR", dir.path().to_str().unwrap())])).unwrap();
    assert_eq!(loaded.config.log.format, LogFormat::Json);
    assert_eq!(loaded.config.data.dir, dir.path());
    assert_eq!(loaded.file, Some(dir.path().join("config.toml")));
}
