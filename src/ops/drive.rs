//! Carries an operation out, resumes it after a crash, and takes it back when it fails.
//!
//! A step is noted before it runs and after. A step that was begun and not ended is run again, so every step may be
//! repeated. The note that a step ended is written together with the note that the next one began: one transaction
//! a step, and a crash between the two only means one repetition. These notes do not wait for the disk: what must
//! survive a power cut (the intent, the first ready, the end) is written with a wait, and takes them along.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Core, configure, create, fault, host_work, restart};
use crate::domain::instance::StoredError;
use crate::domain::operation::{OperationKind, OperationRecord, OperationState, Progress, StepState};
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::runtime::{ImageProgress, ProgressSink};
use crate::store::operations;

/// First and longest pause before a step is tried again.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How often progress is written at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Taking back must end too.
const UNWIND_TIMEOUT: Duration = Duration::from_secs(300);

/// One operation while it is carried out.
pub struct Op {
    /// Everything below.
    pub core: Arc<Core>,
    /// As it was accepted.
    pub record: OperationRecord,
    ordinal: AtomicU32,
    done_before: Vec<String>,
    /// A step that ended, not noted yet: its ordinal and detail.
    ended: Mutex<Option<(u32, String)>>,
}

/// Starts carrying an operation out in the background; it must be in the store.
pub fn spawn(core: &Arc<Core>, record: OperationRecord) {
    let cancel = core.cancel_token(record.id);
    if let Some(id) = record.instance_id {
        core.registry.update(id, |e| e.operation = Some((record.id, record.kind)));
    }
    core.announce_operation(&record, record.state.as_str(), "");
    let core = core.clone();
    let tasks = core.tasks.clone();
    tasks.spawn(async move {
        let id = record.id;
        let parked = carry_out(&core, record, cancel).await;
        core.forget_cancel(id);
        if !parked {
            core.wake.notify_one();
        }
    });
}

/// Answers whether the operation was parked for the next start.
async fn carry_out(core: &Arc<Core>, record: OperationRecord, cancel: CancellationToken) -> bool {
    let steps = {
        let id = record.id;
        core.store.read(move |db| operations::steps(db, id)).await
    };
    let steps = match steps {
        Ok(steps) => steps,
        Err(e) => {
            warn!(operation.id = %record.id, error = %e.story(), "could not read the journal; the operation stays open");
            return true;
        }
    };
    let op = Op {
        core: core.clone(),
        ordinal: AtomicU32::new(steps.iter().map(|s| s.ordinal + 1).max().unwrap_or(0)),
        done_before: steps.iter().filter(|s| s.state == StepState::Succeeded).map(|s| s.name.clone()).collect(),
        ended: Mutex::new(None),
        record,
    };
    let left = op.record.deadline_at.duration_since(jiff::Timestamp::now());
    let left = Duration::try_from(left).unwrap_or(Duration::ZERO);

    // An error that is already noted means: a crash while it was being taken back.
    let outcome = if let Some(error) = op.record.error.clone() {
        Err(stored(error))
    } else if op.record.state == OperationState::Cancelling {
        Err(cancelled())
    } else {
        tokio::select! {
            biased;
            () = core.shutdown.cancelled() => return true,
            () = cancel.cancelled() => Err(cancelled()),
            done = tokio::time::timeout(left, run(&op)) => done.unwrap_or_else(|_| Err(too_late(&op.record))),
        }
    };
    match outcome {
        Ok(()) => op.finish(OperationState::Succeeded, None).await,
        Err(error) => {
            tokio::select! {
                biased;
                () = core.shutdown.cancelled() => true,
                parked = op.give_up(error) => parked,
            }
        }
    }
}

async fn run(op: &Op) -> Result<()> {
    match op.record.kind {
        OperationKind::Create => create::create(op).await,
        OperationKind::Start | OperationKind::Resize | OperationKind::Repair => create::start(op).await,
        OperationKind::Stop | OperationKind::Delete => super::converge::converge(op, op.instance()?).await,
        OperationKind::Restart => restart::restart(op).await,
        OperationKind::Configure => configure::configure(op).await,
        OperationKind::ImagePull | OperationKind::ImageBuild => host_work::image(op).await,
        OperationKind::PodmanInstall => host_work::podman_install(op).await,
    }
}

async fn unwind(op: &Op) -> Result<()> {
    match op.record.kind {
        OperationKind::Create => create::undo_create(op).await,
        OperationKind::Resize => create::undo_resize(op).await,
        OperationKind::Configure => configure::undo_configure(op).await,
        OperationKind::Restart => restart::undo_restart(op).await,
        OperationKind::Start
        | OperationKind::Repair
        | OperationKind::Stop
        | OperationKind::Delete
        | OperationKind::ImagePull
        | OperationKind::ImageBuild
        | OperationKind::PodmanInstall => Ok(()),
    }
}

impl Op {
    /// The instance that it is about.
    ///
    /// # Errors
    /// `Internal` for an operation that is not about one.
    pub fn instance(&self) -> Result<InstanceId> {
        self.record.instance_id.ok_or_else(|| Error::internal("operation without an instance"))
    }

    /// Runs a step; again and again while what it needs is away. Its answer is a line for people.
    ///
    /// # Errors
    /// The step's, when trying again does not help.
    pub async fn step<F, Fut>(&self, name: &'static str, run: F) -> Result<()>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<String>> + Send,
    {
        let ordinal = self.ordinal.fetch_add(1, Ordering::Relaxed);
        self.begin(ordinal, name).await?;
        fault::point(self.record.kind.as_str(), name, "before");
        let mut pause = RETRY_PAUSE.0;
        loop {
            match run().await {
                Ok(detail) => {
                    fault::point(self.record.kind.as_str(), name, "after");
                    *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some((ordinal, detail));
                    return Ok(());
                }
                Err(e) if e.kind == ErrorKind::Unavailable => {
                    warn!(operation.id = %self.record.id, step = name, error = %e.story(), "step has to wait, trying again in {pause:?}");
                    self.note(ordinal, StepState::Started, &e.public).await?;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_PAUSE.1);
                }
                Err(e) => {
                    self.note(ordinal, StepState::Failed, &e.public).await?;
                    return Err(e);
                }
            }
        }
    }

    /// Runs a step that must not be run again once it ended, also not after a crash.
    ///
    /// # Errors
    /// As [`Op::step`].
    pub async fn step_once<F, Fut>(&self, name: &'static str, run: F) -> Result<()>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<String>> + Send,
    {
        if self.done_before.iter().any(|n| n == name) {
            return Ok(());
        }
        self.step(name, run).await
    }

    async fn begin(&self, ordinal: u32, name: &'static str) -> Result<()> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let id = self.record.id;
        self.core
            .store
            .write_soon(move |tx| {
                if let Some((before, detail)) = ended {
                    operations::set_step(tx, id, before, StepState::Succeeded, &detail)?;
                }
                operations::begin_step(tx, id, ordinal, name)
            })
            .await?;
        self.core.announce_operation(&self.record, OperationState::Running.as_str(), name);
        Ok(())
    }

    async fn note(&self, ordinal: u32, state: StepState, detail: &str) -> Result<()> {
        let (id, detail) = (self.record.id, detail.to_owned());
        self.core.store.write_soon(move |tx| operations::set_step(tx, id, ordinal, state, &detail)).await
    }

    /// Where a pull or build reports to; written to the journal at most twice a second, until it is dropped.
    pub fn progress(&self) -> ProgressSink {
        let (sender, mut receiver) = mpsc::channel::<ImageProgress>(16);
        let (core, record) = (self.core.clone(), self.record.clone());
        self.core.tasks.spawn(async move {
            while let Some(mut last) = receiver.recv().await {
                while let Ok(newer) = receiver.try_recv() {
                    last = newer;
                }
                let (id, text) = (record.id, last.text.clone());
                let progress = Progress { current: last.current, max: last.max, unit: "steps".into() };
                core.announce_operation(&record, OperationState::Running.as_str(), &text);
                let written = core.store.write_soon(move |tx| operations::set_progress(tx, id, &text, &progress)).await;
                if let Err(e) = written {
                    warn!(operation.id = %id, error = %e.story(), "could not write progress");
                }
                tokio::time::sleep(PROGRESS_EVERY).await;
            }
        });
        sender
    }

    /// Notes the error, takes back what was done, ends. Answers whether it stays open for the next start.
    async fn give_up(&self, error: Error) -> bool {
        let was_cancelled = error.code == CANCELLED;
        if error.kind == ErrorKind::Internal {
            tracing::error!(operation.id = %self.record.id, error = %error.story(), "{} failed", self.record.kind.as_str());
        } else {
            warn!(operation.id = %self.record.id, error = %error.story(), "{} failed", self.record.kind.as_str());
        }
        let mut kept = StoredError::from(&error);
        let state = if was_cancelled { OperationState::Cancelling } else { OperationState::Running };
        let id = self.record.id;
        let noted = self
            .written(|| {
                let kept = kept.clone();
                self.core.store.write(move |tx| operations::set_state(tx, id, state, Some(&kept)))
            })
            .await;
        if let Err(e) = noted {
            warn!(operation.id = %id, error = %e.story(), "could not note the failure; it will be taken back at the next start");
            return true;
        }
        fault::point(self.record.kind.as_str(), "undo", "before");
        match tokio::time::timeout(UNWIND_TIMEOUT, self.unwind_until_done()).await {
            Ok(None) => {}
            // What is wrong now, and what to do, is said in this error and not in the first.
            Ok(Some(e)) => kept.detail = format!("{} It is not as it was before yet: {}", kept.detail, e.public),
            Err(_) => warn!(operation.id = %id, "taking back took too long; the reconciler goes on with it"),
        }
        if let (Some(instance), false) = (self.record.instance_id, was_cancelled) {
            // The row of a failed create is gone by now, and that is fine.
            let note = || {
                let kept = kept.clone();
                self.core.change_record(instance, move |r| r.last_error = Some(kept))
            };
            match self.written(note).await {
                Ok(record) => self.core.announce_instance(&record, "ERROR", &kept_text(&error)),
                Err(e) if e.kind == ErrorKind::NotFound => {}
                Err(e) => {
                    warn!(instance.id = %instance, error = %e.story(), "could not note the failure on the instance")
                }
            }
        }
        let end = if was_cancelled { OperationState::Cancelled } else { OperationState::Failed };
        self.finish(end, Some(kept)).await
    }

    /// Writes to the store, again and again while that is full or busy: a change that could not be noted would hold its
    /// instance until the daemon is started again.
    async fn written<T, Fut: Future<Output = Result<T>>>(&self, write: impl Fn() -> Fut) -> Result<T> {
        let mut pause = RETRY_PAUSE.0;
        loop {
            match write().await {
                Err(e) if e.kind == ErrorKind::Unavailable && !self.core.shutdown.is_cancelled() => {
                    warn!(operation.id = %self.record.id, error = %e.story(), "could not write to the store, trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_PAUSE.1);
                }
                other => return other,
            }
        }
    }

    /// The error that is left for the reconciler, where taking back failed.
    async fn unwind_until_done(&self) -> Option<Error> {
        let mut pause = RETRY_PAUSE.0;
        while let Err(e) = unwind(self).await {
            if e.kind != ErrorKind::Unavailable {
                // What was asked is in the store, so the reconciler goes on from here, with growing pauses.
                warn!(operation.id = %self.record.id, error = %e.story(), "could not take it back; the reconciler goes on with it");
                return Some(e);
            }
            warn!(operation.id = %self.record.id, error = %e.story(), "could not take it back yet, trying again in {pause:?}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
        None
    }

    /// Lets go of the instance in memory.
    fn release(&self) {
        let Some(instance) = self.record.instance_id else { return };
        self.core.registry.update(instance, |e| {
            if e.operation.is_some_and(|(op, _)| op == self.record.id) {
                e.operation = None;
            }
        });
    }

    /// Ends it in the store. Answers whether it stays open because the store failed.
    async fn finish(&self, state: OperationState, error: Option<StoredError>) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let id = self.record.id;
        let result = self
            .written(|| {
                let (ended, error) = (ended.clone(), error.clone());
                self.core.store.write(move |tx| {
                    if let Some((ordinal, detail)) = ended {
                        operations::set_step(tx, id, ordinal, StepState::Succeeded, &detail)?;
                    }
                    operations::set_state(tx, id, state, error.as_ref())
                })
            })
            .await;
        match result {
            Ok(_) => {
                self.release();
                info!(operation.id = %id, "{} {}", self.record.kind.as_str(), state.as_str());
                self.core.announce_operation(&self.record, state.as_str(), "");
                false
            }
            Err(e) => {
                warn!(operation.id = %id, error = %e.story(), "could not end the operation in the store; it is resumed at the next start");
                true
            }
        }
    }
}

const CANCELLED: &str = "cancelled";

fn kept_text(error: &Error) -> String {
    error.public.clone()
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Conflict, CANCELLED, "The operation was cancelled; what it had done was taken back.")
}

fn too_late(record: &OperationRecord) -> Error {
    Error::new(
        ErrorKind::Timeout,
        "deadline_exceeded",
        format!(
            "The {} did not end by {}; see its last step for what it was waiting for.",
            record.kind.as_str(),
            record.deadline_at
        ),
    )
}

/// An error from the journal, good enough to end an operation that a crash interrupted while it was taken back.
fn stored(error: StoredError) -> Error {
    // Codes are static everywhere else; the few bytes of a resumed failure are not worth a second error type.
    let code: &'static str = if error.code == CANCELLED { CANCELLED } else { Box::leak(error.code.into_boxed_str()) };
    let kind = if error.retryable { ErrorKind::Timeout } else { ErrorKind::Conflict };
    Error::new(kind, code, error.detail)
}
