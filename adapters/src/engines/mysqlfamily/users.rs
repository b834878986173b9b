//! Users inside MariaDB and MySQL, all of them from any host (`@'%'`).

use super::{Flavour, MysqlFamily, account};
use crate::quote::mysql_ident;
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// What a MySQL administrator may do everywhere. Not in it: FILE, SHUTDOWN, SUPER, SYSTEM_VARIABLES_ADMIN and SYSTEM_USER,
/// without which nobody changes root; CREATE USER and CREATE ROLE, since an account `root@<an address>` or `@<an address>` comes
/// before fluxdb's `root@'%'` (the manual's "Access Control, Stage 1"); CONNECTION_ADMIN, which takes the one connection that is
/// kept for root; BACKUP_ADMIN, whose LOCK INSTANCE holds up what fluxdb does with accounts.
const ADMINISTRATOR: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, SHOW DATABASES, \
     CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER, \
     PROCESS, RELOAD, REPLICATION CLIENT";
/// What administrators were given by earlier releases of fluxdb.
const NO_MORE: &str = "CREATE USER, CREATE ROLE, DROP ROLE, CONNECTION_ADMIN, BACKUP_ADMIN";
/// Taken back again in the server's own databases, with `partial_revokes`: whoever writes there makes himself root.
const NOT_IN_MYSQL: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, \
     CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER";
const NOT_IN_SYS: &str = "INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, LOCK TABLES, CREATE VIEW, \
     CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER";
const READWRITE: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW, \
     TRIGGER, EXECUTE, CREATE ROUTINE, ALTER ROUTINE, EVENT, LOCK TABLES, CREATE TEMPORARY TABLES";
const BACKUP: &str = "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES";

/// A database name as grants have it: `_` and `%` are wildcards there, `\` escapes them.
fn pattern(database: &str) -> String {
    database.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

impl MysqlFamily {
    /// Whether a user can have rights everywhere but in the server's own databases (`partial_revokes`).
    pub(super) fn rights_have_exceptions(&self, cx: &Cx) -> bool {
        self.flavour == Flavour::Mysql && cx.version.id != "5.7"
    }

    /// A database name as this server's grants have it: with `partial_revokes` there are no wildcards, and `\` is a letter.
    pub(super) fn granted(&self, cx: &Cx, database: &str) -> String {
        if self.rights_have_exceptions(cx) { database.to_owned() } else { pattern(database) }
    }

    fn on(&self, cx: &Cx, database: &str) -> String {
        format!("{}.*", mysql_ident(&self.granted(cx, database)))
    }

    /// What the owner of a database has in it. `user` is quoted.
    pub(super) fn everything_in(&self, cx: &Cx, database: &str, user: &str) -> Call {
        Call::sql(format!("GRANT ALL PRIVILEGES ON {} TO {user} WITH GRANT OPTION", self.on(cx, database)))
    }

    /// What someone who looks after the server has outside of databases. `user` is quoted.
    pub(super) fn administrator(&self, cx: &Cx, user: &str) -> Vec<Call> {
        if !self.rights_have_exceptions(cx) {
            return vec![Call::sql(format!("GRANT PROCESS, SHOW DATABASES ON *.* TO {user}"))];
        }
        vec![
            Call::sql(format!("GRANT {ADMINISTRATOR} ON *.* TO {user} WITH GRANT OPTION")),
            Call::sql(format!("GRANT SHOW_ROUTINE ON *.* TO {user} WITH GRANT OPTION")),
            Call::sql(format!("REVOKE {NOT_IN_MYSQL} ON mysql.* FROM {user}")),
            Call::sql(format!("REVOKE {NOT_IN_SYS} ON sys.* FROM {user}")),
        ]
    }

    /// Takes from the user's account what it had by an earlier release.
    pub(super) fn defend(&self, cx: &Cx) -> Option<Call> {
        let user = account(&cx.user.username);
        self.rights_have_exceptions(cx).then(|| Call::sql(format!("REVOKE {NO_MORE} ON *.* FROM {user}")))
    }

    /// What a dump needs outside of databases. MySQL's needs PROCESS for tablespaces; MariaDB shows statements as they are to
    /// who has that.
    fn backup_everywhere(&self, cx: &Cx, user: &str) -> Vec<Call> {
        let everywhere = match self.flavour {
            Flavour::Mysql => "PROCESS, RELOAD, REPLICATION CLIENT",
            Flavour::Mariadb => "RELOAD, REPLICATION CLIENT",
        };
        let mut calls = vec![Call::sql(format!("GRANT {everywhere} ON *.* TO {user}"))];
        calls.push(Call::sql(match (self.flavour, cx.version.id) {
            (Flavour::Mysql, "5.7") | (Flavour::Mariadb, "10.11") => format!("GRANT SELECT ON mysql.proc TO {user}"),
            (Flavour::Mysql, _) => format!("GRANT SHOW_ROUTINE ON *.* TO {user}"),
            (Flavour::Mariadb, _) => format!("GRANT SHOW CREATE ROUTINE ON *.* TO {user}"),
        }));
        calls
    }
}

impl Users for MysqlFamily {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, to: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let user = account(&to.username);
        let mut calls: Vec<Call> = self.defend(cx).into_iter().collect();
        calls.extend([
            Call::sql(format!("CREATE USER IF NOT EXISTS {user}")),
            self.password_call(to),
            Call::sql(format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}")),
        ]);
        match role {
            Role::Superuser => calls.extend(self.administrator(cx, &user)),
            Role::Backup => calls.extend(self.backup_everywhere(cx, &user)),
            Role::Readwrite | Role::Read => {}
        }
        calls.extend(databases.iter().map(|database| match role {
            Role::Superuser => self.everything_in(cx, database, &user),
            Role::Readwrite => Call::sql(format!("GRANT {READWRITE} ON {} TO {user}", self.on(cx, database))),
            Role::Read => Call::sql(format!("GRANT SELECT, SHOW VIEW ON {} TO {user}", self.on(cx, database))),
            Role::Backup => Call::sql(format!("GRANT {BACKUP} ON {} TO {user}", self.on(cx, database))),
        }));
        calls
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        // Tables belong to nobody here. Views and routines keep the name that defined them.
        vec![Call::sql(format!("DROP USER IF EXISTS {}", account(username)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        // MySQL's roles are locked accounts without a password; MariaDB's have no host.
        let roles = match self.flavour {
            Flavour::Mysql => {
                " AND NOT (account_locked = 'Y' AND password_expired = 'Y' AND authentication_string = '')"
            }
            Flavour::Mariadb => "",
        };
        vec![Call::sql(format!("SELECT User FROM mysql.user WHERE Host = '%'{roles} ORDER BY User"))]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).filter(|n| !self.reserved_users.contains(&n.as_str())).collect()
    }

    fn proofs(&self, cx: &Cx, role: Role, database: &str) -> Vec<Proof> {
        let sql = |text: &str| vec![Call::sql(text)];
        let reads = Proof::can("reads a table", sql("SELECT count(*) FROM fluxdb_marker"));
        let insert = "INSERT INTO fluxdb_marker (value) VALUES (uuid())";
        let writes = Proof::can("writes a row", sql(insert));
        let no_write = Proof::cannot("writes a row", sql(insert));
        let table = "CREATE TABLE fluxdb_proof (i int)";
        let no_table = Proof::cannot("makes a table", sql(table));
        let makes_table =
            Proof::can("makes and drops a table", vec![Call::sql(table), Call::sql("DROP TABLE fluxdb_proof")]);
        let make_user = "CREATE USER fluxdb_proof_user@'%'";
        let no_user = Proof::cannot("makes a user", sql(make_user));
        let no_database = Proof::cannot("makes a database", sql("CREATE DATABASE fluxdb_proof_database"));
        let no_file = Proof::cannot("writes files of the server", sql("SELECT 1 INTO OUTFILE '/tmp/fluxdb_proof'"));
        let no_accounts = Proof::cannot("reads the accounts", sql("SELECT count(*) FROM mysql.user"));
        let passes_on = Proof::can(
            "passes its rights on",
            vec![Call::sql(format!("GRANT SELECT ON {} TO CURRENT_USER", self.on(cx, database)))],
        );
        match role {
            Role::Superuser if self.rights_have_exceptions(cx) => vec![
                reads,
                writes,
                passes_on,
                no_user,
                Proof::can(
                    "makes and drops a database",
                    vec![
                        Call::sql("CREATE DATABASE IF NOT EXISTS fluxdb_proof_database"),
                        Call::sql("DROP DATABASE fluxdb_proof_database"),
                    ],
                ),
                Proof::cannot("changes root", sql("ALTER USER 'root'@'%' ACCOUNT UNLOCK")),
                Proof::cannot("changes the server's settings", sql("SET GLOBAL max_connections = 77")),
                no_accounts,
                no_file,
            ],
            Role::Superuser => vec![reads, writes, makes_table, passes_on, no_user, no_accounts, no_file],
            Role::Readwrite => vec![reads, writes, makes_table, no_database, no_user, no_accounts],
            Role::Read => vec![reads, no_write, no_table, no_accounts],
            Role::Backup => vec![
                reads,
                Proof::can("locks tables as the dump tool does", sql("FLUSH TABLES")),
                no_write,
                no_table,
                no_database,
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_granted_databases_are_literal() {
        assert_eq!(mysql_ident(&pattern("a_b%")), "`a\\_b\\%`");
        assert_eq!(pattern("a_b"), "a\\_b");
    }
}
