//! Resident memory of the daemon with no instances and with 1,000.

use std::time::Duration;

use hyper::Method;

use crate::daemon::Daemon;
use crate::http::Client;

pub async fn run() {
    let empty = settled(0).await;
    let full = settled(1000).await;
    println!("| instances | resident memory |");
    println!("|---|---|");
    println!("| 0 | {:.1} MiB |", empty as f64 / 1024.0);
    println!("| 1,000, all listed | {:.1} MiB |", full as f64 / 1024.0);
    println!("\nEach further instance: {:.1} KiB.", full.saturating_sub(empty) as f64 / 1000.0);
}

/// After the workers have run, and every instance has been read once, so that what is kept for readers counts too.
async fn settled(instances: usize) -> u64 {
    let daemon = Daemon::start(instances).await;
    let mut client = Client::connect(&daemon).await;
    for _ in 0..20 {
        assert_eq!(client.send(Method::GET, "/databases?limit=1000", "").await.0, 200);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    daemon.rss_kib()
}
