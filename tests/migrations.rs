//! The schema goes forward and back without loss, and a file that cannot be trusted is refused.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fluxdb::domain::ErrorKind;
use fluxdb::store::Store;
use fluxdb::store::migrate::{MIGRATIONS, migrate_down, newest};
use rusqlite::Connection;

const HALF_WAY: &str = "FLUXDB_TEST_MIGRATE_HALF_WAY";

fn temp() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fluxdb.sqlite");
    (dir, path)
}

/// What the file says about itself, in an order that does not depend on history.
fn schema(path: &Path) -> Vec<(String, String, String)> {
    let db = Connection::open(path).unwrap();
    let mut statement = db
        .prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2")
        .unwrap();
    statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

fn version(path: &Path) -> u32 {
    Connection::open(path).unwrap().pragma_query_value(None, "user_version", |r| r.get(0)).unwrap()
}

#[test]
fn up_down_up_is_the_same_as_up() {
    let (_dir, path) = temp();
    drop(Store::open(&path, 1).unwrap());
    let fresh = schema(&path);
    assert!(!fresh.is_empty());
    for to in (0..newest()).rev() {
        migrate_down(&path, to).unwrap();
        assert_eq!(version(&path), to);
    }
    assert!(schema(&path).is_empty(), "the way back leaves nothing: {:?}", schema(&path));
    drop(Store::open(&path, 1).unwrap());
    assert_eq!(schema(&path), fresh);
    assert_eq!(version(&path), newest());
}

#[test]
fn a_file_of_any_age_ends_like_a_fresh_one() {
    let (_dir, fresh) = temp();
    drop(Store::open(&fresh, 1).unwrap());
    for age in 0..=newest() {
        let (_dir, path) = temp();
        drop(Store::open(&path, 1).unwrap());
        migrate_down(&path, age).unwrap();
        drop(Store::open(&path, 1).unwrap());
        assert_eq!(schema(&path), schema(&fresh), "from {age}");
    }
}

#[test]
fn numbers_have_no_gaps_and_every_file_is_known() {
    for (at, migration) in MIGRATIONS.iter().enumerate() {
        assert_eq!(migration.number as usize, at + 1);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut names: Vec<String> = std::fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".sql"))
        .collect();
    names.sort();
    let mut known: Vec<String> = MIGRATIONS
        .iter()
        .flat_map(|m| [format!("{:03}_{}.sql", m.number, m.name), format!("{:03}_{}.down.sql", m.number, m.name)])
        .collect();
    known.sort();
    assert_eq!(names, known);
}

#[test]
fn every_table_and_index_bears_the_modules_prefix() {
    let module: serde_json::Value = serde_json::from_str(include_str!("../module.json")).unwrap();
    let prefix = module["table_prefix"].as_str().unwrap();
    let (_dir, path) = temp();
    drop(Store::open(&path, 1).unwrap());
    let schema = schema(&path);
    for (kind, name, _) in &schema {
        assert!(name.starts_with(prefix), "{kind} {name}");
    }
    for asked in ["instances", "snapshots", "backups", "metrics", "health_history", "credentials", "users", "databases"]
    {
        assert!(schema.iter().any(|(k, n, _)| k == "table" && *n == format!("{prefix}{asked}")), "{asked}");
    }
}

#[test]
fn a_copy_from_before_is_whole_and_private() {
    let (dir, path) = temp();
    drop(Store::open(&path, 1).unwrap());
    assert!(!dir.path().join("fluxdb.sqlite.before-001").exists(), "there was nothing to copy");
    let db = Connection::open(&path).unwrap();
    db.execute(r#"INSERT INTO "620600_databases_meta" VALUES ('k', 'v')"#, []).unwrap();
    drop(db);
    migrate_down(&path, 0).unwrap();
    let copy = dir.path().join(format!("fluxdb.sqlite.before-{:03}", newest()));
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let value: String = Connection::open(&copy)
        .unwrap()
        .query_row(r#"SELECT value FROM "620600_databases_meta" WHERE key = 'k'"#, [], |r| r.get(0))
        .unwrap();
    assert_eq!(value, "v");
    drop(Store::open(&path, 1).unwrap());
    let copy = dir.path().join("fluxdb.sqlite.before-001");
    assert!(schema(&copy).is_empty(), "the copy from before the step forward");
}

#[test]
fn a_damaged_file_is_refused_and_the_copy_is_named() {
    let (dir, path) = temp();
    drop(Store::open(&path, 1).unwrap());
    migrate_down(&path, 0).unwrap();
    drop(Store::open(&path, 1).unwrap());
    let whole = std::fs::read(&path).unwrap();
    let cases: [(&str, Vec<u8>); 3] = [
        ("not a database", b"this is not a database at all, whatever its name says".repeat(100)),
        ("overwritten pages", [&whole[..4096], &vec![0xAA; whole.len() - 4096][..]].concat()),
        ("cut short", whole[..whole.len() / 2].to_vec()),
    ];
    for (case, bytes) in cases {
        for beside in ["fluxdb.sqlite-wal", "fluxdb.sqlite-shm"] {
            if dir.path().join(beside).exists() {
                std::fs::remove_file(dir.path().join(beside)).unwrap();
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(&path, 1).err().unwrap_or_else(|| panic!("{case} was accepted"));
        assert_eq!((error.kind, error.code), (ErrorKind::Internal, "store_corrupt"), "{case}: {error:?}");
        assert!(error.public.contains(&format!("fluxdb.sqlite.before-{:03}", newest())), "{case}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{case}: left as it was for whoever repairs it");
    }
}

#[test]
fn a_file_from_the_future_is_refused() {
    let (_dir, path) = temp();
    drop(Store::open(&path, 1).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let error = Store::open(&path, 1).err().unwrap();
    assert_eq!(error.code, "store_newer");
    assert!(error.public.contains("999"), "{error}");
}

#[test]
fn a_place_where_nothing_can_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = Store::open(&dir.path().join("file/fluxdb.sqlite"), 1).err().unwrap();
    assert_eq!(error.code, "store_unreachable");
}

#[test]
fn kill_in_the_middle_of_a_step_leaves_the_state_before_it() {
    let (_dir, path) = temp();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "half_a_step_then_wait", "--ignored", "--nocapture"])
        .env(HALF_WAY, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let half_way = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).any(|l| l == "half way");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(half_way, "the child never came to the middle");
    assert_eq!(version(&path), 0);
    assert!(schema(&path).is_empty());
    drop(Store::open(&path, 1).unwrap());
    assert_eq!(version(&path), newest());
}

/// The child of the test above: half a step in an open transaction, then it waits to be killed (a minute at most).
#[test]
#[ignore = "only as a child of another test"]
#[allow(clippy::print_stdout)]
fn half_a_step_then_wait() {
    let Some(path) = std::env::var_os(HALF_WAY) else { return };
    let mut db = Connection::open(PathBuf::from(path)).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "cache_size", 1).unwrap(); // so that pages reach the file before the commit
    let tx = db.transaction().unwrap();
    let up = MIGRATIONS[0].up;
    let half = up[..up.len() / 2].rfind(";\n").unwrap() + 1;
    tx.execute_batch(&up[..half]).unwrap();
    println!("\nhalf way");
    std::thread::sleep(std::time::Duration::from_secs(60));
}
