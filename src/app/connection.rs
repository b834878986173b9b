//! Connection strings: masked for readers; the password only for writers who ask for it, and that is audited.

use fluxdb_adapters::{Secret, UriFormat};
use serde_json::json;

use super::App;
use super::Permission;
use super::caller::Caller;
use crate::api::ConnectionString;
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::store::audit;

impl App {
    /// How to connect, in the asked spelling.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` where the engine has no such spelling; `Forbidden` to reveal without write.
    pub async fn connection_string(
        &self,
        caller: &Caller,
        id: InstanceId,
        format: UriFormat,
        database: Option<String>,
        reveal: bool,
    ) -> Result<ConnectionString> {
        caller.require(if reveal { Permission::Write } else { Permission::Read })?;
        let record = self.look(caller, id, |e| Ok(e.record.clone()))?;
        if let Some(name) = &database {
            record
                .engine()?
                .check_name(fluxdb_adapters::NameKind::Database, name)
                .map_err(|detail| Error::invalid("?database", detail))?;
        }
        let password = if reveal { self.core.cx(&record).await?.user.password } else { Secret::new("***") };
        let database = database.as_deref().or(record.database.as_deref());
        let name = serde_json::to_value(format).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let mut value = self.connection_text(&record, format, database, password.clone()).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "format_unsupported",
                format!("{} has no connection string in the format {name}; uri always works.", record.engine),
            )
        })?;
        if !reveal {
            value = value.replace("%2A%2A%2A", "***");
        } else {
            let entry = caller.audit(Some(id), None, json!({ "reveal": true, "format": name }), "revealed");
            let project = record.project.clone();
            self.core.store.write(move |tx| audit::append(tx, &project, &entry)).await?;
        }
        Ok(ConnectionString {
            format: name,
            value,
            revealed: reveal,
            username: record.username.clone(),
            password: reveal.then(|| password.expose().to_owned()),
        })
    }
}
