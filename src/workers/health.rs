//! Asks every server that should run whether it still answers an authenticated query, over a connection that is kept.
//!
//! It only says what it finds: a server that is slow under load is not helped by a restart, and a restart is the
//! operator's to ask for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tracing::{info, warn};

use crate::app::App;
use crate::domain::container::Names;
use crate::domain::detail::ContainerRun;
use crate::domain::instance::{Desired, InstanceRecord, Observed};
use crate::domain::{ErrorKind, Result};
use crate::ops::registry::DOWN_AFTER;
use crate::ops::{Core, converge, ready};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Servers that are asked at the same time.
const AT_A_TIME: usize = 16;

/// Runs until shutdown: every `workers.health_period_secs`.
pub async fn run(app: Arc<App>) {
    let core = &app.core;
    let period = Duration::from_secs(core.config.workers.health_period_secs);
    loop {
        // What was started a moment ago has just answered, so the first round can wait.
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        let started = Instant::now();
        let round = once(&app).await;
        app.worker_ran("health", started.elapsed(), &Ok(round.to_string()));
    }
}

/// What came of one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Servers that should answer.
    pub due: usize,
    /// Of them: not answered, for whatever reason.
    pub silent: usize,
    /// Of those: not even asked, because they are still busy with what they were asked in an earlier round.
    pub busy: usize,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { due, silent, busy } = self;
        write!(f, "{} asked, {silent} without an answer", due - busy)?;
        if *busy > 0 { write!(f, " ({busy} still busy with an earlier question)") } else { Ok(()) }
    }
}

/// One round over all servers that should answer.
pub async fn once(app: &App) -> Round {
    let core = &app.core;
    let due: Vec<(Arc<InstanceRecord>, Option<ContainerRun>)> = core.registry.with_all(|entries| {
        entries
            .filter(|e| e.operation.is_none() && e.record.desired == Desired::Running)
            .filter(|e| matches!(e.observed, Observed::Present { running: true, ready: true, .. }))
            .map(|e| (e.record.clone(), e.answered.clone()))
            .collect()
    });
    let mut round = Round { due: due.len(), ..Round::default() };
    let mut answers = futures_util::stream::iter(due)
        .map(|(record, run)| async move {
            let outcome = ask(core, &record).await;
            if outcome.as_ref().is_err_and(|e| e.kind == ErrorKind::Unavailable) {
                look(core, &record, run.as_ref()).await;
            }
            (outcome, record, run)
        })
        .buffer_unordered(AT_A_TIME);
    while let Some((outcome, record, run)) = answers.next().await {
        round.silent += usize::from(outcome.is_err());
        round.busy += usize::from(outcome.as_ref().is_err_and(|e| e.code == "server_busy"));
        note(core, &record, run, outcome);
    }
    round
}

async fn ask(core: &Core, record: &InstanceRecord) -> Result<()> {
    let cx = core.cx(record).await?;
    match core.poll(record, &cx.system, &[record.engine()?.ping()], LIMIT).await {
        Ok(_) => Ok(()),
        Err(e) if e.code == "login_refused" => Err(ready::system_login_refused(record, e)),
        Err(e) => Err(e),
    }
}

/// Nothing listens: the container may have ended without a word from the runtime. Then the reconciler is told.
async fn look(core: &Core, record: &InstanceRecord, run: Option<&ContainerRun>) {
    let name = Names::new(&core.owner, record.id).container();
    let seen = match core.runtime.inspect(&name).await {
        Ok(Some(detail)) if detail.summary.run().as_ref() == run => return,
        Ok(Some(detail)) => converge::observed_from(&detail.summary, false),
        Ok(None) => Observed::Absent,
        // Whether the runtime answers is the reconciler's to find out.
        Err(_) => return,
    };
    core.registry.update(record.id, |e| {
        if e.operation.is_none() && e.answered.as_ref() == run {
            e.observed = seen;
            e.answered = None;
        }
    });
    core.wake.notify_one();
}

/// Takes the outcome down, unless the server was restarted or taken over by an operation meanwhile.
fn note(core: &Core, record: &InstanceRecord, run: Option<ContainerRun>, outcome: Result<()>) {
    let before = core.registry.with(record.id, |e| (e.missed, e.operation.is_none() && e.answered == run));
    let Some((before, true)) = before else { return };
    let (missed, complaint) = match outcome {
        Ok(()) => (0, None),
        Err(e) => (before.saturating_add(1), Some(e.public)),
    };
    if (missed, before) == (0, 0) {
        return;
    }
    core.registry.update(record.id, |e| {
        e.missed = missed;
        e.complaint.clone_from(&complaint);
    });
    let complaint = complaint.unwrap_or_default();
    if missed == DOWN_AFTER {
        warn!(instance.id = %record.id, "{} does not answer any more: {complaint}", record.name);
    } else if missed == 0 {
        info!(instance.id = %record.id, "{} answers again after {before} checks", record.name);
    }
    if missed == 0 || missed == 1 || missed == DOWN_AFTER {
        core.announce_instance(record, "RUNNING", &complaint);
    }
}
