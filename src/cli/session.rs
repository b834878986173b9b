//! What commands share: settings, the client, and finding an instance by its name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::args::{Global, WaitArgs};
use super::client::{self, Answer, Change, Client};
use super::exit::{CliError, Exit, Result};
use super::follow::follow;
use super::output::Out;
use crate::api::{Accepted, Instance, Operation};
use crate::config::{self, Flags, Loaded};
use crate::domain::InstanceId;
use crate::domain::operation::OperationState;

/// One run of the command line.
pub struct Session {
    /// Where results go.
    pub out: Out,
    /// What goes with every command.
    pub global: Global,
    /// The environment.
    pub env: BTreeMap<String, String>,
}

impl Session {
    /// For this process.
    pub fn new(global: Global) -> Self {
        // A variable that is not Unicode cannot be one of ours.
        let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Self { out: Out::new(global.json), global, env: env.collect() }
    }

    /// The configuration, with flags of a command on top.
    ///
    /// # Errors
    /// A configuration that cannot be so.
    pub fn config(&self, flags: &[(&'static str, &'static str, Option<String>)]) -> Result<Loaded> {
        let data_dir = self.global.data_dir.as_ref().map(|dir| dir.display().to_string());
        let mut values: Vec<_> = data_dir.map(|dir| ("--data-dir", "data.dir", dir)).into_iter().collect();
        values.extend(flags.iter().filter_map(|(flag, key, value)| Some((*flag, *key, value.clone()?))));
        config::load(&Flags { config: self.global.config.clone(), values }, &self.env)
            .map_err(|e| CliError::usage(e.to_string()))
    }

    /// A client of the daemon.
    ///
    /// # Errors
    /// A configuration or address that cannot be so.
    pub fn client(&self) -> Result<Client> {
        let client = self.new_client()?;
        if client.exposes_token() {
            self.out.remark(format!("warning: the token is sent to {} without TLS", client.address()));
        }
        Ok(client)
    }

    fn new_client(&self) -> Result<Client> {
        let url = self.global.url.as_deref();
        if url.is_some() && self.env.contains_key("FLUXDB_TOKEN") {
            return Client::new(url, &self.env, "", "".as_ref()); // nothing of this machine is needed
        }
        let config = self.config(&[])?.config;
        let mut listen = config.server.listen;
        if listen.ip().is_unspecified() {
            listen.set_ip(match listen {
                std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        Client::new(url, &self.env, &listen.to_string(), &config.data.admin_token_file())
    }

    /// The instance of this name or id, as the API shows it.
    ///
    /// # Errors
    /// There is none, or the name is used in several projects.
    pub fn find(&self, client: &Client, name: &str) -> Result<(Instance, Answer)> {
        let id = match name.parse::<InstanceId>() {
            Ok(id) => id.to_string(),
            Err(_) => self.id_of(client, name)?,
        };
        let answer = client.get(&format!("/databases/{id}"), &[])?;
        Ok((client::typed(answer.body.clone())?, answer))
    }

    fn id_of(&self, client: &Client, name: &str) -> Result<String> {
        let mut query = vec![("q", name)];
        query.extend(self.global.project.as_deref().map(|p| ("project", p)));
        let found = client.list("/databases", &query, None)?;
        let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let same: Vec<_> = found.iter().filter(|v| text(v, "name") == name).collect();
        match same.as_slice() {
            [one] => Ok(text(one, "id")),
            [] => {
                let place = self.global.project.as_ref().map(|p| format!(" in project {p}")).unwrap_or_default();
                Err(CliError::new(Exit::NotFound, format!("There is no instance {name}{place}."))
                    .note("See: fluxdb list"))
            }
            several => {
                let projects: Vec<_> = several.iter().map(|v| text(v, "project")).collect();
                Err(CliError::usage(format!(
                    "There is an instance {name} in each of the projects {}.",
                    projects.join(", ")
                ))
                .note("Say which with --project"))
            }
        }
    }

    /// Sends a change and follows its operation, as asked. Answers what the API would have answered had it waited.
    ///
    /// # Errors
    /// A refusal, or an operation that fails.
    pub fn change(&self, client: &Client, change: Change<'_>, wait: WaitArgs) -> Result<Accepted> {
        let mut accepted: Accepted = client::typed(client.change(change, &[])?.body)?;
        if wait.waits()
            && let Some(operation) = accepted.operation.take()
        {
            accepted.operation = Some(self.follow(client, operation, wait)?);
            if let Some(instance) = accepted.instance.take() {
                // Gone after a delete, which is as it should be.
                accepted.instance = match client.read(&format!("/databases/{}", instance.id), &[]) {
                    Ok(now) => Some(now),
                    Err(e) if e.exit == Exit::NotFound => None,
                    Err(e) => return Err(e),
                };
            }
        }
        Ok(accepted)
    }

    /// Follows an operation to its end.
    ///
    /// # Errors
    /// It fails, or does not end in time.
    pub fn follow(&self, client: &Client, operation: Operation, wait: WaitArgs) -> Result<Operation> {
        follow(self.out, client, operation, std::time::Duration::from_secs(wait.timeout))
    }

    /// Says what came of a change: JSON, how to follow it, or that it is done.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn report(&self, accepted: &Accepted, done: &str) -> Result {
        if self.out.json {
            return self.out.value(&client::json(accepted)?);
        }
        match &accepted.operation {
            Some(operation) if operation.state != OperationState::Succeeded => {
                self.out.remark(format!("Accepted. Follow it: fluxdb operations follow {}", operation.id));
                self.out.line(operation.id.to_string())
            }
            Some(_) | None => self.out.line(done),
        }
    }
}
