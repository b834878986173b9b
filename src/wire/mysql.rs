//! MySQL's own protocol, also MariaDB's.

use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Account, Answer, Call, Request, Secret};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, OptsBuilder, Params, Row, SslOpts, Value};

use super::fault::Fault;
use super::session::Session;
use super::transport::SILENCE;
use super::veil::veil_refusal;
use super::{Target, Trust};

pub(super) struct Mysql {
    account: Account,
    connection: Conn,
}

impl Mysql {
    pub(super) async fn open(to: &Target, limit: Duration) -> Result<Self, Fault> {
        let options = OptsBuilder::default()
            .ip_or_hostname(to.host.clone())
            .tcp_port(to.port)
            .user(Some(to.account.username.clone()))
            .pass(Some(to.account.password.expose().to_owned()))
            .db_name(to.database.clone())
            .prefer_socket(false)
            .ssl_opts(to.tls.as_ref().map(encrypted))
            // No question about sizes at connect: one round trip less.
            .max_allowed_packet(Some(16 * 1024 * 1024))
            .wait_timeout(Some(60))
            .tcp_keepalive(Some(SILENCE))
            .init(vec![limits(limit, to.ours)])
            .stmt_cache_size(0);
        let connection = Conn::new(options).await.map_err(|e| classify(&e))?;
        Ok(Self { account: to.account.clone(), connection })
    }
}

#[async_trait]
impl Session for Mysql {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Request::Sql { text, params } = &call.request else { return Err(Fault::WrongProtocol) };
        if let Some(database) = &call.database {
            let enter = format!("USE {}", fluxdb_adapters::quote::mysql_ident(database));
            self.connection.query_drop(enter).await.map_err(|e| classify(&e))?;
        }
        let rows: Vec<Row> = if params.is_empty() {
            self.connection.query(text.expose()).await
        } else {
            let values = params.iter().map(|p: &Secret| Value::from(p.expose())).collect();
            self.connection.exec(text.expose(), Params::Positional(values)).await
        }
        .map_err(|e| veil_refusal(classify(&e), &self.account, text, params))?;
        Ok(Answer::Rows(rows.into_iter().map(|row| row.unwrap().into_iter().map(shown).collect()).collect()))
    }

    async fn close(self: Box<Self>) {
        // A server that goes away now has already answered.
        let _ = self.connection.disconnect().await;
    }
}

/// How long this session's statements may take and wait for locks. Each of the two servers skips the other's comment: MySQL
/// ends what reads, MariaDB everything; the rest ends when it waits. Our own statements are written for one way of quoting,
/// whatever `sql_mode` says for everybody.
fn limits(limit: Duration, ours: bool) -> String {
    let (seconds, milliseconds) = (limit.as_secs().max(1), limit.as_millis());
    let mode = if ours { ", sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'" } else { "" };
    format!(
        "SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}{mode} \
         /*!50708 , max_execution_time = {milliseconds} */ /*M!100101 , max_statement_time = {seconds} */"
    )
}

/// A server that does not offer TLS is refused.
fn encrypted(trust: &Trust) -> SslOpts {
    SslOpts::default().with_root_certs(vec![trust.pem().into()]).with_disable_built_in_roots(true)
}

/// NULL is nothing; a plain query answers in text anyway.
fn shown(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

fn classify(error: &Error) -> Fault {
    // For an account that it does not know MySQL asks for a random plugin, so as not to tell that there is none.
    if let Error::Driver(DriverError::UnknownAuthPlugin { name }) = error {
        return Fault::LoginRefused(format!("the server asks for the plugin {name}"));
    }
    let Error::Server(e) = error else { return Fault::Unreachable(error.to_string()) };
    let words = e.message.clone();
    match e.code {
        // ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_HOST_NOT_PRIVILEGED
        1045 | 1698 | 1130 => Fault::LoginRefused(words),
        // ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN
        1040 | 1053 => Fault::Unreachable(words),
        // ER_QUERY_TIMEOUT, MariaDB's ER_STATEMENT_TIMEOUT, ER_LOCK_WAIT_TIMEOUT
        3024 | 1969 | 1205 => Fault::TooSlow(words),
        code => Fault::Refused(code.to_string(), words),
    }
}
