//! Talks to the servers that we run, over their own protocols, through the published endpoint.

use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Account, Answer, Call, HttpAuth, Protocol};

use crate::domain::Result;

mod cql;
pub mod fake;
mod fault;
mod http;
mod kafka;
pub(crate) mod lanes;
pub mod live;
mod mongodb;
mod mysql;
mod postgres;
mod resp;
mod session;
mod tds;
#[cfg(test)]
mod testing;
mod transport;
mod veil;

pub use transport::Trust;

/// Where to connect and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which protocol.
    pub protocol: Protocol,
    /// How the account is shown where that is HTTP.
    pub http_auth: HttpAuth,
    /// Address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account and password.
    pub account: Account,
    /// Whether it is fluxdb's own account: its sessions never look names up where a tenant can put some.
    pub ours: bool,
    /// Database to connect to; the engine's default when `None`.
    pub database: Option<String>,
    /// Who signs the server's certificate; without it the connection is not encrypted.
    pub tls: Option<Trust>,
}

/// Carries out calls, in order, until one fails; an answer for each.
///
/// # Errors
/// `Unavailable` (`endpoint_unreachable`) while nothing listens, the server is still starting, or a call says "not yet";
/// `Unauthenticated` (`login_refused`) for a wrong password; `Invalid` (`query_failed`) when the server refuses a
/// call with a code that is not tolerated; `Unavailable` (`server_not_trusted`) when its certificate does not prove
/// that it is the server that was meant; `Timeout` (`query_timeout`), also where the server ended a statement itself;
/// `Timeout` (`server_busy`) while it is still at what it was asked before. No password is in any of them.
///
/// What is not answered in time is ended in the server too, where its protocol has a way: by a limit that the session or the
/// call carries (PostgreSQL's protocol, MySQL, MongoDB, ClickHouse, Neo4j), by a cancel request (PostgreSQL's
/// protocol), by closing the connection (SQL Server). Redis, Kafka, InfluxDB, the Cassandras and the other HTTP servers know none
/// for a client's request (most of them have one of their own). Whatever the server does, nothing more is asked in that place until it has answered or the connection
/// has ended: a server has at most one session of ours that polls and one that runs.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Logs in anew, carries the calls out, and closes: proves that this password is good now. Waits its turn.
    async fn run(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<Vec<Answer>>;

    /// The same over a connection that is kept for the next time: for health and metrics. Asks nothing while an earlier poll is
    /// overdue.
    async fn poll(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<Vec<Answer>>;
}
