//! Real Podman: the contract, and what only a real one can show. Fails where there is no Podman.
//!
//! `FLUXDB_TEST_PODMAN_URL` names a socket; without it the runtime finds one or runs its own service.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use fluxdb::config::PodmanConfig;
use fluxdb::domain::egress::Egress;
use fluxdb::domain::host::{HostClass, HostInfo};
use fluxdb::runtime::podman::PodmanRuntime;
use fluxdb::runtime::{Attested, ContainerDetail, ContainerRuntime, RuntimeEvent, Seeded};
use fluxdb_adapters::{Engine, Exec, Secret};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;

use crate::contract;
use crate::support::{Instance, Rig, free_port};

/// A runtime of its own, whose service ends with it.
struct Real {
    runtime: PodmanRuntime,
    owner: String,
    host: HostInfo,
    class: HostClass,
    data: tempfile::TempDir,
}

impl Real {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = PodmanConfig { url: std::env::var("FLUXDB_TEST_PODMAN_URL").ok(), ..PodmanConfig::default() };
        let owner = format!("test{:08x}", rand::random::<u32>());
        let runtime = PodmanRuntime::connect(&config, &owner, data.path())
            .await
            .unwrap()
            .with_helper(env!("CARGO_BIN_EXE_fluxdb").into());
        let host = runtime.host().await.expect("these tests need Podman; scripts/test installs it");
        let class = HostClass::of(&host);
        Self { runtime, owner, host, class, data }
    }

    fn rig(&self) -> Rig<'_> {
        Rig { runtime: &self.runtime, owner: &self.owner, class: self.class }
    }
}

/// Runs a test and takes away what it made, whatever came of it.
async fn with_podman(test: impl AsyncFnOnce(&Real)) {
    let real = Real::new().await;
    let outcome = AssertUnwindSafe(test(&real)).catch_unwind().await;
    let swept = AssertUnwindSafe(real.rig().sweep()).catch_unwind().await;
    real.runtime.end_service().await;
    if let Err(panic) = outcome.and(swept) {
        std::panic::resume_unwind(panic);
    }
}

#[tokio::test]
async fn podman_keeps_the_contract() {
    with_podman(async |real| {
        contract::all(&real.rig()).await;
    })
    .await;
}

#[tokio::test]
async fn the_host_is_described_completely() {
    with_podman(async |real| {
        let host = &real.host;
        assert!(host.local, "{host:?}");
        let texts = [
            &host.podman_version,
            &host.socket,
            &host.cgroup_manager,
            &host.oci_runtime,
            &host.storage_driver,
            &host.graph_root,
            &host.kernel,
            &host.distribution,
            &host.arch,
        ];
        assert!(texts.iter().all(|t| !t.is_empty()), "{host:?}");
        assert!(
            host.cpus > 0 && host.memory_bytes > 0 && host.storage_total_bytes > host.storage_free_bytes,
            "{host:?}"
        );
    })
    .await;
}

fn status(pid: i32, key: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    text.lines().find_map(|l| l.strip_prefix(key)).unwrap().trim_start_matches(':').trim().to_owned()
}

/// A file of a container's process; those of a rootless one belong to a subordinate uid.
async fn of_process(real: &Real, pid: i32, file: &str) -> String {
    let path = format!("/proc/{pid}/{file}");
    let content = if real.host.rootless {
        let cat = tokio::process::Command::new("podman").args(["unshare", "cat", &path]).output().await.unwrap();
        assert!(cat.status.success(), "{cat:?}");
        cat.stdout
    } else {
        std::fs::read(path).unwrap()
    };
    assert!(!content.is_empty());
    String::from_utf8_lossy(&content).into_owned()
}

#[tokio::test]
async fn a_running_container_is_hardened_and_shows_no_secret() {
    with_podman(async |real| {
        let rig = real.rig();
        let instance = rig.plan_with("postgresql", free_port(), "canary-System-1", "canary-User-1");
        let spec = &instance.plan.spec;
        rig.make(&instance).await;
        real.runtime.start(&spec.name, Egress::Closed).await.unwrap();
        let first = instance.first().password;
        ready(&instance, first.expose()).await;
        let detail = real.runtime.inspect(&spec.name).await.unwrap().unwrap();
        assert_eq!(status(detail.summary.pid, "NoNewPrivs"), "1");
        for set in ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"] {
            assert_eq!(status(detail.summary.pid, set), "0000000000000000", "{set}");
        }
        assert_ne!(status(detail.summary.pid, "Uid").split_whitespace().next(), Some("0"));
        // The root file system is read-only, the files are for the engine alone.
        let mounts = of_process(real, detail.summary.pid, "mounts").await;
        let root = mounts.lines().find(|l| l.split(' ').nth(1) == Some("/")).unwrap();
        assert!(root.split(' ').nth(3).unwrap().split(',').any(|o| o == "ro"), "{root}");
        let shown = [
            format!("{detail:?}"),
            of_process(real, detail.summary.pid, "cmdline").await,
            of_process(real, detail.summary.pid, "environ").await,
            real.runtime.logs(&spec.name, 1000).await.unwrap().join("\n"),
        ];
        for text in shown {
            assert!(!text.contains("canary") && !text.contains(first.expose()), "a password is shown in {text}");
        }
        if real.class.limits_memory() {
            let Attested::Read(limits) = real.runtime.attest(&detail).await.unwrap() else { panic!("unreadable") };
            assert_eq!(limits.memory_bytes, spec.limits.memory_bytes);
            assert_eq!(limits.cpu_quota_us, spec.limits.cpu_quota_us);
            assert_eq!(limits.cpu_shares, spec.limits.cpu_shares);
            assert_eq!(limits.pids, spec.limits.pids);
        }
        rig.purge(&instance).await;
    })
    .await;
}

/// Waits until the system account is let in.
async fn ready(instance: &Instance, password: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match login(instance, password).await {
            Ok(_) => return,
            Err(error) if Instant::now() > deadline => panic!("{} is not ready: {error}", instance.record.engine),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Logs in as the system account; the system identifier where the engine has one.
async fn login(instance: &Instance, password: &str) -> Result<String, String> {
    let port = instance.record.port;
    if instance.record.engine == "postgresql" {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user("postgres").password(password).dbname("postgres");
        config.connect_timeout(Duration::from_secs(2));
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(|e| e.to_string())?;
        let connection = tokio::spawn(connection);
        let query = "SELECT system_identifier::text FROM pg_control_system()";
        let row = client.query_one(query, &[]).await.map_err(|e| e.to_string())?;
        connection.abort();
        return Ok(row.get(0));
    }
    let builder = mysql_async::OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("root"))
        .pass(Some(password));
    let connect = mysql_async::Conn::new(builder);
    let mut connection = tokio::time::timeout(Duration::from_secs(2), connect)
        .await
        .map_err(|e| e.to_string())?
        .map_err(|e| e.to_string())?;
    use mysql_async::prelude::Queryable;
    let _: Option<u8> = connection.query_first("SELECT 1").await.map_err(|e| e.to_string())?;
    connection.disconnect().await.map_err(|e| e.to_string())?;
    Ok(String::new())
}

async fn make_template(rig: &Rig<'_>, engine: &str) -> (Instance, String) {
    let template = rig.plan_with(engine, free_port(), "template-Pa55", "nobody");
    let name = &template.plan.spec.name;
    rig.make(&template).await;
    rig.runtime.start(name, Egress::Closed).await.unwrap();
    let first = template.first().password;
    ready(&template, first.expose()).await;
    let identifier = login(&template, first.expose()).await.unwrap();
    rig.runtime.stop(name, Duration::from_secs(30)).await.unwrap();
    (template, identifier)
}

/// After a seeding the next copy is made ahead; in a rootless store it cannot be seen from here.
async fn spare_is_ready(real: &Real, template: &Instance) {
    if real.host.rootless {
        tokio::time::sleep(Duration::from_secs(5)).await;
        return;
    }
    let shelf = Path::new(&real.host.graph_root).join("volumes").join(&template.volume);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut names = std::fs::read_dir(&shelf).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        if names.any(|n| n.starts_with("spare-")) {
            return;
        }
        assert!(Instant::now() < deadline, "no spare copy is made");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Two copies, the second one out of the spare; both start cleanly, twice. The identifiers of template and copies.
async fn copies_of_a_template(real: &Real, engine: &'static str, uniques: [u64; 2]) -> Vec<String> {
    let rig = real.rig();
    let (template, identifier) = make_template(&rig, engine).await;
    let first = template.first().password;
    let mut identifiers = vec![identifier];
    for unique in uniques {
        if identifiers.len() == 2 {
            spare_is_ready(real, &template).await;
        }
        let copy = rig.plan(engine, free_port());
        let name = &copy.plan.spec.name;
        rig.make_volume(&copy).await;
        let seeded = rig.runtime.seed_volume(&template.volume, &copy.volume, engine, unique).await.unwrap();
        assert!(matches!(seeded, Seeded::Copied { bytes, .. } if bytes > 1 << 20), "{seeded:?}");
        rig.make_container(&copy).await;
        rig.runtime.start(name, Egress::Closed).await.unwrap();
        ready(&copy, first.expose()).await;
        identifiers.push(login(&copy, first.expose()).await.unwrap());
        let log = rig.runtime.logs(name, 1000).await.unwrap().join("\n");
        assert!(!log.contains("was not properly shut down"), "the copy had to be recovered: {log}");
        rig.runtime.stop(name, Duration::from_secs(30)).await.unwrap();
        rig.runtime.start(name, Egress::Closed).await.unwrap();
        ready(&copy, first.expose()).await;
    }
    identifiers
}

#[tokio::test]
async fn copies_of_a_postgresql_template_start_with_their_own_identifier() {
    with_podman(async |real| {
        let uniques = [0x1122_3344_5566_7788, 0xf102_0304_0506_0708];
        let identifiers = copies_of_a_template(real, "postgresql", uniques).await;
        // The top bit is clear, as in what the server makes: SQL shows it as a signed number.
        let wanted = uniques.map(|u: u64| (u >> 1).to_string());
        assert_eq!(identifiers[1..], wanted);
        assert!(!wanted.contains(&identifiers[0]));
    })
    .await;
}

#[tokio::test]
async fn copies_of_a_mariadb_template_start() {
    with_podman(async |real| {
        copies_of_a_template(real, "mariadb", [1, 2]).await;
    })
    .await;
}

#[tokio::test]
async fn secrets_arrive_byte_for_byte() {
    with_podman(async |real| {
        let rig = real.rig();
        let mut instance = rig.plan("redis", free_port());
        // What JSON would quote.
        let odd = "user default on nopass ~* &* +@all\n# p@ss\"w\\ord\n";
        for (_, content) in &mut instance.plan.files {
            *content = Secret::new(odd);
        }
        rig.make(&instance).await;
        real.runtime.start(&instance.plan.spec.name, Egress::Closed).await.unwrap();
        let detail: ContainerDetail = real.runtime.inspect(&instance.plan.spec.name).await.unwrap().unwrap();
        let file = format!("/proc/{}/root/fluxdb/server.conf", detail.summary.pid);
        if real.host.rootless {
            // The file belongs to a subordinate uid; that the server runs shows that it could be read.
            assert!(!Path::new(&file).exists() || std::fs::read(&file).is_err());
        } else {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(std::fs::read_to_string(&file).unwrap(), odd);
            let meta = std::fs::metadata(&file).unwrap();
            assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (999, 999, 0o400));
        }
        rig.purge(&instance).await;
    })
    .await;
}

#[tokio::test]
async fn a_service_that_dies_is_started_again_and_events_go_on() {
    with_podman(async |real| {
        let (rig, runtime) = (real.rig(), &real.runtime);
        let socket = real.data.path().join("podman.sock");
        if !socket.exists() {
            return; // a socket that the system keeps is not ours to kill
        }
        let mut events = runtime.events();
        let _ = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
        let stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        let pid = stream.peer_cred().unwrap().pid().unwrap();
        drop(stream);
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();

        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = runtime.ping().await {
            assert_eq!(error.code, "podman_unavailable");
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let lost = tokio::time::timeout(Duration::from_secs(20), async {
            while let Some(event) = events.next().await {
                if event == RuntimeEvent::Lost {
                    return true;
                }
            }
            false
        });
        assert!(lost.await.unwrap(), "the cut is told");
        let instance = rig.plan("redis", free_port());
        rig.make(&instance).await;
        let seen = tokio::time::timeout(Duration::from_secs(20), events.next()).await.unwrap();
        let created = RuntimeEvent::Container { instance: instance.record.id, action: "create".into() };
        assert_eq!(seen, Some(created));
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_is_away_is_an_error_although_podman_says_200() {
    with_podman(async |real| {
        let (progress, _lines) = mpsc::channel(16);
        let error = real.runtime.pull_image("127.0.0.1:1/fluxdb/none:1", progress.clone()).await.unwrap_err();
        assert_eq!(error.code, "registry_unreachable", "{error:?}");
        let error = real.runtime.build_image("redis", "0", "localhost/x:0", progress).await.unwrap_err();
        assert_eq!(error.code, "image_build_unsupported", "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn engines_without_templates_say_so_instead_of_copying() {
    with_podman(async |real| {
        let rig = real.rig();
        let (one, two) = (rig.plan("redis", free_port()), rig.plan("redis", free_port()));
        rig.make_volume(&one).await;
        rig.make_volume(&two).await;
        assert!(fluxdb_adapters::find("redis").is_some_and(|e: &dyn Engine| e.seed().is_none()));
        let seeded = real.runtime.seed_volume(&one.volume, &two.volume, "redis", 1).await.unwrap();
        assert!(matches!(seeded, Seeded::Unsupported(_)), "{seeded:?}");
        let error = real.runtime.seed_volume("fluxdb-none", &two.volume, "postgresql", 1).await.unwrap_err();
        assert_eq!(error.code, "volume_missing");
    })
    .await;
}

#[tokio::test]
async fn an_image_is_built_with_progress_and_removed_by_name() {
    with_podman(async |real| {
        let reference = format!("localhost/fluxdb-test/{}:8.0", real.owner);
        let (progress, mut lines) = mpsc::channel(64);
        let built = real.runtime.build_image("redis", "8.0", &reference, progress).await.unwrap();
        assert_eq!(real.runtime.find_image(&reference).await.unwrap(), Some(built));
        let first = lines.recv().await.unwrap();
        assert!(first.current >= 1 && first.max >= first.current && !first.text.is_empty(), "{first:?}");
        real.runtime.remove_image(&reference).await.unwrap();
        assert_eq!(real.runtime.find_image(&reference).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn programs_run_inside_with_input_outputs_and_exit_code() {
    with_podman(async |real| {
        let (rig, runtime) = (real.rig(), &real.runtime);
        let instance = rig.plan("redis", free_port());
        let name = &instance.plan.spec.name;
        rig.make(&instance).await;
        runtime.start(name, Egress::Closed).await.unwrap();
        let exec = |script: &str, stdin: &str| Exec {
            argv: vec!["sh".into(), "-c".into(), script.into()],
            env: vec![("WORD", "from the environment".into())],
            login: false,
            stdin: Secret::new(stdin),
            refused_when: "",
        };
        let limit = Duration::from_secs(60);

        let output = runtime.exec(name, &exec("echo $WORD; id -u; echo oh >&2; exit 7", ""), limit).await.unwrap();
        assert_eq!((output.code, output.stderr.trim()), (7, "oh"), "{output:?}");
        assert_eq!(output.stdout, "from the environment\n999\n");
        // The input arrives as it is and ends.
        let odd = format!("p@ss\"w\\ord\n\u{20ac}{}", "x".repeat(300_000));
        let output = runtime.exec(name, &exec("cat", &odd), limit).await.unwrap();
        assert!(output.code == 0 && output.stdout == odd, "{} bytes came back", output.stdout.len());
        // A program that does not read it.
        assert_eq!(runtime.exec(name, &exec("exit 3", &odd), limit).await.unwrap().code, 3);

        let large = runtime.exec(name, &exec("head -c 8000000 /dev/zero | tr '\\0' x", ""), limit).await.unwrap();
        assert!(large.code == 0 && large.stdout.len() == 8_000_000 && large.stderr.is_empty());
        let error = runtime.exec(name, &exec("exec cat /dev/zero", ""), limit).await.unwrap_err();
        assert_eq!(error.code, "exec_output_too_large");

        let missing = Exec { argv: vec!["no-such-program".into()], ..exec("", "") };
        assert!(runtime.exec(name, &missing, limit).await.map_or(true, |o| o.code == 127));

        let begun = Instant::now();
        let error = runtime.exec(name, &exec("exec sleep 4711", ""), Duration::from_secs(2)).await.unwrap_err();
        assert_eq!(error.code, "exec_timeout");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        if !real.host.rootless {
            let alive = runtime.exec(name, &exec("cat /proc/[0-9]*/cmdline | tr '\\0' ' '", ""), limit).await.unwrap();
            assert!(!alive.stdout.contains("sleep 4711"), "it was left running: {}", alive.stdout);
        }
        rig.purge(&instance).await;
        assert_eq!(runtime.exec(name, &exec("true", ""), limit).await.unwrap_err().code, "container_missing");
    })
    .await;
}

/// Podman 4.3 ends with "concurrent map writes" when two secrets are made at the same moment; the runtime makes them one
/// at a time, whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_secrets_at_once_do_not_end_the_service() {
    with_podman(async |real| {
        let names: Vec<String> = (0..40).map(|n| format!("fluxdb-{}-many-{n}", real.owner)).collect();
        let content = Secret::new("x".repeat(2000));
        let put = names.iter().map(|name| real.runtime.put_secret(name, &content));
        futures_util::future::try_join_all(put).await.unwrap();
        assert_eq!(real.runtime.secrets(&format!("fluxdb-{}-many-", real.owner)).await.unwrap().len(), names.len());
        let remove = names.iter().map(|name| real.runtime.remove_secret(name));
        futures_util::future::try_join_all(remove).await.unwrap();
        real.runtime.ping().await.unwrap();
        assert!(real.runtime.secrets(&format!("fluxdb-{}-many-", real.owner)).await.unwrap().is_empty());
    })
    .await;
}
