//! A full disk below a volume and below the state: small file systems in files, never the machine's own. Needs root.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fluxdb::api::{Instance, State, UpdateSettings};
use fluxdb::domain::InstanceId;
use fluxdb::domain::operation::OperationState;
use fluxdb::store::{Store, meta};
use fluxdb_adapters::Call;

use crate::lifecycle::write_and_check;
use crate::world::{World, caller, sh};

/// Runs a script as it is; panics with its words when it fails.
#[track_caller]
fn must(script: &str) -> String {
    let output = std::process::Command::new("sh").args(["-euc", script]).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn make_disk(dir: &Path, mib: u32) -> PathBuf {
    let image = dir.join("disk.img");
    // Without blocks that are kept for root: full is full.
    must(&format!("truncate -s {mib}M {0}; mkfs.ext4 -q -F -m 0 {0}", image.display()));
    image
}

/// Moves the volume of an instance to a disk of its own, of so many MiB.
async fn on_a_small_disk(world: &World, id: InstanceId, dir: &Path, mib: u32) {
    let stop = world.app.stop_instance(&caller(), id).await.unwrap();
    world.succeeded(stop.operation.unwrap().id).await;
    let (image, volume) = (make_disk(dir, mib), world.names(id).volume());
    let owner = &world.app.core.owner;
    must(&format!(
        "podman rm -f {container} > /dev/null
         from=$(podman volume inspect --format '{{{{.Mountpoint}}}}' {volume})
         cp -a \"$from\" {dir}/data
         podman volume rm {volume} > /dev/null
         podman volume create --label fluxdb.owner={owner} --label fluxdb.instance={id} \
           --opt type=ext4 --opt device={image} --opt o=loop {volume} > /dev/null
         to=$(podman volume mount {volume})
         rmdir \"$to/lost+found\"
         cp -a {dir}/data/. \"$to/\"
         chown --reference={dir}/data \"$to\"; chmod --reference={dir}/data \"$to\"
         podman volume unmount {volume} > /dev/null
         rm -rf {dir}/data",
        container = world.names(id).container(),
        dir = dir.display(),
        image = image.display(),
    ));
    let start = world.app.start_instance(&caller(), id).await.unwrap();
    world.succeeded(start.operation.unwrap().id).await;
}

/// Fills the volume to its last block.
fn fill(world: &World, id: InstanceId, path: &str) {
    let container = world.names(id).container();
    let dd = |size: &str| format!("dd if=/dev/zero of={path}/filler.{size} bs={size} 2>/dev/null || true; sync");
    must(&format!("podman exec {container} sh -c '{}; {}'", dd("1M"), dd("1k")));
    let free = must(&format!("podman exec {container} df --output=avail {path} | tail -1"));
    assert!(free.trim().parse::<u64>().unwrap() < 16, "{free} KiB are free");
}

/// Gives the room back, from outside.
fn empty(world: &World, id: InstanceId) {
    let volume = world.names(id).volume();
    must(&format!("rm $(podman volume inspect --format '{{{{.Mountpoint}}}}' {volume})/filler.*"));
}

async fn put(world: &World, id: InstanceId, name: &str, value: &str) -> (OperationState, String) {
    let settings = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let accepted = world.app.update_settings(&caller(), id, UpdateSettings { settings }).await.unwrap();
    let op = world.ended(accepted.operation.unwrap().id).await;
    (op.state, op.error.map(|e| e.detail).unwrap_or_default())
}

/// Running again with the settings from before, and answering.
async fn as_before(world: &World, instance: &Instance, check: &[Call]) {
    world.until("it runs", |app| app.instance_view(instance.id).is_some_and(|i| i.state == State::Running)).await;
    assert!(world.app.core.registry.record(instance.id).unwrap().settings.is_empty());
    world.query(instance, check).await.unwrap();
}

fn loops(image: &Path) -> String {
    sh(&format!("losetup --list --noheadings --output BACK-FILE | grep {}", image.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_on_a_full_disk_keeps_its_settings_and_can_be_deleted() {
    let (world, dir) = (World::start().await, tempfile::tempdir().unwrap());
    let instance = world.created("demo", "postgresql", "B1s").await;
    let (write, check) = write_and_check("postgresql");
    world.query(&instance, &write).await.unwrap();
    on_a_small_disk(&world, instance.id, dir.path(), 200).await;
    fill(&world, instance.id, "/var/lib/postgresql");

    // At its last block PostgreSQL may let nobody in any more, or run on; what fluxdb says and does fits either.
    let (state, detail) = put(&world, instance.id, "work_mem", "8192").await;
    println!("work_mem on the full disk: {state:?} {detail}");
    assert_eq!(state, OperationState::Failed);
    assert!(detail.contains("no space left on the disk that holds its volume"), "{detail}");
    let view = world.app.instance_view(instance.id).unwrap();
    let advised = view.last_error.is_some_and(|e| e.detail.contains("free some there"));
    assert!(view.state == State::Running || advised, "{:?}", view.state);
    assert!(
        world.app.core.registry.record(instance.id).unwrap().settings.is_empty(),
        "the settings are those from before"
    );

    // With room again it comes back by itself.
    empty(&world, instance.id);
    as_before(&world, &instance, &check).await;
    fill(&world, instance.id, "/var/lib/postgresql");
    world.deleted(instance.id).await;
    assert_eq!(loops(&dir.path().join("disk.img")), "", "the disk is let go");
    world.end().await;
}

/// The case that filled a host: a redo log that the disk has no room for, taken over while the server runs.
#[tokio::test(flavor = "multi_thread")]
async fn mariadb_gets_its_old_redo_log_back_when_the_new_one_fills_the_disk() {
    let (world, dir) = (World::start().await, tempfile::tempdir().unwrap());
    let instance = world.created("demo", "mariadb", "B1s").await;
    let (write, check) = write_and_check("mariadb");
    world.query(&instance, &write).await.unwrap();
    on_a_small_disk(&world, instance.id, dir.path(), 400).await;
    fill(&world, instance.id, "/var/lib/mysql");

    let (state, detail) = put(&world, instance.id, "innodb_log_file_size", "2048").await;
    println!("a redo log without room: {state:?} {detail}");
    assert_eq!(state, OperationState::Failed, "{detail}");
    assert!(detail.contains("no space left on the disk that holds its volume"), "{detail}");
    as_before(&world, &instance, &check).await;
    world.deleted(instance.id).await;
    assert_eq!(loops(&dir.path().join("disk.img")), "");
    world.end().await;
}

/// The state of fluxdb itself: refused with a word, whole, and usable again as soon as there is room.
#[tokio::test]
async fn a_full_disk_below_the_state_refuses_changes_and_damages_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (image, mount) = (make_disk(dir.path(), 16), dir.path().join("state"));
    must(&format!("mkdir {0}; mount -o loop {1} {0}", mount.display(), image.display()));
    let path = mount.join("fluxdb.sqlite");
    let written = async {
        let store = Store::open(&path, 1).unwrap();
        store.write(|tx| meta::set(tx, "kept", "yes")).await.unwrap();
        sh(&format!("dd if=/dev/zero of={}/filler bs=1k", mount.display()));
        let mut refused = 0;
        for n in 0..40 {
            let text = format!("{n}").repeat(20_000);
            match store.write(move |tx| meta::set(tx, &format!("k{n}"), &text)).await {
                Ok(()) => {}
                Err(e) => {
                    assert_eq!(e.code, "store_full", "{e:?}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "it was not full");
        let kept = store.read(|db| meta::get(db, "kept")).await.unwrap();
        assert_eq!(kept.as_deref(), Some("yes"), "reading goes on");
        std::fs::remove_file(mount.join("filler")).unwrap();
        store.write(|tx| meta::set(tx, "after", "yes")).await.unwrap();
    };
    written.await;
    // The last clone is closed; opening checks the whole file.
    let again = Store::open(&path, 1);
    let read = match &again {
        Ok(store) => store.read(|db| meta::get(db, "after")).await.ok().flatten(),
        Err(_) => None,
    };
    drop(again);
    sh(&format!("umount {}", mount.display()));
    assert_eq!(read.as_deref(), Some("yes"));
}
