//! Long-running work: list, show, follow, cancel; and the live stream of events.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use super::args::{EventsArgs, OperationsCommand, WaitArgs};
use super::client::{self, Change, Client, typed};
use super::exit::{CliError, Exit, Result};
use super::follow::follow;
use super::output::{Rows, age, lasted, when};
use super::session::Session;
use crate::api::{Accepted, Event, Operation};
use crate::domain::operation::OperationState;
use crate::domain::{InstanceId, OperationId};

/// The daemon sends a comment every few seconds, so longer silence means that it is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// `fluxdb operations`
///
/// # Errors
/// As the API says.
pub fn operations(session: &Session, command: &OperationsCommand) -> Result {
    match command {
        OperationsCommand::List { instance, state, limit } => {
            list(session, instance.as_deref(), state.as_deref(), *limit)
        }
        OperationsCommand::Show { id } => show(session, id),
        OperationsCommand::Follow { id, timeout } => {
            let client = session.client()?;
            let now = client.read(&path(id)?, &[])?;
            let ended = follow(session.out, &client, now, Duration::from_secs(*timeout))?;
            let done = Accepted { operation: Some(ended), instance: None, password: None };
            session.report(&done, "Done.")
        }
        OperationsCommand::Cancel { id, wait } => cancel(session, id, *wait),
    }
}

fn path(id: &str) -> Result<String> {
    let id: OperationId = id.parse().map_err(|_| CliError::usage(format!("{id:?} is not the id of an operation.")))?;
    Ok(format!("/operations/{id}"))
}

fn list(session: &Session, instance: Option<&str>, state: Option<&str>, limit: usize) -> Result {
    let client = session.client()?;
    let instance = instance.map(|name| instance_id(session, &client, name)).transpose()?;
    let mut query = Vec::new();
    query.extend(instance.as_deref().map(|id| ("instance", id)));
    query.extend(state.map(|s| ("state", s)));
    let items = client.list("/operations", &query, Some(limit))?;
    let table = |items: Vec<_>| {
        let mut rows = Rows::new(&["id", "instance", "kind", "state", "phase", "age", "took", "by"]);
        for item in items {
            let o: Operation = typed(item)?;
            rows.push([
                o.id.to_string(),
                o.instance_name.or(o.instance_id.map(|id| id.to_string())).unwrap_or_default(),
                o.kind.as_str().to_owned(),
                o.state.as_str().to_owned(),
                if o.state.ended() { o.error.map(|e| e.code).unwrap_or_default() } else { o.phase },
                age(&o.created_at),
                o.ended_at.map(|end| lasted(&o.created_at, &end)).unwrap_or_default(),
                o.created_by,
            ]);
        }
        Ok(rows)
    };
    session.out.items(items, table, "There is no operation.")
}

fn show(session: &Session, id: &str) -> Result {
    let answer = session.client()?.get(&path(id)?, &[])?;
    if session.out.json {
        return session.out.value(&answer.body);
    }
    let o: Operation = typed(answer.body)?;
    let id = o.instance_id.map(|id| id.to_string()).unwrap_or_default();
    let instance = o.instance_name.map_or(id.clone(), |name| format!("{name} ({id})"));
    session.out.pairs(&[
        ("Id", o.id.to_string()),
        ("Kind", o.kind.as_str().into()),
        ("By", o.created_by),
        ("State", o.state.as_str().into()),
        ("Phase", o.phase),
        ("Instance", instance),
        ("Error", o.error.map(|e| format!("{} ({})", e.detail, e.code)).unwrap_or_default()),
        ("Created", when(&o.created_at)),
        ("Deadline", when(&o.deadline_at)),
        (
            "Ended",
            o.ended_at.map(|end| format!("{} ({})", when(&end), lasted(&o.created_at, &end))).unwrap_or_default(),
        ),
        ("Can be cancelled", if o.cancellable { "yes" } else { "no" }.into()),
    ])?;
    let mut rows = Rows::new(&["step", "state", "took", "detail"]);
    for step in o.steps {
        let took = step.ended_at.map(|end| lasted(&step.started_at, &end)).unwrap_or_default();
        rows.push([step.name, step.state.as_str().to_owned(), took, step.detail]);
    }
    session.out.line("")?;
    session.out.table(&rows)
}

fn cancel(session: &Session, id: &str, wait: WaitArgs) -> Result {
    let client = session.client()?;
    let cancel_path = format!("{}/cancel", path(id)?);
    let change = Change { method: "POST", path: &cancel_path, body: None, if_match: None };
    let accepted: Accepted = typed(client.change(change, &[])?.body)?;
    let Some(operation) = accepted.operation.clone().filter(|_| wait.waits()) else {
        return session.report(&accepted, "It is being taken back.");
    };
    let operation_path = path(id)?;
    match session.follow(&client, operation, wait) {
        Ok(_) => Err(CliError::new(Exit::Conflict, "It was done before it could be cancelled.")),
        Err(e) if e.exit == Exit::OperationFailed => {
            let ended: Operation = client.read(&operation_path, &[])?;
            if ended.state != OperationState::Cancelled {
                return Err(e);
            }
            if session.out.json {
                session.out.value(&client::json(&ended)?)
            } else {
                session.out.line("Cancelled, and taken back.")
            }
        }
        Err(e) => Err(e),
    }
}

/// `fluxdb events`: prints until interrupted; comes back where it was when the stream ends.
///
/// # Errors
/// As the API says; the daemon is away at the start.
pub fn events(session: &Session, args: &EventsArgs) -> Result {
    let client = session.client()?;
    let only = args.instance.as_deref().map(|name| instance_id(session, &client, name)).transpose()?;
    let mut last = None::<String>;
    loop {
        match client.stream("/events", last.as_deref(), SILENCE) {
            Ok(stream) => read_events(session, stream, only.as_deref(), &mut last)?,
            // At the start it is an error; later the daemon is waited for.
            Err(e) if last.is_some() && matches!(e.exit, Exit::Unreachable | Exit::TryLater) => {}
            Err(e) => return Err(e),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn read_events(session: &Session, stream: impl std::io::Read, only: Option<&str>, last: &mut Option<String>) -> Result {
    let mut data = String::new();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return Ok(()) }; // cut: the caller comes back
        match line.split_once(':').map(|(field, value)| (field, value.strip_prefix(' ').unwrap_or(value))) {
            Some(("id", value)) => *last = Some(value.to_owned()),
            Some(("data", value)) => data.push_str(value),
            _ if line.is_empty() && !data.is_empty() => {
                print_event(session, &std::mem::take(&mut data), only)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn print_event(session: &Session, data: &str, only: Option<&str>) -> Result {
    let Ok(event) = serde_json::from_str::<Event>(data) else { return Ok(()) };
    let instance = event.instance_id.map(|id: InstanceId| id.to_string());
    if only.is_some() && only != instance.as_deref() {
        return Ok(());
    }
    if session.out.json {
        return session.out.line(data);
    }
    let thing = event.operation_id.map(|id| id.to_string()).or(instance).unwrap_or_default();
    let state = session.out.paint(&event.state);
    session.out.line(
        super::output::clean(&format!("{}  {:<9}  {thing}  ", when(&event.at), event.kind))
            + &state
            + "  "
            + &super::output::clean(&event.detail),
    )
}

fn instance_id(session: &Session, client: &Client, name: &str) -> Result<String> {
    match name.parse::<InstanceId>() {
        Ok(id) => Ok(id.to_string()), // it may be gone; its operations are not
        Err(_) => Ok(session.find(client, name)?.0.id.to_string()),
    }
}
