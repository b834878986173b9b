//! PostgreSQL's own protocol; also that of CockroachDB, TimescaleDB, QuestDB, H2.

use std::collections::HashMap;

use async_trait::async_trait;
use fluxdb_adapters::{Account, Answer, Call, Request, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{Fault, with_causes};
use super::session::Session;
use super::transport::LIMIT;
use super::veil::veil_refusal;
use super::{Target, Trust};

/// Where to connect when no database is named; every cluster has it.
const MAINTENANCE_DATABASE: &str = "postgres";

/// Limits that users set for their own sessions do not end ours: with statement_timeout = 1 nothing could be repaired.
const NO_LIMITS: &str = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off";

/// A connection for each inner database that was asked for: this protocol cannot change it.
pub(super) struct Postgres {
    host: String,
    port: u16,
    account: Account,
    tls: Option<Trust>,
    database: String,
    clients: HashMap<String, Client>,
}

impl Postgres {
    pub(super) async fn open(to: &Target) -> Result<Self, Fault> {
        let database = to.database.clone().unwrap_or_else(|| MAINTENANCE_DATABASE.to_owned());
        let (host, port, account, tls) = (to.host.clone(), to.port, to.account.clone(), to.tls.clone());
        let mut session = Self { host, port, account, tls, database: database.clone(), clients: HashMap::new() };
        session.client(&database).await?;
        Ok(session)
    }

    async fn client(&mut self, database: &str) -> Result<&Client, Fault> {
        if !self.clients.contains_key(database) {
            let client = self.login(database).await?;
            self.clients.insert(database.to_owned(), client);
        }
        self.clients.get(database).ok_or(Fault::WrongProtocol)
    }

    /// H2 refuses a password by closing the connection without a word, and so does a port forwarder whose server is not up
    /// yet. They are told apart by a second try at a moment when the server is known to answer.
    async fn login(&self, database: &str) -> Result<Client, Fault> {
        let first = match self.connect(database).await {
            Err(e) if e.as_db_error().is_none() => e,
            other => return other.map_err(|e| refusal(&e)),
        };
        if !self.speaks().await.unwrap_or(false) {
            return Err(classify(&first));
        }
        self.connect(database).await.map_err(|e| match e.as_db_error() {
            None if e.is_closed() => Fault::LoginRefused("the server closed the connection at the login".to_owned()),
            _ => refusal(&e),
        })
    }

    async fn connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.account.username)
            .password(self.account.password.expose())
            .dbname(database)
            .application_name("fluxdb")
            .options(NO_LIMITS)
            .connect_timeout(LIMIT);
        // A connection ends by itself once its client is gone; a broken one is reported by the call that it broke.
        Ok(match &self.tls {
            None => {
                let (client, connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
            Some(trust) => {
                let tls = MakeRustlsConnect::new(trust.config().as_ref().clone());
                let (client, connection) = config.ssl_mode(SslMode::Require).connect(tls).await?;
                tokio::spawn(connection);
                client
            }
        })
    }

    /// Whether a server of this protocol answers: it says yes or no to the question for TLS.
    async fn speaks(&self) -> std::io::Result<bool> {
        const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
        let mut stream = tokio::net::TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.write_all(&SSL_REQUEST).await?;
        Ok(matches!(stream.read_u8().await?, b'N' | b'S'))
    }
}

#[async_trait]
impl Session for Postgres {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Request::Sql { text, params } = &call.request else { return Err(Fault::WrongProtocol) };
        let database = call.database.clone().unwrap_or_else(|| self.database.clone());
        let client = self.client(&database).await?;
        let answer = if params.is_empty() { simple(client, text).await } else { bound(client, text, params).await };
        answer.map_err(|fault| veil_refusal(fault, &self.account, text, params))
    }
}

async fn simple(client: &Client, text: &Secret) -> Result<Answer, Fault> {
    let messages = client.simple_query(text.expose()).await.map_err(|e| classify(&e))?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
        _ => None,
    });
    Ok(Answer::Rows(rows.collect()))
}

async fn bound(client: &Client, text: &Secret, params: &[Secret]) -> Result<Answer, Fault> {
    let texts: Vec<&str> = params.iter().map(Secret::expose).collect();
    let params: Vec<(&(dyn ToSql + Sync), Type)> = texts.iter().map(|t| (t as _, Type::TEXT)).collect();
    let rows = client.query_typed(text.expose(), &params).await.map_err(|e| classify(&e))?;
    let mut answer = Vec::with_capacity(rows.len());
    for row in rows {
        let columns: Result<Vec<Option<String>>, _> = (0..row.len()).map(|i| row.try_get(i)).collect();
        answer.push(columns.map_err(|e| Fault::Refused("column_type".into(), e.to_string()))?);
    }
    Ok(Answer::Rows(answer))
}

/// What a refused login means: QuestDB refuses with the code of success.
fn refusal(error: &tokio_postgres::Error) -> Fault {
    match error.as_db_error() {
        Some(db) if *db.code() == SqlState::SUCCESSFUL_COMPLETION => Fault::LoginRefused(db.message().to_owned()),
        _ => classify(error),
    }
}

fn classify(error: &tokio_postgres::Error) -> Fault {
    let Some(db) = error.as_db_error() else { return Fault::Unreachable(with_causes(error)) };
    match *db.code() {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Fault::LoginRefused(db.message().to_owned())
        }
        // Starting up, shutting down, or full.
        SqlState::CANNOT_CONNECT_NOW
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::TOO_MANY_CONNECTIONS => Fault::Unreachable(db.message().to_owned()),
        ref code => Fault::Refused(code.code().to_owned(), db.message().to_owned()),
    }
}
