//! Waits for an operation and shows how it goes on.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::client::Client;
use super::exit::{CliError, Exit, Result};
use super::output::{Out, clean, lasted};
use crate::api::{Operation, OperationStep};
use crate::domain::OperationId;
use crate::domain::operation::{OperationState, StepState};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Waits until the operation ends, at most `timeout`. A daemon that is away meanwhile is waited for: operations
/// survive its restart.
///
/// # Errors
/// The operation failed or was cancelled, or the time was over.
pub fn follow(out: Out, client: &Client, operation: Operation, timeout: Duration) -> Result<Operation> {
    let started = Instant::now();
    let mut view = View::new(&operation);
    let _interrupt = Interrupt::arm(&operation, &view.bar);
    let mut pause = FIRST_PAUSE;
    let mut now = operation;
    loop {
        view.show(&now);
        if now.state.ended() {
            view.end();
            return outcome(now);
        }
        if started.elapsed() >= timeout {
            view.end();
            return Err(still_going(&now, timeout));
        }
        std::thread::sleep(pause.min(timeout.saturating_sub(started.elapsed())));
        pause = (pause * 2).min(LONGEST_PAUSE);
        match client.read::<Operation>(&format!("/operations/{}", now.id), &[]) {
            Ok(next) => {
                view.away = false;
                now = next;
            }
            Err(e) if matches!(e.exit, Exit::Unreachable | Exit::TryLater) => view.away(&e.message),
            Err(e) => {
                view.end();
                out.remark(format!("Operation {} could not be followed any longer.", now.id));
                return Err(e);
            }
        }
    }
}

fn outcome(operation: Operation) -> Result<Operation> {
    let text = match (operation.state, &operation.error) {
        (OperationState::Succeeded, _) => return Ok(operation),
        (OperationState::Cancelled, None) => format!("The {} was cancelled.", operation.kind.as_str()),
        (_, Some(error)) => format!("The {} failed: {}", operation.kind.as_str(), error.detail),
        (_, None) => format!("The {} failed.", operation.kind.as_str()),
    };
    let mut error = CliError::new(Exit::OperationFailed, text);
    if let Some(cause) = &operation.error {
        error.notes.push(format!("code {}", cause.code));
    }
    Err(error.note(format!("Its steps: fluxdb operations show {}", operation.id)))
}

fn still_going(operation: &Operation, timeout: Duration) -> CliError {
    CliError::new(
        Exit::TimedOut,
        format!("The {} still goes on after {} s.", operation.kind.as_str(), timeout.as_secs()),
    )
    .note(how_to_follow(operation.id, operation.cancellable))
}

fn how_to_follow(id: OperationId, cancellable: bool) -> String {
    let cancel = if cancellable { format!(" Stop it: fluxdb operations cancel {id}") } else { String::new() };
    format!("Follow it: fluxdb operations follow {id}{cancel}")
}

/// What has been shown so far.
struct View {
    bar: ProgressBar,
    terminal: bool,
    steps_shown: Vec<(String, StepState)>,
    away: bool,
}

impl View {
    fn new(operation: &Operation) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        if terminal {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        bar.set_message(operation.kind.as_str());
        Self { bar, terminal, steps_shown: Vec::new(), away: false }
    }

    fn show(&mut self, operation: &Operation) {
        for (i, step) in operation.steps.iter().enumerate() {
            let state = (step.name.clone(), step.state);
            if self.steps_shown.get(i) == Some(&state) {
                continue;
            }
            if i < self.steps_shown.len() {
                self.steps_shown[i] = state;
            } else {
                self.steps_shown.push(state);
            }
            if step.state != StepState::Started && step.state != StepState::Undoing {
                self.line(&step_line(step));
            }
        }
        let progress = &operation.progress;
        let template = match (progress.max, progress.unit.as_str()) {
            (0, _) => "{spinner} {msg} {elapsed}",
            (_, "bytes") => "{spinner} {msg} [{bar:30}] {binary_bytes}/{binary_total_bytes}",
            _ => "{spinner} {msg} [{bar:30}] {pos}/{len}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        if progress.max > 0 {
            self.bar.set_length(progress.max);
            self.bar.set_position(progress.current);
        }
        let phase = if operation.phase.is_empty() { operation.kind.as_str() } else { &operation.phase };
        self.bar.set_message(clean(phase));
    }

    fn away(&mut self, why: &str) {
        if !self.away {
            self.away = true;
            self.line(&format!("  {why} Trying again."));
        }
    }

    fn line(&self, text: &str) {
        if self.terminal {
            self.bar.println(text);
        } else {
            Out { json: false, terminal: false, colour: false }.remark(text);
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn step_line(step: &OperationStep) -> String {
    let mark = match step.state {
        StepState::Succeeded => "ok    ",
        StepState::Failed => "failed",
        StepState::Undone => "undone",
        StepState::Started | StepState::Undoing => "...   ",
    };
    let took = step.ended_at.as_deref().map(|end| lasted(&step.started_at, end)).unwrap_or_default();
    let detail = if step.detail.is_empty() { String::new() } else { format!("  {}", clean(&step.detail)) };
    format!("  {mark} {:<24} {took:>10}{detail}", step.name.replace('_', " ")).trim_end().to_owned()
}

/// While it lives, Ctrl-C says that the operation goes on, and how to follow it.
struct Interrupt {
    armed: Arc<AtomicBool>,
}

impl Interrupt {
    fn arm(operation: &Operation, bar: &ProgressBar) -> Self {
        static LISTENING: Once = Once::new();
        let armed = Arc::new(AtomicBool::new(true));
        let (flag, bar) = (armed.clone(), bar.clone());
        let text = format!(
            "\nInterrupted; the {} goes on. {}",
            operation.kind.as_str(),
            how_to_follow(operation.id, operation.cancellable)
        );
        // One command follows one operation, so listening once is enough.
        LISTENING.call_once(|| {
            std::thread::spawn(move || {
                let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
                if runtime.block_on(tokio::signal::ctrl_c()).is_err() {
                    return;
                }
                if flag.load(Ordering::SeqCst) {
                    bar.finish_and_clear();
                    Out { json: false, terminal: false, colour: false }.remark(&text);
                }
                std::process::exit(Exit::Interrupted as i32);
            });
        });
        Self { armed }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.armed.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line_with_its_duration() {
        let step = OperationStep {
            name: "pull_image".into(),
            state: StepState::Succeeded,
            started_at: "2026-01-01T00:00:00Z".into(),
            ended_at: Some("2026-01-01T00:00:12.3Z".into()),
            detail: "built".into(),
        };
        assert_eq!(step_line(&step), "  ok     pull image                   12.3 s  built");
    }
}
