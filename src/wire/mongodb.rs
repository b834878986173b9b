//! MongoDB's wire protocol, also FerretDB's. Commands and answers are relaxed extended JSON.

use std::time::Duration;

use async_trait::async_trait;
use bson::{Bson, Document};
use fluxdb_adapters::{Account, Answer, Call, Request};
use mongodb::Client;
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{
    AuthMechanism, ClientOptions, Credential, ServerAddress, ServerMonitoringMode, Tls, TlsOptions,
};

use super::Target;
use super::fault::Fault;
use super::session::Session;
use super::transport::{LIMIT, dial};
use super::veil::veil;

/// Where accounts are kept, and what commands of the whole server are sent to.
const ADMIN: &str = "admin";

/// How long a command may take, in milliseconds.
const MAX_TIME: &str = "maxTimeMS";

/// AuthenticationFailed.
const LOGIN_REFUSED: i32 = 18;

pub(super) struct Mongo {
    client: Client,
    account: Account,
    database: String,
    limit: i64,
}

impl Mongo {
    pub(super) async fn open(to: &Target, limit: Duration) -> Result<Self, Fault> {
        // The driver would try for 3 s what nobody listens to.
        dial(to).await?;
        let database = to.database.clone().unwrap_or_else(|| ADMIN.to_owned());
        let client = Client::with_options(options(to)).map_err(|e| classify(&e, &to.account, ""))?;
        let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        let session = Self { client, account: to.account.clone(), database, limit };
        // The driver connects when it is first asked something.
        session.run(ADMIN, bson::doc! { "ping": 1 }, "").await?;
        Ok(session)
    }

    async fn run(&self, database: &str, command: Document, sent: &str) -> Result<Document, Fault> {
        let answer = self.client.database(database).run_command(command).await;
        answer.map_err(|e| classify(&e, &self.account, sent))
    }
}

#[async_trait]
impl Session for Mongo {
    async fn carry_out(&mut self, call: &Call) -> Result<Answer, Fault> {
        let Request::Mongo(text) = &call.request else { return Err(Fault::WrongProtocol) };
        let database = call.database.as_deref().unwrap_or(&self.database);
        let mut command = command(text.expose()).ok_or(Fault::WrongProtocol)?;
        // Every command takes it; the server ends itself what takes longer.
        if !command.contains_key(MAX_TIME) {
            command.insert(MAX_TIME, self.limit);
        }
        let answer = self.run(database, command, text.expose()).await?;
        match write_error(&answer) {
            Some((code, words)) => Err(Fault::Refused(code, veil(&words, &self.account, text.expose()))),
            None => Ok(Answer::Json(Bson::Document(answer).into_relaxed_extjson())),
        }
    }

    async fn close(self: Box<Self>) {
        self.client.shutdown().immediate(true).await;
    }
}

fn options(to: &Target) -> ClientOptions {
    let credential = Credential::builder()
        .username(to.account.username.clone())
        .password(to.account.password.expose().to_owned())
        .source(ADMIN.to_owned())
        .mechanism(AuthMechanism::ScramSha256)
        .build();
    let tls = to.tls.as_ref().map_or(Tls::Disabled, |trust| {
        Tls::Enabled(TlsOptions::builder().ca_file_path(trust.file().to_owned()).build())
    });
    ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp { host: to.host.clone(), port: Some(to.port) }])
        .credential(credential)
        .tls(tls)
        .app_name("fluxdb".to_owned())
        // To this address, whatever the server calls itself in its replica set.
        .direct_connection(true)
        .connect_timeout(LIMIT)
        .server_selection_timeout(LIMIT)
        .max_pool_size(1)
        .heartbeat_freq(Duration::from_secs(60))
        .server_monitoring_mode(ServerMonitoringMode::Poll)
        .retry_reads(false)
        .retry_writes(false)
        .build()
}

/// Into a document at once: the server takes the first field for the command's name, and `serde_json` sorts.
fn command(text: &str) -> Option<Document> {
    serde_json::from_str(text).ok()
}

/// A write that failed is an answer with `ok: 1`.
fn write_error(answer: &Document) -> Option<(String, String)> {
    let one = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()).and_then(Bson::as_document);
    let error = one.or_else(|| answer.get_document("writeConcernError").ok())?;
    let code = error.get("code").map_or_else(|| "unknown".to_owned(), |code| code.to_string());
    Some((code, error.get_str("errmsg").unwrap_or_default().to_owned()))
}

fn classify(error: &Error, account: &Account, sent: &str) -> Fault {
    let veiled = |words: &str| veil(words, account, sent);
    match error.kind.as_ref() {
        ErrorKind::Authentication { message, .. } => Fault::LoginRefused(veiled(message)),
        ErrorKind::Command(e) => of_server(e.code, veiled(&e.message)),
        ErrorKind::InvalidArgument { message, .. } => Fault::Refused("request".into(), veiled(message)),
        other => Fault::Unreachable(veiled(&other.to_string())),
    }
}

fn of_server(code: i32, words: String) -> Fault {
    match code {
        LOGIN_REFUSED => Fault::LoginRefused(words),
        // MaxTimeMSExpired
        50 => Fault::TooSlow(words),
        // ShutdownInProgress, InterruptedAtShutdown, InterruptedDueToReplStateChange.
        91 | 11600 | 11602 => Fault::Unreachable(words),
        code => Fault::Refused(code.to_string(), words),
    }
}

#[cfg(test)]
mod tests {
    use fluxdb_adapters::{HttpAuth, Protocol, Secret};
    use serde_json::{Value, json};

    use super::*;

    const PASSWORD: &str = "canary-Pa55";

    fn target(port: u16) -> Target {
        let account = Account { username: "admin".into(), password: Secret::new(PASSWORD) };
        let host = "127.0.0.1".into();
        Target {
            protocol: Protocol::Mongo,
            http_auth: HttpAuth::None,
            host,
            port,
            account,
            ours: true,
            database: None,
            tls: None,
        }
    }

    #[test]
    fn commands_keep_their_order_and_their_types() {
        let text = r#"{"insert":"t","documents":[{"_id":{"$oid":"0123456789abcdef01234567"},"n":1,"big":5000000000,"at":{"$date":"2024-01-02T03:04:05Z"}}],"ordered":true}"#;
        let command = command(text).expect("a command");
        assert_eq!(command.keys().collect::<Vec<_>>(), ["insert", "documents", "ordered"]);
        let document = command.get_array("documents").expect("array")[0].as_document().expect("document");
        assert!(matches!(document.get("_id"), Some(Bson::ObjectId(_))));
        assert!(matches!(
            (document.get("n"), document.get("big")),
            (Some(Bson::Int32(1)), Some(Bson::Int64(5_000_000_000)))
        ));
        assert!(matches!(document.get("at"), Some(Bson::DateTime(_))));
        assert_eq!(document.keys().collect::<Vec<_>>(), ["_id", "n", "big", "at"]);
        let back = Bson::Document(command).into_relaxed_extjson();
        assert_eq!(back, serde_json::from_str::<Value>(text).expect("JSON"));
        assert!(super::command("[]").is_none() && super::command("{").is_none());
    }

    #[test]
    fn a_write_that_failed_is_found_in_a_good_answer() {
        let answer = |json: Value| Bson::try_from(json).expect("bson").as_document().expect("document").clone();
        let failed =
            answer(json!({"ok": 1.0, "n": 0, "writeErrors": [{"index": 0, "code": 11000, "errmsg": "E11000"}]}));
        assert_eq!(write_error(&failed), Some(("11000".into(), "E11000".into())));
        assert_eq!(write_error(&answer(json!({"ok": 1.0, "n": 1}))), None);
        let concern = answer(json!({"ok": 1, "writeConcernError": {"code": 64, "errmsg": "timed out"}}));
        assert_eq!(write_error(&concern), Some(("64".into(), "timed out".into())));
    }

    #[test]
    fn codes_are_decimal() {
        assert!(matches!(of_server(18, String::new()), Fault::LoginRefused(_)));
        assert!(matches!(of_server(51003, String::new()), Fault::Refused(code, _) if code == "51003"));
        assert!(matches!(of_server(50, String::new()), Fault::TooSlow(_)));
        assert!(matches!(of_server(11600, String::new()), Fault::Unreachable(_)));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_or_is_another_is_unreachable_in_time() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let other = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let begun = std::time::Instant::now();
        let fault = Mongo::open(&target(port), Duration::from_secs(5)).await.err().expect("no server");
        assert!(matches!(fault, Fault::Unreachable(_)) && !format!("{fault:?}").contains(PASSWORD), "{fault:?}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        other.abort();
        let _ = other.await;
        let begun = std::time::Instant::now();
        assert!(matches!(Mongo::open(&target(port), Duration::from_secs(5)).await.err(), Some(Fault::Unreachable(_))));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
