//! TimescaleDB: PostgreSQL with an extension; differs in names, versions, user and licence. Only the Apache edition may be sold as a service.

use super::postgresql::{BASE, CAVEAT_BACKUP, CAVEAT_ROLES, CAVEAT_SHARED, Postgresql};
use crate::{Category, Facts, Floor, LocalImage, Template, User, Version};

pub(crate) static ENGINE: Postgresql =
    Postgresql { facts: &FACTS, preload: Some("timescaledb"), extension: Some("timescaledb") };

/// Version ids are PostgreSQL's majors, as in the tags of the official image.
static FACTS: Facts = Facts {
    id: "timescaledb",
    title: "TimescaleDB",
    category: Category::TimeSeries,
    license: "Apache-2.0 (the -oss image): free for any use, also as a service. The Timescale License of the other edition forbids that",
    versions: &[
        Version {
            id: "18",
            reference: "timescale/timescaledb:2.28.2-pg18-oss",
            end_of_life: "2030-11-14",
            local: Some(LocalImage { suite: "sid" }),
        },
        Version {
            id: "17",
            reference: "timescale/timescaledb:2.28.2-pg17-oss",
            end_of_life: "2029-11-08",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version {
            id: "16",
            reference: "timescale/timescaledb:2.28.2-pg16-oss",
            end_of_life: "2028-11-09",
            local: None,
        },
        Version {
            id: "15",
            reference: "timescale/timescaledb:2.28.2-pg15-oss",
            end_of_life: "2027-11-11",
            local: None,
        },
    ],
    user: User { uid: 70, gid: 70 }, // the official image is made of Alpine's postgres image
    floor: Floor { memory_mib: 512, pids: 256, nofile: 4096 },
    templates: &[
        Template {
            name: "postgresql.conf",
            // Before PostgreSQL's, so that what the user sets comes last.
            source: concat!(
                include_str!("../../../config_templates/timescaledb/head.conf.j2"),
                include_str!("../../../config_templates/postgresql/postgresql.conf.j2")
            ),
        },
        Template { name: "pg_hba.conf", source: include_str!("../../../config_templates/postgresql/pg_hba.conf.j2") },
    ],
    caveats: &[
        CAVEAT_ROLES,
        CAVEAT_BACKUP,
        CAVEAT_SHARED,
        "Apache edition: hypertables, chunks and time_bucket; no compression, continuous aggregates, retention policies or jobs",
        "Locally built images have the version of TimescaleDB that their Debian suite has",
    ],
    ..BASE
};
