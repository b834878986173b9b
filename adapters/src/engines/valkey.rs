//! Valkey: the Redis family's free branch; differs in names, versions and licence.

use super::redis::{BASE, Resp};
use crate::{Facts, LocalImage, Version};

pub(crate) static ENGINE: Resp =
    Resp { facts: &FACTS, server: "valkey-server", cli: "valkey-cli", password_env: "REDISCLI_AUTH" };

static FACTS: Facts = Facts {
    id: "valkey",
    title: "Valkey",
    license: "BSD-3-Clause: free for any use, also as a service",
    versions: &[
        Version {
            id: "9.1",
            reference: "valkey/valkey:9.1.1",
            end_of_life: "2029-10-31",
            local: Some(LocalImage { suite: "sid" }),
        },
        Version {
            id: "8.1",
            reference: "valkey/valkey:8.1.9",
            end_of_life: "2030-03-31",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version { id: "7.2", reference: "valkey/valkey:7.2.14", end_of_life: "2029-04-16", local: None },
    ],
    default_version: "8.1",
    ..BASE
};
