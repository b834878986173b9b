//! The command line as a user and as a script see it: the real program against the daemon, exit codes, what is printed.

use std::process::{Output, Stdio};
use std::time::Duration;

use fluxdb::domain::{Error, ErrorKind};
use fluxdb::runtime::fake::{At, Fault};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::support::TestApp;

const PATIENCE: Duration = Duration::from_secs(60);

/// The program with nothing of this machine: no files, no variables, no Podman.
struct Cli {
    url: String,
    token: String,
    home: tempfile::TempDir,
}

impl Cli {
    async fn of(app: &TestApp, permission: &str) -> Self {
        let made = app.make_token(json!({"name": "by-the-test", "permissions": [permission]})).await;
        let token = made["secret"].as_str().unwrap().to_owned();
        Self { url: format!("http://{}", app.address()), token, home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fluxdb"));
        command
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", self.home.path())
            .env("FLUXDB_URL", &self.url)
            .env("FLUXDB_TOKEN", &self.token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, words: &[&str]) -> Ended {
        ended(tokio::time::timeout(PATIENCE, self.command(words).output()).await.unwrap().unwrap())
    }

    async fn run_with_input(&self, words: &[&str], input: &str) -> Ended {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        ended(tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap())
    }
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    /// What was printed, where it ended with this code.
    #[track_caller]
    fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.out
    }
}

fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[tokio::test]
async fn an_instance_lives_and_dies_by_commands() {
    let app = TestApp::start().await;
    let cli = Cli::of(&app, "databases:write").await;
    let made = cli.run(&["create", "demo", "--engine", "postgresql", "--sku", "B1s", "--label", "a=b"]).await;
    assert!(made.err.contains("ok     ready") && made.err.contains("fluxdb url demo --reveal"), "{}", made.err);
    let masked = made.expect(0);
    assert!(masked.starts_with("postgresql://") && masked.contains(":***@") && masked.lines().count() == 1, "{masked}");

    assert_eq!(cli.run(&["url", "demo"]).await.expect(0), masked);
    let revealed = cli.run(&["url", "demo", "--reveal"]).await.expect(0);
    assert!(revealed.lines().count() == 1 && !revealed.contains("***"));
    let list = cli.run(&["list"]).await.expect(0);
    assert!(list.starts_with("NAME") && list.contains("demo") && list.contains("RUNNING") && !list.contains('\u{1b}'));
    let shown: Value = serde_json::from_str(&cli.run(&["show", "demo", "--json"]).await.expect(0)).unwrap();
    assert_eq!((&shown["state"], &shown["labels"]), (&json!("RUNNING"), &json!({"a": "b"})));

    assert_eq!(cli.run(&["stop", "demo"]).await.expect(0), "demo is stopped; its data stays.\n");
    cli.run(&["start", "demo"]).await.expect(0);
    cli.run(&["restart", shown["id"].as_str().unwrap()]).await.expect(0);
    assert!(cli.run(&["resize", "demo", "--sku", "D1s"]).await.expect(0).contains("demo is D1s: 1 vCPU, 4 GiB"));
    cli.run(&["update", "demo", "--rename", "shop", "--label", "c=d", "--unlabel", "a", "--protect"]).await.expect(0);
    let shown: Value = serde_json::from_str(&cli.run(&["show", "shop", "--json"]).await.expect(0)).unwrap();
    assert_eq!((&shown["labels"], &shown["deletion_protection"]), (&json!({"c": "d"}), &json!(true)));

    assert_eq!(shown["network"]["egress"], "closed");
    assert_eq!(cli.run(&["update", "shop", "--egress"]).await.expect(0), "shop is changed.\n");
    let shown = cli.run(&["show", "shop"]).await.expect(0);
    assert!(
        shown.lines().any(|l| l.split_whitespace().eq(["Egress", "open"])) && shown.contains("EGRESS_OPEN"),
        "{shown}"
    );
    cli.run(&["update", "shop", "--no-egress"]).await.expect(0);
    cli.run(&["update", "shop", "--egress", "--no-egress"]).await.expect(2);
    let shown = cli.run(&["show", "shop"]).await.expect(0);
    assert!(!shown.contains("EGRESS_OPEN"), "{shown}");

    let refused = cli.run(&["delete", "shop", "--yes"]).await;
    assert!(refused.err.contains("--no-protect"), "{}", refused.err);
    refused.expect(4);
    cli.run(&["update", "shop", "--no-protect"]).await.expect(0);
    let unasked = cli.run(&["delete", "shop"]).await;
    assert!(unasked.err.contains("--yes"));
    unasked.expect(2);
    assert_eq!(cli.run(&["delete", "shop", "--yes"]).await.expect(0), "shop is deleted.\n");
    cli.run(&["show", "shop"]).await.expect(3);
    assert_eq!(app.runtime.everything().len(), 0, "{:?}", app.runtime.everything());
}

#[tokio::test]
async fn each_kind_of_failure_has_its_exit_code() {
    let app = TestApp::start().await;
    let mut cli = Cli::of(&app, "databases:write").await;
    cli.run(&["create", "demo", "--engine", "redis", "--sku", "B1ls"]).await.expect(0);
    cli.run(&["create"]).await.expect(2);
    cli.run(&["update", "demo"]).await.expect(2);
    cli.run(&["stop", "nobody"]).await.expect(3);
    cli.run(&["create", "demo", "--engine", "redis"]).await.expect(4);
    cli.run(&["create", "vast", "--engine", "redis", "--sku", "E16s"]).await.expect(9);

    let bad = cli.run(&["create", "x", "--engine", "nosuchdb", "--storage", "0"]).await;
    assert!(
        bad.err.contains("--storage: ") && bad.err.contains("--engine: ") && bad.err.contains("request "),
        "{}",
        bad.err
    );
    bad.expect(2);

    app.runtime.forget_calls();
    let broken = Error::new(ErrorKind::Internal, "container_start_failed", "It does not start.");
    app.runtime.inject(At::Name("start", 1), Fault::FailBefore(broken));
    let failed = cli.run(&["create", "broken", "--engine", "redis", "--sku", "B1ls"]).await;
    assert!(failed.err.contains("fluxdb operations show "), "{}", failed.err);
    failed.expect(7);

    app.runtime.set_available(false);
    cli.run(&["stop", "demo"]).await.expect(10);
    cli.run(&["status"]).await.expect(10);
    app.runtime.set_available(true);

    let good = std::mem::replace(&mut cli.token, "wrong".into());
    let refused = cli.run(&["list"]).await;
    assert!(refused.err.contains("FLUXDB_TOKEN"), "{}", refused.err);
    refused.expect(5);
    cli.token = good;
    cli.url = "http://127.0.0.1:1".into();
    let away = cli.run(&["list"]).await;
    assert!(away.err.contains("fluxdb serve"), "{}", away.err);
    away.expect(6);
}

#[tokio::test]
async fn what_is_not_waited_for_goes_on() {
    let app = TestApp::start().await;
    let cli = Cli::of(&app, "databases:write").await;
    app.runtime.delay("start", Duration::from_secs(3));
    let late = cli.run(&["create", "late", "--engine", "redis", "--sku", "B1ls", "--timeout", "1"]).await;
    assert!(late.err.contains("fluxdb operations follow "), "{}", late.err);
    late.expect(8);
    let id = cli.run(&["create", "bg", "--engine", "redis", "--sku", "B1ls", "--no-wait"]).await.expect(0);
    assert_eq!(id.trim().parse::<uuid::Uuid>().unwrap().get_version_num(), 7, "nothing but the id");
    cli.run(&["operations", "follow", id.trim()]).await.expect(0);
    let shown = cli.run(&["operations", "show", id.trim()]).await.expect(0);
    assert!(shown.contains("succeeded") && shown.contains("ready"), "{shown}");
    app.settle().await;
    let states = cli.run(&["list", "--state", "running"]).await.expect(0);
    assert_eq!(states.lines().count(), 3, "{states}");
}

#[tokio::test]
async fn a_given_password_comes_by_stdin_and_is_never_printed() {
    let app = TestApp::start().await;
    let cli = Cli::of(&app, "databases:write").await;
    let password = "Qu0te'd \"and\" $pecial";
    let words = ["create", "mine", "--engine", "postgresql", "--sku", "B1s", "--password-stdin"];
    let made = cli.run_with_input(&words, &format!("{password}\n")).await;
    assert!(!made.err.contains("pecial") && !made.out.contains("pecial"));
    made.expect(0);
    let revealed: Value =
        serde_json::from_str(&cli.run(&["url", "mine", "--reveal", "--json"]).await.expect(0)).unwrap();
    assert_eq!(revealed["password"], password);
    cli.run_with_input(&["create", "none", "--engine", "redis", "--password-stdin"], "").await.expect(2);
}

#[tokio::test]
async fn connect_hands_the_password_over_in_the_environment_alone() {
    let app = TestApp::start().await;
    let cli = Cli::of(&app, "databases:write").await;
    cli.run(&["create", "demo", "--engine", "postgresql", "--sku", "B1s"]).await.expect(0);
    let string: Value = serde_json::from_str(&cli.run(&["url", "demo", "--reveal", "--json"]).await.expect(0)).unwrap();
    let password = string["password"].as_str().unwrap();
    let podman = cli.home.path().join("podman");
    std::fs::write(&podman, "#!/bin/sh\necho \"$@\"\necho \"$PGPASSWORD\"\nexit 42\n").unwrap();
    std::fs::set_permissions(&podman, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    let shown = cli.run(&["connect", "demo", "--", "-c", "SELECT 1"]).await.expect(42);
    let (argv, seen) = shown.split_once('\n').unwrap();
    assert_eq!(seen.trim(), password);
    assert!(!argv.contains(password), "{argv}");
    assert!(argv.contains("exec -i -e PGPASSWORD fluxdb-") && argv.ends_with("-c SELECT 1"), "{argv}");
    let container = app.runtime.container_states().remove(0).0;
    assert!(argv.contains(&format!(" {container} psql ")), "{argv} is not about {container}");
    cli.run(&["stop", "demo"]).await.expect(0);
    cli.run(&["connect", "demo"]).await.expect(4);
}

#[tokio::test]
async fn a_reading_token_reads() {
    let app = TestApp::start().await;
    app.create(json!({"name": "demo", "engine": "valkey", "sku": "B1ls"})).await;
    let cli = Cli::of(&app, "databases:read").await;
    for words in [
        &["list"][..],
        &["show", "demo"],
        &["url", "demo"],
        &["engines"],
        &["engines", "postgresql"],
        &["skus"],
        &["images", "list"],
        &["operations", "list", "--instance", "demo"],
        &["status"],
    ] {
        cli.run(words).await.expect(0);
        let json = cli.run(&[words, &["--json"]].concat()).await.expect(0);
        serde_json::from_str::<Value>(&json).unwrap_or_else(|e| panic!("{words:?}: {e}: {json}"));
    }
    let refused = cli.run(&["stop", "demo"]).await;
    assert!(refused.err.contains("databases:write"), "{}", refused.err);
    refused.expect(5);
    cli.run(&["url", "demo", "--reveal"]).await.expect(5);
}

#[tokio::test]
async fn tokens_are_made_listed_and_deleted() {
    let app = TestApp::start().await;
    let mut cli = Cli::of(&app, "databases:write").await;
    let secret = cli.run(&["token", "create", "ci", "--expires-days", "9"]).await.expect(0);
    assert_eq!(secret.lines().count(), 1, "the secret and nothing else");
    assert!(cli.run(&["token", "list"]).await.expect(0).contains("ci"));
    assert!(cli.run(&["audit"]).await.expect(0).contains("POST /tokens"));
    cli.run(&["token", "delete", "ci"]).await.expect(0);
    cli.run(&["token", "delete", "ci"]).await.expect(3);
    cli.token = secret.trim().to_owned();
    cli.run(&["list"]).await.expect(5);
}

#[tokio::test]
async fn events_are_printed_as_they_happen() {
    let app = TestApp::start().await;
    let cli = Cli::of(&app, "databases:write").await;
    let mut child = cli.command(&["events", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the stream goes on");
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["kind"] == "instance" && event["state"] == "RUNNING" {
                break;
            }
        }
    };
    // Whether or not the stream was open in time: it begins with what is new, so there is something new until it is.
    let work = async {
        loop {
            cli.run(&["create", "demo", "--engine", "redis", "--sku", "B1ls"]).await.expect(0);
            cli.run(&["delete", "demo", "--yes"]).await.expect(0);
        }
    };
    tokio::time::timeout(PATIENCE, async {
        tokio::select! { () = seen => {}, () = work => {} }
    })
    .await
    .unwrap();
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_dry_run_shows_the_plan_and_makes_nothing() {
    let app = TestApp::start().await;
    let cli = Cli::of(&app, "databases:write").await;
    let plan = cli.run(&["create", "demo", "--engine", "postgresql", "--dry-run"]).await.expect(0);
    for part in ["shared_buffers", "\"cap_drop\"", "there is room"] {
        assert!(plan.contains(part), "{part} is not in {plan}");
    }
    assert_eq!(app.runtime.everything().len(), 0);
    cli.run(&["show", "demo"]).await.expect(3);
}
