//! Builds an image out of distribution packages, with the recipes of `images/` that are in this binary.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use include_dir::{Dir, DirEntry, include_dir};
use rustix::process::{Pid, Signal, kill_process_group};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::PodmanRuntime;
use crate::domain::{Error, Result};
use crate::runtime::{ImageProgress, ImageSummary, ProgressSink, errors};

static RECIPES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/images");

/// A base and the packages over a slow line.
const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);
/// What of the output goes into the error.
const LAST_LINES: usize = 30;
/// Between asking a build to end and killing it.
const END_LIMIT: Duration = Duration::from_secs(10);

impl PodmanRuntime {
    pub(super) async fn build(
        &self,
        engine: &str,
        version: &str,
        reference: &str,
        progress: ProgressSink,
    ) -> Result<ImageSummary> {
        let known =
            fluxdb_adapters::find(engine).and_then(|e| e.facts().version(version)).is_some_and(|v| v.local.is_some());
        if !known || RECIPES.get_dir(engine).is_none() {
            return Err(errors::build_unsupported(format!("There is no recipe to build {engine} {version} here.")));
        }
        let place = self.place().await?;
        if !place.local {
            let why = "Images can be built only where Podman runs on the machine of the daemon; load the image there instead.";
            return Err(errors::build_unsupported(why));
        }
        if place.rootless == rustix::process::geteuid().is_root() {
            let why = "Podman runs as another user than the daemon, so an image built here would not be in its store.";
            return Err(errors::build_unsupported(why));
        }
        let recipes = unpack(&self.data_dir.join("tmp")).map_err(Error::internal)?;
        let work = run(&recipes, [engine, version, reference], &progress);
        let outcome = tokio::time::timeout(BUILD_LIMIT, work)
            .await
            .map_err(|_| errors::build_failed(reference, "it took longer than 45 minutes"))?;
        outcome.map_err(|last_lines| errors::build_failed(reference, &last_lines))?;
        self.image(reference)
            .await?
            .ok_or_else(|| errors::build_failed(reference, "it was built but is not in the store of the service"))
    }
}

/// Writes the recipes to a directory named for their content. One that is there is used: another build may run from it.
fn unpack(tmp: &Path) -> std::io::Result<PathBuf> {
    let mut files = Vec::new();
    gather(&RECIPES, &mut files);
    files.sort();
    let mut digest = Sha256::new();
    for (path, content) in &files {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update([0]);
        digest.update(content);
    }
    let name: String = digest.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let target = tmp.join(format!("images-{name}"));
    if target.exists() {
        return Ok(target);
    }
    let fresh = tmp.join(format!("images-{name}.{}", std::process::id()));
    for (path, content) in files {
        let path = fresh.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(&fresh))?;
        std::fs::write(path, content)?;
    }
    match std::fs::rename(&fresh, &target) {
        Ok(()) => Ok(target),
        // Another build was quicker.
        Err(_) if target.exists() => {
            std::fs::remove_dir_all(&fresh)?;
            Ok(target)
        }
        Err(error) => Err(error),
    }
}

fn gather(dir: &'static Dir<'static>, files: &mut Vec<(&'static Path, &'static [u8])>) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) => gather(dir, files),
            DirEntry::File(file) => files.push((file.path(), file.contents())),
        }
    }
}

/// Ends the whole process group when the work is dropped before it ended.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = self.0 else { return };
        // Asked first: the script then removes its work directory. Gone already is fine.
        let _ = kill_process_group(group, Signal::TERM);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(END_LIMIT).await;
                let _ = kill_process_group(group, Signal::KILL);
            });
        }
    }
}

/// Runs the build script; the error is the last lines of its output.
async fn run(recipes: &Path, arguments: [&str; 3], progress: &ProgressSink) -> Result<(), String> {
    let mut command = Command::new("bash");
    command
        .arg(recipes.join("build.sh"))
        .args(arguments)
        .current_dir(recipes)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    super::service::clean_environment(&mut command);
    let mut child = command.spawn().map_err(|e| format!("bash: {e}"))?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let (sender, mut lines) = mpsc::channel(64);
    let readers = [
        child.stdout.take().map(|out| tokio::spawn(forward(out, sender.clone()))),
        child.stderr.take().map(|err| tokio::spawn(forward(err, sender))),
    ];
    let mut last: VecDeque<String> = VecDeque::new();
    while let Some(line) = lines.recv().await {
        if let Some(step) = parse(&line) {
            let _ = progress.try_send(step); // a full channel drops, as the sink says
        }
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    drop(readers);
    let status = child.wait().await.map_err(|e| e.to_string())?;
    group.0 = None;
    if status.success() {
        return Ok(());
    }
    last.push_back(status.to_string());
    Err(Vec::from(last).join("\n"))
}

async fn forward(stream: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if lines.send(text).await.is_err() {
            return;
        }
    }
}

/// `progress 3/5 installing packages`.
fn parse(line: &str) -> Option<ImageProgress> {
    let (count, text) = line.strip_prefix("progress ")?.split_once(' ')?;
    let (current, max) = count.split_once('/')?;
    Some(ImageProgress { current: current.parse().ok()?, max: max.parse().ok()?, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_understood_and_others_are_not_taken_for_them() {
        let step = ImageProgress { current: 3, max: 5, text: "installing postgresql-17".into() };
        assert_eq!(parse("progress 3/5 installing postgresql-17"), Some(step));
        assert_eq!(parse("progress is made"), None);
    }

    #[test]
    fn the_recipes_are_in_the_binary_for_every_version_that_says_so() {
        let table = RECIPES.get_file("recipes.tsv").and_then(|f| f.contents_utf8()).expect("recipes.tsv");
        for engine in fluxdb_adapters::all() {
            let facts = engine.facts();
            for version in facts.versions {
                let line = version.local.map(|l| format!("{}\t{}\t{}\t", facts.id, version.id, l.suite));
                let there = table.lines().any(|l| l.starts_with(&format!("{}\t{}\t", facts.id, version.id)));
                assert_eq!(line.is_some_and(|line| table.contains(&line)), there, "{} {}", facts.id, version.id);
            }
        }
    }

    #[tokio::test]
    async fn a_failed_build_tells_its_last_lines() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("build.sh"), "echo progress 1/5 base; echo 'E: broken' >&2; exit 3")
            .expect("file");
        let (progress, mut lines) = mpsc::channel(4);
        let error = run(dir.path(), ["a", "b", "c"], &progress).await.expect_err("failed");
        assert!(error.contains("E: broken") && error.contains('3'), "{error}");
        assert_eq!(lines.recv().await.map(|p| p.current), Some(1));
    }

    #[tokio::test]
    async fn a_build_that_is_given_up_leaves_no_process() {
        let dir = tempfile::tempdir().expect("a directory");
        let script = "sleep 600 & echo $! > pid; echo progress 1/5 started; wait";
        std::fs::write(dir.path().join("build.sh"), script).expect("file");
        let (progress, mut lines) = mpsc::channel(4);
        let path = dir.path().to_owned();
        let task = tokio::spawn(async move { run(&path, ["a", "b", "c"], &progress).await });
        lines.recv().await.expect("it runs");
        task.abort();
        let _ = task.await;
        let pid = std::fs::read_to_string(dir.path().join("pid")).expect("pid");
        let process = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
        let gone = || std::fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "));
        for _ in 0..100 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("sleep still runs");
    }
}
