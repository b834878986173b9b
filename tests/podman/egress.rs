//! Outgoing traffic, tried from inside of real containers: closed by default, again after a restart by hand, and open only
//! where it was asked for. Each target is one that an open container reaches, so that none of this passes by itself.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use fluxdb::api::{Health, Instance, PatchInstance};
use fluxdb::app::App;
use fluxdb::domain::egress::Egress;
use serde_json::json;

use crate::daemon::{Daemon, text};
use crate::home::Home;
use crate::host::Account;
use crate::world::{PASSWORD, World, caller, sh};

const CONFIG: &str = "[images]\npull = false\nbuild = false\n";

/// Something of the host that listens on every address, and the addresses where containers would find it.
struct Host {
    listener: TcpListener,
    port: u16,
    v4: String,
}

impl Host {
    fn listening() -> Self {
        let any = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))];
        let listener = TcpListener::bind(&any[..]).unwrap();
        let port = listener.local_addr().unwrap().port();
        let v4 = sh("ip -4 -o route get 198.51.100.1 | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p'");
        assert!(!v4.is_empty(), "this host has no address of its own");
        Self { listener, port, v4 }
    }

    /// Connections that came since the last time.
    fn heard(&self) -> usize {
        std::thread::sleep(std::time::Duration::from_millis(100));
        self.listener.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }
}

/// Whether a connection or datagram from inside the container gets out: `tcp`, `udp`; an address; a port.
fn gets_out(account: &Account, container: &str, protocol: &str, address: &str, port: u16) -> bool {
    let script = format!("exec 3<>/dev/{protocol}/{address}/{port} && echo -n x >&3");
    let answer = account
        .sh(&format!("timeout 20 podman exec {container} timeout 5 bash -c '{script}' > /dev/null 2>&1; echo $?"));
    answer == "0"
}

/// Whether a name look-up leaves the container: a datagram to its first name server.
fn looks_up(account: &Account, container: &str) -> bool {
    let server = account.must(&format!("podman exec {container} sed -n 's/^nameserver //p' /etc/resolv.conf"));
    gets_out(account, container, "udp", server.lines().next().expect("a name server"), 53)
}

/// What the host hears agrees with what the container says.
fn reaches(account: &Account, container: &str, host: &Host, address: &str) -> bool {
    let said = gets_out(account, container, "tcp", address, host.port);
    assert_eq!(said, host.heard() > 0, "{address}");
    said
}

/// The gateway of its bridge, over IPv4 and over the link, which is the only IPv6 on Podman's own network.
fn gateways(container: &str) -> (String, String) {
    let of = |field: &str| sh(&format!("podman inspect -f '{{{{.NetworkSettings.{field}}}}}' {container}"));
    let gateway = of("Gateway");
    let bridge = sh(&format!("ip -o -4 addr show to {gateway} | awk '{{print $2}}'"));
    let link = sh(&format!("ip -o -6 addr show dev {bridge} scope link | sed -n 's/.*inet6 \\([^/]*\\).*/\\1/p'"));
    assert!(!gateway.is_empty() && !link.is_empty(), "{gateway} {bridge} {link}");
    (gateway, format!("{link}%eth0"))
}

async fn patched(world: &World, instance: &Instance, open: bool) -> Instance {
    let body = PatchInstance { egress: Some(open), ..PatchInstance::default() };
    let accepted = world.app.patch_instance(&caller(), instance.id, None, body).await.unwrap();
    world.succeeded(accepted.operation.unwrap().id).await;
    world.app.instance_view(instance.id).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_of_root_reaches_neither_host_nor_gateway_nor_neighbour_until_it_is_opened() {
    let (world, account, host) = (World::start().await, Account::own(), Host::listening());
    let demo = world.created("demo", "valkey", "B1s").await;
    let other = world.created("other", "valkey", "B1s").await;
    let container = world.names(demo.id).container();
    let neighbour =
        sh(&format!("podman inspect -f '{{{{.NetworkSettings.IPAddress}}}}' {}", world.names(other.id).container()));
    let (gateway, link) = gateways(&container);
    let started = sh(&format!("podman inspect -f '{{{{.State.StartedAt}}}}' {container}"));
    let mut shown = demo.clone();
    for open in [false, true, false] {
        if open != (shown.network.egress == Egress::Open) {
            shown = patched(&world, &demo, open).await;
        }
        assert_eq!((shown.network.egress, shown.network.enforced), (open.into(), true), "{:?}", shown.network);
        for address in [&host.v4, &gateway, &link] {
            assert_eq!(reaches(&account, &container, &host, address), open, "{address}");
        }
        assert_eq!(gets_out(&account, &container, "tcp", &neighbour, 6379), open, "another instance");
        assert_eq!(gets_out(&account, &container, "udp", &gateway, 9), open, "a datagram");
        assert_eq!(gets_out(&account, &container, "udp", &link, 9), open, "a datagram over IPv6");
        assert_eq!(looks_up(&account, &container), open, "a name look-up");
        assert!(gets_out(&account, &container, "tcp", "127.0.0.1", 6379), "its own loopback");
        world.query(&demo, &[fluxdb_adapters::Call::resp(&["PING"])]).await.unwrap();
    }
    assert_eq!(sh(&format!("podman inspect -f '{{{{.State.StartedAt}}}}' {container}")), started, "it was restarted");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_podman_restarts_by_hand_is_closed_again() {
    let (world, account, host) = (World::start().await, Account::own(), Host::listening());
    let demo = world.created("demo", "valkey", "B1s").await;
    let container = world.names(demo.id).container();
    let answered = |app: &App| app.core.registry.with(demo.id, |e| e.answered.clone()).flatten();
    for _ in 0..2 {
        let before = answered(&world.app);
        assert!(before.is_some());
        sh(&format!("podman restart -t 5 {container}"));
        let began = std::time::Instant::now();
        world
            .until("the new run is confined and up", |app| {
                let shown = app.instance_view(demo.id).unwrap();
                let now = answered(app);
                now.is_some() && now != before && shown.health == Health::Up && shown.network.enforced
            })
            .await;
        println!("confined and up again after {:?}", began.elapsed());
        assert!(!reaches(&account, &container, &host, &host.v4));
        assert!(!looks_up(&account, &container));
    }
    world.end().await;
}

/// What a daemon leaves that is killed between making the network and starting the server: nothing runs, and the next start
/// closes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_was_made_ready_and_never_started_is_closed_when_it_is() {
    let (world, account, host) = (World::start().await, Account::own(), Host::listening());
    let demo = world.created("demo", "valkey", "B1s").await;
    let container = world.names(demo.id).container();
    let stop = world.app.stop_instance(&caller(), demo.id).await.unwrap();
    world.succeeded(stop.operation.unwrap().id).await;
    sh(&format!("podman init {container}"));
    assert_eq!(sh(&format!("podman inspect -f '{{{{.State.Status}}}}' {container}")), "initialized");
    let start = world.app.start_instance(&caller(), demo.id).await.unwrap();
    world.succeeded(start.operation.unwrap().id).await;
    assert!(world.app.instance_view(demo.id).unwrap().network.enforced);
    assert!(!reaches(&account, &container, &host, &host.v4));
    world.query(&demo, &[fluxdb_adapters::Call::resp(&["PING"])]).await.unwrap();
    world.end().await;
}

/// Whether it reaches the host's own address; its own name server is inside slirp4netns or pasta.
fn assert_rootless(home: &Home, daemon: &Daemon<'_>, host: &Host, id: &str, open: bool) {
    let shown = daemon.instance(id);
    let expected = json!({"egress": if open { "open" } else { "closed" }, "enforced": true, "reason": null});
    assert_eq!(shown["network"], expected, "{shown:#}");
    let container = home.container(id);
    assert_eq!(reaches(&home.account, &container, host, &host.v4), open);
    assert_eq!(looks_up(&home.account, &container), open, "a name look-up");
    assert!(gets_out(&home.account, &container, "tcp", "127.0.0.1", 6379), "its own loopback");
}

#[test]
fn an_instance_of_an_ordinary_user_reaches_nothing_until_it_is_opened() {
    let (home, host) = (Home::rootless(CONFIG), Host::listening());
    let daemon = home.start();
    let doctor = daemon.get("/requirements");
    let item = doctor["items"].as_array().unwrap().iter().find(|i| i["name"] == "egress").unwrap().clone();
    assert_eq!(item["ok"], true, "{item:#}");
    let instance = daemon.create("demo", "valkey", "B1s", PASSWORD);
    let id = text(&instance["id"]);
    let path = format!("/databases/{id}");
    assert_rootless(&home, &daemon, &host, id, false);
    daemon.change("PATCH", &path, Some(&json!({"egress": true})));
    assert_rootless(&home, &daemon, &host, id, true);
    daemon.change("POST", &format!("{path}/restart"), None);
    assert_rootless(&home, &daemon, &host, id, true);
    daemon.change("PATCH", &path, Some(&json!({"egress": false})));
    assert_rootless(&home, &daemon, &host, id, false);

    // By hand while nobody looks: the next daemon closes it before it calls it up.
    daemon.kill();
    home.account.must(&format!("podman restart -t 5 {}", home.container(id)));
    assert!(
        reaches(&home.account, &home.container(id), &host, &host.v4),
        "without rules it gets out: the test means something"
    );
    let daemon = home.start();
    daemon.settles(id, "RUNNING");
    assert_rootless(&home, &daemon, &host, id, false);
    daemon.query(&daemon.instance(id), PASSWORD, &[fluxdb_adapters::Call::resp(&["PING"])]).unwrap();
    daemon.delete(id);
    home.assert_nothing_left();
    daemon.terminate();
}
