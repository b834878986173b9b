//! The wire to real servers: picks the protocol, bounds the time.

use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Call, Protocol};

use super::{Target, Wire, mysql, postgres, resp};
use crate::domain::{Error, ErrorKind, Result};

/// Talks to real servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveWire;

#[async_trait]
impl Wire for LiveWire {
    async fn run(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<()> {
        let work = async {
            match to.protocol {
                Protocol::Postgres => postgres::run(to, calls).await,
                Protocol::Mysql => mysql::run(to, calls).await,
                Protocol::Resp => resp::run(to, calls).await,
            }
        };
        tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Timeout,
                "query_timeout",
                format!("The server did not answer within {} s.", timeout.as_secs()),
            ))
        })
    }
}

/// Nothing listens, or the server is not up yet.
pub(super) fn unreachable(to: &Target, why: impl std::fmt::Display) -> Error {
    Error::unavailable(
        "endpoint_unreachable",
        format!("The server does not answer on {}:{}; it may still be starting.", to.host, to.port),
    )
    .context(why.to_string())
}

/// The password, or the account, is not known.
pub(super) fn login_refused(to: &Target, why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "login_refused",
        format!("The server refused the password of {:?}.", to.account.username),
    )
    .context(why.to_string())
}

/// The server refused a call. Its message never repeats the statement, so no password is in it.
pub(super) fn query_failed(code: &str, message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, "query_failed", format!("The server refused a statement ({code}): {message}"))
}

/// A call of another protocol; a defect of an adapter, found by the contract tests.
pub(super) fn wrong_protocol() -> Error {
    Error::internal("a call does not fit the protocol of its engine")
}
