//! Users of Kafka: a SCRAM password, and access rules by role.

use super::{Broker, FACTS, MARKER_TOPIC};
use crate::{Account, Answer, Call, Cx, Kafka, KafkaAcl, Proof, Role, Users};

const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const CLUSTER: i8 = 4;
const TRANSACTION: i8 = 5;

const ALL: i8 = 2;
const READ: i8 = 3;
const WRITE: i8 = 4;
const CREATE: i8 = 5;
const DESCRIBE: i8 = 8;
const DESCRIBE_CONFIGS: i8 = 10;
const IDEMPOTENT_WRITE: i8 = 12;

/// Everything in topics, groups and transactions. Not ALTER on the cluster, which also changes the passwords of others.
pub(super) const OWNER: &[(i8, i8)] = &[
    (TOPIC, ALL),
    (GROUP, ALL),
    (TRANSACTION, ALL),
    (CLUSTER, CREATE),
    (CLUSTER, DESCRIBE),
    (CLUSTER, DESCRIBE_CONFIGS),
    (CLUSTER, IDEMPOTENT_WRITE),
];

fn rights(role: Role) -> &'static [(i8, i8)] {
    match role {
        Role::Superuser => OWNER,
        Role::Readwrite => &[
            (TOPIC, READ),
            (TOPIC, WRITE),
            (TOPIC, CREATE),
            (TOPIC, DESCRIBE),
            (TOPIC, DESCRIBE_CONFIGS),
            (GROUP, READ),
            (GROUP, DESCRIBE),
            (TRANSACTION, WRITE),
            (TRANSACTION, DESCRIBE),
            (CLUSTER, IDEMPOTENT_WRITE),
        ],
        Role::Read => &[(TOPIC, READ), (TOPIC, DESCRIBE), (GROUP, READ), (GROUP, DESCRIBE)],
        // Messages, settings of topics, offsets of groups and the list of rights.
        Role::Backup => &[
            (TOPIC, READ),
            (TOPIC, DESCRIBE),
            (TOPIC, DESCRIBE_CONFIGS),
            (GROUP, DESCRIBE),
            (CLUSTER, DESCRIBE),
            (CLUSTER, DESCRIBE_CONFIGS),
        ],
    }
}

/// Rules for pairs of resource and operation, on all resources of the kind.
pub(super) fn allow(username: &str, rights: &[(i8, i8)]) -> Vec<Call> {
    let rule = |&(resource, operation): &(i8, i8)| {
        let name = if resource == CLUSTER { "kafka-cluster" } else { "*" };
        Call::kafka(Kafka::Allow(KafkaAcl { username: username.into(), resource, name: name.into(), operation }))
    };
    rights.iter().map(rule).collect()
}

impl Users for Broker {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, _databases: &[String]) -> Vec<Call> {
        let mut calls = vec![
            Call::kafka(Kafka::PutScram(account.clone())),
            Call::kafka(Kafka::DropAcls { username: account.username.clone() }),
        ];
        calls.extend(allow(&account.username, rights(role)));
        calls
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![
            Call::kafka(Kafka::DropAcls { username: username.into() }),
            Call::kafka(Kafka::DropScram(username.into())).tolerating(&["91"]),
        ]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::kafka(Kafka::ScramUsers)]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).filter(|n| n != FACTS.system_user).collect()
    }

    fn proofs(&self, cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let one = |request| vec![Call::kafka(request)];
        let reads = Proof::can("reads messages", one(Kafka::Fetch(MARKER_TOPIC.into())));
        let writes = || one(Kafka::Produce { topic: MARKER_TOPIC.into(), value: "proof".into() });
        let topic = || Kafka::CreateTopic { name: "fluxdb-proof".into(), partitions: 1 };
        let password = || one(Kafka::PutScram(Account { username: "fluxdb-proof".into(), ..cx.user.clone() }));
        let rule = || {
            let username = "fluxdb-proof".into();
            one(Kafka::Allow(KafkaAcl { username, resource: TOPIC, name: "*".into(), operation: READ }))
        };
        match role {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a message", writes()),
                Proof::can(
                    "makes and removes a topic",
                    vec![Call::kafka(topic()), Call::kafka(Kafka::DeleteTopic("fluxdb-proof".into())).not_yet(&["3"])],
                ),
                Proof::cannot("changes passwords", password()),
                Proof::cannot("changes rights", rule()),
            ],
            Role::Readwrite => vec![
                reads,
                Proof::can("writes a message", writes()),
                Proof::can("makes a topic", vec![Call::kafka(topic()).tolerating(&["36"])]),
                Proof::cannot("removes a topic", one(Kafka::DeleteTopic(MARKER_TOPIC.into()))),
                Proof::cannot("changes passwords", password()),
            ],
            Role::Read | Role::Backup => vec![
                reads,
                Proof::cannot("writes a message", writes()),
                Proof::cannot("makes a topic", one(topic())),
                Proof::cannot("changes rights", rule()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_alter_the_cluster() {
        let (delete, alter) = (6, 7);
        let cluster = |role| rights(role).iter().filter(|(r, _)| *r == CLUSTER).map(|(_, o)| *o).collect::<Vec<_>>();
        for role in Role::ALL {
            assert!(!cluster(role).iter().any(|o| [ALL, alter, delete].contains(o)), "{role:?}");
        }
    }
}
