//! One authenticated connection to a server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Answer, Call, Protocol};

use super::Target;
use super::fault::Fault;
use super::lanes::Until;
use super::{cql, http, kafka, mongodb, mysql, postgres, resp, tds};

/// One authenticated connection.
#[async_trait]
pub(super) trait Session: Send {
    /// Sends one call and reads its answer. After [`Fault::Unreachable`] the session is of no more use.
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault>;

    /// Until when the calls that come are of use: for protocols in which a client can end what it has asked.
    fn until(&mut self, _until: &Arc<Until>) {}

    /// Says goodbye, where the protocol has a word for it.
    async fn close(self: Box<Self>) {}
}

/// Connects and logs in. `limit` is what the server is told to end our statements after, where it can be told.
pub(super) async fn open(to: &Target, limit: Duration) -> Result<Box<dyn Session>, Fault> {
    Ok(match to.protocol {
        Protocol::Postgres => Box::new(postgres::Postgres::open(to, limit).await?),
        Protocol::Mysql => Box::new(mysql::Mysql::open(to, limit).await?),
        Protocol::Resp => Box::new(resp::Resp::open(to).await?),
        Protocol::Cql => Box::new(cql::Cql::open(to).await?),
        Protocol::Kafka => Box::new(kafka::Kafka::open(to).await?),
        Protocol::Http => Box::new(http::Http::open(to)?),
        Protocol::Mongo => Box::new(mongodb::Mongo::open(to, limit).await?),
        Protocol::Tds => Box::new(tds::Tds::open(to, limit).await?),
        // Programs are run by the runtime.
        Protocol::Exec => return Err(Fault::WrongProtocol),
    })
}
