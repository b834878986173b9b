//! Programs inside a container: the session is made, its streams are taken over, its exit code is asked for.
//!
//! Over the raw client: the session needs an upgraded connection whose half can be closed. Podman lets a program run on
//! when its client goes away, so one that took too long is killed here, where its process can be seen.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::PodmanRuntime;
use super::fault::Fault;
use super::raw::{Body, Raw, escape};
use crate::domain::Result;
use crate::runtime::{ExecOutput, errors};

/// Of both streams together.
const LARGEST_OUTPUT: usize = 16 * 1024 * 1024;

/// Podman learns of the end a little after the streams do.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Seen {
    #[serde(default)]
    running: bool,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    pid: i32,
    #[serde(default, rename = "ContainerID")]
    container_id: String,
}

impl PodmanRuntime {
    pub(super) async fn execute(
        &self,
        container: &str,
        exec: &fluxdb_adapters::Exec,
        limit: Duration,
    ) -> Result<ExecOutput> {
        let env: Vec<String> = exec.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let attach = json!({
            "Cmd": exec.argv, "Env": env, "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
        });
        let path = format!("/containers/{}/exec", escape(container));
        let made = match self.raw.post("exec", &path, Body::Json(attach)).await {
            Ok(answer) => self.ok(parse_id(&answer))?,
            Err(fault) if fault.says("no such container") => return Err(errors::container_missing(container)),
            Err(fault) if fault.says("container state improper") || fault.says("running containers") => {
                return Err(errors::container_not_running(container).context(fault.text()));
            }
            Err(fault) => return Err(self.error(fault)),
        };
        let session = format!("/exec/{}", escape(&made));
        match tokio::time::timeout(limit, run(&self.raw, &session, exec.stdin.expose().as_bytes())).await {
            Ok(outcome) => match outcome {
                Err(Fault::TooLong) => {
                    self.kill(&session).await;
                    Err(errors::exec_output_too_large(LARGEST_OUTPUT >> 20))
                }
                outcome => self.ok(outcome),
            },
            Err(_) => {
                self.kill(&session).await;
                Err(errors::exec_timeout(limit))
            }
        }
    }

    /// Ends what the session runs, where its process is of this host and of this container.
    async fn kill(&self, session: &str) {
        let Ok(seen) = self.raw.get::<Seen>("exec", &format!("{session}/json")).await else { return };
        let Some(pid) = rustix::process::Pid::from_raw(seen.pid).filter(|_| seen.running) else { return };
        // Ids of processes are used again; its control group names the container.
        let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", seen.pid)).unwrap_or_default();
        if !seen.container_id.is_empty() && groups.contains(&seen.container_id) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn run(raw: &Raw, session: &str, stdin: &[u8]) -> std::result::Result<ExecOutput, Fault> {
    let start = json!({"Detach": false, "Tty": false});
    let stream = raw.upgrade(&format!("{session}/start"), start).await?;
    let (stdout, stderr) = talk(stream, stdin).await?;
    let asked = tokio::time::Instant::now();
    loop {
        let seen = raw.get::<Seen>("exec", &format!("{session}/json")).await?;
        if !seen.running {
            return Ok(ExecOutput { code: seen.exit_code, stdout, stderr });
        }
        if asked.elapsed() > SETTLES_WITHIN {
            return Err(Fault::Garbled("a program closed its output and goes on".into()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn parse_id(answer: &[u8]) -> std::result::Result<String, Fault> {
    serde_json::from_slice::<Made>(answer).map(|made| made.id).map_err(|e| Fault::Garbled(e.to_string()))
}

/// Writes the input, closes that half, and reads both outputs to their end.
async fn talk(stream: impl AsyncRead + AsyncWrite, stdin: &[u8]) -> std::result::Result<(String, String), Fault> {
    let (mut from, mut to) = tokio::io::split(stream);
    let write = async {
        // A program need not read its input.
        let _ = to.write_all(stdin).await;
        let _ = to.flush().await;
        let _ = to.shutdown().await;
    };
    let ((), read) = tokio::join!(write, outputs(&mut from));
    let [out, err] = read?;
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    };
    Ok((text(out), text(err)))
}

/// Frames: the stream (1 out, 2 err), three zeros, a length in four bytes, and that many bytes.
async fn outputs(from: &mut (impl AsyncRead + Unpin)) -> std::result::Result<[Vec<u8>; 2], Fault> {
    let mut outputs = [Vec::new(), Vec::new()];
    loop {
        let mut head = [0; 8];
        match from.read(&mut head[..1]).await {
            Ok(0) => return Ok(outputs),
            Ok(_) => {}
            // It ended without reading all of its input; whatever it wrote came before this.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(outputs),
            Err(error) => return Err(Fault::Unavailable(error.to_string())),
        }
        let cut = |e: std::io::Error| Fault::Unavailable(format!("the output was cut: {e}"));
        from.read_exact(&mut head[1..]).await.map_err(cut)?;
        let [stream, _, _, _, a, b, c, d] = head;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let kept = outputs.iter().map(Vec::len).sum::<usize>();
        let output = match stream {
            1 => &mut outputs[0],
            2 => &mut outputs[1],
            other => return Err(Fault::Garbled(format!("output for the unknown stream {other}"))),
        };
        if length > LARGEST_OUTPUT - kept {
            return Err(Fault::TooLong);
        }
        let begin = output.len();
        output.resize(begin + length, 0);
        from.read_exact(&mut output[begin..]).await.map_err(cut)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short").to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], text].concat()
    }

    #[tokio::test]
    async fn both_outputs_are_put_together_and_the_input_ends() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let server = async {
            let mut heard = String::new();
            theirs.read_to_string(&mut heard).await.expect("the input ends");
            let (first, rest) = "w\u{f6}rter".as_bytes().split_at(2);
            for piece in [frame(1, first), frame(2, b"oh"), frame(1, rest), frame(1, b"")] {
                theirs.write_all(&piece).await.expect("write");
            }
            drop(theirs);
            heard
        };
        let (heard, told) = tokio::join!(server, talk(ours, b"some longer input than fits at once"));
        assert_eq!(heard, "some longer input than fits at once");
        assert_eq!(told.expect("outputs"), ("w\u{f6}rter".to_owned(), "oh".to_owned()));
    }

    #[tokio::test]
    async fn frames_that_are_cut_or_unknown_or_endless_are_no_output() {
        let whole = frame(1, b"abc");
        for (bytes, expected) in [
            (whole[..9].to_vec(), "Unavailable"),
            (whole[..3].to_vec(), "Unavailable"),
            (frame(3, b"x"), "Garbled"),
            (vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "TooLong"),
        ] {
            let fault = outputs(&mut bytes.as_slice()).await.expect_err("no output");
            assert!(format!("{fault:?}").starts_with(expected), "{fault:?}");
        }
        assert_eq!(outputs(&mut [].as_slice()).await.expect("nothing"), [Vec::<u8>::new(), Vec::new()]);
    }
}
