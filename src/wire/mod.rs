//! Talks to the servers that we run, over their own protocols, through the published endpoint.

use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Account, Call, Protocol};

use crate::domain::Result;

pub mod fake;
pub mod live;
mod mysql;
mod postgres;
mod resp;

/// Where to connect and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which protocol.
    pub protocol: Protocol,
    /// Address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account and password.
    pub account: Account,
    /// Database to connect to; the engine's default when `None`.
    pub database: Option<String>,
}

/// Carries out calls. One connection for each list of calls; closed afterwards.
///
/// # Errors
/// `Unavailable` (`endpoint_unreachable`) while nothing listens or the server is still starting;
/// `Unauthenticated` (`login_refused`) for a wrong password; `Invalid` (`query_failed`) when the server refuses a
/// call with a code that is not tolerated; `Timeout` (`query_timeout`). No password is in any of them.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Connects, authenticates, carries out the calls in order, and closes.
    async fn run(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<()>;
}
