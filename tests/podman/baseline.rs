//! What holds a server in: identity, capabilities, file system, limits and ports, as the kernel has them.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::Duration;

use fluxdb::api::Instance;
use fluxdb::domain::host::HostLimits;
use fluxdb_adapters::{Cx, FILES_DIR, Size, budget};

use crate::world::{World, sh};

/// One running container.
struct Inside {
    name: String,
    pid: String,
}

impl Inside {
    fn of(world: &World, instance: &Instance) -> Self {
        let name = world.names(instance.id).container();
        let pid = sh(&format!("podman inspect --format '{{{{.State.Pid}}}}' {name}"));
        assert!(pid.parse::<u32>().is_ok_and(|p| p > 0), "{name} does not run: {pid}");
        Self { name, pid }
    }

    fn exec(&self, command: &str) -> String {
        sh(&format!("podman exec {} sh -c '{command}' 2>&1; echo \"exit $?\"", self.name))
    }

    /// Path of its control group, by controller (cgroup v1).
    fn cgroups(&self) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(format!("/proc/{}/cgroup", self.pid)).unwrap();
        let line = |l: &str| {
            let mut parts = l.splitn(3, ':').skip(1).map(str::to_owned);
            let (controllers, path) = (parts.next().unwrap(), parts.next().unwrap());
            controllers.split(',').map(|c| (c.to_owned(), path.clone())).collect::<Vec<_>>()
        };
        text.lines().flat_map(line).collect()
    }

    fn cgroup_file(&self, controller: &str, file: &str) -> String {
        let path = self.cgroups().remove(controller).unwrap_or_else(|| panic!("no controller {controller}"));
        let path = format!("/sys/fs/cgroup/{controller}{path}/{file}");
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")).trim().to_owned()
    }

    fn processes(&self) -> Vec<String> {
        self.cgroup_file("pids", "cgroup.procs").lines().map(str::to_owned).collect()
    }
}

fn status_of(pid: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    text.lines().filter_map(|l| l.split_once(':')).map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect()
}

fn assert_powerless(inside: &Inside, uid: u32, gid: u32) {
    let processes = inside.processes();
    assert!(processes.contains(&inside.pid));
    for pid in &processes {
        let status = status_of(pid);
        if status.is_empty() {
            continue; // a worker that ended meanwhile
        }
        for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set} of {}", status["Name"]);
        }
        assert_eq!(status["NoNewPrivs"], "1", "{}", status["Name"]);
        assert_eq!(status["Seccomp"], "2", "{}", status["Name"]);
        let same = |id: u32| format!("{id}\t{id}\t{id}\t{id}");
        assert_eq!((&status["Uid"], &status["Gid"]), (&same(uid), &same(gid)), "{}", status["Name"]);
        assert!(!status["Groups"].split_whitespace().any(|g| g == "0"), "root's group: {}", status["Groups"]);
    }
}

fn assert_file_system(inside: &Inside, instance: &Instance) {
    for place in ["/", "/etc", "/usr/bin", "/var/lib"] {
        let answer = inside.exec(&format!("touch {place}/fluxdb-test"));
        assert!(answer.contains("Read-only file system"), "{place}: {answer}");
    }
    let facts = fluxdb_adapters::find(&instance.engine).unwrap().facts();
    let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", inside.pid)).unwrap();
    let mount = |path: &str| {
        let found = mounts.lines().map(|l| l.split(' ').collect::<Vec<_>>()).rfind(|m| m[1] == path);
        found.unwrap_or_else(|| panic!("{path} is not mounted:\n{mounts}"))
    };
    let root = mount("/");
    assert!(root[3].split(',').any(|o| o == "ro"), "{root:?}");
    for path in facts.tmpfs.iter().map(|t| t.path).chain([FILES_DIR]) {
        let seen = mount(path);
        assert_eq!(seen[2], "tmpfs", "{seen:?}");
        for option in ["nosuid", "nodev", "noexec"] {
            assert!(seen[3].split(',').any(|o| o == option), "{option} is not in {seen:?}");
        }
    }
    for tmpfs in facts.tmpfs {
        let size = format!("size={}k", budget::tmpfs_mib(tmpfs.size_mib, instance.size.memory_mib) * 1024);
        assert!(mount(tmpfs.path)[3].contains(&size), "{size}: {:?}", mount(tmpfs.path));
    }
    let volume = mount(facts.volume_path);
    for option in ["rw", "nosuid", "nodev"] {
        assert!(volume[3].split(',').any(|o| o == option), "{option} is not in {volume:?}");
    }
    let refused = inside.exec(&format!("echo x >> {FILES_DIR}/{}", facts.templates[0].name));
    assert!(!refused.contains("exit 0"), "files may be written: {refused}");
}

/// The port is published on loopback alone.
fn assert_published_on_loopback_only(inside: &Inside, instance: &Instance) {
    let port = instance.endpoint.port;
    let ports = sh(&format!("podman port {}", inside.name));
    assert!(ports.ends_with(&format!("127.0.0.1:{port}")) && ports.lines().count() == 1, "{ports}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    for address in sh("hostname -I").split_whitespace() {
        let to = match address.parse::<std::net::IpAddr>() {
            Ok(ip) => std::net::SocketAddr::new(ip, port),
            Err(_) => continue,
        };
        let reached = TcpStream::connect_timeout(&to, Duration::from_secs(2));
        assert!(reached.is_err(), "reached from {to}");
    }
}

/// The limits in the kernel's own files (cgroup v1), and that the API says the same.
fn assert_limits(inside: &Inside, instance: &Instance) {
    let number = |controller: &str, file: &str| inside.cgroup_file(controller, file).parse::<u64>().unwrap();
    let memory = u64::from(instance.size.memory_mib) << 20;
    let series = &instance.sku[..1];
    let shares = match series {
        "B" => 512,
        "D" | "E" => 1024,
        "F" => 2048,
        other => panic!("a series {other}?"),
    };
    assert_eq!(number("memory", "memory.limit_in_bytes"), memory);
    let reservation = u64::from(instance.size.memory_mib / 10 * 9) << 20;
    let swap = if matches!(series, "E" | "F") { memory } else { 2 * memory };
    assert_eq!(number("memory", "memory.memsw.limit_in_bytes"), swap);
    assert_eq!(number("cpu", "cpu.shares"), shares);
    assert_eq!(number("cpu", "cpu.cfs_period_us"), 100_000);
    assert_eq!(number("cpu", "cpu.cfs_quota_us"), 100_000 * u64::from(instance.size.vcpu));
    let engine = fluxdb_adapters::find(&instance.engine).unwrap();
    let size =
        Size { vcpu: instance.size.vcpu, memory_mib: instance.size.memory_mib, storage_gib: instance.size.storage_gib };
    let version = engine.facts().version(&instance.version).unwrap();
    let cx = Cx::sized(engine.facts(), version, size, Default::default());
    let pids = u64::from(budget::host_share(engine, &cx).pids);
    assert_eq!(number("pids", "pids.max"), pids);
    let score: i32 =
        std::fs::read_to_string(format!("/proc/{}/oom_score_adj", inside.pid)).unwrap().trim().parse().unwrap();
    if series == "E" {
        assert_eq!(number("memory", "memory.swappiness"), 0);
        assert_eq!(number("memory", "memory.soft_limit_in_bytes"), reservation);
        if may_lower_oom_scores() {
            assert_eq!(score, -500);
        } else {
            // Root in a container without CAP_SYS_RESOURCE: it starts, and the API says what is missing.
            assert!(score >= 0, "{score}");
            assert!(instance.limits.reason.as_ref().is_some_and(|r| r.contains("OOM score")), "{:?}", instance.limits);
        }
    } else {
        assert!(score >= 0, "{score}");
    }

    let limits = &instance.limits;
    assert!(limits.enforced, "{:?}", limits.reason);
    let effective = HostLimits {
        memory_bytes: Some(memory),
        memory_swap_bytes: Some(swap),
        swappiness: Some(number("memory", "memory.swappiness")),
        memory_reservation_bytes: (series == "E").then_some(reservation),
        cpu_quota_us: Some(100_000 * u64::from(instance.size.vcpu)),
        cpu_shares: Some(shares),
        pids: Some(pids),
        oom_score_adj: Some(score),
    };
    assert_eq!(limits.effective, effective);
}

fn may_lower_oom_scores() -> bool {
    let caps = u64::from_str_radix(&status_of("self")["CapEff"], 16).unwrap();
    caps >> 24 & 1 == 1 // CAP_SYS_RESOURCE
}

async fn holds(engine: &str, skus: &[&str]) {
    let world = World::start().await;
    for sku in skus {
        let instance = world.created(&sku.to_lowercase(), engine, sku).await;
        let inside = Inside::of(&world, &instance);
        let user = fluxdb_adapters::find(engine).unwrap().facts().user;
        assert_powerless(&inside, user.uid, user.gid);
        assert_file_system(&inside, &instance);
        assert_published_on_loopback_only(&inside, &instance);
        assert_limits(&inside, &instance);
        world.deleted(instance.id).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_held_in() {
    holds("postgresql", &["B1ms", "E1s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_held_in() {
    holds("mariadb", &["F1s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_held_in() {
    holds("redis", &["D1s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_is_held_in_by_every_series() {
    holds("valkey", &["B1ms", "D1s", "E1s", "F1s"]).await;
}
