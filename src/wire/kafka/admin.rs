//! Topics, users, permissions and configuration of a cluster. Versions are those that brokers from 3.0 to 4.x share.

use bytes::Bytes;
use fluxdb_adapters::{Account, KafkaAcl};
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, CreateAclsRequest, CreateTopicsRequest, DeleteAclsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, DescribeUserScramCredentialsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
    MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::connection::Connection;
use super::settle::{self, Settled};
use super::{Rows, good, only, scram};
use crate::wire::fault::Fault;

/// How long the broker may take to carry a change out.
const TIME_MS: i32 = 10_000;

/// SCRAM-SHA-512.
pub(super) const MECHANISM: i8 = 2;

/// A broker, or with an empty name all of them.
const BROKER: i8 = 4;

/// Of ACL filters: any resource, pattern, operation, permission.
pub(super) const ANY: i8 = 1;

/// Of ACLs: the name as it stands.
const LITERAL: i8 = 3;

/// Of ACLs.
const ALLOW: i8 = 3;

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn row(name: &str) -> Vec<Option<String>> {
    vec![Some(name.to_owned())]
}

async fn metadata(broker: &mut Connection, all_topics: bool) -> Result<MetadataResponse, Fault> {
    let request = MetadataRequest::default()
        .with_topics(if all_topics { None } else { Some(Vec::new()) })
        .with_allow_auto_topic_creation(false);
    broker.ask(9, &request).await
}

pub(super) async fn topics(broker: &mut Connection) -> Result<Rows, Fault> {
    let answer = metadata(broker, true).await?;
    Ok(answer.topics.iter().filter_map(|t| t.name.as_ref()).map(|name| row(name.as_str())).collect())
}

pub(super) async fn create_topic(broker: &mut Connection, name: &str, partitions: i32) -> Result<Rows, Fault> {
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIME_MS);
    let result = only(broker.ask(7, &request).await?.topics)?;
    good(result.error_code, result.error_message.as_ref())?;
    Ok(Rows::new())
}

pub(super) async fn delete_topic(broker: &mut Connection, name: &str) -> Result<Rows, Fault> {
    let topic = DeleteTopicState::default().with_name(Some(topic_name(name)));
    let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIME_MS);
    let result = only(broker.ask(6, &request).await?.responses)?;
    good(result.error_code, result.error_message.as_ref())?;
    settle::wait(broker, Settled::NoTopic(name)).await?;
    Ok(Rows::new())
}

async fn alter_scram(
    broker: &mut Connection,
    request: &AlterUserScramCredentialsRequest,
    settled: Settled<'_>,
) -> Result<Rows, Fault> {
    let result = only(broker.ask(0, request).await?.results)?;
    good(result.error_code, result.error_message.as_ref())?;
    settle::wait(broker, settled).await?;
    Ok(Rows::new())
}

/// How often the password of a dropped user is hashed: more often than any other, so that it is told by that.
///
/// A dropped user is not removed but gets a password that nobody knows. Brokers up to 4.1 lose *every* user at their next
/// start when a user was removed since the last snapshot of their metadata (seen on 4.1; `ScramDelta.apply` of that time
/// forgets the mechanism when the first user that it meets is a removed one).
const DROPPED_ITERATIONS: u32 = 16_384;

pub(super) async fn put_scram(broker: &mut Connection, account: &Account) -> Result<Rows, Fault> {
    upsert(broker, &account.username, scram::keep(&account.password)).await
}

async fn upsert(broker: &mut Connection, username: &str, kept: scram::Kept) -> Result<Rows, Fault> {
    let iterations = kept.iterations.cast_signed();
    let credential = ScramCredentialUpsertion::default()
        .with_name(text(username))
        .with_mechanism(MECHANISM)
        .with_iterations(iterations)
        .with_salt(Bytes::copy_from_slice(&kept.salt))
        .with_salted_password(Bytes::copy_from_slice(&kept.salted_password));
    let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![credential]);
    alter_scram(broker, &request, Settled::Scram(username, iterations)).await
}

pub(super) async fn drop_scram(broker: &mut Connection, username: &str) -> Result<Rows, Fault> {
    if !scram_users(broker).await?.contains(&row(username)) {
        // RESOURCE_NOT_FOUND
        return Err(Fault::Refused("91".into(), "there is no such user".into()));
    }
    upsert(broker, username, scram::unusable(DROPPED_ITERATIONS)).await
}

pub(super) async fn scram_users(broker: &mut Connection) -> Result<Rows, Fault> {
    let answer = broker.ask(0, &DescribeUserScramCredentialsRequest::default().with_users(None)).await?;
    good(answer.error_code, answer.error_message.as_ref())?;
    let dropped = DROPPED_ITERATIONS.cast_signed();
    let there = answer.results.iter().filter(|r| !r.credential_infos.iter().all(|c| c.iterations == dropped));
    Ok(there.map(|r| row(r.user.as_str())).collect())
}

pub(super) fn principal(username: &str) -> StrBytes {
    text(&format!("User:{username}"))
}

pub(super) async fn allow(broker: &mut Connection, acl: &KafkaAcl) -> Result<Rows, Fault> {
    let creation = AclCreation::default()
        .with_resource_type(acl.resource)
        .with_resource_name(text(&acl.name))
        .with_resource_pattern_type(LITERAL)
        .with_principal(principal(&acl.username))
        .with_host(text("*"))
        .with_operation(acl.operation)
        .with_permission_type(ALLOW);
    let request = CreateAclsRequest::default().with_creations(vec![creation]);
    let result = only(broker.ask(2, &request).await?.results)?;
    good(result.error_code, result.error_message.as_ref())?;
    settle::wait(broker, Settled::Allowed(acl)).await?;
    Ok(Rows::new())
}

pub(super) async fn drop_acls(broker: &mut Connection, username: &str) -> Result<Rows, Fault> {
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(ANY)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(ANY)
        .with_principal_filter(Some(principal(username)))
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    let request = DeleteAclsRequest::default().with_filters(vec![filter]);
    let result = only(broker.ask(2, &request).await?.filter_results)?;
    good(result.error_code, result.error_message.as_ref())?;
    for acl in result.matching_acls {
        good(acl.error_code, acl.error_message.as_ref())?;
    }
    settle::wait(broker, Settled::NoAcls(username)).await?;
    Ok(Rows::new())
}

pub(super) async fn configs(broker: &mut Connection, name: Option<&str>) -> Result<Rows, Fault> {
    let node = only(metadata(broker, false).await?.brokers)?.node_id.0;
    let resource = DescribeConfigsResource::default()
        .with_resource_type(BROKER)
        .with_resource_name(text(&node.to_string()))
        .with_configuration_keys(name.map(|name| vec![text(name)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let result = only(broker.ask(4, &request).await?.results)?;
    good(result.error_code, result.error_message.as_ref())?;
    let shown = |value: &StrBytes| value.as_str().to_owned();
    Ok(result.configs.iter().map(|c| vec![Some(shown(&c.name)), c.value.as_ref().map(shown)]).collect())
}

pub(super) async fn set_config(broker: &mut Connection, name: &str, value: &str) -> Result<Rows, Fault> {
    // Operation 0 sets.
    let config =
        AlterableConfig::default().with_name(text(name)).with_config_operation(0).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default().with_resource_type(BROKER).with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let result = only(broker.ask(1, &request).await?.responses)?;
    good(result.error_code, result.error_message.as_ref())?;
    settle::wait(broker, Settled::Config(name, value)).await?;
    Ok(Rows::new())
}
