//! Redis, and what Valkey shares with it. Image contract: the official image's README; ACLs: the Redis manual.

use minijinja::context;

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch, LocalImage, Marker,
    NameKind, Port, Protocol, Secret, Shell, Size, Stop, Template, Tmpfs, UriFormat, User, Version,
};

pub(crate) static ENGINE: Resp =
    Resp { facts: &FACTS, server: "redis-server", cli: "redis-cli", password_env: "REDISCLI_AUTH" };

/// An engine of the Redis family.
pub(crate) struct Resp {
    pub(super) facts: &'static Facts,
    pub(super) server: &'static str,
    pub(super) cli: &'static str,
    pub(super) password_env: &'static str,
}

pub(super) static TEMPLATES: &[Template] =
    &[Template { name: "server.conf", source: include_str!("../../../config_templates/redis/server.conf.j2") }];

/// What the family shares; Valkey overrides names, versions and licence.
pub(super) const BASE: Facts = FACTS;

const FACTS: Facts = Facts {
    id: "redis",
    title: "Redis",
    category: Category::KeyValue,
    license: "6.2 and 7.0 to 7.2: BSD-3-Clause; 7.4: RSALv2 or SSPLv1; 8: RSALv2, SSPLv1 or AGPLv3. Check before you sell it as a service",
    protocol: Protocol::Resp,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "8.2", reference: "library/redis:8.2.9", end_of_life: "2030-09-30", local: None },
        Version {
            id: "8.0",
            reference: "library/redis:8.0.6",
            end_of_life: "2026-12-31",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version { id: "7.4", reference: "library/redis:7.4.11", end_of_life: "2029-12-31", local: None },
        Version { id: "7.2", reference: "library/redis:7.2.16", end_of_life: "2029-12-31", local: None },
        Version {
            id: "7.0",
            reference: "library/redis:7.0.15",
            end_of_life: "2024-07-29",
            local: Some(LocalImage { suite: "bookworm" }),
        },
        Version { id: "6.2", reference: "library/redis:6.2.24", end_of_life: "2027-04-30", local: None },
    ],
    default_version: "8.0",
    ports: &[Port { name: "resp", number: 6379 }],
    control_port: 0,
    user: User { uid: 999, gid: 999 },
    volume_path: "/data",
    tmpfs: &[Tmpfs::new("/tmp", 16)],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 60, says: Some("ready to exit, bye bye") },
    floor: Floor { memory_mib: 128, pids: 128, nofile: 10032 },
    templates: TEMPLATES,
    system_user: "fluxdb",
    default_username: "default",
    default_database: None,
    single_account: false,
    extra_caps: &[],
    caveats: &[],
};

impl Engine for Resp {
    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            // Room for the fork that writes a snapshot: it copies the pages that change meanwhile.
            maxmemory_mib => cx.size.memory_mib * 65 / 100,
            maxclients => self.max_connections(&cx.size),
            io_threads => cx.size.vcpu.saturating_sub(1).clamp(1, 4),
            port => self.facts.port().number,
            dir => self.facts.volume_path,
            system_user => cx.system.username.as_str(),
            system_sha256 => sha256_hex(cx.system.password.expose()),
            username => cx.user.username.as_str(),
            user_sha256 => sha256_hex(cx.user.password.expose()),
            user_is_default => cx.user.username == "default",
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in self.facts.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: None,
            argv: vec![self.server.into(), format!("{FILES_DIR}/server.conf")],
            env: vec![],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::resp(&["PING"]) // answers LOADING until the data set is in memory
    }

    /// The accounts stand in the rendered file; here they are only brought up to date in a server that runs.
    fn provision(&self, cx: &Cx) -> Vec<Call> {
        self.set_password(&cx.user)
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        let hash = format!("#{}", sha256_hex(account.password.expose()));
        let mut words = vec!["ACL", "SETUSER", &account.username, "on", "resetpass", &hash];
        if account.username == self.facts.system_user {
            words.extend(["~*", "&*", "+@all"]);
        } else {
            words.extend(USER_RULES);
        }
        vec![Call::resp(&words)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let (host, port) = (to.host, to.port);
        Some(Secret::new(match format {
            UriFormat::Uri => format!("redis://{}:{}@{host}:{port}/0", percent(user), percent(password)),
            UriFormat::Env => format!(
                "REDIS_HOST={}\nREDIS_PORT='{port}'\nREDIS_USER={}\nREDIS_PASSWORD={}\n",
                shell_word(host),
                shell_word(user),
                shell_word(password)
            ),
            UriFormat::Cli => format!("{} -h {host} -p {port} --user {} --askpass", self.cli, shell_word(user)),
            UriFormat::Yaml => format!(
                "host: {}\nport: {port}\nusername: {}\npassword: {}\n",
                yaml_string(host),
                yaml_string(user),
                yaml_string(password)
            ),
            UriFormat::Jdbc | UriFormat::Dotnet => return None,
        }))
    }

    fn shell(&self, username: &str, _database: Option<&str>) -> Shell {
        Shell {
            argv: [self.cli, "--user", username, "--no-auth-warning"].map(Into::into).into(),
            password_env: self.password_env,
        }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if kind == NameKind::Database {
            return Err(format!("{} has numbered databases only, so none can be named", self.facts.title));
        }
        if name.is_empty() || name.len() > 128 {
            return Err("must be 1 to 128 bytes long".into());
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '"' || c == '\'' || c == '\\') {
            return Err("must not contain spaces, quotes, backslashes or control characters".into());
        }
        if name == self.facts.system_user {
            return Err(format!("{name:?} is reserved"));
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib * 2).clamp(256, 10_000)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let key = format!("fluxdb:marker:{value}");
        Marker { write: vec![Call::resp(&["SET", &key, value])], read: Call::resp(&["GET", &key]) }
    }
}

/// Everything but what changes the server itself; the same text as in the rendered file.
const USER_RULES: [&str; 9] = ["~*", "&*", "+@all", "-@admin", "-@dangerous", "+info", "+keys", "+flushdb", "+sort"];

fn sha256_hex(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}
