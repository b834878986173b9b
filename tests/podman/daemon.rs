//! One run of the real program: started, asked over HTTP, killed.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fluxdb::wire::live::LiveWire;
use fluxdb::wire::{Target, Wire};
use fluxdb_adapters::{Account, Call, Secret};
use serde_json::{Value, json};

use crate::home::Home;

/// Longer than anything here takes that works.
pub const PATIENCE: Duration = Duration::from_secs(150);

pub struct Daemon<'a> {
    home: &'a Home,
    child: Child,
    port: u16,
    token: String,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }
}

impl<'a> Daemon<'a> {
    /// Starts it and waits until it answers.
    pub fn start(home: &'a Home, env: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(home.log()).unwrap();
        let mut command = home.account.command(&home.program);
        command
            .arg("--data-dir")
            .arg(home.data())
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        let mut daemon = Self { home, child, port, token: String::new() };
        let started = Instant::now();
        loop {
            if let Ok(answer) = daemon.try_call("GET", "/status", None)
                && answer.status == 200
            {
                break;
            }
            assert!(daemon.child.try_wait().unwrap().is_none(), "it ended at once:\n{}", home.last_log());
            assert!(started.elapsed() < PATIENCE, "it does not answer:\n{}", home.last_log());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon.token = std::fs::read_to_string(home.data().join("admin.token")).unwrap().trim().to_owned();
        daemon
    }

    /// Another one who asks, with this token.
    pub fn call_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        let mut request =
            ureq::http::Request::builder().method(method).uri(Home::url(self.port, path)).header("accept", "*/*");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.map(Value::to_string).unwrap_or_default()).unwrap();
        let mut response = agent.run(request).map_err(|e| e.to_string())?;
        let retry_after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        let text = response.body_mut().read_to_string().map_err(|e| e.to_string())?;
        Ok(Answer { status: response.status().as_u16(), retry_after, text })
    }

    /// Asks as the administrator; the daemon may die over it.
    pub fn try_call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        self.call_as(&self.token, method, path, body)
    }

    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.try_call(method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}\n{}", self.home.last_log()))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).expect(200)
    }

    /// Sends a change that succeeds in the end; answers the instance as it is then.
    #[track_caller]
    pub fn change(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let accepted = self.call(method, path, body).expect(202);
        let operation = self.ended(text(&accepted["operation"]["id"]));
        assert_eq!(operation["state"], "succeeded", "{operation:#}");
        accepted["instance"].clone()
    }

    /// Makes an instance with a known password; answers it as it is when it runs.
    #[track_caller]
    pub fn create(&self, name: &str, engine: &str, sku: &str, password: &str) -> Value {
        let body = json!({"name": name, "engine": engine, "sku": sku, "password": password});
        let instance = self.change("POST", "/databases", Some(&body));
        self.instance(text(&instance["id"]))
    }

    #[track_caller]
    pub fn instance(&self, id: &str) -> Value {
        self.get(&format!("/databases/{id}"))
    }

    #[track_caller]
    pub fn delete(&self, id: &str) {
        self.change("DELETE", &format!("/databases/{id}"), None);
    }

    /// The newest operation of this kind, once it ended.
    #[track_caller]
    pub fn newest_ended(&self, kind: &str) -> Value {
        let page = self.get("/operations?limit=100");
        let newest = page["items"].as_array().unwrap().iter().find(|o| o["kind"] == kind);
        let newest = newest.unwrap_or_else(|| panic!("no {kind} in {page:#}"));
        self.ended(text(&newest["id"]))
    }

    #[track_caller]
    pub fn ended(&self, operation: &str) -> Value {
        let mut last = Value::Null;
        self.until("an operation ends", || {
            last = self.get(&format!("/operations/{operation}"));
            last["ended_at"] != Value::Null
        });
        last
    }

    /// Waits until an instance is in this state and nothing holds it; one that runs was also seen to answer.
    #[track_caller]
    pub fn settles(&self, id: &str, state: &str) -> Value {
        let mut last = Value::Null;
        self.until(&format!("the instance is {state}"), || {
            last = self.instance(id);
            last["state"] == state
                && last["current_operation"] == Value::Null
                && (state != "RUNNING" || last["health"] == "UP")
        });
        last
    }

    #[track_caller]
    pub fn until(&self, story: &str, mut is_so: impl FnMut() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < PATIENCE, "waited in vain: {story}\n{}", self.home.last_log());
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Asks for something that kills it, and sees it die.
    #[track_caller]
    pub fn dies_over(mut self, method: &str, path: &str, body: Option<&Value>) {
        // It may die before it answers.
        if let Ok(answer) = self.try_call(method, path, body) {
            answer.expect(202);
        }
        let status = self.wait("it reaches the point where it kills itself");
        assert_eq!(status.signal(), Some(9), "{status:?}");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.wait("it is dead");
        assert_eq!(status.signal(), Some(9));
    }

    /// SIGTERM; it ends in order.
    pub fn terminate(mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.wait("it ends when it is asked to");
        assert!(status.success(), "{status:?}\n{}", self.home.last_log());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self, story: &str) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain: {story}\n{}", self.home.last_log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs calls as the user of an instance through its published endpoint.
    pub fn query(&self, instance: &Value, password: &str, calls: &[Call]) -> fluxdb::domain::Result<()> {
        let engine = fluxdb_adapters::find(text(&instance["engine"])).unwrap();
        let target = Target {
            protocol: engine.facts().protocol,
            http_auth: engine.facts().http_auth,
            host: text(&instance["endpoint"]["host"]).to_owned(),
            port: u16::try_from(instance["endpoint"]["port"].as_u64().unwrap()).unwrap(),
            account: Account { username: text(&instance["username"]).to_owned(), password: Secret::new(password) },
            database: instance["database"].as_str().map(str::to_owned),
            tls: None,
            ours: false,
        };
        let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        threads.block_on(LiveWire::default().run(&target, calls, Duration::from_secs(10))).map(|_| ())
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
