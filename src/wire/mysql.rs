//! MySQL's own protocol, also MariaDB's.

use fluxdb_adapters::{Call, Request};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};

use super::Target;
use super::live::{login_refused, query_failed, unreachable, wrong_protocol};
use crate::domain::Result;

pub(super) async fn run(to: &Target, calls: &[Call]) -> Result<()> {
    let options = OptsBuilder::default()
        .ip_or_hostname(to.host.clone())
        .tcp_port(to.port)
        .user(Some(to.account.username.clone()))
        .pass(Some(to.account.password.expose().to_owned()))
        .db_name(to.database.clone())
        .prefer_socket(false)
        // No question about sizes at connect: one round trip less.
        .max_allowed_packet(Some(16 * 1024 * 1024))
        .wait_timeout(Some(60))
        .stmt_cache_size(0);
    let mut connection = Conn::new(options).await.map_err(|e| classify(to, &e))?;
    let mut result = Ok(());
    for call in calls {
        result = carry_out(to, &mut connection, call).await;
        if result.is_err() {
            break;
        }
    }
    // A server that goes away now has already answered.
    let _ = connection.disconnect().await;
    result
}

async fn carry_out(to: &Target, connection: &mut Conn, call: &Call) -> Result<()> {
    let Request::Sql(text) = &call.request else { return Err(wrong_protocol()) };
    match connection.query_drop(text.expose()).await {
        Ok(()) => Ok(()),
        Err(Error::Server(e)) if call.tolerate.contains(&e.code.to_string().as_str()) => Ok(()),
        Err(e) => Err(classify(to, &e)),
    }
}

fn classify(to: &Target, error: &Error) -> crate::domain::Error {
    let Error::Server(e) = error else { return unreachable(to, error) };
    match e.code {
        // ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_HOST_NOT_PRIVILEGED
        1045 | 1698 | 1130 => login_refused(to, &e.message),
        // ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN
        1040 | 1053 => unreachable(to, &e.message),
        code => query_failed(&code.to_string(), &e.message),
    }
}
