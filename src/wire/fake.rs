//! The wire to servers of the in-memory runtime.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::{Answer, Call};

use super::{Target, Wire};
use crate::domain::{Error, ErrorKind, Result};
use crate::runtime::ContainerState;
use crate::runtime::fake::{FakeRuntime, World, server};

/// Talks to the servers of a [`FakeRuntime`]: the port must be that of a running container, the password the one that
/// its volume or its files hold. Counted there as the call `wire`, so that faults can be planned for it too; it works
/// while the runtime itself is unavailable, as servers do.
pub struct FakeWire {
    runtime: Arc<FakeRuntime>,
}

impl FakeWire {
    /// On this runtime.
    pub fn new(runtime: Arc<FakeRuntime>) -> Self {
        Self { runtime }
    }
}

#[async_trait]
impl Wire for FakeWire {
    async fn run(&self, to: &Target, calls: &[Call], _timeout: Duration) -> Result<Vec<Answer>> {
        self.runtime.call("wire", false, |w| talk(w, to, calls)).await
    }

    async fn poll(&self, to: &Target, calls: &[Call], timeout: Duration) -> Result<Vec<Answer>> {
        self.run(to, calls, timeout).await
    }
}

fn talk(world: &mut World, to: &Target, calls: &[Call]) -> Result<Vec<Answer>> {
    let World { containers, volumes, .. } = world;
    let container = containers
        .values_mut()
        .find(|c| c.state == ContainerState::Running && c.spec.ports.iter().any(|p| p.host_port == to.port))
        .ok_or_else(|| unreachable("nothing listens"))?;
    if container.refusals > 0 {
        container.refusals -= 1;
        return Err(unreachable("the server is starting"));
    }
    let engine = server::engine_of(container).ok_or_else(|| unreachable("no engine"))?;
    if engine.facts().protocol != to.protocol {
        return Err(unreachable("it speaks another protocol"));
    }
    let data = volumes
        .get_mut(&container.spec.volume)
        .and_then(|v| v.data.as_mut())
        .ok_or_else(|| unreachable("the server lost its volume"))?;
    let accounts = if container.accounts.is_empty() { &data.accounts } else { &container.accounts };
    let known = accounts.get(&to.account.username).and_then(Option::as_ref);
    if !known.is_some_and(|p| p.is(&to.account.password)) {
        return Err(Error::new(
            ErrorKind::Unauthenticated,
            "login_refused",
            "The server refused the user name or password.",
        ));
    }
    if let Some(database) = &to.database
        && !data.databases.contains(database)
    {
        return Err(failed("3D000"));
    }
    for call in calls {
        match server::carry_out(engine, container, data, &to.account.username, call) {
            Err(code) if !call.tolerate.contains(&code) => return Err(failed(code)),
            Ok(()) | Err(_) => {}
        }
    }
    // Its servers know accounts and databases, not rows.
    Ok(vec![Answer::Rows(Vec::new()); calls.len()])
}

fn unreachable(why: &str) -> Error {
    Error::unavailable("endpoint_unreachable", "The database server does not answer yet.").context(why)
}

fn failed(code: &str) -> Error {
    Error::new(ErrorKind::Invalid, "query_failed", "The server refused a statement.").context(code)
}
