//! PostgreSQL's own protocol.

use std::time::Duration;

use fluxdb_adapters::{Call, Request};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use super::Target;
use super::live::{login_refused, query_failed, unreachable, wrong_protocol};
use crate::domain::Result;

/// Where to connect when no database is named; every cluster has it.
const MAINTENANCE_DATABASE: &str = "postgres";

pub(super) async fn run(to: &Target, calls: &[Call]) -> Result<()> {
    let (client, connection) = Config::new()
        .host(&to.host)
        .port(to.port)
        .user(&to.account.username)
        .password(to.account.password.expose())
        .dbname(to.database.as_deref().unwrap_or(MAINTENANCE_DATABASE))
        .application_name("fluxdb")
        .connect_timeout(Duration::from_secs(3))
        .connect(NoTls)
        .await
        .map_err(|e| classify(to, &e))?;
    let talking = tokio::spawn(connection);
    let result = carry_out(to, &client, calls).await;
    drop(client);
    // Ends by itself once the client is gone; a connection error was already reported by the call it broke.
    let _ = talking.await;
    result
}

async fn carry_out(to: &Target, client: &tokio_postgres::Client, calls: &[Call]) -> Result<()> {
    for call in calls {
        let Request::Sql(text) = &call.request else { return Err(wrong_protocol()) };
        match client.simple_query(text.expose()).await {
            Ok(_) => {}
            Err(e) if e.code().is_some_and(|c| call.tolerate.contains(&c.code())) => {}
            Err(e) => return Err(classify(to, &e)),
        }
    }
    Ok(())
}

fn classify(to: &Target, error: &tokio_postgres::Error) -> crate::domain::Error {
    let Some(db) = error.as_db_error() else { return unreachable(to, error) };
    match *db.code() {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => login_refused(to, db.message()),
        // Starting up, shutting down, or full.
        SqlState::CANNOT_CONNECT_NOW
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::TOO_MANY_CONNECTIONS => unreachable(to, db.message()),
        ref code => query_failed(code.code(), db.message()),
    }
}
