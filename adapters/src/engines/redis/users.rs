//! Users inside the Redis family. They count in the whole server: it cannot tell its numbered databases apart.

use super::accounts::{hashed, rules};
use super::{BASE, Resp};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// Writes the access file in the volume: a file of its own, moved to its place when it is on the disk.
pub(super) fn save() -> Call {
    Call::resp(&["ACL", "SAVE"])
}

impl Users for Resp {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, _databases: &[String]) -> Vec<Call> {
        let hash = hashed(account);
        // SETUSER only adds: `reset` takes away what was before.
        let mut words = vec!["ACL", "SETUSER", &account.username, "reset", "on", &hash];
        words.extend(rules(cx, role));
        vec![Call::resp(&words), save()]
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        // `default` cannot be removed; without anything it is off.
        let removed = match username {
            "default" => Call::resp(&["ACL", "SETUSER", username, "reset"]),
            _ => Call::resp(&["ACL", "DELUSER", username]),
        };
        vec![removed, save()]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::resp(&["ACL", "USERS"]), Call::resp(&["ACL", "GETUSER", "default"])]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let [users, default] = answers else { return Vec::new() };
        // A list of names and values, or a map of them.
        let flags = default.json().pointer("/flags").or_else(|| default.json().pointer("/1"));
        let off = flags.and_then(|f| f.as_array()).is_some_and(|f| f.iter().any(|f| f == "off"));
        let all = users.json().as_array().into_iter().flatten().filter_map(|n| n.as_str());
        all.filter(|n| *n != BASE.system_user && !(off && *n == "default")).map(str::to_owned).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let one = |words: &[&str]| vec![Call::resp(words)];
        let writes = one(&["SET", "fluxdb:proof", "1"]);
        let reads = Proof::can("reads a key", one(&["GET", "fluxdb:proof"]));
        let makes_user = Proof::cannot("makes a user", one(&["ACL", "SETUSER", "fluxdb-proof"]));
        let configures = Proof::cannot("changes a setting", one(&["CONFIG", "SET", "hz", "10"]));
        match role {
            Role::Superuser => vec![
                Proof::can("writes a key", writes),
                reads,
                Proof::can("reads settings", one(&["CONFIG", "GET", "maxmemory"])),
                Proof::can("reads the slow log", one(&["SLOWLOG", "GET", "1"])),
                Proof::can("lists connections", one(&["CLIENT", "LIST"])),
                makes_user,
                configures,
                Proof::cannot("changes replication", one(&["REPLICAOF", "NO", "ONE"])),
                Proof::cannot("lists modules", one(&["MODULE", "LIST"])),
            ],
            Role::Readwrite => vec![
                Proof::can("writes a key", writes),
                reads,
                Proof::can(
                    "makes and drops a key",
                    vec![
                        Call::resp(&["RPUSH", "fluxdb:proof:list", "a", "b"]),
                        Call::resp(&["DEL", "fluxdb:proof:list"]),
                    ],
                ),
                makes_user,
                configures,
                Proof::cannot("lists connections", one(&["CLIENT", "LIST"])),
            ],
            Role::Read => vec![
                reads,
                Proof::can("scans keys", one(&["SCAN", "0"])),
                Proof::cannot("writes a key", writes),
                Proof::cannot("empties the database", one(&["FLUSHDB"])),
                makes_user,
                configures,
            ],
            Role::Backup => vec![
                Proof::can("scans keys", one(&["SCAN", "0"])),
                Proof::can("dumps a key", one(&["DUMP", "fluxdb:proof"])),
                Proof::can("asks when the data was saved", one(&["LASTSAVE"])),
                Proof::cannot("writes a key", writes),
                Proof::cannot("empties the database", one(&["FLUSHDB"])),
                makes_user,
            ],
        }
    }
}
