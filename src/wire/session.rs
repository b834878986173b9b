//! One authenticated connection to a server.

use async_trait::async_trait;
use fluxdb_adapters::{Answer, Call, Protocol};

use super::Target;
use super::fault::Fault;
use super::{mysql, postgres, resp};

/// One authenticated connection.
#[async_trait]
pub(super) trait Session: Send {
    /// Sends one call and reads its answer. After [`Fault::Unreachable`] the session is of no more use.
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault>;

    /// Says goodbye, where the protocol has a word for it.
    async fn close(self: Box<Self>) {}
}

/// Connects and logs in.
pub(super) async fn open(to: &Target) -> Result<Box<dyn Session>, Fault> {
    Ok(match to.protocol {
        Protocol::Postgres => Box::new(postgres::Postgres::open(to).await?),
        Protocol::Mysql => Box::new(mysql::Mysql::open(to).await?),
        Protocol::Resp => Box::new(resp::Resp::open(to).await?),
        Protocol::Mongo | Protocol::Cql | Protocol::Tds | Protocol::Kafka | Protocol::Http | Protocol::Exec => {
            return Err(Fault::WrongProtocol);
        }
    })
}
