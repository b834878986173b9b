//! MySQL. Image contract: the official image's README and entry script; the rest: the family.

use super::mysqlfamily::{Flavour, MysqlFamily};
use super::sql::Spelling;
use crate::quote::shell_word;
use crate::{Category, Facts, Floor, HttpAuth, LocalImage, Port, Protocol, Stop, Template, Tmpfs, User, Version};

mod settings;

pub(crate) static ENGINE: MysqlFamily = MysqlFamily {
    flavour: Flavour::Mysql,
    facts: &FACTS,
    catalogue: settings::CATALOGUE,
    spelling: &SPELLING,
    server: "mysqld",
    env: &[("MYSQL_ROOT_HOST", "%")],
    password_file_env: "MYSQL_ROOT_PASSWORD_FILE",
    shell: &["mysql"],
    longest_user: 32,
    reserved_users: &["root", "mysql.sys", "mysql.session", "mysql.infoschema", "mysql", "PUBLIC"],
};

static FACTS: Facts = Facts {
    id: "mysql",
    title: "MySQL",
    category: Category::Relational,
    license: "GPL-2.0: free for any use, also as a service",
    protocol: Protocol::Mysql,
    http_auth: HttpAuth::None,
    versions: &[
        Version {
            id: "9.7",
            reference: "library/mysql:9.7.2",
            end_of_life: "2034-04-21",
            local: Some(LocalImage { suite: "sid" }),
        },
        Version { id: "8.4", reference: "library/mysql:8.4.11", end_of_life: "2032-04-30", local: None },
        Version { id: "8.0", reference: "library/mysql:8.0.46", end_of_life: "2026-04-30", local: None },
        Version { id: "5.7", reference: "library/mysql:5.7.44", end_of_life: "2023-10-31", local: None },
    ],
    default_version: "9.7",
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
    floor: Floor { memory_mib: 512, pids: 256, nofile: 10_240 },
    templates: &[Template {
        name: "fluxdb.cnf",
        source: include_str!("../../../config_templates/mysql/fluxdb.cnf.j2"),
    }],
    system_user: "root",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Without TLS a client must be let fetch the server's public key (allowPublicKeyRetrieval=true) for caching_sha2_password",
        "Users and roles are made through fluxdb alone: an account of root's name for one address would come before fluxdb's own. In 5.7 databases as well",
        "Nobody ends other accounts' sessions. Who has RELOAD (roles superuser and backup) can hold a read lock, which holds up new users and databases until that session ends",
        "A view, routine or event keeps the name of a user that was dropped, and has the rights of a later one of that name",
        "There is no slow query log, which would grow without end; performance_schema has the statements' statistics",
        "There is no binary log, hence no replication and no restoring to a moment",
    ],
};

static SPELLING: Spelling = Spelling {
    scheme: "mysql",
    jdbc: "mysql",
    env: &["MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_USER", "MYSQL_PWD", "MYSQL_DATABASE"],
    cli: |to| {
        format!(
            "mysql -h {} -P {} -u {} -p {}",
            to.host,
            to.port,
            shell_word(&to.account.username),
            shell_word(to.database.unwrap_or_default())
        )
    },
};
