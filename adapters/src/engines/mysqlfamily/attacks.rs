//! Known ways from an ordinary account of MySQL or MariaDB to root, to the server's files, or past fluxdb's own account.
//! Sources: the manuals' "Access Control" and "Privileges Provided", and what was tried for issue 8.

use super::{Flavour, MysqlFamily};
use crate::quote::{mysql_ident, mysql_literal};
use crate::{Answer, Attack, Call, Cx, FILES_DIR, SYSTEM_PASSWORD_FILE};

fn one(what: &'static str, text: impl Into<String>) -> Attack {
    Attack::new(what, vec![Call::sql(text)])
}

fn each(what: &'static str, texts: &[&str]) -> Vec<Attack> {
    texts.iter().map(|text| one(what, *text)).collect()
}

fn not_null(answers: &[Answer]) -> bool {
    answers.iter().any(|a| a.first().is_some())
}

/// A statement of root's that is shown with what is secret in it.
fn statement_shown(answers: &[Answer]) -> bool {
    answers.iter().flat_map(Answer::column).any(|text| text.contains("IDENTIFIED BY '"))
}

fn elsewhere(answers: &[Answer]) -> bool {
    answers.last().is_some_and(|a| a.text().contains("DATA DIRECTORY"))
}

impl MysqlFamily {
    pub(super) fn known_attacks(&self, cx: &Cx) -> Vec<Attack> {
        let mut all = accounts();
        all.extend(self.rights(cx));
        all.extend(files());
        all.extend(self.server());
        all.extend(own_sessions());
        all
    }

    /// Rights on what is not its own.
    fn rights(&self, cx: &Cx) -> Vec<Attack> {
        let mut all = each(
            "reaches the server's accounts",
            &[
                "SELECT 1 FROM mysql.user",
                "GRANT ALL PRIVILEGES ON *.* TO CURRENT_USER",
                "GRANT ALL PRIVILEGES ON mysql.* TO CURRENT_USER",
                "GRANT SELECT ON mysql.user TO CURRENT_USER",
                "GRANT CREATE USER ON *.* TO CURRENT_USER",
                "GRANT PROXY ON 'root'@'%' TO CURRENT_USER",
                "CREATE TABLE mysql.fluxdb_attack (i int)",
                "CREATE TABLE sys.fluxdb_attack (i int)",
                "DROP DATABASE sys",
                "INSERT INTO mysql.db (Host, Db, User) VALUES ('%', 'mysql', 'nobody')",
                "SET ROLE root",
            ],
        );
        // A grant on a name with a wildcard would reach other databases, the server's own as well. Where rights have
        // exceptions, such a name is a plain one.
        if !self.rights_have_exceptions(cx) {
            let wild: String = cx.database.iter().flat_map(|d| d.chars().skip(1)).collect();
            all.extend([format!("_{wild}"), "m_sql".into(), "%".into()].map(|pattern| {
                let text = format!("GRANT SELECT ON {}.* TO CURRENT_USER", mysql_ident(&pattern));
                one("widens its rights by a wildcard", text)
            }));
        }
        let definers = ["'root'@'%'", "'root'@'localhost'", "'mysql.sys'@'localhost'"];
        for definer in definers {
            all.extend([
                one(
                    "has a view run as root",
                    format!("CREATE DEFINER={definer} SQL SECURITY DEFINER VIEW fluxdb_attack_v AS SELECT 1 AS i"),
                ),
                one(
                    "has a procedure run as root",
                    format!("CREATE DEFINER={definer} PROCEDURE fluxdb_attack_p() SQL SECURITY DEFINER SELECT 1"),
                ),
                one(
                    "has an event run as root",
                    format!("CREATE DEFINER={definer} EVENT fluxdb_attack_e ON SCHEDULE EVERY 1 SECOND DO SELECT 1"),
                ),
            ]);
        }
        all
    }

    /// The whole server: its settings, its code, its end.
    fn server(&self) -> Vec<Attack> {
        let mut all = each(
            "loads code",
            &[
                "INSTALL PLUGIN fluxdb_attack SONAME 'ha_federatedx.so'",
                "CREATE FUNCTION fluxdb_attack RETURNS INTEGER SONAME 'libc.so.6'",
            ],
        );
        all.extend(each(
            "reaches other servers",
            &[
                "CREATE SERVER fluxdb_attack FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')",
                "CREATE TABLE fluxdb_attack_f (i int) ENGINE=FEDERATED CONNECTION='mysql://root@127.0.0.1:3306/a/b'",
                "CREATE TABLE fluxdb_attack_c (i int) ENGINE=CONNECT TABLE_TYPE=CSV FILE_NAME='/etc/passwd'",
                "CREATE TABLE fluxdb_attack_s (i int) ENGINE=SPIDER COMMENT='host \"127.0.0.1\"'",
            ],
        ));
        all.extend(each(
            "changes or stops the server",
            &[
                "SET GLOBAL max_connections = 10",
                "SET GLOBAL read_only = ON",
                "SET GLOBAL general_log = ON",
                "SET GLOBAL slow_query_log_file = '/var/lib/mysql/x.log'",
                "SET GLOBAL init_connect = 'SELECT 1'",
                "SET GLOBAL event_scheduler = ON",
                "SHUTDOWN",
            ],
        ));
        match self.flavour {
            Flavour::Mysql => all.extend(each(
                "changes or stops the server",
                &[
                    "SET PERSIST max_connections = 10",
                    "SET GLOBAL offline_mode = ON",
                    "RESTART",
                    "LOCK INSTANCE FOR BACKUP",
                    "CLONE LOCAL DATA DIRECTORY '/tmp/fluxdb_attack'",
                    "ALTER INSTANCE RELOAD TLS",
                    "INSTALL COMPONENT 'file://component_validate_password'",
                    "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1'",
                    "CREATE TABLESPACE fluxdb_attack ADD DATAFILE 'fluxdb_attack.ibd'",
                ],
            )),
            Flavour::Mariadb => all.extend(each(
                "changes or stops the server",
                &[
                    "INSTALL SONAME 'ha_connect'",
                    "CHANGE MASTER TO MASTER_HOST = '127.0.0.1'",
                    "BINLOG 'x'",
                    "SET SESSION AUTHORIZATION 'root'@'%'",
                ],
            )),
        }
        all
    }
}

/// Accounts that come before fluxdb's own, and changes of that one.
fn accounts() -> Vec<Attack> {
    let mut all = each(
        "makes an account that comes before fluxdb's",
        &[
            "CREATE USER 'root'@'10.0.2.100' IDENTIFIED BY 'fluxdb-attack'",
            "CREATE USER ''@'10.0.2.100'",
            "CREATE USER 'root'@'10.%' IDENTIFIED BY 'fluxdb-attack'",
            "CREATE USER ''@'127.0.0.1'",
            "CREATE ROLE 'root'@'10.0.2.100'",
            "CREATE ROLE fluxdb_attack_role",
            "CREATE USER fluxdb_attack@'%'",
            "RENAME USER CURRENT_USER TO 'root'@'10.0.2.100'",
            "GRANT USAGE ON *.* TO 'root'@'10.0.2.100'",
            "GRANT SELECT ON defaultdb.* TO 'root'@'10.0.2.100' IDENTIFIED BY 'fluxdb-attack'",
        ],
    );
    all.extend(each(
        "changes fluxdb's account",
        &[
            "ALTER USER 'root'@'%' ACCOUNT LOCK",
            "ALTER USER 'root'@'%' IDENTIFIED BY 'fluxdb-attack'",
            "ALTER USER 'root'@'%' WITH MAX_USER_CONNECTIONS 1",
            "SET PASSWORD FOR 'root'@'%' = 'fluxdb-attack'",
            "RENAME USER 'root'@'%' TO 'fluxdb_attack'@'%'",
            "DROP USER 'root'@'%'",
            "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'root'@'%'",
            "DROP ROLE 'root'@'%'",
            "GRANT SELECT ON defaultdb.* TO 'root'@'%' IDENTIFIED BY 'fluxdb-attack'",
        ],
    ));
    // As an ordinary name of everybody's own: MySQL lets nobody without CREATE USER limit or lock himself either.
    all.push(one("takes its own limits away", "ALTER USER CURRENT_USER() WITH MAX_USER_CONNECTIONS 0"));
    // When fluxdb is refused because of what these left, the check says so after the restart.
    all.push(
        Attack::new("locks fluxdb out after a restart", Vec::new())
            .prepared(
                [
                    "CREATE USER 'root'@'10.0.2.100' IDENTIFIED BY 'x'",
                    "CREATE USER ''@'10.0.2.100'",
                    "FLUSH PRIVILEGES",
                ]
                .map(Call::sql)
                .into(),
            )
            .after_restart(),
    );
    all
}

/// Files of the server.
fn files() -> Vec<Attack> {
    let secret = mysql_literal(&format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}"));
    let mut all = vec![
        one("reads a file of the server", format!("SELECT LOAD_FILE({secret})")).gained_when(not_null),
        one("reads a file of the server", "SELECT LOAD_FILE('/etc/hostname')").gained_when(not_null),
        one("writes a file of the server", "SELECT 1 INTO OUTFILE '/tmp/fluxdb_attack'"),
        one("writes a file of the server", "SELECT 1 INTO DUMPFILE '/tmp/fluxdb_attack2'"),
        one("loads a file of the server", format!("LOAD DATA INFILE {secret} INTO TABLE fluxdb_marker")),
    ];
    all.extend(["INNODB", "MYISAM"].map(|engine| {
        let texts = [
            "DROP TABLE IF EXISTS fluxdb_attack_d".to_owned(),
            format!("CREATE TABLE fluxdb_attack_d (i int) ENGINE={engine} DATA DIRECTORY='/tmp'"),
            "SHOW CREATE TABLE fluxdb_attack_d".to_owned(),
        ];
        Attack::new("puts a table outside of the data directory", texts.map(Call::sql).into()).gained_when(elsewhere)
    }));
    all
}

/// fluxdb's sessions: what they do, and that they go on. Who does not see them ends none: `KILL NULL` is an error.
fn own_sessions() -> Vec<Attack> {
    vec![
        one(
            "reads fluxdb's statements",
            "SELECT info FROM information_schema.processlist WHERE user = 'root' AND info IS NOT NULL",
        )
        .gained_when(statement_shown),
        Attack::new(
            "ends fluxdb's session",
            [
                "DROP PROCEDURE IF EXISTS fluxdb_attack_kill",
                "CREATE PROCEDURE fluxdb_attack_kill() BEGIN DECLARE n BIGINT; \
                 SELECT id INTO n FROM information_schema.processlist WHERE user = 'root' LIMIT 1; KILL n; END",
                "CALL fluxdb_attack_kill()",
            ]
            .map(Call::sql)
            .into(),
        ),
    ]
}
