//! What a configuration must not say, although its types allow it.

use super::Config;

/// What is wrong: key and sentence. Empty when all is well.
pub fn problems(config: &Config) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    let mut range = |key: &'static str, value: u64, least: u64, most: u64| {
        if !(least..=most).contains(&value) {
            out.push((key, format!("is {value}; allowed is {least} to {most}")));
        }
    };
    range("server.body_limit_bytes", config.server.body_limit_bytes as u64, 4096, 16 * 1024 * 1024);
    range("server.request_timeout_secs", config.server.request_timeout_secs, 1, 600);
    range("server.shutdown_secs", config.server.shutdown_secs, 1, 600);
    range("data.readers", config.data.readers as u64, 1, 32);
    range("podman.call_timeout_secs", config.podman.call_timeout_secs, 1, 600);
    range("endpoints.port_first", config.endpoints.port_first.into(), 1024, 65_535);
    range("endpoints.port_last", config.endpoints.port_last.into(), 1024, 65_535);
    range("auth.failures", config.auth.failures.into(), 1, 100_000);
    range("auth.failure_window_secs", config.auth.failure_window_secs, 1, 86_400);
    range("operations.instance_deadline_secs", config.operations.instance_deadline_secs, 10, 86_400);
    range("operations.image_deadline_secs", config.operations.image_deadline_secs, 10, 86_400);
    range("operations.ready_deadline_secs", config.operations.ready_deadline_secs, 1, 86_400);
    range("operations.keep_days", config.operations.keep_days.into(), 1, 36_500);
    range("audit.keep_days", config.audit.keep_days.into(), 0, 36_500);
    range("workers.health_period_secs", config.workers.health_period_secs, 1, 3600);
    range("workers.reconcile_period_secs", config.workers.reconcile_period_secs, 1, 3600);

    for (key, factor) in [
        ("admission.cpu_overcommit", config.admission.cpu_overcommit),
        ("admission.memory_overcommit", config.admission.memory_overcommit),
    ] {
        if !factor.is_finite() || factor <= 0.0 || factor > 1000.0 {
            out.push((
                key,
                format!("is {factor}; allowed is more than 0, up to 1000 (1.0 promises no more than there is)"),
            ));
        }
    }
    ports(config, &mut out);
    if let Some(problem) = config.podman.url.as_deref().and_then(podman_url) {
        out.push(("podman.url", problem));
    }
    let registry = &config.images.registry;
    if registry.is_empty() || registry.contains("://") || registry.contains(char::is_whitespace) {
        out.push((
            "images.registry",
            format!("is {registry:?}; allowed is a host with an optional port and path, without https://"),
        ));
    }
    overrides(config, &mut out);
    jwt(config, &mut out);
    if config.data.dir.as_os_str().is_empty() {
        out.push(("data.dir", "is empty; name the directory for the daemon's state".into()));
    }
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        out.push((
            "log.filter",
            format!("is {:?}: {error}; allowed is for example info or info,fluxdb=debug", config.log.filter),
        ));
    }
    out
}

fn ports(config: &Config, out: &mut Vec<(&'static str, String)>) {
    let (first, last) = (config.endpoints.port_first, config.endpoints.port_last);
    if first > last {
        out.push((
            "endpoints.port_first",
            format!("is {first}, after endpoints.port_last = {last}; allowed is first <= last"),
        ));
    }
    let listen = config.server.listen.port();
    if (first..=last).contains(&listen) {
        out.push((
            "endpoints.port_first",
            format!("begins a range ({first} to {last}) that holds the daemon's own port {listen}; move one of them"),
        ));
    }
    if config.endpoints.host.as_deref().is_some_and(|h| h.is_empty() || h.contains(['/', ' ', '@', '?', '#'])) {
        out.push(("endpoints.host", "is not a host name or address; leave it out to use endpoints.bind".into()));
    }
}

fn podman_url(url: &str) -> Option<String> {
    if let Some(path) = url.strip_prefix("unix://") {
        return (!path.starts_with('/'))
            .then(|| format!("is {url:?}; a unix:// address needs an absolute path: unix:///run/..."));
    }
    if let Some(address) = url.strip_prefix("tcp://") {
        let port = address.trim_end_matches('/').rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        return port.is_none().then(|| format!("is {url:?}; a tcp:// address needs a port: tcp://host:port"));
    }
    if url.starts_with("ssh://") {
        return Some(format!(
            "is {url:?}; SSH is not spoken here. Forward the socket (ssh -N -L /run/user/1000/podman-remote.sock:/run/user/UID/podman/podman.sock HOST) and name the forwarded one as unix:///..."
        ));
    }
    Some(format!("is {url:?}; allowed is unix:///path or tcp://host:port"))
}

fn overrides(config: &Config, out: &mut Vec<(&'static str, String)>) {
    for (engine, versions) in &config.images.overrides {
        let Some(adapter) = fluxdb_adapters::find(engine) else {
            let known: Vec<_> = fluxdb_adapters::all().iter().map(|e| e.facts().id).collect();
            out.push(("images.overrides", format!("names the engine {engine:?}; allowed is {}", known.join(", "))));
            continue;
        };
        for (version, reference) in versions {
            if adapter.facts().version(version).is_none() {
                let known: Vec<_> = adapter.facts().versions.iter().map(|v| v.id).collect();
                out.push(("images.overrides", format!("names {engine} {version:?}; allowed is {}", known.join(", "))));
            }
            if reference.is_empty() || reference.contains(char::is_whitespace) || reference.contains("://") {
                out.push((
                    "images.overrides",
                    format!(
                        "gives {reference:?} for {engine} {version}; allowed is host/path:tag or host/path@sha256:..."
                    ),
                ));
            }
        }
    }
}

fn jwt(config: &Config, out: &mut Vec<(&'static str, String)>) {
    let Some(jwt) = &config.auth.jwt else { return };
    if jwt.issuer.is_empty() {
        out.push(("auth.jwt.issuer", "is empty; name the issuer whose tokens are accepted".into()));
    }
    if jwt.audience.is_empty() {
        out.push(("auth.jwt.audience", "is empty; name the audience that tokens must be made for".into()));
    }
    match (&jwt.jwks_file, &jwt.jwks_url) {
        (None, None) => {
            out.push(("auth.jwt", "has neither jwks_file nor jwks_url; one says where the keys are".into()))
        }
        (Some(_), Some(_)) => out.push(("auth.jwt", "has both jwks_file and jwks_url; keep one".into())),
        (None, Some(url)) if !url.starts_with("https://") && !url.starts_with("http://") => {
            out.push((
                "auth.jwt.jwks_url",
                format!("is {url:?}; allowed is https://... (http:// only inside one host)"),
            ));
        }
        (None, Some(_)) | (Some(_), None) => {}
    }
}
