//! KeyDB: a threaded branch of Redis 6.2; differs in names, version, threads, and the older access rules.

use super::redis::{BASE, Resp};
use crate::{Facts, Stop, Version};

pub(crate) static ENGINE: Resp =
    Resp { facts: &FACTS, server: "keydb-server", cli: "keydb-cli", password_env: "REDISCLI_AUTH" };

static FACTS: Facts = Facts {
    id: "keydb",
    title: "KeyDB",
    license: "BSD-3-Clause: free for any use, also as a service",
    versions: &[
        // The last commit upstream is of April 2024; no release came after 6.3.4.
        Version { id: "6.3", reference: "eqalpha/keydb:x86_64_v6.3.4", end_of_life: "2024-04-30", local: None },
    ],
    default_version: "6.3",
    stop: Stop { says: Some("ready to exit, bye bye"), ..BASE.stop },
    caveats: &[
        "Upstream is silent since 2024: faults found in Redis since then are not mended here. Prefer Valkey",
        "There are no scripts and no HyperLogLogs here: known faults that lead from them to code in the server are not mended",
        "Databases are numbers: users and their rights count in all of them",
        "Access rules are those of Redis 6.2: a reader is known by its commands, not by its keys",
        "The access file is not waited for by ACL SAVE: a crash of the machine in the same second may lose a new user",
        "The image is for amd64 only",
    ],
    ..BASE
};
