//! Keeps the world as asked: one listing for all containers, then a repair for each instance that differs.
//!
//! A repair is an operation like any other: it holds the instance, it is in the journal, it can be seen.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tracing::{info, warn};

use crate::app::App;
use crate::domain::container::{LABEL_INSTANCE, LABEL_KIND};
use crate::domain::detail::ContainerRun;
use crate::domain::instance::{Desired, InstanceRecord, Observed};
use crate::domain::operation::{OperationKind, OperationRecord, OperationState, Progress};
use crate::domain::{ErrorKind, InstanceId, OperationId, Result};
use crate::ops::registry::Entry;
use crate::ops::{converge, drive, network};
use crate::runtime::{ContainerSummary, RuntimeEvent};
use crate::store::operations;

/// Pause after the first failed repair of an instance, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// A repair that held this long was a good one: the next failure starts at the shortest pause again.
const FORGIVE_AFTER: Duration = Duration::from_secs(600);
/// Shortest pause between two looks for repairs that wait.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// Repairs at a time; a host that comes back from a reboot must not start everything at once.
const MOST_REPAIRS: usize = 8;
/// Events come in bursts; one look serves them all.
const SETTLE: Duration = Duration::from_millis(50);

/// How long an instance must have been other than asked before it is repaired. Whoever removes a container by hand
/// stops it first; a start in between would fail, and Podman's service would keep its port for minutes.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// When an instance may be repaired (again).
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Since when it is not as asked; `None` while it is.
    since: Option<Instant>,
    /// Pause after the next failure.
    pause: Duration,
    /// Not before this.
    next: Instant,
}

impl Patience {
    fn due(&self) -> Option<Instant> {
        Some((self.since? + DEBOUNCE).max(self.next))
    }
}

/// The reconciler.
pub struct Reconciler {
    app: Arc<App>,
    patience: HashMap<InstanceId, Patience>,
}

/// What one run found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Instances looked at.
    pub instances: usize,
    /// Repairs begun.
    pub repairs: usize,
    /// Instances that need one and have to wait.
    pub waiting: usize,
}

/// Runs until shutdown: every period, on a poke, and when the runtime says that something happened.
pub async fn run(app: Arc<App>) {
    let core = app.core.clone();
    let period = Duration::from_secs(core.config.workers.reconcile_period_secs);
    let mut reconciler = Reconciler::new(app.clone());
    let mut events = core.runtime.events();
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            _ = tick.tick() => {}
            () = core.wake.notified() => {}
            () = reconciler.until_due() => {}
            // What to do about it comes from looking, never from the event: Podman says it late, sometimes twice.
            Some(event) = events.next() => {
                reconciler.heard(&event);
                // Take the rest of the burst with it.
                let burst = tokio::time::sleep(SETTLE);
                tokio::pin!(burst);
                loop {
                    tokio::select! {
                        () = &mut burst => break,
                        Some(event) = events.next() => reconciler.heard(&event),
                    }
                }
            }
        }
        let started = Instant::now();
        let result = reconciler
            .once()
            .await
            .map(|run| format!("{} instances, {} repairs begun, {} waiting", run.instances, run.repairs, run.waiting));
        if let Err(e) = &result {
            warn!(error = %e.story(), "the reconciler could not look; it tries again in {period:?}");
        }
        app.worker_ran("reconcile", started.elapsed(), &result);
    }
}

impl Reconciler {
    /// A reconciler that knows nothing yet.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, patience: HashMap::new() }
    }

    /// Waits until the next repair may begin; for ever where none waits.
    async fn until_due(&self) {
        match self.patience.values().filter_map(Patience::due).min() {
            // What waits for others to end is due already; looking without a pause would not make them quicker.
            Some(due) => tokio::time::sleep_until(due.max(Instant::now() + LOOK_PAUSE).into()).await,
            None => std::future::pending().await,
        }
    }

    /// Where events may have been missed, what was proven before proves nothing any more: a Podman that was away may go on
    /// listing a server as running that was killed meanwhile.
    pub fn heard(&self, event: &RuntimeEvent) {
        if *event != RuntimeEvent::Lost {
            return;
        }
        let core = &self.app.core;
        let free = |entries: &mut dyn Iterator<Item = &Entry>| -> Vec<InstanceId> {
            entries.filter(|e| e.operation.is_none()).map(|e| e.record.id).collect()
        };
        for id in core.registry.with_all(free) {
            core.registry.update(id, |e| {
                e.observed = Observed::Unknown;
                e.answered = None;
            });
        }
    }

    /// One look at everything.
    ///
    /// # Errors
    /// `Unavailable` while the runtime is away; nothing is concluded from silence.
    pub async fn once(&mut self) -> Result<Run> {
        let core = self.app.core.clone();
        let containers = match core.runtime.containers().await {
            Ok(containers) => containers,
            Err(e) => {
                let free: Vec<InstanceId> = core
                    .registry
                    .with_all(|entries| entries.filter(|e| e.operation.is_none()).map(|e| e.record.id).collect());
                for id in free {
                    core.registry.see(id, Observed::Unknown);
                }
                return Err(e);
            }
        };
        if core.host().is_none() {
            core.refresh_host().await?;
        }
        let mut by_instance: HashMap<InstanceId, &ContainerSummary> = HashMap::with_capacity(containers.len());
        let mut strangers = Vec::new();
        for container in &containers {
            let id = container.labels.get(LABEL_INSTANCE).and_then(|id| id.parse().ok());
            match id {
                Some(id) if core.registry.with(id, |_| ()).is_some() => {
                    by_instance.insert(id, container);
                }
                _ if container.labels.get(LABEL_KIND).is_some_and(|k| k == "template") => {}
                _ => strangers.push(container.name.clone()),
            }
        }
        self.report_strangers(strangers);

        let mut run = Run::default();
        let mut repairs: Vec<Arc<InstanceRecord>> = Vec::new();
        let free: Vec<(Arc<InstanceRecord>, Option<ContainerRun>)> = core.registry.with_all(|entries| {
            entries
                .inspect(|_| run.instances += 1)
                .filter(|e| e.operation.is_none())
                .map(|e| (e.record.clone(), e.answered.clone()))
                .collect()
        });
        let mut by_hand = Vec::new();
        for (record, answered) in free {
            let run = by_instance.get(&record.id).and_then(|c| c.run());
            if run.is_some() && answered.is_some() && run != answered {
                by_hand.push(record.clone());
            }
            let seen = by_instance.get(&record.id).map_or(Observed::Absent, |c| {
                // A run that answered once is taken for ready until it ends; a new run has to answer first.
                converge::observed_from(c, answered.is_some() && c.run() == answered)
            });
            let settled = is_settled(&record, &seen);
            core.registry.see(record.id, seen);
            if !settled {
                repairs.push(record);
            }
        }
        self.confine(&by_hand).await;
        let now = Instant::now();
        let open: BTreeSet<InstanceId> = repairs.iter().map(|r| r.id).collect();
        // An instance that stayed well for a while is forgiven.
        self.patience.retain(|id, p| open.contains(id) || now < p.next + FORGIVE_AFTER);
        for (_, patience) in self.patience.iter_mut().filter(|(id, _)| !open.contains(id)) {
            patience.since = None;
        }
        let is_repair = |kind| kind == OperationKind::Repair;
        let running = core
            .registry
            .with_all(|entries| entries.filter(|e| e.operation.is_some_and(|(_, kind)| is_repair(kind))).count());
        for record in repairs {
            let first = Patience { since: None, pause: BACKOFF.0, next: now };
            let patience = self.patience.entry(record.id).or_insert(first);
            patience.since.get_or_insert(now);
            if running + run.repairs >= MOST_REPAIRS || patience.due().is_none_or(|due| now < due) {
                run.waiting += 1;
                continue;
            }
            patience.next = now + patience.pause;
            patience.pause = (patience.pause * 2).min(BACKOFF.1);
            if self.repair(&record).await? {
                run.repairs += 1;
            }
        }
        Ok(run)
    }

    /// Somebody started these by hand, so nothing keeps them in. The repair that follows does it again and reads it back, but
    /// it waits a while (see [`DEBOUNCE`]).
    async fn confine(&self, started: &[Arc<InstanceRecord>]) {
        let each = started.iter().map(|record| async move {
            if let Err(e) = network::apply(&self.app.core, record).await {
                warn!(instance.id = %record.id, error = %e.story(), "could not settle what it may reach yet; its repair will");
            }
        });
        futures_util::future::join_all(each).await;
    }

    async fn repair(&self, record: &InstanceRecord) -> Result<bool> {
        let core = &self.app.core;
        let now = jiff::Timestamp::now();
        let seconds = i64::try_from(core.config.operations.instance_deadline_secs).unwrap_or(i64::MAX);
        let operation = OperationRecord {
            id: OperationId::generate(),
            kind: OperationKind::Repair,
            instance_id: Some(record.id),
            project: record.project.clone(),
            state: OperationState::Pending,
            phase: String::new(),
            progress: Progress::default(),
            params: serde_json::json!({}),
            deadline_at: now + jiff::SignedDuration::from_secs(seconds),
            error: None,
            created_by: "reconciler".into(),
            created_at: now,
            ended_at: None,
        };
        let inserted = {
            let operation = operation.clone();
            core.store.write(move |tx| operations::insert(tx, &operation)).await
        };
        match inserted {
            Ok(()) => {
                info!(instance.id = %record.id, operation.id = %operation.id, "{} is not as asked, repairing it", record.name);
                drive::spawn(core, operation);
                Ok(true)
            }
            // A user was quicker; their operation brings it in order.
            Err(e) if e.kind == ErrorKind::Conflict => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn report_strangers(&self, names: Vec<String>) {
        let problems = names
            .into_iter()
            .map(|name| {
                format!("Container {name} bears this installation's label but belongs to no instance; look at it, then `podman rm -f {name}`.")
            })
            .collect();
        self.app.set_problems("containers", problems);
    }
}

/// Whether nothing has to be done. Agrees with `next_step`, without making the whole plan of a container that runs.
fn is_settled(record: &InstanceRecord, seen: &Observed) -> bool {
    match (record.desired, seen) {
        (Desired::Running, Observed::Present { running: true, ready: true, spec }) => {
            converge::is_current(spec, record)
        }
        (Desired::Stopped, Observed::Absent | Observed::Present { running: false, .. }) => true,
        (Desired::Running | Desired::Stopped | Desired::Deleted, _) => false,
    }
}
