//! Kafka's own protocol. One connection, to the broker that was named: our clusters have a single node, and its
//! advertised address is for clients, not for us.

use async_trait::async_trait;
use fluxdb_adapters::{Answer, Call, Kafka as Wanted, Request};

use super::Target;
use super::fault::Fault;
use super::session::Session;
use connection::Connection;

mod admin;
mod connection;
mod log;
mod requests;
mod scram;
mod settle;

/// SASL_AUTHENTICATION_FAILED.
const LOGIN_REFUSED: i16 = 58;

pub(super) struct Kafka {
    connection: Connection,
}

impl Kafka {
    pub(super) async fn open(to: &Target) -> Result<Self, Fault> {
        let mut connection = Connection::open(to).await?;
        connection.log_in(&to.account).await?;
        Ok(Self { connection })
    }
}

#[async_trait]
impl Session for Kafka {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Request::Kafka(wanted) = &call.request else { return Err(Fault::WrongProtocol) };
        let broker = &mut self.connection;
        let rows = match wanted {
            Wanted::Topics => admin::topics(broker).await?,
            Wanted::CreateTopic { name, partitions } => admin::create_topic(broker, name, *partitions).await?,
            Wanted::DeleteTopic(name) => admin::delete_topic(broker, name).await?,
            Wanted::Produce { topic, value } => log::produce(broker, topic, value).await?,
            Wanted::Fetch(topic) => log::fetch(broker, topic).await?,
            Wanted::PutScram(account) => admin::put_scram(broker, account).await?,
            Wanted::DropScram(username) => admin::drop_scram(broker, username).await?,
            Wanted::ScramUsers => admin::scram_users(broker).await?,
            Wanted::Allow(acl) => admin::allow(broker, acl).await?,
            Wanted::DropAcls { username } => admin::drop_acls(broker, username).await?,
            Wanted::BrokerConfigs => admin::configs(broker, None).await?,
            Wanted::SetBrokerConfig { name, value } => admin::set_config(broker, name, value).await?,
        };
        Ok(Answer::Rows(rows))
    }
}

/// Rows of text.
type Rows = Vec<Vec<Option<String>>>;

/// CLUSTER_AUTHORIZATION_FAILED: the words are the whole request, in which a user's keys may be.
const WORDY: i16 = 31;

/// An error code of the protocol, with the broker's words where it has any.
fn refused(code: i16, words: Option<&str>) -> Fault {
    let known = kafka_protocol::ResponseError::try_from_code(code).map(|e| format!("{e:?}"));
    let words = words.filter(|_| code != WORDY).map(super::veil::cut).or(known);
    let words = words.unwrap_or_else(|| "unknown error".into());
    match code {
        LOGIN_REFUSED => Fault::LoginRefused(words),
        code => Fault::Refused(code.to_string(), words),
    }
}

fn good(code: i16, words: Option<&kafka_protocol::protocol::StrBytes>) -> Result<(), Fault> {
    if code == 0 { Ok(()) } else { Err(refused(code, words.map(|w| w.as_str()))) }
}

/// Exactly one thing was asked about; an answer about none is no answer.
fn only<T>(answers: Vec<T>) -> Result<T, Fault> {
    answers.into_iter().next().ok_or_else(|| Fault::Unreachable("the broker left the answer out".into()))
}

#[cfg(test)]
mod tests;
