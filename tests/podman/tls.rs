//! Real servers that speak TLS: the wire clients talk to them encrypted or not at all.

use std::time::{Duration, Instant};

use fluxdb::wire::live::LiveWire;
use fluxdb::wire::{Target, Trust, Wire};
use fluxdb_adapters::{Account, Answer, Call, Secret};

use crate::host::{Account as Host, sh};
use crate::world::PATIENCE;

#[path = "../../src/tls/authority.rs"]
mod authority;
use authority::Authority;

const PASSWORD: &str = "Tls0Password1";

/// A container that is removed at the end, and the files that it reads below `/tls`.
struct Served {
    name: String,
    dir: tempfile::TempDir,
    target: Target,
}

impl Served {
    /// Runs this command by the image's own entrypoint. The key is a copy that the server owns.
    fn start(engine: &str, version: &str, user: &str, environment: &str, command: &str) -> Self {
        let facts = fluxdb_adapters::find(engine).unwrap().facts();
        let dir = tempfile::Builder::new().prefix("fluxdb-tls-").tempdir().unwrap();
        let authority = Authority::of("127.0.0.1");
        for (name, text) in [
            ("ca.pem", authority.pem),
            ("stranger.pem", Authority::of("127.0.0.1").pem),
            ("server.pem", authority.certificate),
            ("key.pem", authority.key),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let script =
            format!("install -o {user} -m 600 /tls/key.pem /tmp/key.pem && exec docker-entrypoint.sh {command}");
        let name = format!("fluxdb-test-tls-{engine}-{}", std::process::id());
        let inside = facts.ports[facts.control_port].number;
        Host::own().must(&format!(
            "podman run -d --name {name} --label fluxdb.test=tls --user 0 -v {}:/tls:ro -p 127.0.0.1::{inside} {environment} \
             --entrypoint sh localhost/fluxdb/{engine}:{version} -c '{script}'",
            dir.path().display()
        ));
        let published = sh(&format!("podman port {name} {inside}"));
        let target = Target {
            protocol: facts.protocol,
            http_auth: facts.http_auth,
            host: "127.0.0.1".into(),
            port: published.rsplit(':').next().unwrap().parse().unwrap(),
            account: Account { username: facts.system_user.into(), password: Secret::new(PASSWORD) },
            ours: true,
            database: None,
            tls: Some(Trust::load(&dir.path().join("ca.pem")).unwrap()),
        };
        Self { name, dir, target }
    }

    async fn ask(&self, to: &Target, calls: &[Call]) -> fluxdb::domain::Result<Vec<Answer>> {
        LiveWire::default().run(to, calls, Duration::from_secs(5)).await
    }

    /// The answers of the server, once it is up.
    async fn answers(&self, calls: &[Call]) -> Vec<Answer> {
        let begun = Instant::now();
        loop {
            match self.ask(&self.target, calls).await {
                Ok(answers) => return answers,
                Err(e) => {
                    assert!(begun.elapsed() < PATIENCE, "{e:?}\n{}", sh(&format!("podman logs {} 2>&1", self.name)))
                }
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// How a server ends that does not prove itself, a wrong password, and a connection that is not encrypted.
    async fn refuses(&self, call: &Call) -> String {
        let calls = std::slice::from_ref(call);
        let stranger = Trust::load(&self.dir.path().join("stranger.pem")).unwrap();
        let to = Target { tls: Some(stranger), ..self.target.clone() };
        assert_eq!(self.ask(&to, calls).await.unwrap_err().code, "server_not_trusted");
        // The certificate is for the address only.
        let to = Target { host: "localhost".into(), ..self.target.clone() };
        assert_eq!(self.ask(&to, calls).await.unwrap_err().code, "server_not_trusted");
        let mut to = self.target.clone();
        to.account.password = Secret::new("wrong-password");
        assert_eq!(self.ask(&to, calls).await.unwrap_err().code, "login_refused");
        let to = Target { tls: None, ..self.target.clone() };
        self.ask(&to, calls).await.unwrap_err().code.to_string()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        sh(&format!("podman rm -f -v -t 0 {}", self.name));
    }
}

fn rows(answer: &Answer) -> Vec<Vec<String>> {
    let Answer::Rows(rows) = answer else { panic!("no rows: {answer:?}") };
    rows.iter().map(|row| row.iter().map(|v| v.clone().unwrap_or_default()).collect()).collect()
}

#[tokio::test]
async fn postgresql_over_tls() {
    let environment = format!("-e POSTGRES_PASSWORD={PASSWORD} -e POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256");
    let command = "postgres -c ssl=on -c ssl_cert_file=/tls/server.pem -c ssl_key_file=/tmp/key.pem \
                   -c ssl_min_protocol_version=TLSv1.3";
    let served = Served::start("postgresql", "17", "postgres", &environment, command);
    let mine = Call::sql("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    let answers = served.answers(&[mine.clone(), Call::bound("SELECT $1", &["bound"])]).await;
    assert_eq!(rows(&answers[0]), [["t", "TLSv1.3"]]);
    assert_eq!(rows(&answers[1]), [["bound"]]);
    sh(&format!("podman exec {} sh -c 'sed -i s/^host/hostssl/ \"$PGDATA/pg_hba.conf\"'", served.name));
    served.answers(&[Call::sql("SELECT pg_reload_conf()")]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // "no pg_hba.conf entry ... no encryption" is a refused login to this protocol.
    assert_eq!(served.refuses(&mine).await, "login_refused");
}

#[tokio::test]
async fn mariadb_over_tls() {
    let environment = format!("-e MARIADB_ROOT_PASSWORD={PASSWORD}");
    let command = "mariadbd --ssl-cert=/tls/server.pem --ssl-key=/tmp/key.pem --require-secure-transport=ON";
    let mut served = Served::start("mariadb", "11.8", "mysql", &environment, command);
    served.target.account.username = "root".into();
    let mine = Call::sql("SHOW SESSION STATUS LIKE 'Ssl_version'");
    let answers = served.answers(&[mine.clone(), Call::bound("SELECT ?", &["bound"])]).await;
    assert_eq!(rows(&answers[0]), [["Ssl_version", "TLSv1.3"]]);
    assert_eq!(rows(&answers[1]), [["bound"]]);
    // ER_SECURE_TRANSPORT_REQUIRED.
    assert_eq!(served.refuses(&mine).await, "query_failed");
}

#[tokio::test]
async fn valkey_over_tls() {
    let command = format!(
        "valkey-server --port 0 --tls-port 6379 --tls-cert-file /tls/server.pem --tls-key-file /tmp/key.pem \
         --tls-auth-clients no --requirepass {PASSWORD}"
    );
    let mut served = Served::start("valkey", "8.1", "valkey", "", &command);
    served.target.account.username = "default".into();
    let mine = Call::resp(&["CLIENT", "INFO"]);
    let answers = served.answers(&[Call::resp(&["SET", "k", "kept"]), Call::resp(&["GET", "k"]), mine.clone()]).await;
    assert_eq!(answers[1], Answer::Json("kept".into()));
    assert_eq!(served.refuses(&mine).await, "endpoint_unreachable");
}
