//! MariaDB. Image contract: the official image's README; formulas: mysqltuner; the rest: the MariaDB manual.

use minijinja::context;

use super::sql::{self, Spelling};
use crate::quote::{mysql_grant_database, mysql_ident, mysql_literal, shell_word};
use crate::render::{RenderError, render};
use crate::{
    Account, Call, Category, Cx, DataFiles, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    LocalImage, Marker, NameKind, Port, Protocol, SYSTEM_PASSWORD_FILE, Secret, Seed, Shell, Size, Stop, Template,
    Tmpfs, UriFormat, User, Version,
};

pub(crate) static ENGINE: Mariadb = Mariadb;

pub(crate) struct Mariadb;

static FACTS: Facts = Facts {
    id: "mariadb",
    title: "MariaDB",
    category: Category::Relational,
    license: "GPL-2.0: free for any use, also as a service",
    protocol: Protocol::Mysql,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "12.3", reference: "library/mariadb:12.3.2", end_of_life: "2029-06-30", local: None },
        Version {
            id: "11.8",
            reference: "library/mariadb:11.8.8",
            end_of_life: "2028-06-04",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version { id: "11.4", reference: "library/mariadb:11.4.12", end_of_life: "2029-05-29", local: None },
        Version {
            id: "10.11",
            reference: "library/mariadb:10.11.18",
            end_of_life: "2028-02-16",
            local: Some(LocalImage { suite: "bookworm" }),
        },
    ],
    default_version: "11.8",
    ports: &[Port { name: "sql", number: 3306 }],
    control_port: 0,
    user: User { uid: 999, gid: 999 },
    volume_path: "/var/lib/mysql",
    tmpfs: &[
        Tmpfs::new("/run/mysqld", 4), //
        Tmpfs::new("/tmp", 64),
    ],
    shm_mib: 64,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("Shutdown complete") },
    floor: Floor { memory_mib: 256, pids: 256, nofile: 4096 },
    templates: &[Template {
        name: "fluxdb.cnf",
        source: include_str!("../../../config_templates/mariadb/fluxdb.cnf.j2"),
    }],
    system_user: "root",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[],
};

static SPELLING: Spelling = Spelling {
    scheme: "mysql",
    jdbc: "mariadb",
    env: &["MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_USER", "MYSQL_PWD", "MYSQL_DATABASE"],
    cli: |to| {
        format!(
            "mariadb -h {} -P {} -u {} -p {}",
            to.host,
            to.port,
            shell_word(&to.account.username),
            shell_word(to.database.unwrap_or_default())
        )
    },
};

impl Engine for Mariadb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let memory = cx.size.memory_mib;
        let pool = match memory {
            0..=1024 => memory * 35 / 100,
            1025..=4096 => memory / 2,
            _ => memory * 7 / 10,
        };
        context! {
            buffer_pool_mib => pool,
            log_file_size_mib => (pool / 4).clamp(16, 2048),
            max_connections => self.max_connections(&cx.size),
            table_open_cache => if memory <= 1024 { 400 } else { 2000 },
            tmp_table_size_mib => (memory / 64).clamp(8, 64),
            aria_pagecache_mib => (memory / 32).clamp(8, 128),
            io_capacity => 1000,
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: None,
            argv: vec!["mariadbd".into(), format!("--defaults-extra-file={FILES_DIR}/fluxdb.cnf")],
            env: vec![
                ("MARIADB_ROOT_PASSWORD_FILE", format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}")),
                ("MARIADB_ROOT_HOST", "%".into()),
                ("MARIADB_AUTO_UPGRADE", "1".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let user = account(&cx.user.username);
        let mut calls = vec![
            Call::sql(format!("CREATE USER IF NOT EXISTS {user}")),
            password_call(&cx.user),
            // What a user needs to look after one server, without reading the accounts of others.
            Call::sql(format!("GRANT PROCESS, SHOW DATABASES ON *.* TO {user}")),
        ];
        if let Some(database) = cx.database.as_deref() {
            calls.push(Call::sql(format!(
                "CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4",
                mysql_ident(database)
            )));
            calls.push(Call::sql(format!(
                "GRANT ALL PRIVILEGES ON {}.* TO {user} WITH GRANT OPTION",
                mysql_grant_database(database)
            )));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        if account.username == FACTS.system_user {
            // root has two rows: @'%' for fluxdb, @localhost for the image's own scripts.
            let password = mysql_literal(account.password.expose());
            return ["localhost", "%"]
                .map(|host| Call::sql(format!("ALTER USER IF EXISTS 'root'@'{host}' IDENTIFIED BY {password}")))
                .into();
        }
        vec![password_call(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        Some(sql::connection_string(&SPELLING, format, to))
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        // Inside the container, so there is nobody to verify; newer clients warn without the word.
        let words =
            ["mariadb", "--disable-ssl-verify-server-cert", "--protocol=tcp", "-h", "127.0.0.1", "-u", username];
        let mut argv: Vec<String> = words.map(Into::into).into();
        argv.extend(database.map(str::to_owned));
        Shell { argv, password_env: "MYSQL_PWD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        let longest = match kind {
            NameKind::Database => 64,
            NameKind::User => 80,
        };
        if name.is_empty() || name.chars().count() > longest {
            return Err(format!("must be 1 to {longest} characters long"));
        }
        if name.ends_with(' ') || name.contains('\0') || name.chars().any(|c| u32::from(c) > 0xFFFF) {
            return Err("must not end with a space, nor contain NUL or characters beyond the basic plane".into());
        }
        let reserved: &[&str] = match kind {
            NameKind::Database => &["mysql", "sys", "information_schema", "performance_schema"],
            NameKind::User => &["root", "mariadb.sys", "mysql", "PUBLIC", "healthcheck"],
        };
        if reserved.iter().any(|r| r.eq_ignore_ascii_case(name)) {
            return Err(format!("{name:?} is reserved"));
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 16).clamp(30, 1000)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        sql::marker(mysql_literal(value), "ON DUPLICATE KEY UPDATE value = value")
    }

    fn seed(&self) -> Option<&dyn Seed> {
        Some(self)
    }
}

impl Seed for Mariadb {
    /// Nothing in a MariaDB data directory identifies the server: `server_uid` is computed at start. (MySQL has `auto.cnf`.)
    fn personalise(&self, files: &dyn DataFiles, _unique: u64) -> Result<(), String> {
        files.remove("auto.cnf").map_err(|e| e.to_string())
    }
}

fn account(username: &str) -> String {
    format!("{}@'%'", mysql_literal(username))
}

fn password_call(to: &Account) -> Call {
    Call::sql(format!("ALTER USER {} IDENTIFIED BY {}", account(&to.username), mysql_literal(to.password.expose())))
}
