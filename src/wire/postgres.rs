//! PostgreSQL's own protocol; also that of CockroachDB, TimescaleDB, QuestDB, H2.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Account, Answer, Call, Request, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{Fault, with_causes};
use super::lanes::Until;
use super::session::Session;
use super::transport::{LIMIT, SILENCE};
use super::veil::veil_refusal;
use super::{Target, Trust};

/// Where to connect when no database is named; every cluster has it.
const MAINTENANCE_DATABASE: &str = "postgres";

/// What a tenant sets for everybody in a database does not count for us (these count more): limits that would end our
/// statements, and schemas in which its functions would be found before the server's own.
const FIXED: &str = "-c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off \
    -c standard_conforming_strings=on -c search_path=pg_catalog,pg_temp";

/// The same, not known before these majors; so it takes a statement.
const FIXED_SINCE: [(u32, &str); 2] = [(14, "SET idle_session_timeout = 0"), (17, "SET transaction_timeout = 0")];

/// A connection for each inner database that was asked for: this protocol cannot change it.
pub(super) struct Postgres {
    host: String,
    port: u16,
    account: Account,
    tls: Option<Trust>,
    database: String,
    clients: HashMap<String, Client>,
    ours: bool,
    limit: Duration,
    until: Option<Arc<Until>>,
}

impl Postgres {
    pub(super) async fn open(to: &Target, limit: Duration) -> Result<Self, Fault> {
        let database = to.database.clone().unwrap_or_else(|| MAINTENANCE_DATABASE.to_owned());
        let (host, port, account, tls) = (to.host.clone(), to.port, to.account.clone(), to.tls.clone());
        let (ours, clients) = (to.ours, HashMap::new());
        let mut session =
            Self { host, port, account, tls, database: database.clone(), clients, ours, limit, until: None };
        session.client(&database).await?;
        Ok(session)
    }

    /// Connects to this database, if that was not done yet.
    async fn client(&mut self, database: &str) -> Result<(), Fault> {
        if !self.clients.contains_key(database) {
            let (client, version) = self.login(database).await?;
            if self.ours && database != MAINTENANCE_DATABASE {
                for (_, set) in FIXED_SINCE.iter().filter(|(since, _)| *since <= version) {
                    client.batch_execute(set).await.map_err(|e| classify(&e))?;
                }
            }
            self.clients.insert(database.to_owned(), client);
        }
        Ok(())
    }

    /// H2 refuses a password by closing the connection without a word, and so does a port forwarder whose server is not up
    /// yet. They are told apart by a second try at a moment when the server is known to answer.
    async fn login(&self, database: &str) -> Result<(Client, u32), Fault> {
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

    /// A connection, and the server's major version.
    async fn connect(&self, database: &str) -> Result<(Client, u32), tokio_postgres::Error> {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.account.username)
            .password(self.account.password.expose())
            .dbname(database)
            .application_name("fluxdb")
            .options(self.options())
            .keepalives_idle(SILENCE)
            .keepalives_interval(SILENCE)
            .keepalives_retries(3)
            .connect_timeout(LIMIT);
        // A connection ends by itself once its client is gone; a broken one is reported by the call that it broke.
        Ok(match &self.tls {
            None => {
                let (client, connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
                let version = major(connection.parameter("server_version"));
                tokio::spawn(connection);
                (client, version)
            }
            Some(trust) => {
                let (client, connection) = config.ssl_mode(SslMode::Require).connect(encrypted(trust)).await?;
                let version = major(connection.parameter("server_version"));
                tokio::spawn(connection);
                (client, version)
            }
        })
    }

    /// How long a statement may take and wait for a lock; for our own account also what a tenant could have set otherwise. The
    /// limit comes first: QuestDB reads no other.
    fn options(&self) -> String {
        let milliseconds = self.limit.as_millis();
        let limits = format!("-c statement_timeout={milliseconds} -c lock_timeout={}", milliseconds / 2);
        if self.ours { format!("{limits} {FIXED}") } else { limits }
    }

    /// Asks the server to end what this session is at; in vain when it is done already.
    async fn cancel(&self, client: &Client) {
        let token = client.cancel_token();
        let asked = async {
            match &self.tls {
                None => token.cancel_query(NoTls).await,
                Some(trust) => token.cancel_query(encrypted(trust)).await,
            }
        };
        let _ = tokio::time::timeout(LIMIT, asked).await;
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
        self.client(&database).await?;
        let client = self.clients.get(&database).ok_or(Fault::WrongProtocol)?;
        let mut asked = Box::pin(async {
            if params.is_empty() { simple(client, text).await } else { bound(client, text, params).await }
        });
        let answer = match &self.until {
            None => asked.await,
            // The limit of the session ends it too, where the server knows one.
            Some(until) => tokio::select! {
                answer = &mut asked => answer,
                () = until.over() => {
                    self.cancel(client).await;
                    asked.await
                }
            },
        };
        answer.map_err(|fault| veil_refusal(fault, &self.account, text, params))
    }

    fn until(&mut self, until: &Arc<Until>) {
        self.until = Some(until.clone());
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

fn encrypted(trust: &Trust) -> MakeRustlsConnect {
    MakeRustlsConnect::new(trust.config().as_ref().clone())
}

/// `17.11 (Debian 17.11-1)` is 17; 0 for what cannot be read.
fn major(version: Option<&str>) -> u32 {
    version.and_then(|v| v.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).unwrap_or_default()
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
        // A limit of time, or our own cancel request.
        SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => Fault::TooSlow(db.message().to_owned()),
        // Starting up, shutting down, or full.
        SqlState::CANNOT_CONNECT_NOW
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::TOO_MANY_CONNECTIONS => Fault::Unreachable(db.message().to_owned()),
        ref code => Fault::Refused(code.code().to_owned(), db.message().to_owned()),
    }
}
