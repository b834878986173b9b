//! Promises of the vault.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn vault() -> Vault {
    Vault::with_key([7; 32], "a test")
}

fn nothing(_: &str) -> Option<OsString> {
    None
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("s.sqlite"), 1).unwrap();
        Self { dir, store }
    }

    async fn open(&self) -> Result<Arc<Vault>> {
        Vault::open_with(&self.store, self.dir.path(), None, &nothing).await
    }

    fn key_file(&self) -> PathBuf {
        self.dir.path().join(MASTER_KEY_FILE)
    }
}

#[test]
fn what_is_sealed_opens_under_its_own_context_only() {
    let vault = vault();
    let secret = Secret::new("s3cret-päss");
    let sealed = vault.seal("credential:1:user:app", &secret).unwrap();
    assert_eq!(vault.open_sealed("credential:1:user:app", &sealed).unwrap(), secret);
    assert_eq!(vault.open_sealed("credential:2:user:app", &sealed).unwrap_err().code, "master_key_mismatch");
    assert_ne!(vault.seal("credential:1:user:app", &secret).unwrap(), sealed, "never the same twice");
    assert!(!sealed.windows(6).any(|w| w == b"s3cret"));
}

#[test]
fn a_changed_byte_a_short_text_and_another_key_are_refused() {
    let vault = vault();
    let sealed = vault.seal("c", &Secret::new("x")).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(vault.open_sealed("c", &changed).is_err(), "byte {at}");
    }
    for length in 0..sealed.len() {
        assert!(vault.open_sealed("c", &sealed[..length]).is_err());
    }
    let other = Vault::with_key([8; 32], "the file /other");
    let error = other.open_sealed("c", &sealed).unwrap_err();
    assert!(error.code == "master_key_mismatch" && error.public.contains("the file /other"), "{error}");
}

#[test]
fn debug_shows_nothing() {
    assert_eq!(format!("{:?}", vault()), "Vault(***)");
}

#[tokio::test]
async fn hashing_is_counted_right_or_wrong() {
    let vault = vault();
    let hash = vault.hash_password(&Secret::new("pw")).await.unwrap();
    assert!(vault.verify_password(&Secret::new("pw"), &hash).await.unwrap());
    assert!(!vault.verify_password(&Secret::new("no"), &hash).await.unwrap());
    assert_eq!(vault.hashes(), 3);
}

#[tokio::test]
async fn the_first_start_makes_a_private_key_and_later_ones_use_it() {
    let world = World::new();
    let sealed = world.open().await.unwrap().seal("c", &Secret::new("x")).unwrap();
    let mode = world.key_file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(world.open().await.unwrap().open_sealed("c", &sealed).unwrap().expose(), "x");
}

#[tokio::test]
async fn a_key_that_is_gone_or_another_is_found_at_start() {
    let world = World::new();
    world.open().await.unwrap();
    let whole = std::fs::read(world.key_file()).unwrap();
    std::fs::remove_file(world.key_file()).unwrap();
    assert_eq!(world.open().await.unwrap_err().code, "master_key_missing", "never a new key for old secrets");
    write_private(&world.key_file(), &"ab".repeat(32)).unwrap();
    let error = world.open().await.unwrap_err();
    assert_eq!(error.code, "master_key_mismatch");
    assert!(error.public.contains(MASTER_KEY_FILE) && !error.story().contains("abab"), "{error:?}");
    for bad in ["", "xyz", &"ab".repeat(31), &"zz".repeat(32)] {
        write_private(&world.key_file(), bad).unwrap();
        assert_eq!(world.open().await.unwrap_err().code, "master_key_invalid");
    }
    std::fs::write(world.key_file(), whole).unwrap();
    world.open().await.unwrap();
}

#[tokio::test]
async fn a_key_that_others_may_read_is_refused() {
    let world = World::new();
    world.open().await.unwrap();
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(world.key_file(), PermissionsExt::from_mode(mode)).unwrap();
        let error = world.open().await.unwrap_err();
        assert!(error.code == "master_key_exposed" && error.public.contains("chmod 600"), "{error}");
    }
}

#[tokio::test]
async fn a_named_file_is_never_made() {
    let world = World::new();
    let named = world.dir.path().join("elsewhere.key");
    let open = || Vault::open_with(&world.store, world.dir.path(), Some(&named), &nothing);
    assert_eq!(open().await.unwrap_err().code, "master_key_missing");
    write_private(&named, &"cd".repeat(32)).unwrap();
    open().await.unwrap();
    assert!(!world.key_file().exists());
}

#[tokio::test]
async fn the_environment_comes_first_then_the_service_managers_credential() {
    let world = World::new();
    let credentials = world.dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join(MASTER_KEY_CREDENTIAL), "cd".repeat(32)).unwrap();
    let directory = credentials.clone().into_os_string();
    let variable = move |name: &str| match name {
        MASTER_KEY_VARIABLE => Some("ab".repeat(32).into()),
        "CREDENTIALS_DIRECTORY" => Some(directory.clone()),
        _ => None,
    };
    let opened = Vault::open_with(&world.store, world.dir.path(), None, &variable).await.unwrap();
    assert!(opened.source.contains(MASTER_KEY_VARIABLE));
    let credential = move |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| credentials.clone().into_os_string());
    let error = Vault::open_with(&world.store, world.dir.path(), None, &credential).await.unwrap_err();
    assert!(error.code == "master_key_mismatch" && error.public.contains(MASTER_KEY_CREDENTIAL), "{error}");
    assert!(!world.key_file().exists());
}

/// Run by hand: `cargo test --lib vault::tests::memory -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a promise"]
#[allow(clippy::print_stderr)]
async fn memory_and_time_of_hashes() {
    let resident_kib = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let vault = vault();
    let before = resident_kib();
    let began = std::time::Instant::now();
    let secret = Secret::new("pw");
    for _ in 0..10 {
        let both = futures_util::future::join(vault.hash_password(&secret), vault.hash_password(&secret)).await;
        both.0.and(both.1).unwrap();
    }
    let (took, after) = (began.elapsed() / 20, resident_kib());
    eprintln!("a hash takes {took:?}; resident before {before} KiB, after {after} KiB");
}
