//! Users inside MongoDB: all are made in `admin`, each with the built-in roles of its databases.

use serde_json::{Value, json};

use super::{FACTS, Mongodb, admin, command, write_error};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

fn role(name: &str, database: &str) -> Value {
    json!({"role": name, "db": database})
}

/// All data, indexes and statistics. Not `userAdminAnyDatabase`: who may make users can make itself root.
pub(super) fn owner_roles() -> Vec<Value> {
    ["readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor"].map(|name| role(name, "admin")).into()
}

/// 51003 = there is such a user; it is brought to the same by the second command.
pub(super) fn put(account: &Account, roles: &[Value]) -> Vec<Call> {
    let rest = [("pwd", json!(account.password.expose())), ("roles", json!(roles))];
    let name = json!(account.username);
    vec![admin("createUser", &name, &rest).tolerating(&["51003"]), admin("updateUser", &name, &rest)]
}

impl Users for Mongodb {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, _cx: &Cx, account: &Account, wanted: Role, databases: &[String]) -> Vec<Call> {
        let each = |name: &str| databases.iter().map(|d| role(name, d)).collect::<Vec<_>>();
        let roles = match wanted {
            Role::Superuser => owner_roles(),
            Role::Readwrite => each("readWrite"),
            Role::Read => each("read"),
            // What mongodump needs: everything in every database, users and roles among it.
            Role::Backup => vec![role("backup", "admin")],
        };
        put(account, &roles)
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        // 11 = no such user. Data belongs to nobody.
        vec![admin("dropUser", &json!(username), &[]).tolerating(&["11"])]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![admin("usersInfo", &json!(1), &[])]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let all = answers.iter().filter_map(|a| a.json().pointer("/users")?.as_array()).flatten();
        all.filter_map(|u| u.pointer("/user")?.as_str())
            .filter(|n| *n != FACTS.system_user)
            .map(str::to_owned)
            .collect()
    }

    fn proofs(&self, _cx: &Cx, wanted: Role, _database: &str) -> Vec<Proof> {
        let find = |collection: &str| command("find", &json!(collection), &[("limit", json!(1))]);
        let insert = || {
            let documents = [("documents", json!([{"value": "proof"}]))];
            vec![command("insert", &json!("fluxdb_marker"), &documents).checked(write_error)]
        };
        let reads = Proof::can("reads documents", vec![find("fluxdb_marker")]);
        let makes_collection = || vec![command("create", &json!("fluxdb_proof"), &[]).tolerating(&["48"])];
        let makes_user = Proof::cannot(
            "makes a user",
            vec![admin("createUser", &json!("fluxdb_proof"), &[("pwd", json!("proof")), ("roles", json!([]))])],
        );
        let configures =
            Proof::cannot("changes a setting", vec![admin("setParameter", &json!(1), &[("quiet", json!(false))])]);
        let elsewhere = Proof::cannot("reads another database", vec![find("proof").in_database("fluxdb_elsewhere")]);
        match wanted {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a document", insert()),
                Proof::can(
                    "makes and drops a database",
                    vec![
                        command("create", &json!("proof"), &[]).in_database("fluxdb_proof").tolerating(&["48"]),
                        command("dropDatabase", &json!(1), &[]).in_database("fluxdb_proof"),
                    ],
                ),
                Proof::can("reads the server's state", vec![admin("serverStatus", &json!(1), &[])]),
                makes_user,
                configures,
            ],
            Role::Readwrite => vec![
                reads,
                Proof::can("writes a document", insert()),
                Proof::can(
                    "makes and drops a collection",
                    makes_collection()
                        .into_iter()
                        .chain([command("drop", &json!("fluxdb_proof"), &[]).tolerating(&["26"])])
                        .collect(),
                ),
                elsewhere,
                makes_user,
                configures,
            ],
            Role::Read => vec![
                reads,
                Proof::cannot("writes a document", insert()),
                Proof::cannot("makes a collection", makes_collection()),
                elsewhere,
                makes_user,
            ],
            Role::Backup => vec![
                reads,
                Proof::can("lists databases", vec![admin("listDatabases", &json!(1), &[])]),
                Proof::cannot("writes a document", insert()),
                Proof::cannot("makes a collection", makes_collection()),
                makes_user,
            ],
        }
    }
}
