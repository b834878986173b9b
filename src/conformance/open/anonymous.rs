//! The first words of protocols other than HTTP, sent without an account to every port.

use std::net::IpAddr;

use fluxdb_adapters::Cx;
use futures_util::future::join_all;

use super::{Told, beginning, exchange};

/// What a client without a password sends, and what shows that the server takes it for one with.
struct Probe {
    /// As in a list of open paths.
    name: &'static str,
    bytes: fn(&Cx) -> Vec<Vec<u8>>,
    served: fn(&[u8]) -> bool,
}

const PROBES: &[Probe] = &[
    Probe { name: "RESP INFO", bytes: |_| vec![b"INFO\r\n".to_vec()], served: |a| a.starts_with(b"$") },
    Probe { name: "PostgreSQL startup", bytes: postgres, served: |a| a.starts_with(b"R\0\0\0\x08\0\0\0\0") },
    Probe {
        name: "ClickHouse hello",
        bytes: clickhouse,
        served: |a| a.first() == Some(&0) && contains(a, b"ClickHouse"),
    },
    // The first status and the version come before the login, the second status after it: org.h2.server.TcpServerThread.
    Probe {
        name: "H2 session",
        bytes: h2,
        served: |a| a.starts_with(b"\0\0\0\x01") && a.get(8..12) == Some(b"\0\0\0\x01"),
    },
    Probe { name: "Bolt HELLO", bytes: bolt, served: |a| a.starts_with(b"\0\0\x04\x04") && contains(a, b"\xb1\x70") },
    Probe { name: "Kafka Metadata", bytes: kafka, served: |a| a.get(4..8) == Some(b"FLUX") },
    Probe { name: "CQL STARTUP", bytes: cql, served: |a| a.first() == Some(&0x84) && a.get(4) == Some(&2) },
    Probe { name: "MongoDB listDatabases", bytes: mongo, served: |a| contains(a, b"\x01ok\0\0\0\0\0\0\0\xf0\x3f") },
];

/// Sends everything to the port; what was served.
pub(super) async fn found(host: IpAddr, port: u16, cx: &Cx) -> Vec<Told> {
    let all = PROBES.iter().flat_map(|p| (p.bytes)(cx).into_iter().map(move |bytes| (p, bytes)));
    let tries = all.map(|(probe, bytes)| async move {
        let answer = exchange(host, port, &bytes).await?;
        (probe.served)(&answer).then(|| Told { path: probe.name.into(), what: beginning(&answer) })
    });
    join_all(tries).await.into_iter().flatten().collect()
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|w| w == part)
}

/// The names that a server may trust.
fn names(cx: &Cx) -> Vec<String> {
    let own = [cx.user.username.as_str(), cx.system.username.as_str()];
    let mut all: Vec<String> = own.into_iter().chain(["postgres", "root", "sa", ""]).map(Into::into).collect();
    all.dedup();
    all
}

fn postgres(cx: &Cx) -> Vec<Vec<u8>> {
    let database = cx.database.as_deref().unwrap_or("postgres");
    let message = |name: String| {
        let body = format!("\0\x03\0\0user\0{name}\0database\0{database}\0\0");
        [&u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes()[..], body.as_bytes()].concat()
    };
    names(cx).into_iter().filter(|n| !n.is_empty()).map(message).collect()
}

/// <https://clickhouse.com/docs/native-protocol/client>
fn clickhouse(cx: &Cx) -> Vec<Vec<u8>> {
    let text = |t: &str| [&[u8::try_from(t.len()).unwrap_or(0)][..], t.as_bytes()].concat();
    let hello = |name: &str| {
        // Packet 0; version 18.16 of the client, revision 54412.
        [&[0][..], &text("ClickHouse client"), &[18, 16, 0x8c, 0xa9, 0x03], &text(""), &text(name), &text("")].concat()
    };
    ["default", "", &cx.user.username, &cx.system.username].map(hello).into()
}

/// `org.h2.engine.SessionRemote`: versions, database, URL, name, hash of the password, key of the file, no options; then
/// the session gets its number (12).
fn h2(cx: &Cx) -> Vec<Vec<u8>> {
    let int = |n: i32| n.to_be_bytes().to_vec();
    let text = |t: &str| {
        let units: Vec<u8> = t.encode_utf16().flat_map(u16::to_be_bytes).collect();
        [int(i32::try_from(t.encode_utf16().count()).unwrap_or(0)), units].concat()
    };
    let database = cx.database.as_deref().unwrap_or("test");
    let session = |name: String| {
        let url = format!("jdbc:h2:tcp://localhost/{database};IFEXISTS=TRUE");
        // Without name and password the hash is empty.
        let login = [text(database), text(&url), text(&name.to_uppercase()), int(0), int(-1), int(0)].concat();
        [int(6), int(21), login, int(12), text("f0")].concat()
    };
    names(cx).into_iter().map(session).collect()
}

/// Bolt 4.4, whose HELLO carries the account: <https://neo4j.com/docs/bolt/current/bolt/message/>
fn bolt(_cx: &Cx) -> Vec<Vec<u8>> {
    let mut message = vec![0xb1, 0x01, 0xa2, 0x8a];
    message.extend(b"user_agent\x88fluxdb/1\x86scheme\x84none");
    let size = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
    let handshake = b"\x60\x60\xb0\x17\0\0\x04\x04\0\0\0\0\0\0\0\0\0\0\0\0";
    vec![[&handshake[..], &size, &message, &[0, 0]].concat()]
}

/// Metadata (3), version 1, of all topics. A listener that asks for a password closes the connection.
fn kafka(_cx: &Cx) -> Vec<Vec<u8>> {
    vec![b"\0\0\0\x12\0\x03\0\x01FLUX\0\x04test\xff\xff\xff\xff".to_vec()]
}

/// STARTUP of version 4: READY (2) instead of AUTHENTICATE (3).
fn cql(_cx: &Cx) -> Vec<Vec<u8>> {
    vec![b"\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0".to_vec()]
}

/// OP_MSG with `{listDatabases: 1, $db: "admin"}`.
fn mongo(_cx: &Cx) -> Vec<Vec<u8>> {
    let fields = b"\x10listDatabases\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
    let document = [&u32::try_from(fields.len() + 4).unwrap_or(0).to_le_bytes()[..], fields].concat();
    let length = u32::try_from(16 + 5 + document.len()).unwrap_or(0).to_le_bytes();
    vec![[&length[..], b"\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0", &document].concat()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A probe that no server would answer would find nothing.
    #[test]
    fn messages_are_as_long_as_they_say() {
        let account = |name: &str| fluxdb_adapters::Account {
            username: name.into(),
            password: fluxdb_adapters::Secret::new("p"),
        };
        let engine = fluxdb_adapters::find("postgresql").expect("it is there");
        let cx = Cx {
            version: &engine.facts().versions[0],
            size: fluxdb_adapters::Size { vcpu: 1, memory_mib: 1024, storage_gib: 1 },
            system: account("fluxdb"),
            user: account("admin"),
            database: Some("defaultdb".into()),
            settings: std::collections::BTreeMap::new(),
            advertised: fluxdb_adapters::Advertised { host: "h".into(), ports: vec![1] },
            unique: 1,
        };
        let big = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
        for message in postgres(&cx) {
            assert_eq!(big(&message), message.len());
        }
        let message = &kafka(&cx)[0];
        assert_eq!(big(message), message.len() - 4);
        let message = &cql(&cx)[0];
        assert_eq!(big(&message[5..]), message.len() - 9);
        let message = &mongo(&cx)[0];
        assert_eq!(message[0] as usize, message.len());
        assert_eq!(message[21] as usize, message.len() - 21);
        let message = &bolt(&cx)[0];
        assert_eq!(usize::from(message[21]), message.len() - 24);
        assert_eq!(clickhouse(&cx).len(), 4);
        assert!(h2(&cx)[0].starts_with(&[0, 0, 0, 6, 0, 0, 0, 21, 0, 0, 0, 9, 0, b'd']));
    }
}
