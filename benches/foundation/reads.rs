//! Reads with 1,000 instances and 8 clients: each client asks again as soon as it has its answer.

use std::time::{Duration, Instant};

use hyper::Method;

use crate::daemon::Daemon;
use crate::http::Client;
use crate::stats::{ms, percentile};

const CLIENTS: usize = 8;

pub async fn run() {
    let daemon = Daemon::start(1000).await;
    println!("| read, {CLIENTS} clients | requests | p50 | p99 | bytes |");
    println!("|---|---|---|---|---|");
    let ids: Vec<String> = daemon.ids.iter().map(|id| format!("/databases/{id}")).collect();
    row(&daemon, "GET /databases/{id}", 500, move |n| ids[n * 37 % ids.len()].clone()).await;
    row(&daemon, "GET /databases (a page of 100)", 200, |_| "/databases".into()).await;
    row(&daemon, "GET /databases?limit=1000 (all)", 100, |_| "/databases?limit=1000".into()).await;
    row(&daemon, "GET /operations", 200, |_| "/operations".into()).await;
    accepts(&daemon).await;
}

async fn row(daemon: &Daemon, title: &str, each: usize, path: impl Fn(usize) -> String + Clone + Send + 'static) {
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let mut connection = Client::connect(daemon).await;
        let path = path.clone();
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(each);
            let mut bytes = 0;
            for n in 0..each {
                let started = Instant::now();
                let (status, body) = connection.send(Method::GET, &path(client * each + n), "").await;
                times.push(started.elapsed());
                assert_eq!(status, 200);
                bytes = body.len();
            }
            (times, bytes)
        }));
    }
    let (mut times, mut bytes) = (Vec::<Duration>::new(), 0);
    for task in tasks {
        let (t, b) = task.await.unwrap();
        times.extend(t);
        bytes = b;
    }
    let count = times.len();
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    println!("| {title} | {count} | {} | {} | {bytes} |", ms(p50), ms(p99));
}

/// A change that is accepted and durable before its answer: transaction, audit row, fsync.
async fn accepts(daemon: &Daemon) {
    let mut client = Client::connect(daemon).await;
    let mut times = Vec::new();
    for n in 0..200 {
        let path = format!("/databases/{}", daemon.ids[n]);
        let started = Instant::now();
        let (status, body) = client.send(Method::PATCH, &path, r#"{"labels":{"bench":"yes"}}"#).await;
        times.push(started.elapsed());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    println!("| PATCH /databases/{{id}} (1 client) | 200 | {} | {} | |", ms(p50), ms(p99));
}
