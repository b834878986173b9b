//! Redis' own protocol, also Valkey's.

use fluxdb_adapters::{Call, Request};
use redis::{Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError, Value};

use super::Target;
use super::live::{login_refused, query_failed, unreachable, wrong_protocol};
use crate::domain::Result;

pub(super) async fn run(to: &Target, calls: &[Call]) -> Result<()> {
    let login = RedisConnectionInfo::default()
        .set_username(to.account.username.as_str())
        .set_password(to.account.password.expose())
        // A user without +client would be refused otherwise.
        .set_skip_set_lib_name();
    let info = ConnectionAddr::Tcp(to.host.clone(), to.port)
        .into_connection_info()
        .map_err(|e| unreachable(to, e))?
        .set_redis_settings(login);
    let client = Client::open(info).map_err(|e| unreachable(to, e))?;
    let mut connection = client.get_multiplexed_async_connection().await.map_err(|e| classify(to, &e))?;
    for call in calls {
        let Request::Resp(words) = &call.request else { return Err(wrong_protocol()) };
        let mut words = words.iter();
        let Some(name) = words.next() else { return Err(wrong_protocol()) };
        let mut command = redis::cmd(name.expose());
        for word in words {
            command.arg(word.expose());
        }
        match command.query_async::<Value>(&mut connection).await {
            Ok(_) => {}
            Err(e) if e.code().is_some_and(|c| call.tolerate.contains(&c)) => {}
            Err(e) => return Err(classify(to, &e)),
        }
    }
    Ok(())
}

fn classify(to: &Target, error: &RedisError) -> crate::domain::Error {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return login_refused(to, error);
    }
    match error.code() {
        Some("WRONGPASS" | "NOAUTH") => login_refused(to, error),
        Some("LOADING" | "BUSY" | "MASTERDOWN") | None => unreachable(to, error),
        Some(code) => query_failed(code, error.detail().unwrap_or_default()),
    }
}
