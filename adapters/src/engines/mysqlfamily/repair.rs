//! Root's accounts are brought back by `--init-file`, whose statements ask nobody for a password.

use super::{Flavour, MysqlFamily};
use crate::render::RenderError;
use crate::{Cx, Engine, FILES_DIR, File, Repair, Secret};

const FILE: &str = "repair.sql";

impl MysqlFamily {
    pub(super) fn repair_start(&self, cx: &Cx) -> Result<Repair, RenderError> {
        let mut launch = self.launch(cx)?;
        launch.argv.push(format!("--init-file={FILES_DIR}/{FILE}"));
        launch.files.push(File { name: FILE, content: Secret::new(self.repair_statements(cx)) });
        Ok(Repair::Start(launch))
    }

    /// One statement a line, as older servers read the file. Accounts that come before `root@'%'` go: root's of other hosts, and
    /// nobody's (an empty name is everybody).
    fn repair_statements(&self, cx: &Cx) -> String {
        let shadows = "User = '' OR (User = 'root' AND Host NOT IN ('%', 'localhost'))";
        let accounts = match self.flavour {
            Flavour::Mariadb => "mysql.global_priv",
            Flavour::Mysql => "mysql.user",
        };
        let mut texts = vec!["FLUSH PRIVILEGES".to_owned(), format!("DELETE FROM {accounts} WHERE {shadows}")];
        if self.rights_have_exceptions(cx) {
            texts.push(format!(
                "DELETE FROM mysql.global_grants WHERE {}",
                shadows.replace("User", "USER").replace("Host", "HOST")
            ));
        }
        texts.push("FLUSH PRIVILEGES".into());
        let password = self.password(&cx.system);
        let plugin = match (self.flavour, self.rights_have_exceptions(cx)) {
            (Flavour::Mariadb, _) => "",
            (Flavour::Mysql, true) => "WITH caching_sha2_password ",
            (Flavour::Mysql, false) => "WITH mysql_native_password ",
        };
        for root in ["'root'@'%'", "'root'@'localhost'"] {
            texts.extend([
                format!("CREATE USER IF NOT EXISTS {root}"),
                format!(
                    "ALTER USER {root} IDENTIFIED {plugin}BY {password} REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 \
                     MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 {} PASSWORD EXPIRE NEVER ACCOUNT UNLOCK",
                    self.own_limits()
                ),
                format!("GRANT ALL PRIVILEGES ON *.* TO {root} WITH GRANT OPTION"),
            ]);
        }
        texts.into_iter().map(|text| format!("{text};\n")).collect()
    }
}
