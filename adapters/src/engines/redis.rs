//! Redis, and what Valkey and KeyDB share with it. Image contract: the official image's README; ACLs: the Redis manual.

use minijinja::context;

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Attack, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch, LocalImage,
    Marker, Metrics, NameKind, Port, Protocol, Repair, Secret, Settings, Shell, Size, Stop, Template, Tmpfs, Tuned,
    UriFormat, User, Users, Version,
};

mod accounts;
mod attacks;
mod metrics;
mod settings;
mod users;

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
    caveats: &[
        "Databases are numbers: users and their rights count in all of them",
        "Users are made through fluxdb: ACL, CONFIG SET, REPLICAOF, MODULE, SHUTDOWN, MIGRATE, CLIENT PAUSE and CLIENT KILL are for its own account alone",
        "Redis 7.0 has no scripts and no HyperLogLogs here: known faults that lead from them to code in the server were never mended in it (CVE-2024-46981, CVE-2025-32023, CVE-2025-49844)",
        "Modules come with the official images of 8.0 and later only, not with images built here",
    ],
};

/// Room for the fork that writes a snapshot: it copies the pages that change meanwhile.
fn maxmemory_mib(size: &Size) -> u32 {
    size.memory_mib * 65 / 100
}

fn threads(size: &Size) -> u32 {
    size.vcpu.saturating_sub(1).clamp(1, 4)
}

fn max_connections(size: &Size) -> u32 {
    (size.memory_mib * 2).clamp(256, 10_000)
}

impl Engine for Resp {
    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            maxmemory_mib => maxmemory_mib(&cx.size),
            maxclients => max_connections(&cx.size),
            threads => threads(&cx.size),
            old => accounts::is_old(cx),
            keydb => self.facts.id == "keydb",
            port => self.facts.port().number,
            dir => self.facts.volume_path,
            accounts => accounts::managed(cx),
            save_points => settings::save_points(cx),
            user_settings => settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in self.facts.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: Some(["sh", "-c", accounts::START, "start"].map(Into::into).into()),
            argv: vec![self.server.into(), format!("{FILES_DIR}/server.conf")],
            env: vec![],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::resp(&["PING"]) // answers LOADING until the data set is in memory
    }

    /// The managed accounts are put in the access file at each start.
    fn provision(&self, _cx: &Cx) -> Vec<Call> {
        Vec::new()
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        let hash = accounts::hashed(account);
        vec![Call::resp(&["ACL", "SETUSER", &account.username, "on", "resetpass", &hash]), users::save()]
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
        max_connections(size)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let key = format!("fluxdb:marker:{value}");
        Marker { write: vec![Call::resp(&["SET", &key, value])], read: Call::resp(&["GET", &key]) }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let chosen = |name: &str| cx.settings.get(name).and_then(|v| v.parse::<u32>().ok());
        let memory = u64::from(chosen("maxmemory").unwrap_or_else(|| maxmemory_mib(&cx.size)));
        let clients = chosen("maxclients").unwrap_or_else(|| max_connections(&cx.size));
        let one = |what: &'static str, expect: String| Tuned {
            what,
            call: Call::resp(&["CONFIG", "GET", what]),
            expect,
            read: settings::only,
        };
        vec![one("maxmemory", (memory * 1_048_576).to_string()), one("maxclients", clients.to_string())]
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        attacks::attacks(cx)
    }

    /// What runs before the server puts fluxdb's account in the access file at each start, whatever was saved there.
    fn repair(&self, _cx: &Cx) -> Result<Repair, RenderError> {
        Ok(Repair::Restart)
    }

    fn users(&self) -> Option<&dyn Users> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
}
