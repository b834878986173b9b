//! What MariaDB and MySQL share: one protocol, mostly one SQL. Formulas: mysqltuner; the rest: the two manuals.

use minijinja::context;
use sha1::{Digest, Sha1};

use super::sql::{self, Spelling};
use crate::quote::{mysql_ident, mysql_literal};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, ConfigTest, Cx, DataFiles, Databases, Endpoint, Engine, FILES_DIR, Facts, File,
    Launch, Marker, Metrics, NameKind, PasswordFile, Repair, SYSTEM_PASSWORD_FILE, Secret, Seed, Setting, Settings,
    Shell, Size, Tuned, UriFormat, Users,
};

mod attacks;
mod metrics;
mod repair;
mod settings;
mod sku;
mod users;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Mariadb,
    Mysql,
}

/// An engine of the family.
pub(super) struct MysqlFamily {
    pub(super) flavour: Flavour,
    pub(super) facts: &'static Facts,
    pub(super) catalogue: &'static [Setting],
    pub(super) spelling: &'static Spelling,
    /// The server program, which is also the entry script's first argument.
    pub(super) server: &'static str,
    /// Environment beside the password file.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// Name of the variable with the password file.
    pub(super) password_file_env: &'static str,
    /// The engine's own shell, without account and database.
    pub(super) shell: &'static [&'static str],
    /// Longest user name in characters.
    pub(super) longest_user: usize,
    /// Accounts that the server makes for itself.
    pub(super) reserved_users: &'static [&'static str],
}

/// Databases that the server makes for itself.
const OWN_DATABASES: [&str; 4] = ["mysql", "sys", "information_schema", "performance_schema"];

impl Engine for MysqlFamily {
    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let sku = self.sku(cx);
        context! {
            version => cx.version.id,
            buffer_pool_mib => sku.pool_mib,
            buffer_pool_chunk_mib => sku.chunk_mib,
            buffer_pool_instances => sku.instances,
            log_mib => sku.log_mib,
            max_connections => sku.max_connections,
            table_open_cache => sku.table_open_cache,
            tmp_table_size_mib => sku.tmp_table_mib,
            aria_pagecache_mib => sku.aria_mib,
            // Temporary tables of sessions: a quarter of the volume at most.
            temporary_mib => cx.size.storage_gib * 256,
            performance_schema => sku.performance_schema,
            datadir => self.facts.volume_path,
            user_settings => settings::lines(self.catalogue, cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in self.facts.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let mut env = vec![(self.password_file_env, format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}"))];
        env.extend(self.env.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Ok(Launch {
            entrypoint: None,
            argv: vec![self.server.into(), format!("--defaults-extra-file={FILES_DIR}/fluxdb.cnf")],
            env,
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let user = account(&cx.user.username);
        let mut calls = vec![
            Call::sql(format!("ALTER USER 'root'@'%' WITH {}", self.own_limits())),
            Call::sql(format!("CREATE USER IF NOT EXISTS {user}")),
            self.password_call(&cx.user),
        ];
        calls.extend(self.administrator(cx, &user));
        if let Some(database) = cx.database.as_deref() {
            calls.extend(self.create(cx, database));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        if account.username == self.facts.system_user {
            // root has two rows: @'%' for fluxdb, @localhost for the image's own scripts.
            let password = self.password(account);
            return ["localhost", "%"]
                .map(|host| Call::sql(format!("ALTER USER IF EXISTS 'root'@'{host}' IDENTIFIED BY {password}")))
                .into();
        }
        vec![self.password_call(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        Some(sql::connection_string(self.spelling, format, to))
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let mut argv: Vec<String> = self.shell.iter().map(|word| (*word).to_owned()).collect();
        argv.extend(["--protocol=tcp", "-h", "127.0.0.1", "-u", username].map(Into::into));
        argv.extend(database.map(str::to_owned));
        Shell { argv, password_env: "MYSQL_PWD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        let longest = match kind {
            NameKind::Database => 64,
            NameKind::User => self.longest_user,
        };
        if name.is_empty() || name.chars().count() > longest {
            return Err(format!("must be 1 to {longest} characters long"));
        }
        if name.ends_with(' ') || name.contains('\0') || name.chars().any(|c| u32::from(c) > 0xFFFF) {
            return Err("must not end with a space, nor contain NUL or characters beyond the basic plane".into());
        }
        if name.starts_with('-') {
            return Err("must not start with -, which the engine's own tools take for an option".into());
        }
        let reserved = match kind {
            NameKind::Database => &OWN_DATABASES,
            NameKind::User => self.reserved_users,
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

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let sku = self.sku(cx);
        let first = |a: &Answer| a.first().map(Into::into);
        vec![
            Tuned {
                what: "innodb_buffer_pool_size",
                call: Call::sql("SELECT @@GLOBAL.innodb_buffer_pool_size"),
                expect: (u64::from(sku.pool_mib) << 20).to_string(),
                read: first,
            },
            Tuned {
                what: "max_connections",
                call: Call::sql("SELECT @@GLOBAL.max_connections"),
                expect: sku.max_connections.to_string(),
                read: first,
            },
        ]
    }

    fn config_test(&self, _cx: &Cx) -> Option<ConfigTest> {
        let script = match self.flavour {
            // It has no switch for it, but reads its options before it explains them.
            Flavour::Mariadb => {
                "f=$(mktemp) && cat > $f && mariadbd --defaults-file=$f --help --verbose > /dev/null; code=$?; rm $f; exit $code"
            }
            Flavour::Mysql => {
                "f=$(mktemp) && cat > $f && mysqld --defaults-file=$f --validate-config; code=$?; rm $f; exit $code"
            }
        };
        Some(ConfigTest { file: "fluxdb.cnf", script, wrong: "no_such_variable = 1" })
    }

    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::FirstStart
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        self.known_attacks(cx)
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        self.repair_start(cx)
    }

    fn seed(&self) -> Option<&dyn Seed> {
        Some(self)
    }

    fn identifiers(&self, _cx: &Cx) -> Vec<Call> {
        // MariaDB computes its own at each start, from address and port.
        let mut calls = match self.flavour {
            Flavour::Mysql => vec![Call::sql("SELECT @@GLOBAL.server_uuid")],
            Flavour::Mariadb => Vec::new(),
        };
        let of_root = "FROM mysql.user WHERE User = 'root' AND Host = '%'";
        calls.push(Call::sql(format!("SELECT HEX(authentication_string) {of_root}")));
        calls
    }

    fn users(&self) -> Option<&dyn Users> {
        Some(self)
    }

    fn databases(&self) -> Option<&dyn Databases> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
}

impl MysqlFamily {
    /// Limits that the user sets for everybody do not count for fluxdb's account.
    fn own_limits(&self) -> &'static str {
        match self.flavour {
            Flavour::Mariadb => "MAX_USER_CONNECTIONS 1000 MAX_STATEMENT_TIME 31536000",
            Flavour::Mysql => "MAX_USER_CONNECTIONS 1000",
        }
    }

    /// What stands after IDENTIFIED BY. MariaDB shows a statement as it is to whoever has PROCESS, and a read lock holds it up
    /// for as long as its holder likes: it gets the hash. MySQL shows `<secret>` there.
    fn password(&self, account: &Account) -> String {
        let password = account.password.expose();
        match self.flavour {
            Flavour::Mariadb => format!("PASSWORD '{}'", native_hash(password)),
            Flavour::Mysql => mysql_literal(password),
        }
    }

    fn password_call(&self, to: &Account) -> Call {
        Call::sql(format!("ALTER USER {} IDENTIFIED BY {}", account(&to.username), self.password(to)))
    }
}

/// `mysql_native_password`: twice SHA-1.
fn native_hash(password: &str) -> String {
    let hash = Sha1::digest(Sha1::digest(password));
    hash.iter().fold("*".to_owned(), |text, byte| format!("{text}{byte:02X}"))
}

/// Files at the volume's root that are secret or name the server, and that it makes again when they are missing: MySQL's UUID,
/// its keys for TLS and for passwords without TLS (the manual's "Creating SSL and RSA Certificates and Keys using MySQL"), what
/// was in the buffer pool, and what a binary log would have left. MariaDB computes its UUID at start and has no keys; the UUID of its
/// Aria log stays the template's: it stands in each Aria table as well, and nobody but the server reads it.
fn belongs_to_template(name: &str) -> bool {
    let ends = [".pem", ".pid", ".err", "-bin.index", "-bin.state"];
    let begins = ["binlog.", "mysql-bin.", "mariadb-bin.", "relay-bin."];
    ["auto.cnf", "ib_buffer_pool", "slow.log"].contains(&name)
        || ends.iter().any(|end| name.ends_with(end))
        || begins.iter().any(|start| name.starts_with(start))
}

impl Seed for MysqlFamily {
    fn personalise(&self, files: &dyn DataFiles, _unique: u64) -> Result<(), String> {
        let names = files.list("").map_err(|e| e.to_string())?;
        names.iter().filter(|n| belongs_to_template(n)).try_for_each(|n| files.remove(n).map_err(|e| e.to_string()))
    }
}

impl Databases for MysqlFamily {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        let make = Call::sql(format!("CREATE DATABASE IF NOT EXISTS {}", mysql_ident(name)));
        let give = self.everything_in(cx, name, &account(&cx.user.username));
        self.defend(cx).into_iter().chain([make, give]).collect()
    }

    fn drop(&self, cx: &Cx, name: &str) -> Vec<Call> {
        let pattern = mysql_literal(&self.granted(cx, name));
        vec![
            Call::sql(format!("DROP DATABASE IF EXISTS {}", mysql_ident(name))),
            // The server keeps the grants; a later database of this name would have them again.
            Call::sql(format!("DELETE FROM mysql.db WHERE Db = {pattern}")),
            Call::sql("FLUSH PRIVILEGES"),
        ]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SHOW DATABASES")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).filter(|n| !OWN_DATABASES.contains(&n.as_str())).collect()
    }
}

fn account(username: &str) -> String {
    format!("{}@'%'", mysql_literal(username))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_servers_own() {
        // SELECT PASSWORD('password')
        assert_eq!(native_hash("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    }

    #[test]
    fn what_is_secret_or_names_the_server_stays_in_the_template() {
        for name in
            ["auto.cnf", "ca-key.pem", "server-key.pem", "private_key.pem", "ca.pem", "ib_buffer_pool", "binlog.000001"]
        {
            assert!(belongs_to_template(name), "{name}");
        }
        for name in
            ["ibdata1", "mysql.ibd", "mysql", "undo_001", "aria_log_control", "mariadb_upgrade_info", "ib_logfile0"]
        {
            assert!(!belongs_to_template(name), "{name}");
        }
    }
}
