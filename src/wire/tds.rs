//! Tabular data stream: SQL Server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Account, Answer, Call, Request, Secret};
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel, Query};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::Target;
use super::fault::{Fault, NOT_TRUSTED};
use super::lanes::Until;
use super::session::Session;
use super::transport::dial;
use super::veil::veil;

pub(super) struct Tds {
    client: Client<Compat<TcpStream>>,
    account: Account,
    until: Option<Arc<Until>>,
}

impl Tds {
    pub(super) async fn open(to: &Target, limit: Duration) -> Result<Self, Fault> {
        let stream = dial(to).await?;
        let mut config = Config::new();
        config.host(&to.host);
        config.port(to.port);
        config.application_name("fluxdb");
        match &to.tls {
            None => config.encryption(EncryptionLevel::NotSupported),
            Some(trust) => {
                config.encryption(EncryptionLevel::Required);
                // On top of the machine's own authorities, which this driver always trusts.
                config.trust_cert_ca_bundle(trust.pem());
            }
        }
        config.authentication(AuthMethod::sql_server(&to.account.username, to.account.password.expose()));
        if let Some(database) = &to.database {
            config.database(database);
        }
        // Boxed: it keeps some pages of TLS on the way.
        let client = Box::pin(Client::connect(config, stream.compat_write())).await;
        let client = client.map_err(|e| classify(&e, &to.account, ""))?;
        let mut session = Self { client, account: to.account.clone(), until: None };
        let waits = format!("SET LOCK_TIMEOUT {}", limit.as_millis());
        session.query(&waits, &[]).await.map_err(|e| classify(&e, &to.account, ""))?;
        Ok(session)
    }

    async fn query(&mut self, text: &str, params: &[Secret]) -> Result<Vec<Vec<Option<String>>>, Error> {
        let stream = if params.is_empty() {
            self.client.simple_query(text).await?
        } else {
            let mut query = Query::new(text);
            params.iter().for_each(|p| query.bind(p.expose()));
            query.query(&mut self.client).await?
        };
        // Of several results the first that has rows, as elsewhere.
        let results = stream.into_results().await?;
        let rows = results.into_iter().find(|rows| !rows.is_empty()).unwrap_or_default();
        Ok(rows.into_iter().map(|row| row.into_iter().map(|value| shown(&value)).collect()).collect())
    }
}

#[async_trait]
impl Session for Tds {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Request::Sql { text, params } = &call.request else { return Err(Fault::WrongProtocol) };
        if let Some(database) = &call.database {
            let enter = format!("USE [{}]", database.replace(']', "]]"));
            self.query(&enter, &[]).await.map_err(|e| classify(&e, &self.account, ""))?;
        }
        let until = self.until.clone();
        let over = async {
            match until {
                Some(until) => until.over().await,
                None => std::future::pending().await,
            }
        };
        // The server rolls back what a connection was at that is closed; this driver has no attention.
        let rows = tokio::select! {
            rows = self.query(text.expose(), params) => rows,
            () = over => return Err(Fault::TooSlow("the connection was closed".into())),
        };
        Ok(Answer::Rows(rows.map_err(|e| classify(&e, &self.account, text.expose()))?))
    }

    fn until(&mut self, until: &Arc<Until>) {
        self.until = Some(until.clone());
    }

    async fn close(self: Box<Self>) {
        // A server that goes away now has already answered.
        let _ = self.client.close().await;
    }
}

/// NULL is nothing; times are for the statement to convert.
fn shown(value: &ColumnData<'_>) -> Option<String> {
    fn text(value: &Option<impl ToString>) -> Option<String> {
        value.as_ref().map(ToString::to_string)
    }
    match value {
        ColumnData::U8(n) => text(n),
        ColumnData::I16(n) => text(n),
        ColumnData::I32(n) => text(n),
        ColumnData::I64(n) => text(n),
        ColumnData::F32(n) => text(n),
        ColumnData::F64(n) => text(n),
        ColumnData::Bit(bit) => bit.map(|b| u8::from(b).to_string()),
        ColumnData::String(words) => text(words),
        ColumnData::Guid(id) => text(id),
        ColumnData::Numeric(n) => n.map(decimal),
        ColumnData::Xml(xml) => text(xml),
        ColumnData::Binary(bytes) => {
            bytes.as_ref().map(|bytes| bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02X}")))
        }
        ColumnData::DateTime(t) => {
            t.and_then(|t| moment(1900, i64::from(t.days()), i64::from(t.seconds_fragments()) * 1_000_000_000 / 300))
        }
        ColumnData::SmallDateTime(t) => {
            t.and_then(|t| moment(1900, i64::from(t.days()), i64::from(t.seconds_fragments()) * 60_000_000_000))
        }
        ColumnData::Date(d) => d.and_then(|d| moment(1, i64::from(d.days()), 0)).map(|text| text[..10].to_owned()),
        ColumnData::Time(t) => t.and_then(|t| moment(1, 0, of_day(t))).map(|text| text[11..].to_owned()),
        ColumnData::DateTime2(t) => t.and_then(|t| moment(1, i64::from(t.date().days()), of_day(t.time()))),
        // In UTC, as it is kept.
        ColumnData::DateTimeOffset(t) => t
            .and_then(|t| moment(1, i64::from(t.datetime2().date().days()), of_day(t.datetime2().time())))
            .map(|text| format!("{text}Z")),
    }
}

/// Nanoseconds since midnight.
fn of_day(time: tiberius::time::Time) -> i64 {
    let units = 10_u64.pow(9_u32.saturating_sub(u32::from(time.scale())));
    i64::try_from(time.increments().saturating_mul(units)).unwrap_or_default()
}

/// Days after the first of January of this year, and nanoseconds of the day.
fn moment(year: i16, days: i64, nanoseconds: i64) -> Option<String> {
    let span = jiff::Span::new().try_days(days).ok()?.try_nanoseconds(nanoseconds).ok()?;
    Some(jiff::civil::date(year, 1, 1).at(0, 0, 0, 0).checked_add(span).ok()?.to_string())
}

/// `-0.05`, which the crate shows as `0.05`.
fn decimal(n: tiberius::numeric::Numeric) -> String {
    let scale = usize::from(n.scale());
    let digits = format!("{:0>width$}", n.value().unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if n.value() < 0 { "-" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

fn classify(error: &Error, account: &Account, sent: &str) -> Fault {
    match error {
        Error::Server(e) => of_server(e.code(), veil(e.message(), account, sent)),
        Error::Conversion(why) | Error::Encoding(why) => Fault::Refused("column_type".into(), veil(why, account, sent)),
        // It says so in its own words, and then what a programmer could do about it.
        Error::Tls(why) if why.starts_with("the server's certificate was rejected") => {
            let why = why.split(" To connect anyway").next().unwrap_or(why);
            Fault::Unreachable(format!("{NOT_TRUSTED}: {why}"))
        }
        other => Fault::Unreachable(veil(&other.to_string(), account, sent)),
    }
}

fn of_server(code: u32, words: String) -> Fault {
    match code {
        // Login failed; not from a trusted domain (Windows logins only).
        18456 | 18452 => Fault::LoginRefused(words),
        // The server is not ready, in single-user mode, shutting down, or upgrades its scripts; this database recovers.
        17197 | 18401 | 6005 | 18461 | 922 => Fault::Unreachable(format!("{code}: {words}")),
        // Lock request time out period exceeded.
        1222 => Fault::TooSlow(words),
        code => Fault::Refused(code.to_string(), words),
    }
}

#[cfg(test)]
mod tests;
