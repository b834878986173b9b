//! Redis' own protocol, also Valkey's and KeyDB's.

use async_trait::async_trait;
use fluxdb_adapters::{Answer, Call, Request};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, Value};
use serde_json::{Value as Json, json};

use super::Target;
use super::fault::Fault;
use super::session::Session;
use super::transport::connect;

pub(super) struct Resp {
    connection: MultiplexedConnection,
}

impl Resp {
    pub(super) async fn open(to: &Target) -> Result<Self, Fault> {
        let login = RedisConnectionInfo::default()
            .set_username(to.account.username.as_str())
            .set_password(to.account.password.expose())
            // A user without +client would be refused otherwise.
            .set_skip_set_lib_name();
        // Who calls bounds the time; the driver's own half a second would be short for a save to a slow disk.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let log_in = MultiplexedConnection::new_with_config(&login, connect(to).await?, config);
        let (mut connection, work) = log_in.await.map_err(|e| classify(&e))?;
        // Ends by itself once the connection is dropped.
        tokio::spawn(work);
        if to.ours {
            // A server that is short of memory for its clients' buffers ends others first. Not known before Redis 7.
            let _ = redis::cmd("CLIENT").arg("NO-EVICT").arg("ON").query_async::<Value>(&mut connection).await;
        }
        Ok(Self { connection })
    }
}

#[async_trait]
impl Session for Resp {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Request::Resp(words) = &call.request else { return Err(Fault::WrongProtocol) };
        let mut words = words.iter();
        let Some(name) = words.next() else { return Err(Fault::WrongProtocol) };
        let mut command = redis::cmd(name.expose());
        for word in words {
            command.arg(word.expose());
        }
        let value = command.query_async::<Value>(&mut self.connection).await.map_err(|e| classify(&e))?;
        Ok(Answer::Json(shown(&value)))
    }
}

fn shown(value: &Value) -> Json {
    let text = |bytes: &[u8]| json!(String::from_utf8_lossy(bytes));
    match value {
        Value::Nil => Json::Null,
        Value::Int(n) => json!(n),
        Value::BulkString(bytes) => text(bytes),
        Value::SimpleString(s) => json!(s),
        Value::Okay => json!("OK"),
        Value::Array(items) | Value::Set(items) => items.iter().map(shown).collect(),
        Value::Map(pairs) => {
            let key = |v: &Value| match shown(v) {
                Json::String(s) => s,
                other => other.to_string(),
            };
            Json::Object(pairs.iter().map(|(k, v)| (key(k), shown(v))).collect())
        }
        Value::Double(n) => json!(n),
        Value::Boolean(b) => json!(b),
        Value::VerbatimString { text, .. } => json!(text),
        other => json!(format!("{other:?}")),
    }
}

fn classify(error: &RedisError) -> Fault {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return Fault::LoginRefused(error.to_string());
    }
    match error.code() {
        Some("WRONGPASS" | "NOAUTH") => Fault::LoginRefused(error.to_string()),
        Some("LOADING" | "BUSY" | "MASTERDOWN") | None => Fault::Unreachable(error.to_string()),
        Some(code) => Fault::Refused(code.to_owned(), error.detail().unwrap_or_default().to_owned()),
    }
}
