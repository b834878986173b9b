//! Questions that wait, are overdue, and are left alone; and a server of Redis' protocol in this process that hangs.

use std::sync::atomic::AtomicUsize;

use fluxdb_adapters::{Account, Call, HttpAuth, Protocol, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::*;
use crate::wire::live::LiveWire;
use crate::wire::{Target, Wire};

const LIMIT: Duration = Duration::from_millis(100);

/// A question that is answered when told to.
async fn slow(lanes: &Lanes<u8, ()>, turn: Turn, answer: &Arc<Notify>) -> Result<u8> {
    let answer = answer.clone();
    let work = |place, _| async move {
        answer.notified().await;
        drop(place);
        Ok(7)
    };
    lanes.ask(1, turn, LIMIT, work).await
}

#[tokio::test]
async fn what_is_overdue_keeps_its_place_until_it_is_answered() {
    let (lanes, answer) = (Lanes::default(), Arc::new(Notify::new()));
    assert_eq!(slow(&lanes, Turn::Skip, &answer).await.expect_err("no answer").code, "query_timeout");
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let begun = Instant::now();
    let skipped = slow(&lanes, Turn::Skip, &answer).await.expect_err("skipped");
    assert!(skipped.code == "server_busy" && begun.elapsed() < LIMIT, "{skipped:?}");
    assert!(skipped.public.contains(" 1 s ago"), "{}", skipped.public);
    assert_eq!(slow(&lanes, Turn::Wait, &answer).await.expect_err("waited in vain").code, "server_busy");
    assert!(begun.elapsed() >= LIMIT);
    // Another server is another place.
    assert_eq!(lanes.ask(2, Turn::Skip, LIMIT, |_, _| async { Ok(1) }).await.expect("an answer"), 1);
    answer.notify_one();
    tokio::time::sleep(LIMIT / 2).await;
    answer.notify_one();
    assert_eq!(slow(&lanes, Turn::Skip, &answer).await.expect("an answer"), 7);
    lanes.tidy(|()| false);
    assert!(lanes.lanes.lock().expect("lanes").is_empty());
}

#[tokio::test]
async fn who_asks_may_go_away_and_the_question_is_told() {
    let (lanes, told) = (Lanes::<u8, ()>::default(), Arc::new(Notify::new()));
    let heard = told.clone();
    let work = |place, until: Arc<Until>| async move {
        until.over().await;
        heard.notify_one();
        drop(place);
        Ok(())
    };
    let asked = lanes.ask(1, Turn::Wait, Duration::from_secs(3600), work);
    assert!(tokio::time::timeout(LIMIT, asked).await.is_err());
    tokio::time::timeout(Duration::from_secs(1), told.notified()).await.expect("told at once");
    lanes.ask(1, Turn::Wait, LIMIT, |_, _| async { Ok(()) }).await.expect("the place is free");
}

#[tokio::test]
async fn a_login_that_takes_too_long_is_not_waited_for_as_long_as_a_statement() {
    let lanes = Lanes::<u8, ()>::default();
    for (opened, waited) in [(false, LOGIN), (true, LOGIN * 3)] {
        let begun = Instant::now();
        let work = |_place, until: Arc<Until>| async move {
            if opened {
                until.opened();
            }
            tokio::time::sleep(LOGIN * 5).await;
            Ok(())
        };
        lanes.ask(u8::from(opened), Turn::Wait, LOGIN * 3, work).await.expect_err("too long");
        assert!((waited..waited + LOGIN).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}

/// A server that answers everything with OK, but no PING while it hangs. How many sessions it has and had at most.
struct Stub {
    port: u16,
    hangs: watch::Sender<bool>,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Stub {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let stub = Self { port, hangs: watch::channel(false).0, open: Arc::default(), most: Arc::default() };
        let (hangs, open, most) = (stub.hangs.subscribe(), stub.open.clone(), stub.most.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut hangs, open) = (hangs.clone(), open.clone());
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut piece = [0; 4096];
                    while let Ok(n @ 1..) = stream.read(&mut piece).await {
                        let text = String::from_utf8_lossy(&piece[..n]).to_ascii_uppercase();
                        if text.contains("PING") {
                            let _ = hangs.wait_for(|hangs| !hangs).await;
                        }
                        let commands = text.matches('*').count();
                        let _ = stream.write_all("+OK\r\n".repeat(commands).as_bytes()).await;
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        stub
    }

    fn target(&self) -> Target {
        Target {
            protocol: Protocol::Resp,
            http_auth: HttpAuth::None,
            host: "127.0.0.1".into(),
            port: self.port,
            account: Account { username: "fluxdb".into(), password: Secret::new("x") },
            ours: true,
            database: None,
            tls: None,
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_has_two_sessions_of_ours_and_never_a_third() {
    let stub = Stub::start().await;
    let (to, wire, limit) = (stub.target(), Arc::new(LiveWire::default()), Duration::from_millis(300));
    let ping = [Call::resp(&["PING"])];
    wire.poll(&to, &ping, limit).await.expect("an answer");
    wire.run(&to, &ping, limit).await.expect("an answer");
    stub.hangs.send_replace(true);
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(wire.poll(&to, &ping, limit).await.expect_err("no answer").code);
        let (a, b) = tokio::join!(wire.run(&to, &ping, limit), wire.run(&to, &ping, limit));
        assert!([a, b].into_iter().all(|o| o.is_err_and(|e| e.kind == ErrorKind::Timeout)));
    }
    assert_eq!(codes, ["query_timeout", "server_busy", "server_busy", "server_busy", "server_busy"]);
    assert_eq!((stub.open.load(Ordering::SeqCst), stub.most.load(Ordering::SeqCst)), (2, 2));
    stub.hangs.send_replace(false);
    let well = async {
        while wire.poll(&to, &ping, limit).await.is_err() || wire.run(&to, &ping, limit).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), well).await.expect("it is well again");
    assert_eq!(stub.most.load(Ordering::SeqCst), 2);
}
