//! Waits until a server answers an authenticated query through the endpoint that users get, and attests its limits.

use std::time::{Duration, Instant};

use fluxdb_adapters::{Account, Call, Cx};

use super::{Core, converge, network, template};
use crate::api::Limits;
use crate::domain::container::Names;
use crate::domain::detail::ContainerRun;
use crate::domain::host::{HostClass, HostLimits};
use crate::domain::instance::InstanceRecord;
use crate::domain::{Error, ErrorKind, Result, bootstrap, full};
use crate::runtime::{Attested, ContainerDetail, ContainerState};

/// Pauses between tries: a Redis is up in a few milliseconds, a large recovery takes minutes.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// How often to look whether the container still runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for what makes accounts and databases. The server ends then what it has not done, so it must be long enough for a
/// slow disk: each try would come no further than the one before.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(60);
/// Some servers (Kafka, Cassandra) listen before they have read their accounts, and refuse everyone so long.
const LATE_ACCOUNTS: Duration = Duration::from_secs(20);
/// Lines of the log in an error.
const LOG_LINES: u32 = 15;

/// Waits for an authenticated query as the user; on the first start also sets passwords, account and database.
///
/// # Errors
/// `container_exited` with the last log lines; `not_ready` after the deadline; `login_refused` when the server
/// knows another password, `system_login_refused` when it does so after its first start.
pub async fn await_ready(core: &Core, record: &InstanceRecord) -> Result<String> {
    // Beside each other: a container that somebody started by hand is confined whether its server answers or not, and
    // reading the rules back makes nobody wait.
    let (took, network) = tokio::join!(answered(core, record), network::settle(core, record));
    let (mut confined, mut network) = network?;
    core.registry.update(record.id, |e| e.network = network.clone());
    let took = took?;
    let (run, limits) = attest(core, record).await?;
    if run != confined {
        (confined, network) = network::settle(core, record).await?;
    }
    let badge = if limits.enforced { "limits enforced" } else { "limits not enforced" };
    let closed = network::word(&network);
    core.registry.update(record.id, |e| {
        e.limits = limits;
        e.network = network;
        // A run that nobody confined has to answer again, which confines it.
        e.answered = run.filter(|run| Some(run) == confined.as_ref());
        e.missed = 0;
        e.complaint = None;
    });
    Ok(format!("answered after {} ms, {badge}, {closed}", took.as_millis()))
}

/// Waits for the answer; how long that took.
async fn answered(core: &Core, record: &InstanceRecord) -> Result<Duration> {
    let started = Instant::now();
    let engine = record.engine()?;
    let cx = core.cx(record).await?;
    if record.initialized_at.is_none() {
        claim(core, record, &cx).await?;
    }
    let ping = [engine.ping()];
    loop {
        match wait(core, record, &cx.user, cx.database.clone(), &ping, TRY_TIMEOUT).await {
            Ok(()) => break,
            Err(e) if e.code == "login_refused" => {}
            Err(e) => return Err(e),
        }
        // Users may change their own password by hand; that is no reason to call the server down.
        match wait(core, record, &cx.system, None, &ping, TRY_TIMEOUT).await {
            Ok(()) if record.initialized_at.is_some() => break,
            Err(e) if e.code == "login_refused" && started.elapsed() >= LATE_ACCOUNTS => {
                return Err(system_login_refused(record, e));
            }
            Err(e) if e.code != "login_refused" => return Err(e),
            Ok(()) | Err(_) => {}
        }
        if started.elapsed() >= LATE_ACCOUNTS {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "login_refused",
                format!("The server refused the password of {:?}, which it was just given.", cx.user.username),
            ));
        }
        still_runs(core, record).await?;
        tokio::time::sleep(PAUSE.1).await;
    }
    let took = started.elapsed();
    if record.initialized_at.is_none() {
        core.change_record(record.id, |r| {
            r.initialized_at = Some(jiff::Timestamp::now());
            r.seeded_from = None;
        })
        .await?;
    }
    Ok(took)
}

/// What a refused login of fluxdb's own account means, and what to do.
pub fn system_login_refused(record: &InstanceRecord, refused: Error) -> Error {
    let text = format!(
        "The server refuses the account that fluxdb uses ({}): somebody changed it inside the server. Restore it with: fluxdb restart {} --repair-account",
        record.engine().map_or("unknown", |e| e.facts().system_user),
        record.name
    );
    Error::new(ErrorKind::Unauthenticated, "system_login_refused", text).context(refused.story())
}

/// Sets what the user asked for, as the system account. A copy of a template still has the template's password, and a server
/// that read its first password from a file has that one; after a crash in between it may have the new one already.
async fn claim(core: &Core, record: &InstanceRecord, cx: &Cx) -> Result<()> {
    let engine = record.engine()?;
    let provision = engine.provision(cx);
    let first = match &record.seeded_from {
        Some(from) => {
            let password = template::password(core, from).await?;
            Some(Account { username: cx.system.username.clone(), password })
        }
        None => bootstrap::first_account(engine, cx).or_else(|| engine.first_login()),
    };
    let Some(first) = first else {
        return wait(core, record, &cx.system, None, &provision, CLAIM_TIMEOUT).await;
    };
    let deadline = Instant::now() + Duration::from_secs(core.config.operations.ready_deadline_secs);
    loop {
        let mut calls = engine.claim(cx);
        // Where the account stays the same, the server is claimed and provisioned in one session: a login less.
        let all = first.username == cx.system.username;
        if all {
            calls.extend(provision.iter().cloned());
        }
        match wait(core, record, &first, None, &calls, CLAIM_TIMEOUT).await {
            Ok(()) if all => return Ok(()),
            Ok(()) => return wait(core, record, &cx.system, None, &provision, CLAIM_TIMEOUT).await,
            Err(e) if e.code == "login_refused" => {}
            Err(e) => return Err(e),
        }
        match wait(core, record, &cx.system, None, &provision, CLAIM_TIMEOUT).await {
            // Some servers make their first account a while after they begin to listen.
            Err(e) if e.code == "login_refused" && record.seeded_from.is_none() && Instant::now() < deadline => {
                still_runs(core, record).await?;
                tokio::time::sleep(PAUSE.1).await;
            }
            other => return other,
        }
    }
}

/// Waits until this account can log in.
///
/// # Errors
/// As [`await_ready`].
pub async fn await_login(core: &Core, record: &InstanceRecord, account: &Account) -> Result<()> {
    wait(core, record, account, None, &[record.engine()?.ping()], TRY_TIMEOUT).await
}

/// Tries until the server is there; looks now and then whether its container still runs.
async fn wait(
    core: &Core,
    record: &InstanceRecord,
    account: &Account,
    database: Option<String>,
    calls: &[Call],
    limit: Duration,
) -> Result<()> {
    let deadline = Duration::from_secs(core.config.operations.ready_deadline_secs);
    let started = Instant::now();
    let mut looked = Instant::now();
    let mut pause = PAUSE.0;
    loop {
        match core.talk(record, account, database.clone(), calls, limit).await {
            Ok(_) => return Ok(()),
            Err(e) if e.code == "endpoint_unreachable" || e.kind == ErrorKind::Timeout => {
                if looked.elapsed() >= LOOK_EVERY {
                    looked = Instant::now();
                    still_runs(core, record).await?;
                }
                if started.elapsed() >= deadline {
                    return Err(not_ready(core, record, &e).await);
                }
            }
            Err(e) => return Err(e),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
}

async fn still_runs(core: &Core, record: &InstanceRecord) -> Result<()> {
    let name = Names::new(&core.owner, record.id).container();
    let detail = core.runtime.inspect(&name).await?;
    match detail {
        Some(d) if d.summary.state == ContainerState::Running => Ok(()),
        Some(d) => Err(exited(core, record, &d).await),
        None => Err(Error::new(
            ErrorKind::Conflict,
            "container_gone",
            "The container was removed while it was starting. Look for other tools that manage it.",
        )),
    }
}

async fn exited(core: &Core, record: &InstanceRecord, detail: &ContainerDetail) -> Error {
    let lines = converge::last_lines(core, &detail.summary.name, LOG_LINES).await;
    let why = if detail.oom_killed {
        format!("it needed more memory than {} grants; choose a larger SKU", record.sku)
    } else {
        format!("exit code {}", detail.exit_code)
    };
    Error::new(
        ErrorKind::Conflict,
        "container_exited",
        full::with_advice(format!("The server ended instead of starting ({why}). Its last lines:\n{lines}")),
    )
}

async fn not_ready(core: &Core, record: &InstanceRecord, last: &Error) -> Error {
    let name = Names::new(&core.owner, record.id).container();
    let lines = converge::last_lines(core, &name, LOG_LINES).await;
    Error::new(
        ErrorKind::Conflict,
        "not_ready",
        full::with_advice(format!(
            "The server runs but did not answer on port {} within {} s. Its last lines:\n{lines}",
            record.port, core.config.operations.ready_deadline_secs
        )),
    )
    .context(last.story())
}

/// Reads the limits back from the kernel and compares them with what the SKU asks; says for which run.
async fn attest(core: &Core, record: &InstanceRecord) -> Result<(Option<ContainerRun>, Limits)> {
    let (plan, _) = core.plan(record).await?;
    let asked = plan.spec.limits;
    let class = core.class().await?;
    let host_reason = core.host().and_then(|h| class.reason(&h));
    let Some(detail) = core.runtime.inspect(&plan.spec.name).await? else {
        return Err(Error::unavailable("podman_unavailable", "The container went away while its limits were read."));
    };
    let limits = match core.runtime.attest(&detail).await? {
        Attested::Read(effective) => compare(class, asked, effective, host_reason),
        Attested::Unreadable(why) => Limits {
            enforced: false,
            reason: Some(host_reason.unwrap_or(why)),
            asked,
            effective: HostLimits::default(),
        },
    };
    Ok((detail.summary.run(), limits))
}

/// Limits are enforced when the kernel says what was asked.
fn compare(class: HostClass, asked: HostLimits, effective: HostLimits, host_reason: Option<String>) -> Limits {
    let differs = |name: &str, a: Option<u64>, e: Option<u64>| match (a, e) {
        (Some(a), Some(e)) if a == e => None,
        (Some(a), Some(e)) => Some(format!("{name} is {e} instead of {a}")),
        (Some(a), None) => Some(format!("{name} is not limited instead of {a}")),
        (None, _) => None,
    };
    let differences: Vec<String> = [
        differs("memory", asked.memory_bytes, effective.memory_bytes),
        differs("cpu quota", asked.cpu_quota_us, effective.cpu_quota_us),
        differs("pids", asked.pids, effective.pids),
    ]
    .into_iter()
    .flatten()
    .collect();
    let enforced = class.enforces() && differences.is_empty();
    // What makes E more than D where the kernel allows it; without it the limits themselves still hold.
    let extras: Vec<String> = [
        differs("swappiness", asked.swappiness, effective.swappiness),
        (asked.oom_score_adj != effective.oom_score_adj && asked.oom_score_adj.is_some_and(|s| s < 0)).then(|| {
            "this host does not let Podman lower the OOM score (that takes CAP_SYS_RESOURCE), so the server is as likely to be killed as others when the host runs out of memory".into()
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let reason = match (enforced, host_reason) {
        (true, _) if extras.is_empty() => None,
        (true, _) => Some(format!("Memory, CPU and processes are limited, but {}.", extras.join("; "))),
        (false, Some(reason)) if differences.is_empty() => Some(reason),
        (false, Some(reason)) => {
            Some(format!("{reason} The kernel does not enforce what was asked either: {}.", differences.join("; ")))
        }
        (false, None) => Some(format!("The kernel does not enforce what was asked: {}.", differences.join("; "))),
    };
    Limits { enforced, reason, asked, effective }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oom_score_that_cannot_be_lowered_is_said_and_the_limits_count() {
        let asked = HostLimits { memory_bytes: Some(1), oom_score_adj: Some(-500), ..HostLimits::default() };
        assert_eq!(compare(HostClass::RootfulV1, asked.clone(), asked.clone(), None).reason, None);
        let effective = HostLimits { oom_score_adj: Some(0), ..asked.clone() };
        let limits = compare(HostClass::RootfulV1, asked, effective, None);
        assert!(limits.enforced && limits.reason.is_some_and(|r| r.contains("CAP_SYS_RESOURCE")));
    }

    #[test]
    fn a_host_that_limits_memory_alone_says_so_and_says_when_it_does_not() {
        let asked = HostLimits { memory_bytes: Some(1), pids: Some(3), ..HostLimits::default() };
        let told = |effective| {
            let limits = compare(HostClass::RootlessV2NoCpu, asked.clone(), effective, Some("No cpu.".into()));
            assert!(!limits.enforced, "there is no limit of CPU");
            limits.reason.expect("a reason")
        };
        assert_eq!(told(asked.clone()), "No cpu.");
        let off = told(HostLimits { memory_bytes: None, ..asked.clone() });
        assert!(off.starts_with("No cpu. ") && off.ends_with("memory is not limited instead of 1."), "{off}");
    }

    #[test]
    fn limits_count_as_enforced_only_when_the_kernel_says_so() {
        let asked = HostLimits { memory_bytes: Some(1), cpu_quota_us: Some(2), pids: Some(3), ..HostLimits::default() };
        assert!(compare(HostClass::RootfulV1, asked.clone(), asked.clone(), None).enforced);
        let off = HostLimits { memory_bytes: None, ..asked.clone() };
        let limits = compare(HostClass::RootfulV1, asked, off, None);
        assert!(!limits.enforced);
        assert_eq!(
            limits.reason.as_deref(),
            Some("The kernel does not enforce what was asked: memory is not limited instead of 1.")
        );
    }
}
