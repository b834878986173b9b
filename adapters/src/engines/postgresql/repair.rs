//! The system account is brought back in single-user mode, which asks nobody for a password.

use super::Postgresql;
use crate::quote::{pg_ident, pg_literal};
use crate::render::RenderError;
use crate::{Cx, Engine, FILES_DIR, File, Repair, Secret};

const FILE: &str = "repair.sql";

/// One statement a line; an error ends that line only (the manual's page on `postgres`, "Options for Single-User Mode"). Its
/// output holds no statement: `log_min_error_statement` is panic in the rendered configuration. Libraries stay out, so that
/// nothing but the server itself runs.
const SCRIPT: &str = r#"rm -f "$PGDATA/postgresql.auto.conf" \
  && postgres --single -D "$PGDATA" -c config_file="$0/postgresql.conf" -c shared_preload_libraries= -c search_path=pg_catalog \
    template1 < "$0/repair.sql" > /dev/null \
  && exec docker-entrypoint.sh "$@""#;

impl Postgresql {
    pub(super) fn repair_start(&self, cx: &Cx) -> Result<Repair, RenderError> {
        let mut launch = self.launch(cx)?;
        launch.entrypoint = Some(["sh", "-c", SCRIPT, FILES_DIR].map(Into::into).into());
        launch.files.push(File { name: FILE, content: Secret::new(self.repair_statements(cx)) });
        Ok(Repair::Start(launch))
    }

    fn repair_statements(&self, cx: &Cx) -> String {
        let (system, password) = (pg_ident(&cx.system.username), pg_literal(cx.system.password.expose()));
        let mut texts = vec![
            format!("CREATE ROLE {system} SUPERUSER"), // an error where it is there
            format!(
                "ALTER ROLE {system} LOGIN SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS INHERIT CONNECTION LIMIT -1 \
                 VALID UNTIL 'infinity' PASSWORD {password}"
            ),
            format!("ALTER ROLE {system} RESET ALL"),
            "ALTER ROLE ALL RESET ALL".into(),
            "CREATE DATABASE postgres TEMPLATE template0".into(), // an error where it is there
            "ALTER DATABASE postgres ALLOW_CONNECTIONS true CONNECTION LIMIT -1".into(),
            format!("ALTER DATABASE postgres OWNER TO {system}"),
            "ALTER DATABASE postgres RESET ALL".into(),
        ];
        texts.extend(self.defences(cx));
        texts.into_iter().map(|text| format!("{text};\n")).collect()
    }
}
