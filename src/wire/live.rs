//! The wire to real servers: bounds the time, here and in the server, and keeps connections for polling.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use fluxdb_adapters::{Answer, Call, Secret};

use super::fault::{Fault, judge};
use super::lanes::{Lanes, Turn, Until};
use super::session::{Session, open};
use super::{Target, Wire};
use crate::domain::Result;

/// A connection that was not used for so long is dropped; polls come every 10 s.
const KEEP: Duration = Duration::from_secs(60);

/// Host and port.
type Server = (String, u16);

/// Account, database, whether it is encrypted, and the limit that the session was made with.
type Terms = (String, Option<String>, bool, Duration);

/// Talks to real servers. Each has at most two sessions of fluxdb's own account: one that watches, and one that works.
#[derive(Default)]
pub struct LiveWire {
    watch: Lanes<Server, Option<Kept>>,
    work: Lanes<(Server, bool), ()>,
    tidied: std::sync::Mutex<Option<Instant>>,
}

/// A connection between two polls.
struct Kept {
    session: Box<dyn Session>,
    terms: Terms,
    /// A session made with another password proves nothing about this one.
    password: Secret,
    since: Instant,
}

#[async_trait]
impl Wire for LiveWire {
    async fn run(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<Vec<Answer>> {
        let (to, calls) = (to.clone(), calls.to_vec());
        let key = ((to.host.clone(), to.port), to.ours);
        let work = |place, until: std::sync::Arc<Until>| async move {
            let outcome = async {
                let mut session = open(&to, in_server(timeout)).await?;
                until.opened();
                session.until(&until);
                let answers = carry_out(&mut *session, &calls, &until).await;
                session.close().await;
                answers
            };
            let outcome = outcome.await.map_err(|fault| fault.at(&to));
            drop(place);
            outcome
        };
        self.work.ask(key, Turn::Wait, timeout, work).await
    }

    async fn poll(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<Vec<Answer>> {
        self.tidy();
        let (to, calls) = (to.clone(), calls.to_vec());
        let key = (to.host.clone(), to.port);
        let work = |mut place: super::lanes::Place<Option<Kept>>, until: std::sync::Arc<Until>| async move {
            let kept = place.take().filter(|kept| kept.fits(&to, timeout));
            let outcome = match kept {
                Some(kept) => match again(kept, &calls, &until).await {
                    // It was closed while it lay idle; the server itself may be well.
                    (Err(Fault::Unreachable(_)), _) if !until.is_over() => anew(&to, &calls, timeout, &until).await,
                    outcome => outcome,
                },
                None => anew(&to, &calls, timeout, &until).await,
            };
            *place = outcome.1;
            outcome.0.map_err(|fault| fault.at(&to))
        };
        self.watch.ask(key, Turn::Skip, timeout, work).await
    }
}

impl LiveWire {
    /// Drops connections that nobody asked for again.
    fn tidy(&self) {
        let mut tidied = self.tidied.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if tidied.is_some_and(|at| at.elapsed() < KEEP) {
            return;
        }
        *tidied = Some(Instant::now());
        self.watch.tidy(|kept| {
            *kept = kept.take().filter(|k| k.since.elapsed() < KEEP);
            kept.is_some()
        });
        self.work.tidy(|()| false);
    }
}

impl Kept {
    fn fits(&self, to: &Target, limit: Duration) -> bool {
        self.terms == terms(to, limit) && self.password == to.account.password && self.since.elapsed() < KEEP
    }
}

fn terms(to: &Target, limit: Duration) -> Terms {
    (to.account.username.clone(), to.database.clone(), to.tls.is_some(), limit)
}

/// The server ends what we ask a little before we stop waiting, so that it says why and the session is free again.
fn in_server(limit: Duration) -> Duration {
    limit - (limit / 5).min(Duration::from_secs(1))
}

/// The outcome over a session, and the session where it can be kept.
type Polled = (Result<Vec<Answer>, Fault>, Option<Kept>);

async fn again(mut kept: Kept, calls: &[Call], until: &std::sync::Arc<Until>) -> Polled {
    until.opened();
    kept.session.until(until);
    let outcome = carry_out(&mut *kept.session, calls, until).await;
    kept.since = Instant::now();
    let usable = !matches!(outcome, Err(Fault::Unreachable(_) | Fault::TooSlow(_)));
    (outcome, usable.then_some(kept))
}

async fn anew(to: &Target, calls: &[Call], limit: Duration, until: &std::sync::Arc<Until>) -> Polled {
    match open(to, in_server(limit)).await {
        Err(fault) => (Err(fault), None),
        Ok(session) => {
            let kept =
                Kept { session, terms: terms(to, limit), password: to.account.password.clone(), since: Instant::now() };
            again(kept, calls, until).await
        }
    }
}

/// Nothing more is asked for somebody who does not wait any longer.
async fn carry_out(session: &mut dyn Session, calls: &[Call], until: &Until) -> Result<Vec<Answer>, Fault> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        if until.is_over() {
            return Err(Fault::TooSlow("there was no time left for the rest".into()));
        }
        answers.push(judge(call, session.carry_out(call).await)?);
    }
    Ok(answers)
}
