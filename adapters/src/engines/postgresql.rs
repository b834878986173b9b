//! PostgreSQL. Image contract: the official image's README; formulas: pgtune; the rest: the PostgreSQL manual.

use minijinja::context;

use super::sql::{self, Spelling};
use crate::quote::{percent, pg_ident, pg_literal, shell_word};
use crate::render::{RenderError, render};
use crate::{
    Account, Call, Category, Cx, DataFiles, Endpoint, Engine, FILES_DIR, Facts, File, Floor, Launch, LocalImage,
    NameKind, Port, Protocol, SYSTEM_PASSWORD_FILE, Secret, Seed, Shell, Size, Stop, Template, Tmpfs, UriFormat, User,
    Version,
};

pub(crate) static ENGINE: Postgresql = Postgresql;

pub(crate) struct Postgresql;

static FACTS: Facts = Facts {
    id: "postgresql",
    title: "PostgreSQL",
    category: Category::Relational,
    license: "PostgreSQL License: free for any use, also as a service",
    protocol: Protocol::Postgres,
    versions: &[
        Version {
            id: "18",
            reference: "library/postgres:18.6",
            end_of_life: "2030-11-14",
            local: Some(LocalImage { suite: "sid" }),
        },
        Version {
            id: "17",
            reference: "library/postgres:17.11",
            end_of_life: "2029-11-08",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version { id: "16", reference: "library/postgres:16.15", end_of_life: "2028-11-09", local: None },
        Version {
            id: "15",
            reference: "library/postgres:15.19",
            end_of_life: "2027-11-11",
            local: Some(LocalImage { suite: "bookworm" }),
        },
        Version { id: "14", reference: "library/postgres:14.24", end_of_life: "2026-11-12", local: None },
        Version { id: "13", reference: "library/postgres:13.22", end_of_life: "2025-11-13", local: None },
    ],
    default_version: "17",
    ports: &[Port { name: "sql", number: 5432 }],
    user: User { uid: 999, gid: 999 },
    // One layout for every major: the volume above the versioned data directory, as the image of 18 and later has it.
    volume_path: "/var/lib/postgresql",
    tmpfs: &[
        Tmpfs { path: "/run/postgresql", size_mib: 4 }, //
        Tmpfs { path: "/tmp", size_mib: 64 },
    ],
    shm_mib: 256, // parallel queries allocate there; the usual 64 MiB ends in "could not resize shared memory segment"
    stop: Stop { signal: 2, grace_secs: 90 }, // SIGINT = fast shutdown; SIGTERM would wait for clients
    floor: Floor { memory_mib: 256, pids: 256, nofile: 4096 },
    templates: &[
        Template {
            name: "postgresql.conf",
            source: include_str!("../../../config_templates/postgresql/postgresql.conf.j2"),
        },
        Template { name: "pg_hba.conf", source: include_str!("../../../config_templates/postgresql/pg_hba.conf.j2") },
    ],
    system_user: "postgres",
    default_username: "admin",
    default_database: Some("defaultdb"),
    extra_caps: &[],
};

/// Role attributes of the user's account: may make databases and roles, is not a superuser (a superuser runs programs).
const USER_ATTRIBUTES: &str = "LOGIN CREATEDB CREATEROLE";

static SPELLING: Spelling = Spelling {
    scheme: "postgresql",
    jdbc: "postgresql",
    env: &["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"],
    cli: |to| {
        let uri = format!(
            "postgresql://{}@{}:{}/{}",
            percent(&to.account.username),
            to.host,
            to.port,
            percent(to.database.unwrap_or_default())
        );
        format!("psql {}", shell_word(&uri))
    },
};

fn data_dir(version: &str) -> String {
    format!("/var/lib/postgresql/{version}/docker")
}

/// Checksums and UTF-8; a password from everyone from the first moment on (the default trusts all local connections).
fn initdb_arguments(version: &str) -> String {
    let mut arguments = vec!["--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8"];
    if version.parse::<u32>().is_ok_and(|major| major >= 15) {
        arguments.push("--locale-provider=libc"); // not known before 15
    }
    arguments.extend(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]);
    arguments.join(" ")
}

impl Engine for Postgresql {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let memory = cx.size.memory_mib;
        let connections = self.max_connections(&cx.size);
        let shared_buffers = memory / 4;
        let maintenance = (memory / 16).clamp(16, 2048);
        let workers = cx.size.vcpu.max(8);
        // pgtune: what is left is shared out over every connection and worker, three sorts each.
        let work_mem_kib = ((memory - shared_buffers) * 1024 / ((connections + workers) * 3)).max(1024);
        context! {
            version => cx.version.id.parse::<u32>().unwrap_or_default(),
            max_connections => connections,
            shared_buffers_mib => shared_buffers,
            effective_cache_size_mib => memory / 4 * 3,
            maintenance_work_mem_mib => maintenance,
            work_mem_kib => work_mem_kib,
            max_worker_processes => workers,
            max_parallel_workers => cx.size.vcpu,
            max_parallel_workers_per_gather => cx.size.vcpu.div_ceil(2).min(4),
            // At most a fifth of the volume for WAL.
            max_wal_size_mib => (cx.size.storage_gib * 1024 / 5).clamp(256, 4096),
            huge_pages => if shared_buffers >= 2048 { "try" } else { "off" },
            files => FILES_DIR,
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            argv: vec!["postgres".into(), "-c".into(), format!("config_file={FILES_DIR}/postgresql.conf")],
            env: vec![
                ("POSTGRES_USER", cx.system.username.clone()),
                ("POSTGRES_PASSWORD_FILE", format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}")),
                ("PGDATA", data_dir(cx.version.id)),
                ("POSTGRES_INITDB_ARGS", initdb_arguments(cx.version.id)),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let user = pg_ident(&cx.user.username);
        let mut calls = vec![
            Call::sql(format!("CREATE ROLE {user} {USER_ATTRIBUTES}")).tolerating(&["42710"]),
            self.password_call(&cx.user),
            Call::sql(format!("GRANT pg_monitor, pg_signal_backend TO {user}")),
        ];
        if let Some(database) = cx.database.as_deref() {
            let database = pg_ident(database);
            // FILE_COPY and WAL_LOG cost about the same for an empty database; 42P04 = it is there.
            calls.push(Call::sql(format!("CREATE DATABASE {database} OWNER {user}")).tolerating(&["42P04"]));
            calls.push(Call::sql(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC")));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![self.password_call(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        Some(sql::connection_string(&SPELLING, format, to))
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let mut argv: Vec<String> = ["psql", "-h", "127.0.0.1", "-U", username].map(Into::into).into();
        if let Some(database) = database {
            argv.extend(["-d".into(), database.to_owned()]);
        }
        Shell { argv, password_env: "PGPASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 63 {
            return Err("must be 1 to 63 bytes long".into()); // longer names are cut without a word
        }
        if name.contains('\0') {
            return Err("must not contain NUL".into());
        }
        match kind {
            NameKind::User if name.starts_with("pg_") => {
                Err("must not start with pg_, which the server reserves".into())
            }
            NameKind::User if ["postgres", "public", "none"].contains(&name) => Err(format!("{name:?} is reserved")),
            NameKind::Database if ["postgres", "template0", "template1"].contains(&name) => {
                Err(format!("{name:?} is made by the server itself"))
            }
            NameKind::User | NameKind::Database => Ok(()),
        }
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 20).clamp(25, 500)
    }

    fn seed(&self) -> Option<&dyn Seed> {
        Some(self)
    }
}

impl Postgresql {
    fn password_call(&self, account: &Account) -> Call {
        // The server hashes it; log_statement is off in the rendered configuration, so it is in no log.
        let (user, password) = (pg_ident(&account.username), pg_literal(account.password.expose()));
        Call::sql(format!("ALTER ROLE {user} PASSWORD {password}"))
    }
}

/// Offset of `xlp_sysid` in the long header on the first page of each WAL segment: magic u16, info u16, timeline u32,
/// page address u64, remaining length u32, padding (src/include/access/xlog_internal.h, `XLogLongPageHeaderData`).
const WAL_SYSTEM_ID_OFFSET: usize = 24;

impl Seed for Postgresql {
    /// Gives the copy its own system identifier, as `pg_createsubscriber` does with `pg_resetwal`: it stands at the start
    /// of `global/pg_control` (guarded by a CRC-32C) and in the first page of each WAL segment (no checksum there).
    fn personalise(&self, files: &dyn DataFiles, unique: u64) -> Result<(), String> {
        let major = files
            .list("")
            .map_err(|e| e.to_string())?
            .into_iter()
            .find(|name| name.parse::<u32>().is_ok())
            .ok_or("no data directory in the template")?;
        let root = format!("{major}/docker");
        let control_path = format!("{root}/global/pg_control");
        let mut control = files.read(&control_path).map_err(|e| e.to_string())?;
        let crc_at = control_crc_offset(&control).ok_or("pg_control has no checksum where one is expected")?;
        let old: [u8; 8] = control[..8].try_into().map_err(|_| "pg_control is too short")?;
        let new = unique.to_le_bytes();

        let wal_dir = format!("{root}/pg_wal");
        for name in files.list(&wal_dir).map_err(|e| e.to_string())? {
            if name.len() != 24 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
                continue; // archive_status, summaries
            }
            let path = format!("{wal_dir}/{name}");
            let segment = files.read(&path).map_err(|e| e.to_string())?;
            let id = segment.get(WAL_SYSTEM_ID_OFFSET..WAL_SYSTEM_ID_OFFSET + 8).ok_or("a WAL segment is too short")?;
            if id == old {
                files.write_at(&path, WAL_SYSTEM_ID_OFFSET as u64, &new).map_err(|e| e.to_string())?;
            } else if id.iter().any(|b| *b != 0) {
                return Err(format!("WAL segment {name} belongs to another cluster"));
            }
        }
        control[..8].copy_from_slice(&new);
        let crc = crc32c::crc32c(&control[..crc_at]);
        control[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        files.write_at(&control_path, 0, &control[..crc_at + 4]).map_err(|e| e.to_string())
    }
}

/// Where `ControlFileData.crc` stands; it is the last field, and the structure's length differs between majors, so it is
/// found as the only place that holds the CRC-32C of everything before it.
fn control_crc_offset(control: &[u8]) -> Option<usize> {
    (128..512.min(control.len().saturating_sub(4)))
        .step_by(4)
        .find(|&at| control[at..at + 4] == crc32c::crc32c(&control[..at]).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_checksum_is_found_wherever_it_stands() {
        for at in [200, 264, 288, 296] {
            let mut control: Vec<u8> = (0..8192u32).map(|i| (i % 251) as u8).collect();
            let crc = crc32c::crc32c(&control[..at]);
            control[at..at + 4].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(control_crc_offset(&control), Some(at));
        }
    }
}
