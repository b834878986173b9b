//! The helper: a process inside the user namespace of a rootless Podman, where the owners of a volume's files are plain
//! numbers and the network namespaces of containers can be entered. The daemon starts it as
//! `podman unshare fluxdb __volume-helper` and speaks JSON lines with it.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::confine;
use super::copy::Copied;
use super::seed::{self, Unseeded};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__volume-helper";

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Seed { from: PathBuf, to: PathBuf, engine: String, unique: u64 },
    StopFilling { from: PathBuf },
    Settle(confine::Order),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Seeded { bytes: u64, reflinked: bool },
    Stopped,
    Settled,
    Unfit(String),
    Failed(String),
}

/// The helper's whole life: an order a line on stdin, an answer a line on stdout, until stdin ends with the daemon.
pub fn helper_main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return ExitCode::FAILURE };
        let answer = match serde_json::from_str(&line) {
            Ok(Order::Seed { from, to, engine, unique }) => match seed::seed(&from, &to, &engine, unique, complain) {
                Ok(Copied { bytes, reflinked }) => Answer::Seeded { bytes, reflinked },
                Err(Unseeded::Unfit(why)) => Answer::Unfit(why),
                Err(Unseeded::Failed(why)) => Answer::Failed(why),
            },
            Ok(Order::StopFilling { from }) => {
                seed::stop_filling(&from);
                Answer::Stopped
            }
            Ok(Order::Settle(order)) => match confine::settle(&order) {
                Ok(()) => Answer::Settled,
                Err(why) => Answer::Failed(why),
            },
            Err(error) => Answer::Failed(format!("not understood: {error}")),
        };
        let Ok(mut text) = serde_json::to_string(&answer) else { return ExitCode::FAILURE };
        text.push('\n');
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The daemon's stderr is ours.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}"); // nobody is left to tell that nobody listens
}

/// The daemon's end of it; started at the first order and again after it died.
#[derive(Debug)]
pub(super) struct Helper {
    program: PathBuf,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Helper {
    /// `program` is this binary, which knows [`SUBCOMMAND`].
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program, running: Mutex::new(None) }
    }

    /// As [`seed::seed`], over there. One order at a time.
    pub(super) async fn seed(&self, from: PathBuf, to: PathBuf, engine: &str, unique: u64) -> Result<Copied, Unseeded> {
        let order = Order::Seed { from, to, engine: engine.to_owned(), unique };
        match self.ask(&order).await.map_err(|e| Unseeded::Failed(format!("the volume helper: {e}")))? {
            Answer::Seeded { bytes, reflinked } => Ok(Copied { bytes, reflinked }),
            Answer::Unfit(why) => Err(Unseeded::Unfit(why)),
            Answer::Failed(why) => Err(Unseeded::Failed(why)),
            Answer::Stopped | Answer::Settled => {
                Err(Unseeded::Failed("the volume helper answered something else".into()))
            }
        }
    }

    /// As [`confine::settle`], over there.
    pub(super) async fn settle(&self, order: confine::Order) -> Result<(), String> {
        match self.ask(&Order::Settle(order)).await.map_err(|e| format!("`podman unshare` does not work: {e}"))? {
            Answer::Settled => Ok(()),
            Answer::Failed(why) | Answer::Unfit(why) => Err(why),
            Answer::Seeded { .. } | Answer::Stopped => Err("the helper answered something else".into()),
        }
    }

    /// As [`seed::stop_filling`], over there.
    pub(super) async fn stop_filling(&self, from: PathBuf) -> std::io::Result<()> {
        self.ask(&Order::StopFilling { from }).await.map(|_| ())
    }

    async fn ask(&self, order: &Order) -> std::io::Result<Answer> {
        let mut slot = self.running.lock().await;
        // Taken out, so that a caller who gives up half-way leaves no helper whose next answer is to an old order.
        let mut running = match slot.take().and_then(Running::if_alive) {
            Some(running) => running,
            None => self.start()?,
        };
        let answer = running.ask(order).await?;
        *slot = Some(running);
        Ok(answer)
    }

    fn start(&self) -> std::io::Result<Running> {
        let mut command = Command::new("podman");
        command
            .arg("unshare")
            .arg(&self.program)
            .arg(SUBCOMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        super::service::clean_environment(&mut command);
        let mut child = command.spawn()?;
        let missing = || std::io::Error::other("no pipe");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        Ok(Running { child, stdin, stdout: BufReader::new(stdout).lines() })
    }
}

impl Running {
    fn if_alive(mut self) -> Option<Self> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    async fn ask(&mut self, order: &Order) -> std::io::Result<Answer> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        self.stdin.write_all(line.as_bytes()).await?;
        self.stdin.flush().await?;
        let answer = self.stdout.next_line().await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        Ok(serde_json::from_str(&answer)?)
    }
}
