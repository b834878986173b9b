//! Cassandra's native protocol, version 4: Cassandra and ScyllaDB.
//!
//! A small client of our own: drivers connect to the address that a node tells them and keep many connections; we want
//! one, to the published endpoint.

use async_trait::async_trait;
use fluxdb_adapters::{Account, Answer, Call, Request, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Target;
use super::fault::Fault;
use super::session::Session;
use super::transport::{Io, connect};
use super::veil::veil;
use frame::{Reader, Writer};

mod frame;
mod show;

/// No answer that we ask for comes near it.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Operations of the protocol.
mod op {
    pub(super) const ERROR: u8 = 0x00;
    pub(super) const STARTUP: u8 = 0x01;
    pub(super) const READY: u8 = 0x02;
    pub(super) const AUTHENTICATE: u8 = 0x03;
    pub(super) const QUERY: u8 = 0x07;
    pub(super) const RESULT: u8 = 0x08;
    pub(super) const AUTH_RESPONSE: u8 = 0x0f;
    pub(super) const AUTH_SUCCESS: u8 = 0x10;
}

/// One replica is all that a cluster of one node has.
const CONSISTENCY_ONE: u16 = 1;

/// The only kind of result that has rows.
const ROWS: i32 = 2;

pub(super) struct Cql {
    stream: Box<dyn Io>,
    account: Account,
    keyspace: Option<String>,
}

impl Cql {
    pub(super) async fn open(to: &Target) -> Result<Self, Fault> {
        let mut session = Self { stream: connect(to).await?, account: to.account.clone(), keyspace: None };
        session.log_in().await?;
        if let Some(keyspace) = &to.database {
            session.enter(keyspace).await?;
        }
        Ok(session)
    }

    async fn log_in(&mut self) -> Result<(), Fault> {
        let mut startup = Writer::new(op::STARTUP);
        startup.short(1);
        startup.string("CQL_VERSION");
        startup.string("3.0.0");
        let (operation, _) = self.exchange(startup, "").await?;
        match operation {
            // It asks nobody for a password, so it proves nothing.
            op::READY => Err(Fault::Unreachable("the server does not ask for a password yet".into())),
            op::AUTHENTICATE => {
                let mut proof = Writer::new(op::AUTH_RESPONSE);
                let (username, password) = (&self.account.username, self.account.password.expose());
                proof.bytes(format!("\0{username}\0{password}").as_bytes());
                match self.exchange(proof, "").await?.0 {
                    op::AUTH_SUCCESS => Ok(()),
                    other => Err(lost(format!("it answers a login with {other:#04x}"))),
                }
            }
            other => Err(lost(format!("it answers a greeting with {other:#04x}"))),
        }
    }

    async fn enter(&mut self, keyspace: &str) -> Result<(), Fault> {
        if self.keyspace.as_deref() != Some(keyspace) {
            let name = keyspace.replace('"', "\"\"");
            self.query(&format!("USE \"{name}\""), &[]).await?;
            self.keyspace = Some(keyspace.to_owned());
        }
        Ok(())
    }

    async fn query(&mut self, text: &str, params: &[Secret]) -> Result<Vec<Vec<Option<String>>>, Fault> {
        let mut query = Writer::new(op::QUERY);
        query.long_string(text);
        query.short(CONSISTENCY_ONE);
        // Whether there are bound values; the server reads them by the types of their columns.
        query.byte(u8::from(!params.is_empty()));
        if !params.is_empty() {
            let count = u16::try_from(params.len()).map_err(|_| Fault::WrongProtocol)?;
            query.short(count);
            params.iter().for_each(|p| query.bytes(p.expose().as_bytes()));
        }
        let (operation, body) = self.exchange(query, text).await?;
        if operation != op::RESULT {
            return Err(lost(format!("it answers a query with {operation:#04x}")));
        }
        rows(&body).ok_or_else(|| lost("the answer makes no sense"))
    }

    /// Sends a frame and reads the answer: its operation and body. `sent` is what an error might repeat.
    async fn exchange(&mut self, frame: Writer, sent: &str) -> Result<(u8, Vec<u8>), Fault> {
        let frame = frame.finish().ok_or(Fault::WrongProtocol)?;
        self.stream.write_all(&frame).await.map_err(lost)?;
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.map_err(lost)?;
        let [version, flags, _, _, operation, a, b, c, d] = head;
        let length = usize::try_from(i32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if version & 0x7f > 5 || version & 0x80 == 0 || length > LARGEST_ANSWER {
            return Err(lost("it does not speak Cassandra's protocol, or answers without end"));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.map_err(lost)?;
        let body = frame::without_extras(flags, body).ok_or_else(|| lost("the answer makes no sense"))?;
        if operation == op::ERROR {
            let mut reader = Reader::new(&body);
            let (Some(code), Some(words)) = (reader.int(), reader.string()) else {
                return Err(lost("the error makes no sense"));
            };
            return Err(classify(code, veil(&words, &self.account, sent)));
        }
        Ok((operation, body))
    }
}

#[async_trait]
impl Session for Cql {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Request::Sql { text, params } = &call.request else { return Err(Fault::WrongProtocol) };
        if let Some(keyspace) = &call.database {
            self.enter(keyspace).await?;
        }
        Ok(Answer::Rows(self.query(text.expose(), params).await?))
    }
}

/// Rows of a result; none where it is of another kind, nothing where it cannot be read.
fn rows(body: &[u8]) -> Option<Vec<Vec<Option<String>>>> {
    let mut reader = Reader::new(body);
    if reader.int()? != ROWS {
        return Some(Vec::new());
    }
    let columns = show::columns(&mut reader)?;
    let count = reader.int()?;
    (0..count)
        .map(|_| columns.iter().map(|kind| Some(reader.value()?.map(|value| show::text(kind, value)))).collect())
        .collect()
}

/// Codes as the specification writes them: `2400` is "already exists".
fn classify(code: i32, words: String) -> Fault {
    match code {
        0x0100 => Fault::LoginRefused(words),
        // Too few replicas, overloaded, bootstrapping; a write or read that was not finished in time.
        0x1000..=0x1002 | 0x1100 | 0x1200 => Fault::Unreachable(format!("{code:04x}: {words}")),
        _ => Fault::Refused(format!("{code:04x}"), words),
    }
}

fn lost(why: impl ToString) -> Fault {
    Fault::Unreachable(why.to_string())
}

#[cfg(test)]
mod tests;
