//! The promises of `ContainerRuntime`: the same functions run against the fake and against Podman.

use std::time::{Duration, Instant};

use fluxdb::domain::ErrorKind;
use fluxdb::domain::container::{LABEL_INSTANCE, LABEL_SPEC};
use fluxdb::domain::egress::Egress;
use fluxdb::runtime::{Attested, Confined, ContainerState, RuntimeEvent};
use fluxdb_adapters::{Exec, Secret};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::support::{Rig, free_port};

const GRACE: Duration = Duration::from_secs(10);

/// Every promise, one after the other.
pub async fn all(rig: &Rig<'_>) {
    rig.sweep().await; // what an earlier, failed run left
    rig.runtime.ping().await.expect("ping");
    what_is_created_is_listed_and_read_back(rig).await;
    every_call_may_be_repeated(rig).await;
    what_is_missing_is_fine_or_has_a_code(rig).await;
    creating_needs_image_volume_and_files(rig).await;
    one_port_serves_one_container(rig).await;
    secrets_are_listed_by_prefix_and_keep_their_content(rig).await;
    a_volume_in_use_is_kept(rig).await;
    images_are_found_by_name(rig).await;
    logs_are_cut_at_the_tail(rig).await;
    limits_of_a_running_container_are_attested(rig).await;
    what_a_running_container_reaches_is_settled(rig).await;
    events_tell_whose_container(rig).await;
    assert!(rig.runtime.containers().await.expect("containers").is_empty(), "nothing is left over");
    assert!(rig.runtime.volumes().await.expect("volumes").is_empty(), "nothing is left over");
}

/// Waits for the server's own word: a signal before that may be lost on the image's start script.
async fn until_ready(rig: &Rig<'_>, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = rig.runtime.logs(name, 1000).await.expect("logs");
        if log.iter().any(|l| l.to_lowercase().contains("ready to accept connections")) {
            return;
        }
        assert!(Instant::now() < deadline, "it does not become ready: {log:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn what_is_created_is_listed_and_read_back(rig: &Rig<'_>) {
    let instance = rig.plan("redis", free_port());
    let (spec, runtime) = (&instance.plan.spec, rig.runtime);
    let detail = rig.make(&instance).await;
    assert_eq!(detail.summary.state, ContainerState::Created);
    assert_eq!((detail.summary.pid, detail.started_at), (0, None));
    assert_eq!(detail.summary.labels.get(LABEL_SPEC), Some(&instance.plan.hash.0));
    assert_eq!(fluxdb::domain::verify::verify(spec, &detail, rig.class), Ok(()));
    assert_eq!(detail.limits, spec.limits);
    assert_eq!(detail.argv.last(), spec.argv.last());
    assert_eq!(detail.ports, [("127.0.0.1".to_owned(), instance.record.port, 6379)]);

    let listed = runtime.containers().await.expect("containers");
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].name, listed[0].state), (&spec.name, ContainerState::Created));
    assert_eq!(listed[0].labels.get(LABEL_INSTANCE), Some(&instance.record.id.to_string()));
    let volumes = runtime.volumes().await.expect("volumes");
    assert_eq!(volumes[0].0, instance.volume);
    assert_eq!(volumes[0].1.get(LABEL_INSTANCE), Some(&instance.record.id.to_string()));

    runtime.start(&spec.name, Egress::Closed).await.expect("start");
    let running = runtime.inspect(&spec.name).await.expect("inspect").expect("there");
    assert_eq!(running.summary.state, ContainerState::Running);
    assert!(running.summary.pid > 0 && running.started_at.is_some());
    until_ready(rig, &spec.name).await;
    runtime.stop(&spec.name, GRACE).await.expect("stop");
    let ended = runtime.inspect(&spec.name).await.expect("inspect").expect("there");
    assert_eq!((ended.summary.state, ended.exit_code, ended.summary.pid), (ContainerState::Exited, 0, 0));
    assert!(ended.finished_at.is_some());
    rig.purge(&instance).await;
}

async fn every_call_may_be_repeated(rig: &Rig<'_>) {
    let instance = rig.plan("redis", free_port());
    let (name, runtime) = (&instance.plan.spec.name, rig.runtime);
    let first = rig.make(&instance).await;
    let second = rig.make(&instance).await;
    assert_eq!(first.summary.id, second.summary.id, "the same specification is left as it is");

    let mut other = instance.plan.spec.clone();
    other.labels.insert(LABEL_SPEC.into(), "another".into());
    let error = runtime.create(&other).await.expect_err("another specification");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "container_exists"));

    for _ in 0..2 {
        runtime.start(name, Egress::Closed).await.expect("start");
    }
    until_ready(rig, name).await;
    for _ in 0..2 {
        runtime.stop(name, GRACE).await.expect("stop");
    }
    runtime.start(name, Egress::Closed).await.expect("start again");
    for _ in 0..2 {
        rig.purge(&instance).await; // a running container is killed and removed
    }
}

async fn what_is_missing_is_fine_or_has_a_code(rig: &Rig<'_>) {
    let runtime = rig.runtime;
    let name = format!("fluxdb-{}-missing", rig.owner);
    assert_eq!(runtime.inspect(&name).await.expect("inspect"), None);
    runtime.stop(&name, GRACE).await.expect("stop");
    runtime.remove(&name).await.expect("remove");
    runtime.remove_volume(&name).await.expect("remove volume");
    runtime.remove_secret(&name).await.expect("remove secret");
    runtime.remove_image("localhost/fluxdb/none:0").await.expect("remove image");
    assert!(!runtime.volume_exists(&name).await.expect("exists"));
    assert_eq!(runtime.start(&name, Egress::Closed).await.expect_err("start").code, "container_missing");
    assert_eq!(runtime.logs(&name, 5).await.expect_err("logs").code, "container_missing");
    let exec =
        Exec { argv: vec!["true".into()], env: Vec::new(), login: false, stdin: Secret::default(), refused_when: "" };
    assert_eq!(runtime.exec(&name, &exec, GRACE).await.expect_err("exec").code, "container_missing");
}

async fn creating_needs_image_volume_and_files(rig: &Rig<'_>) {
    let mut instance = rig.plan("redis", free_port());
    let runtime = rig.runtime;
    let error = runtime.create(&instance.plan.spec).await.expect_err("no volume");
    assert_eq!(error.code, "volume_missing");
    assert!(!runtime.volume_exists(&instance.volume).await.expect("exists"), "none was made in passing");
    rig.make_volume(&instance).await;
    let error = runtime.create(&instance.plan.spec).await.expect_err("no files");
    assert_eq!(error.code, "secret_missing");
    let image = std::mem::replace(&mut instance.plan.spec.image, "localhost/fluxdb/none:0".into());
    let error = runtime.create(&instance.plan.spec).await.expect_err("no image");
    assert_eq!((error.kind, error.code), (ErrorKind::NotFound, "image_missing"));
    assert!(!error.retryable());
    instance.plan.spec.image = image;
    rig.make(&instance).await;
    rig.purge(&instance).await;
}

async fn one_port_serves_one_container(rig: &Rig<'_>) {
    let runtime = rig.runtime;
    let one = rig.plan("redis", free_port());
    let two = rig.plan("redis", one.record.port);
    rig.make(&one).await;
    rig.make(&two).await;
    runtime.start(&one.plan.spec.name, Egress::Closed).await.expect("start");
    let error = runtime.start(&two.plan.spec.name, Egress::Closed).await.expect_err("the port is taken");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "port_taken"));
    rig.purge(&one).await;
    rig.purge(&two).await;
}

async fn secrets_are_listed_by_prefix_and_keep_their_content(rig: &Rig<'_>) {
    let runtime = rig.runtime;
    let name = |n: &str| format!("fluxdb-{}-{n}", rig.owner);
    for n in ["a-r1-x", "a-r2-x", "b-r1-x"] {
        runtime.put_secret(&name(n), &Secret::new("p@ss\"w\n")).await.expect("put");
    }
    runtime.put_secret(&name("a-r1-x"), &Secret::new("other")).await.expect("one of that name is fine");
    let mut found = runtime.secrets(&name("a-r")).await.expect("secrets");
    found.sort();
    assert_eq!(found, [name("a-r1-x"), name("a-r2-x")]);
    for n in ["a-r1-x", "a-r2-x", "b-r1-x"] {
        runtime.remove_secret(&name(n)).await.expect("remove");
    }
    assert!(runtime.secrets(&name("")).await.expect("secrets").is_empty());
}

async fn a_volume_in_use_is_kept(rig: &Rig<'_>) {
    let instance = rig.plan("redis", free_port());
    rig.make(&instance).await;
    let error = rig.runtime.remove_volume(&instance.volume).await.expect_err("in use");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "volume_in_use"));
    assert!(rig.runtime.volume_exists(&instance.volume).await.expect("exists"));
    rig.runtime.remove(&instance.plan.spec.name).await.expect("remove");
    assert!(rig.runtime.volume_exists(&instance.volume).await.expect("exists"), "the data outlives the container");
    rig.purge(&instance).await;
}

async fn images_are_found_by_name(rig: &Rig<'_>) {
    let runtime = rig.runtime;
    let instance = rig.plan("redis", free_port());
    let reference = &instance.plan.spec.image;
    let found = runtime.find_image(reference).await.expect("find").expect("there");
    assert!(found.references.contains(reference) && !found.id.is_empty());
    let listed = runtime.images().await.expect("images");
    assert!(listed.iter().any(|i| i.id == found.id && i.references.contains(reference)));
    assert_eq!(runtime.find_image("localhost/fluxdb/none:0").await.expect("find"), None);
    let detail = rig.make(&instance).await;
    assert_eq!(detail.image_id, found.id, "a container tells which image it was made of");
    let error = runtime.remove_image(reference).await.expect_err("in use");
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "image_in_use"));
    rig.purge(&instance).await;
}

async fn logs_are_cut_at_the_tail(rig: &Rig<'_>) {
    let instance = rig.plan("redis", free_port());
    let (name, runtime) = (&instance.plan.spec.name, rig.runtime);
    rig.make(&instance).await;
    runtime.start(name, Egress::Closed).await.expect("start");
    until_ready(rig, name).await;
    runtime.stop(name, GRACE).await.expect("stop");
    let exec =
        Exec { argv: vec!["true".into()], env: Vec::new(), login: false, stdin: Secret::default(), refused_when: "" };
    assert_eq!(runtime.exec(name, &exec, GRACE).await.expect_err("exec").code, "container_not_running");
    let all = runtime.logs(name, 1000).await.expect("logs");
    assert!(!all.is_empty());
    assert!(all.iter().any(|l| l.to_lowercase().contains("ready to accept connections")), "{all:?}");
    assert_eq!(runtime.logs(name, 1).await.expect("logs"), all[all.len() - 1..]);
    rig.purge(&instance).await;
}

async fn limits_of_a_running_container_are_attested(rig: &Rig<'_>) {
    let instance = rig.plan("redis", free_port());
    let (spec, runtime) = (&instance.plan.spec, rig.runtime);
    let created = rig.make(&instance).await;
    assert!(matches!(runtime.attest(&created).await.expect("attest"), Attested::Unreadable(_)), "it does not run");
    runtime.start(&spec.name, Egress::Closed).await.expect("start");
    let running = runtime.inspect(&spec.name).await.expect("inspect").expect("there");
    match runtime.attest(&running).await.expect("attest") {
        Attested::Read(limits) if rig.class.limits_memory() => {
            assert_eq!(limits.memory_bytes, spec.limits.memory_bytes);
            assert_eq!(limits.cpu_quota_us, spec.limits.cpu_quota_us);
            assert_eq!(limits.pids, spec.limits.pids);
        }
        Attested::Read(limits) => panic!("nothing is enforced here, yet it says {limits:?}"),
        Attested::Unreadable(why) => assert!(!rig.class.limits_memory(), "{why}"),
    }
    rig.purge(&instance).await;
}

async fn what_a_running_container_reaches_is_settled(rig: &Rig<'_>) {
    let instance = rig.plan("redis", free_port());
    let (name, runtime) = (&instance.plan.spec.name, rig.runtime);
    let created = rig.make(&instance).await;
    let settled = runtime.confine(&created, Egress::Closed).await.expect("an answer");
    assert!(matches!(settled, Confined::NotEnforced(_)), "it does not run: {settled:?}");
    runtime.start(name, Egress::Closed).await.expect("start");
    let running = runtime.inspect(name).await.expect("inspect").expect("there");
    for egress in [Egress::Closed, Egress::Open, Egress::Open, Egress::Closed, Egress::Closed] {
        assert_eq!(runtime.confine(&running, egress).await.expect("an answer"), Confined::AsAsked, "{egress:?}");
    }
    until_ready(rig, name).await;
    rig.purge(&instance).await;
    let settled = runtime.confine(&running, Egress::Closed).await.expect("an answer");
    assert!(matches!(settled, Confined::NotEnforced(_)), "it is gone: {settled:?}");
}

async fn events_tell_whose_container(rig: &Rig<'_>) {
    let instance = rig.plan("redis", free_port());
    let (name, runtime) = (&instance.plan.spec.name, rig.runtime);
    let mut events = runtime.events();
    // Poll once, so that the stream is connected before something happens; it may begin with "look at everything".
    let _ = timeout(Duration::from_millis(500), events.next()).await;
    rig.make(&instance).await;
    runtime.start(name, Egress::Closed).await.expect("start");
    until_ready(rig, name).await;
    runtime.stop(name, GRACE).await.expect("stop");
    rig.purge(&instance).await;
    for wanted in ["start", "died", "remove"] {
        let seen = timeout(Duration::from_secs(10), async {
            loop {
                match events.next().await {
                    Some(RuntimeEvent::Container { instance: id, action })
                        if action == wanted && id == instance.record.id =>
                    {
                        return;
                    }
                    Some(_) => {} // of the same second, or of another instance
                    None => panic!("the stream ended"),
                }
            }
        });
        seen.await.unwrap_or_else(|_| panic!("no event {wanted}"));
    }
}
