//! The wire to real servers: bounds the time, keeps connections for polling.

use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Answer, Call};

use super::fault::{Fault, judge};
use super::pool::Pool;
use super::session::{Session, open};
use super::{Target, Wire};
use crate::domain::{Error, ErrorKind, Result};

/// Talks to real servers.
#[derive(Default)]
pub struct LiveWire {
    kept: Pool,
}

#[async_trait]
impl Wire for LiveWire {
    async fn run(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<Vec<Answer>> {
        let work = async {
            let mut session = open(to).await?;
            let answers = carry_out(&mut *session, calls).await;
            session.close().await;
            answers
        };
        bounded(to, timeout, work).await
    }

    async fn poll(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<Vec<Answer>> {
        let work = async {
            if let Some(mut session) = self.kept.take(to) {
                match carry_out(&mut *session, calls).await {
                    // It was closed while it lay idle; the server itself may be well.
                    Err(Fault::Unreachable(_)) => {}
                    outcome => {
                        self.kept.put(to, session);
                        return outcome;
                    }
                }
            }
            let mut session = open(to).await?;
            let outcome = carry_out(&mut *session, calls).await;
            if !matches!(outcome, Err(Fault::Unreachable(_))) {
                self.kept.put(to, session);
            }
            outcome
        };
        bounded(to, timeout, work).await
    }
}

async fn carry_out(session: &mut dyn Session, calls: &[Call]) -> Result<Vec<Answer>, Fault> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(judge(call, session.carry_out(call).await)?);
    }
    Ok(answers)
}

async fn bounded(
    to: &Target,
    timeout: Duration,
    work: impl Future<Output = Result<Vec<Answer>, Fault>>,
) -> Result<Vec<Answer>> {
    match tokio::time::timeout(timeout, work).await {
        Ok(outcome) => outcome.map_err(|fault| fault.at(to)),
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            "query_timeout",
            format!("The server did not answer within {} s.", timeout.as_secs()),
        )),
    }
}
