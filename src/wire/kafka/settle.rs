//! A change is answered when the cluster's log has it; the broker itself follows a moment later. Waiting for that here
//! spares everybody a login or a question that comes too early.

use std::time::{Duration, Instant};

use fluxdb_adapters::KafkaAcl;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{DescribeAclsRequest, DescribeUserScramCredentialsRequest};

use super::admin::{self, ANY, text};
use super::connection::Connection;
use crate::wire::fault::Fault;

/// After this it is taken for settled: the next request says what is wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the broker is to know.
pub(super) enum Settled<'a> {
    /// That a topic is gone.
    NoTopic(&'a str),
    /// How often a user's password is hashed, which is how it tells a new one from an old one.
    Scram(&'a str, i32),
    /// A permission.
    Allowed(&'a KafkaAcl),
    /// That a user is allowed nothing.
    NoAcls(&'a str),
    /// The value of a setting.
    Config(&'a str, &'a str),
}

/// Waits for it, for as long as the broker answers.
pub(super) async fn wait(broker: &mut Connection, what: Settled<'_>) -> Result<(), Fault> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && !seen(broker, &what).await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn seen(broker: &mut Connection, what: &Settled<'_>) -> Result<bool, Fault> {
    Ok(match what {
        Settled::NoTopic(name) => {
            let row = vec![Some((*name).to_owned())];
            !admin::topics(broker).await?.contains(&row)
        }
        Settled::Scram(username, iterations) => {
            let user = UserName::default().with_name(text(username));
            let request = DescribeUserScramCredentialsRequest::default().with_users(Some(vec![user]));
            let answer = broker.ask(0, &request).await?;
            let kept = answer.results.iter().flat_map(|r| &r.credential_infos);
            kept.filter(|c| c.mechanism == admin::MECHANISM).any(|c| c.iterations == *iterations)
        }
        Settled::Allowed(acl) => {
            let asked = of_user(&acl.username)
                .with_resource_type_filter(acl.resource)
                .with_resource_name_filter(Some(text(&acl.name)))
                .with_operation(acl.operation);
            let answer = broker.ask(2, &asked).await?;
            // Without a right to ask, there is nothing to wait for.
            answer.error_code != 0 || !answer.resources.is_empty()
        }
        Settled::NoAcls(username) => broker.ask(2, &of_user(username)).await?.resources.is_empty(),
        Settled::Config(name, value) => {
            let row = vec![Some((*name).to_owned()), Some((*value).to_owned())];
            admin::configs(broker, Some(name)).await?.contains(&row)
        }
    })
}

/// Whatever this user is allowed.
fn of_user(username: &str) -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(ANY)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(ANY)
        .with_principal_filter(Some(admin::principal(username)))
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY)
}
