//! Talks to the server of an instance, whatever way its calls go: over the wire, or as a program in its container.

use std::time::Duration;

use fluxdb_adapters::{Account, Answer, Call, Request, Secret};

use super::Core;
use crate::domain::container::Names;
use crate::domain::instance::InstanceRecord;
use crate::domain::{Error, ErrorKind, Result};

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
        if !calls.iter().any(|c| matches!(c.request, Request::Exec(_))) {
            return self.wire.run(&target, calls, limit).await;
        }
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            answers.push(match &call.request {
                Request::Exec(exec) => self.exec(record, account, database.as_deref(), call, exec, limit).await?,
                _ => {
                    let mut one = self.wire.run(&target, std::slice::from_ref(call), limit).await?;
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
        if calls.iter().any(|c| matches!(c.request, Request::Exec(_))) {
            return self.talk(record, account, None, calls, limit).await;
        }
        self.wire.poll(&self.target(record, account, None)?, calls, limit).await
    }

    async fn exec(
        &self,
        record: &InstanceRecord,
        account: &Account,
        database: Option<&str>,
        call: &Call,
        exec: &fluxdb_adapters::Exec,
        limit: Duration,
    ) -> Result<Answer> {
        let mut exec = exec.clone();
        if exec.login {
            let database = call.database.as_deref().or(database).unwrap_or_default();
            let lines = [&account.username, account.password.expose(), database, exec.stdin.expose()];
            exec.stdin = Secret::new(lines.join("\n"));
        }
        let name = Names::new(&self.owner, record.id).container();
        let output = self.runtime.exec(&name, &exec, limit).await?;
        let both = format!("{}\n{}", output.stdout, output.stderr);
        if !exec.refused_when.is_empty() && both.contains(exec.refused_when) {
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
