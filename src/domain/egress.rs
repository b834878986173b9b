//! Outgoing traffic of an instance: closed unless a user opens it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a container may reach besides itself. Answers to its clients always go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// Nothing: no connection, no datagram, no name look-up leaves it, IPv4 or IPv6, to the host and its neighbours neither.
    #[default]
    Closed,
    /// Whatever the network of the host lets it reach.
    Open,
}

impl Egress {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Egress::Closed => "closed",
            Egress::Open => "open",
        }
    }
}

impl From<bool> for Egress {
    fn from(open: bool) -> Self {
        if open { Egress::Open } else { Egress::Closed }
    }
}
