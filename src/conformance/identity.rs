//! A copy of a template shares no secret and no identifier with another copy: two instances, compared file by file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fluxdb_adapters::{Account, Answer};

use super::rig::{CALL_LIMIT, Other};
use super::scan::{self, Found};
use super::{Rig, Verdict, failed, not_offered};
use crate::domain::conformance::Outcome;
use crate::domain::container::Names;
use crate::domain::{Error, Result};
use crate::ops::template;

/// Shorter files say nothing.
const SHORTEST: u64 = 16;
/// A key is not larger.
const LARGEST_KEY: u64 = 1 << 20;
/// An identifier of fewer bytes is found in every file.
const SHORTEST_IDENTIFIER: usize = 8;

/// Makes a second instance and compares; the second goes in any case.
pub(super) async fn identity(rig: &mut Rig) -> Verdict {
    if rig.engine.seed().is_none() {
        return not_offered("no data directory of it is copied: each server initialises its own");
    }
    if rig.record()?.image_reference.is_empty() || rig.volume(rig.instance()?.id).await?.is_none() {
        return not_offered("the volumes are on another machine");
    }
    let other = rig.another().await?;
    let verdict = compared(rig, &other).await;
    let removed = rig.remove_other(other.id).await;
    let outcome = verdict?;
    removed?;
    Ok(outcome)
}

async fn compared(rig: &Rig, other: &Other) -> Verdict {
    let ids = [rig.instance()?.id, other.id];
    let mut wrong = Vec::new();
    let mut volumes = Vec::new();
    for id in ids {
        let Some(volume) = rig.volume(id).await? else { return not_offered("the volumes are on another machine") };
        volumes.push(volume);
    }
    let [ours, theirs] = [identifiers(rig, ids[0]).await?, identifiers(rig, ids[1]).await?];
    if ours.is_empty() {
        wrong.push("the adapter names no identifier that a copy has to have of its own".to_owned());
    }
    for (at, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        if a == b {
            wrong.push(format!("both answer {a:?} to question {at} about their identity"));
        }
    }
    let (a, b) = (volumes[0].clone(), volumes[1].clone());
    let work = move || -> std::io::Result<Vec<String>> {
        let mut wrong = same_keys(&a, &b)?;
        wrong.extend(strangers(&a, &theirs)?);
        wrong.extend(strangers(&b, &ours)?);
        Ok(wrong)
    };
    let found = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    wrong.extend(found.map_err(|e| Error::internal(e).context("the files of a volume"))?);
    for id in ids {
        wrong.extend(template_password(rig, id).await?);
    }
    if wrong.is_empty() { Ok(Outcome::Passed) } else { failed(wrong.join("; ")) }
}

/// What a server says it is: every first value of the adapter's questions.
async fn identifiers(rig: &Rig, id: crate::domain::InstanceId) -> Result<Vec<String>> {
    let core = &rig.app.core;
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    let cx = core.cx(&record).await?;
    let answers = core.talk(&record, &cx.system, None, &rig.engine.identifiers(&cx), CALL_LIMIT).await?;
    let first = |a: &Answer| a.first().map(|text| text.trim().to_owned()).filter(|t| t.len() >= SHORTEST_IDENTIFIER);
    answers.iter().map(|a| first(a).ok_or_else(|| Error::internal(format!("no identifier: {a:?}")))).collect()
}

/// Equal files that look like keys, certificates or identifiers.
fn same_keys(a: &Path, b: &Path) -> std::io::Result<Vec<String>> {
    let theirs: BTreeMap<String, Found> = scan::files(b, &[])?.into_iter().map(|f| (f.name.clone(), f)).collect();
    let mut wrong = Vec::new();
    for ours in scan::files(a, &[])? {
        let Some(other) = theirs.get(&ours.name) else { continue };
        let size = ours.about.len();
        if !(SHORTEST..=LARGEST_KEY).contains(&size) || other.about.len() != size {
            continue;
        }
        let (Ok(text), Ok(same)) = (std::fs::read(&ours.path), std::fs::read(&other.path)) else { continue };
        if text == same && (names_identity(&ours.name) || is_key(&text)) {
            wrong.push(format!("{} is the same in both", ours.name));
        }
    }
    Ok(wrong)
}

/// Names under which servers keep keys, certificates and identifiers.
fn names_identity(name: &str) -> bool {
    const ENDS: [&str; 12] =
        [".key", ".pem", ".crt", ".cer", ".der", ".jks", ".p12", ".pfx", ".keystore", ".truststore", ".uuid", "_id"];
    const NAMES: [&str; 10] = [
        "auto.cnf",
        "meta.properties",
        "server_id",
        "server_uuid",
        "server-uuid",
        "uuid",
        "cluster_id",
        "node_id",
        "node.id",
        "machine-id",
    ];
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end)) || name.contains("keystore")
}

fn is_key(text: &[u8]) -> bool {
    let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    has(b"-----BEGIN") && (has(b"KEY-----") || has(b"CERTIFICATE-----"))
}

/// Files that hold what another server is known by.
fn strangers(volume: &Path, identifiers: &[String]) -> std::io::Result<Vec<String>> {
    let wanted: Vec<Vec<u8>> = identifiers.iter().flat_map(|id| spellings(id)).collect();
    let mut wrong = Vec::new();
    for file in scan::files(volume, &[])? {
        if !scan::holds(&file.path, &wanted)?.is_empty() {
            wrong.push(format!("{} holds an identifier of the other server", file.name));
        }
    }
    Ok(wrong)
}

/// An identifier as it may stand in a file: as text, as a number of 64 bits, as the bytes that its hexadecimal digits are.
fn spellings(identifier: &str) -> Vec<Vec<u8>> {
    let mut all = vec![identifier.as_bytes().to_vec()];
    if let Ok(number) = identifier.parse::<u64>() {
        all.extend([number.to_le_bytes().to_vec(), number.to_be_bytes().to_vec()]);
    }
    let digits: Vec<u8> = identifier.bytes().filter(|b| *b != b'-').collect();
    if digits.len() >= 32 && digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit) {
        let pairs = digits.chunks(2).filter_map(|p| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok());
        all.extend([pairs.collect(), digits]);
    }
    all
}

/// The password that every copy begins with opens none of them.
async fn template_password(rig: &Rig, id: crate::domain::InstanceId) -> Result<Option<String>> {
    let core = &rig.app.core;
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    let mut wrong = None;
    for row in core.store.read(crate::store::templates::all).await? {
        let password = template::password(core, &row.id).await?;
        let account = Account { username: rig.engine.facts().system_user.to_owned(), password };
        match core.talk(&record, &account, None, &[rig.engine.ping()], CALL_LIMIT).await {
            Err(e) if e.code == "login_refused" => {}
            Ok(_) => wrong = Some("the template's password still opens a copy".to_owned()),
            Err(e) => wrong = Some(format!("the template's password was not refused: {}", e.story())),
        }
    }
    Ok(wrong)
}

impl Rig {
    /// The directory with the files of an instance's volume; `None` where they are not on this machine.
    pub(super) async fn volume(&self, id: crate::domain::InstanceId) -> Result<Option<PathBuf>> {
        self.podman().volume_directory(&Names::new(&self.app.core.owner, id).volume()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_identifiers_are_known_by_name_or_content() {
        for name in ["data/server-key.pem", "auto.cnf", "kafka/meta.properties", "certs/x.KEY", "a/keystore.v2", "uuid"]
        {
            assert!(names_identity(name), "{name}");
        }
        for name in ["ibdata1", "base/1/2601", "monkey", "PG_VERSION", "keys.txt"] {
            assert!(!names_identity(name), "{name}");
        }
        assert!(is_key(b"x\n-----BEGIN RSA PRIVATE KEY-----\nAA") && !is_key(b"-----BEGIN"));
    }

    #[test]
    fn identifiers_are_looked_for_in_every_spelling() {
        let number = 7_300_000_000_000_000_001_u64;
        assert!(spellings(&number.to_string()).contains(&number.to_le_bytes().to_vec()));
        let uuid = spellings("00112233-4455-6677-8899-aabbccddeeff");
        assert!(uuid.contains(&(0..16).map(|n| n * 0x11).collect()), "{uuid:?}");
        assert_eq!(spellings("SCRAM-SHA-256$4096:x").len(), 1);
    }

    #[test]
    fn volumes_that_share_a_key_or_a_number_are_told_apart_from_those_that_do_not() {
        let (a, b) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let write = |dir: &tempfile::TempDir, name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).expect("write");
        };
        write(&a, "catalogue", b"the same in every one of them");
        write(&b, "catalogue", b"the same in every one of them");
        write(&a, "ca-key.pem", b"one secret of its own");
        write(&b, "ca-key.pem", b"two secret of its own");
        assert!(same_keys(a.path(), b.path()).expect("read").is_empty());
        write(&b, "ca-key.pem", b"one secret of its own");
        assert_eq!(same_keys(a.path(), b.path()).expect("read"), ["ca-key.pem is the same in both"]);
        let number = 7_300_000_000_000_000_001_u64;
        assert!(strangers(b.path(), &[number.to_string()]).expect("read").is_empty());
        write(&b, "control", &[b"xxx".as_slice(), &number.to_le_bytes(), b"yyy"].concat());
        assert_eq!(strangers(b.path(), &[number.to_string()]).expect("read").len(), 1);
    }
}
