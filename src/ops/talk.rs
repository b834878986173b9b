//! Talks to the server of an instance, whatever way its calls go: over the wire, or as a program in its container.

use std::time::Duration;

use fluxdb_adapters::{Account, Answer, Call, Request, Secret};

use super::Core;
use crate::domain::container::Names;
use crate::domain::instance::InstanceRecord;
use crate::domain::{Error, ErrorKind, Result};
use crate::wire::lanes::Turn;

/// How long the runtime may take to end a program whose time is over.
const ENDING: Duration = Duration::from_secs(5);

impl Core {
    /// Logs in anew as this account and carries the calls out, in order; an answer for each.
    ///
    /// # Errors
    /// As [`crate::wire::Wire::run`].
    pub async fn talk(
        &self,
        record: &InstanceRecord,
        account: &Account,
        database: Option<String>,
        calls: &[Call],
        limit: Duration,
    ) -> Result<Vec<Answer>> {
        let target = self.target(record, account, database.clone())?;
        let calls = bounded(record, calls, limit)?;
        if !calls.iter().any(|c| matches!(c.request, Request::Exec(_))) {
            return self.wire.run(&target, &calls, limit).await;
        }
        self.mixed(record, account, database.as_deref(), &calls, limit, Turn::Wait).await
    }

    /// Calls of which some are programs in the container, each in its own turn.
    async fn mixed(
        &self,
        record: &InstanceRecord,
        account: &Account,
        database: Option<&str>,
        calls: &[Call],
        limit: Duration,
        turn: Turn,
    ) -> Result<Vec<Answer>> {
        let target = self.target(record, account, database.map(str::to_owned))?;
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            answers.push(match &call.request {
                Request::Exec(exec) => self.exec(record, account, database, (call, exec), limit, turn).await?,
                _ => {
                    let one = std::slice::from_ref(call);
                    let mut one = match turn {
                        Turn::Wait => self.wire.run(&target, one, limit).await?,
                        Turn::Skip => self.wire.poll(&target, one, limit).await?,
                    };
                    one.pop().ok_or_else(|| Error::internal("a call without an answer"))?
                }
            });
        }
        Ok(answers)
    }

    /// The same over a connection that is kept for the next time, where there is one.
    ///
    /// # Errors
    /// As [`crate::wire::Wire::poll`].
    pub async fn poll(
        &self,
        record: &InstanceRecord,
        account: &Account,
        calls: &[Call],
        limit: Duration,
    ) -> Result<Vec<Answer>> {
        let calls = bounded(record, calls, limit)?;
        if calls.iter().any(|c| matches!(c.request, Request::Exec(_))) {
            return self.mixed(record, account, None, &calls, limit, Turn::Skip).await;
        }
        self.wire.poll(&self.target(record, account, None)?, &calls, limit).await
    }

    async fn exec(
        &self,
        record: &InstanceRecord,
        account: &Account,
        database: Option<&str>,
        (call, exec): (&Call, &fluxdb_adapters::Exec),
        limit: Duration,
        turn: Turn,
    ) -> Result<Answer> {
        let mut exec = exec.clone();
        let refused_when = exec.refused_when;
        if exec.login {
            let database = call.database.as_deref().or(database).unwrap_or_default();
            let lines = [&account.username, account.password.expose(), database, exec.stdin.expose()];
            exec.stdin = Secret::new(lines.join("\n"));
        }
        let name = Names::new(&self.owner, record.id).container();
        let (runtime, key) = (self.runtime.clone(), (record.id, turn == Turn::Skip));
        let work = |place, until: std::sync::Arc<crate::wire::lanes::Until>| async move {
            until.opened();
            let output = runtime.exec(&name, &exec, limit).await;
            drop(place);
            output
        };
        let output = self.programs.ask(key, turn, limit + ENDING, work).await?;
        let both = format!("{}\n{}", output.stdout, output.stderr);
        if !refused_when.is_empty() && both.contains(refused_when) {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "login_refused",
                format!("The server refused the password of {:?}.", account.username),
            ));
        }
        let answer = Answer::Text(output.stdout);
        let code = call.check.and_then(|check| check(&answer)).or((output.code != 0).then(|| output.code.to_string()));
        match code {
            None => Ok(answer),
            Some(code) if call.tolerate.contains(&code.as_str()) => Ok(Answer::Rows(Vec::new())),
            Some(code) if call.not_yet.contains(&code.as_str()) => {
                Err(Error::unavailable("endpoint_unreachable", "The server in the container is not up yet."))
            }
            // The program's own words may repeat what it read from standard input, so they are not shown.
            Some(code) => {
                Err(Error::new(ErrorKind::Invalid, "query_failed", format!("The server refused a statement ({code}).")))
            }
        }
    }
}

/// The calls, each told to the server to end it in time, where its protocol has a word for that.
fn bounded(record: &InstanceRecord, calls: &[Call], limit: Duration) -> Result<Vec<Call>> {
    let engine = record.engine()?;
    Ok(calls.iter().map(|call| engine.bounded(call.clone(), limit)).collect())
}
