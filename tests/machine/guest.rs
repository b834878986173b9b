//! A machine with systemd and cgroup v2 under qemu: booted for one test, its disk thrown away afterwards.

use std::cell::Cell;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Software emulation on a busy host; nothing here takes so long that works.
const BOOT_LIMIT: Duration = Duration::from_secs(400);

pub struct Guest {
    child: Child,
    made: PathBuf,
    pub place: tempfile::TempDir,
    port: u16,
}

impl Guest {
    /// Boots it with fluxdb and these images in /srv.
    pub fn boot(images: &[&str]) -> Self {
        let made = std::env::var_os("FLUXDB_TEST_MACHINE").expect("made by scripts/test machine");
        let made = PathBuf::from(made);
        let place = tempfile::Builder::new().prefix("fluxdb-machine-").tempdir_in("/var/tmp").unwrap();
        let cargo = place.path().join("cargo.tar");
        pack(place.path(), &cargo, images);
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let file = |name: &str| made.join(name).display().to_string();
        let console = place.path().join("console.log");
        let child = Command::new("qemu-system-x86_64")
            // One processor: with more, software emulation can run code that the kernel is just patching, and it panics.
            .args(["-accel", "tcg", "-cpu", "max", "-m", "3072", "-smp", "1", "-display", "none"])
            .args(["-serial", &format!("file:{}", console.display())])
            .args(["-kernel", &file("vmlinuz"), "-initrd", &file("initrd")])
            .args(["-append", "root=/dev/vda rw console=ttyS0 quiet"])
            .args(["-drive", &format!("file={},format=raw,if=virtio,snapshot=on", file("disk.img"))])
            .args(["-drive", &format!("file={},format=raw,if=virtio,readonly=on", cargo.display())])
            .args(["-netdev", &format!("user,id=n0,hostfwd=tcp:127.0.0.1:{port}-:22")])
            .args(["-device", "virtio-net,netdev=n0"])
            .env("TMPDIR", place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("qemu-system-x86_64, which scripts/test machine installs");
        let mut guest = Self { child, made, place, port };
        let started = Instant::now();
        while !guest.try_run("root", "true", 15).status.success() {
            assert!(guest.child.try_wait().unwrap().is_none(), "the machine ended: {}", guest.console());
            assert!(started.elapsed() < BOOT_LIMIT, "the machine does not answer: {}", guest.console());
            std::thread::sleep(Duration::from_secs(1));
        }
        guest.run("root", "tar -xf /dev/vdb -C /srv && chmod -R a+rX /srv");
        guest
    }

    /// Reboots it; its disk stays as it is.
    pub fn reboot(&self) {
        let boot = |guest: &Self| {
            let output = guest.try_run("root", "cat /proc/sys/kernel/random/boot_id", 15);
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let before = boot(self).expect("it answers");
        // The connection may end before the command does.
        let _ = self.try_run("root", "sync; systemctl reboot", 30);
        let started = Instant::now();
        while boot(self).is_none_or(|now| now == before) {
            assert!(started.elapsed() < BOOT_LIMIT, "the machine does not come back: {}", self.console());
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn console(&self) -> String {
        let text = std::fs::read(self.place.path().join("console.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// An ssh command, without its destination.
    pub fn ssh(&self, limit_secs: u32) -> Command {
        let key = self.made.join("key");
        let mut command = Command::new("timeout");
        command
            .args([
                &limit_secs.to_string(),
                "ssh",
                "-q",
                "-i",
                &key.display().to_string(),
                "-p",
                &self.port.to_string(),
            ])
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "ConnectTimeout=10"])
            .stdin(Stdio::null());
        command
    }

    fn try_run(&self, user: &str, script: &str, limit_secs: u32) -> Output {
        self.ssh(limit_secs).arg(format!("{user}@127.0.0.1")).arg(script).output().unwrap()
    }

    /// What a script of this user prints, who is logged in as a person would be.
    #[track_caller]
    pub fn run(&self, user: &str, script: &str) -> String {
        let output = self.try_run(user, script, 300);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{user}: {script}: {}\n{out}\n{err}", output.status);
        out.trim().to_owned()
    }

    /// Starts fluxdb under the user's own service manager, and waits until it answers.
    pub fn serve(&self, user: &str, images: &[&str]) {
        for image in images {
            self.run(user, &format!("podman load -q -i /srv/{}.tar", file_name(image)));
        }
        self.run(
            user,
            "mkdir -p ~/data && cat > ~/data/config.toml <<'END'\n\
             [images]\npull = false\nbuild = false\n\
             [admission]\nmemory_overcommit = 100.0\ncpu_overcommit = 100.0\nEND\n\
             systemd-run -q --user --unit=fluxdb /srv/fluxdb --data-dir ~/data serve\n\
             for i in $(seq 100); do /srv/fluxdb --data-dir ~/data status > /dev/null 2>&1 && exit 0; sleep 0.5; done\n\
             journalctl --user -u fluxdb --no-pager | tail -n 20; exit 1",
        );
    }

    /// What a command of fluxdb prints.
    #[track_caller]
    pub fn fluxdb(&self, user: &str, arguments: &str) -> String {
        self.run(user, &format!("/srv/fluxdb --data-dir ~/data {arguments}"))
    }

    /// An instance, once it runs and is up.
    #[track_caller]
    pub fn settled(&self, user: &str, name: &str) -> Value {
        let started = Instant::now();
        loop {
            let instance = self.json(user, &format!("show {name}"));
            if instance["state"] == "RUNNING" && instance["health"] == "UP" {
                return instance;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{instance:#}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// The same, as the API's JSON.
    #[track_caller]
    pub fn json(&self, user: &str, arguments: &str) -> Value {
        let text = self.fluxdb(user, &format!("--json {arguments}"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments}: {e}: {text}"))
    }
}

thread_local! {
    /// The machine of this test ended by a panic of its own kernel.
    static KERNEL_PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test, once more where the emulated kernel itself broke down: that says nothing of us. Any other failure is one.
pub fn on_a_sound_machine(test: fn()) {
    let Err(failure) = std::panic::catch_unwind(test) else { return };
    if !KERNEL_PANICKED.replace(false) {
        std::panic::resume_unwind(failure);
    }
    eprintln!("the machine's kernel panicked; once more on another machine");
    test();
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            KERNEL_PANICKED.set(self.console().contains("Kernel panic - not syncing"));
            eprintln!("the machine's console ends: {}", self.console());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An archive that is the machine's second disk: it needs no file system of its own.
fn pack(place: &Path, archive: &Path, images: &[&str]) {
    let stage = place.join("cargo");
    std::fs::create_dir(&stage).unwrap();
    let done = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    done(Command::new("strip").arg("-o").arg(stage.join("fluxdb")).arg(env!("CARGO_BIN_EXE_fluxdb")));
    for image in images {
        let file = stage.join(format!("{}.tar", file_name(image)));
        done(Command::new("podman").args(["save", "-q", "-o"]).arg(file).arg(image));
    }
    done(Command::new("tar").arg("-cf").arg(archive).arg("-C").arg(&stage).arg("."));
    std::fs::remove_dir_all(&stage).unwrap();
}

fn file_name(image: &str) -> String {
    image.rsplit('/').next().unwrap_or(image).replace(':', "-")
}
