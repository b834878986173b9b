//! Starting, stopping, restarting and deleting: the intent is written, the operation does the rest.

use std::sync::Arc;

use fluxdb_adapters::Repair;
use serde::Serialize;
use serde_json::json;

use super::App;
use super::accept::{Asked, no_instance};
use super::actions::{self, Action};
use super::caller::Caller;
use crate::api::Accepted;
use crate::domain::instance::Desired;
use crate::domain::operation::OperationKind;
use crate::domain::{Error, InstanceId, Result};
use crate::ops::core::masked;
use crate::ops::restart::{RestartParams, no_repair};
use crate::store::instances;

impl App {
    /// Starts a stopped instance.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` with the reason, `Capacity`, `Unavailable`.
    pub async fn start_instance(self: &Arc<Self>, caller: &Caller, id: InstanceId) -> Result<Accepted> {
        let record = self.look(caller, id, |e| Ok(e.record.clone()))?;
        // While it was stopped its memory may have been promised to others.
        if record.desired == Desired::Stopped {
            let host = self.core.refresh_host_if_unknown().await?;
            self.admission(&record, &host, Some(id)).await?.require(&record.sku)?;
        }
        self.change_desired(caller, id, Action::Start, OperationKind::Start, Desired::Running, ()).await
    }

    /// Stops an instance; its data and its port stay.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` with the reason, `Unavailable`.
    pub async fn stop_instance(self: &Arc<Self>, caller: &Caller, id: InstanceId) -> Result<Accepted> {
        self.change_desired(caller, id, Action::Stop, OperationKind::Stop, Desired::Stopped, ()).await
    }

    /// Stops it and brings it up again.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` with the reason, `Unavailable`.
    pub async fn restart_instance(self: &Arc<Self>, caller: &Caller, id: InstanceId) -> Result<Accepted> {
        let params = RestartParams::default();
        self.change_desired(caller, id, Action::Restart, OperationKind::Restart, Desired::Running, params).await
    }

    /// Stops it, gives the server the account and password again with which fluxdb logs in, and brings it up: for when the server
    /// refuses fluxdb, whatever was done inside.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` with the reason (`no_account_repair` where the engine has no way), `Unavailable`.
    pub async fn repair_account(self: &Arc<Self>, caller: &Caller, id: InstanceId) -> Result<Accepted> {
        let record = self.look(caller, id, |e| Ok(e.record.clone()))?;
        let cx = record.cx(&self.endpoint_host(&record), masked(), masked())?;
        if let Repair::Never(why) = record.engine()?.repair(&cx).map_err(Error::internal)? {
            return Err(no_repair(why));
        }
        let params = RestartParams { repair_account: true };
        self.change_desired(caller, id, Action::Restart, OperationKind::Restart, Desired::Running, params).await
    }

    /// Removes an instance with its data.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` while it is protected or busy, `Unavailable`.
    pub async fn delete_instance(self: &Arc<Self>, caller: &Caller, id: InstanceId) -> Result<Accepted> {
        self.change_desired(caller, id, Action::Delete, OperationKind::Delete, Desired::Deleted, ()).await
    }

    async fn change_desired(
        self: &Arc<Self>,
        caller: &Caller,
        id: InstanceId,
        action: Action,
        kind: OperationKind,
        desired: Desired,
        params: impl Serialize,
    ) -> Result<Accepted> {
        self.require_writable(caller).await?;
        let record = self.look(caller, id, |e| {
            actions::require(e, action)?;
            Ok(e.record.clone())
        })?;
        let params = match serde_json::to_value(params).map_err(Error::internal)? {
            serde_json::Value::Null => json!({}),
            params => params,
        };
        let asked = Asked {
            kind,
            instance: Some(id),
            project: record.project.clone(),
            audit: json!({ "name": record.name, "params": params }),
            params,
        };
        let (operation, record) = self
            .accept(caller, asked, move |tx| {
                let mut record = instances::find(tx, id)?.ok_or_else(no_instance)?;
                // Once more on what is in the store: protection may have been switched on meanwhile.
                if desired == Desired::Deleted && record.deletion_protection {
                    return Err(Error::conflict("deletion_protected", "The instance is protected from deletion."));
                }
                record.desired = desired;
                record.last_error = None;
                instances::update(tx, &mut record)?;
                Ok(Some(record))
            })
            .await?;
        if let Some(record) = record {
            self.core.announce_instance(&record, if desired == Desired::Deleted { "DELETING" } else { "UPDATING" }, "");
        }
        Ok(self.accepted(operation, Some(id)).await)
    }
}
