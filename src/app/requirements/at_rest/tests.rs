//! Kernel tables of hosts that there are, as small trees.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::symlink;

use super::*;

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(mounts: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.file("proc/self/mountinfo", &format!("{}\n", mounts.join("\n")));
        tree
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("{text}\n")).unwrap();
    }

    fn link(&self, path: &str, to: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(self.0.path().join(to), path).unwrap();
    }

    /// A device below `/sys/devices`, found by its number and its name.
    fn device(&self, path: &str, number: &str, slaves: &[&str]) {
        let at = format!("sys/devices/{path}");
        self.file(&format!("{at}/dev"), number);
        self.link(&format!("sys/dev/block/{number}"), &at);
        self.link(&format!("sys/class/block/{}", path.rsplit('/').next().unwrap()), &at);
        for slave in slaves {
            let name = slave.rsplit('/').next().unwrap();
            self.link(&format!("{at}/slaves/{name}"), &format!("sys/devices/{slave}"));
        }
    }

    /// A disk with one partition.
    fn disk(&self, name: &str, major: u32) {
        self.device(name, &format!("{major}:0"), &[]);
        self.device(&format!("{name}/{name}1"), &format!("{major}:1"), &[]);
        self.file(&format!("sys/devices/{name}/{name}1/partition"), "1");
    }

    fn mapped(&self, name: &str, number: &str, uuid: &str, slaves: &[&str]) {
        self.device(name, number, slaves);
        self.file(&format!("sys/devices/{name}/dm/uuid"), uuid);
        self.file(&format!("sys/devices/{name}/dm/name"), "volumes");
    }

    #[track_caller]
    fn says(&self, dir: &str, expected: &str) {
        let found = format!("{:?}", of(self.0.path(), Path::new(dir), false));
        assert!(found.starts_with(expected), "{found}, expected {expected}");
    }
}

const ROOT: &str = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw";

#[test]
fn a_plain_disk_is_not_and_luks_is() {
    let tree = Tree::new(&[ROOT, "40 22 253:0 / /srv rw - xfs /dev/mapper/volumes rw"]);
    tree.disk("sda", 8);
    tree.disk("sdb", 9);
    tree.mapped("dm-0", "253:0", "CRYPT-LUKS2-1c7f-volumes", &["sdb/sdb1"]);
    tree.says("/var/lib/containers/storage/volumes", "No(\"sda is a disk");
    tree.says("/srv/volumes", "Yes(\"dm-0 is volumes (dm-crypt, LUKS2)");
    // A longer name is not below it.
    tree.says("/srvx", "No");
    assert!(matches!(of(tree.0.path(), Path::new("/var"), true), AtRest::Yes(how) if how.contains("fscrypt")));
}

#[test]
fn what_lies_on_encryption_is_encrypted_and_what_only_checks_is_not() {
    let tree = Tree::new(&["22 1 253:2 / / rw - ext4 /dev/vg/root rw", "30 22 253:3 / /v rw - ext4 /dev/x rw"]);
    tree.disk("sda", 8);
    tree.mapped("dm-0", "253:0", "CRYPT-LUKS1-aa-pv", &["sda/sda1"]);
    tree.mapped("dm-2", "253:2", "LVM-abcdef", &["dm-0"]);
    tree.mapped("dm-3", "253:3", "CRYPT-VERITY-aa-usr", &["sda/sda1"]);
    tree.says("/x", "Yes(\"dm-0 is volumes (dm-crypt, LUKS1)");
    tree.says("/v/x", "No");
}

#[test]
fn every_part_of_a_raid_must_be_encrypted() {
    for (second, expected) in [("dm-1", "Yes"), ("sdb/sdb1", "No")] {
        let tree = Tree::new(&["22 1 9:127 / / rw - ext4 /dev/md127 rw"]);
        tree.disk("sda", 8);
        tree.disk("sdb", 10);
        tree.mapped("dm-0", "253:0", "CRYPT-LUKS2-a-a", &["sda/sda1"]);
        tree.mapped("dm-1", "253:1", "CRYPT-LUKS2-b-b", &["sdb/sdb1"]);
        tree.device("md127", "9:127", &["dm-0", second]);
        tree.says("/x", expected);
    }
}

#[test]
fn btrfs_is_looked_up_by_its_source_and_all_its_devices_count() {
    for (second, expected) in [("dm-1", "Yes"), ("sdb/sdb1", "No")] {
        let tree = Tree::new(&["22 1 0:31 /@ / rw - btrfs /dev/mapper/volumes rw,subvol=/@"]);
        tree.disk("sda", 8);
        tree.disk("sdb", 9);
        tree.mapped("dm-0", "253:0", "CRYPT-LUKS2-a-a", &["sda/sda1"]);
        tree.mapped("dm-1", "253:1", "CRYPT-LUKS2-b-b", &["sdb/sdb1"]);
        tree.file("dev/dm-0", "");
        tree.link("dev/mapper/volumes", "dev/dm-0");
        tree.link("sys/fs/btrfs/uuid/devices/dm-0", "sys/devices/dm-0");
        let name = second.rsplit('/').next().unwrap();
        tree.link(&format!("sys/fs/btrfs/uuid/devices/{name}"), &format!("sys/devices/{second}"));
        tree.says("/x", expected);
    }
}

#[test]
fn a_loop_device_is_as_its_file_is_and_a_circle_is_seen() {
    let tree =
        Tree::new(&[ROOT, "40 22 7:0 / /var/lib/v rw - ext4 /dev/loop0 rw", "50 22 7:1 / /c rw - ext4 /dev/l rw"]);
    tree.disk("sda", 8);
    tree.device("loop0", "7:0", &[]);
    tree.file("sys/devices/loop0/loop/backing_file", "/images/v.img");
    tree.device("loop1", "7:1", &[]);
    tree.file("sys/devices/loop1/loop/backing_file", "/c/itself");
    tree.says("/var/lib/v/x", "No(\"sda");
    tree.says("/c/x", "Unknown(\"loop1 lies on too many");
}

#[test]
fn other_file_systems_say_what_they_can() {
    let tree = Tree::new(&[
        "22 1 0:21 / / rw - overlay overlay rw,upperdir=/u",
        "23 22 0:22 / /a rw - nfs4 host:/x rw",
        "24 22 0:23 / /t rw - tmpfs tmpfs rw",
        "25 22 0:24 / /z rw - zfs pool/data rw",
        "26 22 0:25 / /e\\040e rw - ecryptfs /home/.x rw",
        "27 22 99:9 / /gone rw - ext4 /dev/gone rw",
    ]);
    tree.says("/x", "Unknown(\"what is below / (overlay)");
    tree.says("/a/x", "Unknown(\"the disk below /a is another machine's (nfs4)");
    tree.says("/t/x", "Unknown");
    tree.says("/z/x", "Zfs(\"pool/data\")");
    tree.says("/e e/x", "Yes(\"ecryptfs at /e e");
    tree.says("/gone/x", "Unknown");
    assert!(matches!(of_zfs(Ok("aes-256-gcm\n".into()), "p"), AtRest::Yes(_)));
    assert!(matches!(of_zfs(Ok("off".into()), "p"), AtRest::No(_)));
    assert!(matches!(of_zfs(Ok("-".into()), "p"), AtRest::Unknown(_)));
    assert!(matches!(of_zfs(Err("no zfs".into()), "p"), AtRest::Unknown(_)));
}
