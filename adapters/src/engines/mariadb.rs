//! MariaDB. Image contract: the official image's README; the rest: the family.

use super::mysqlfamily::{Flavour, MysqlFamily};
use super::sql::Spelling;
use crate::quote::shell_word;
use crate::{Category, Facts, Floor, HttpAuth, LocalImage, Port, Protocol, Stop, Template, Tmpfs, User, Version};

mod settings;

pub(super) use settings::{ISOLATION, TABLES, TIME_ZONES};

pub(crate) static ENGINE: MysqlFamily = MysqlFamily {
    flavour: Flavour::Mariadb,
    facts: &FACTS,
    catalogue: settings::CATALOGUE,
    spelling: &SPELLING,
    server: "mariadbd",
    env: &[("MARIADB_ROOT_HOST", "%"), ("MARIADB_AUTO_UPGRADE", "1")],
    password_file_env: "MARIADB_ROOT_PASSWORD_FILE",
    // Inside the container, so there is nobody to verify; newer clients warn without the word.
    shell: &["mariadb", "--disable-ssl-verify-server-cert"],
    longest_user: 80,
    reserved_users: &["root", "mariadb.sys", "mysql", "PUBLIC", "healthcheck"],
};

static FACTS: Facts = Facts {
    id: "mariadb",
    title: "MariaDB",
    category: Category::Relational,
    license: "GPL-2.0: free for any use, also as a service",
    protocol: Protocol::Mysql,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "12.3", reference: "library/mariadb:12.3.2", end_of_life: "2029-06-12", local: None },
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
    floor: Floor { memory_mib: 256, pids: 256, nofile: 10_240 },
    templates: &[Template {
        name: "fluxdb.cnf",
        source: include_str!("../../../config_templates/mariadb/fluxdb.cnf.j2"),
    }],
    system_user: "root",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "No account but fluxdb's own may make users or databases: who may make users here may also take root's account. Make them with fluxdb",
        "Who has PROCESS (the user's account and role superuser) sees everybody's statements, literals included. Role backup can hold a read lock, which holds up new users and databases until that session ends",
        "A view, routine or event keeps the name of a user that was dropped, and has the rights of a later one of that name",
        "There is no slow query log, which would grow without end; performance_schema has the statements' statistics",
    ],
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
