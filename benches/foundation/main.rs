//! Speed and memory of the foundation, as ratios and numbers measured side by side in one run.
//!
//! `cargo bench --bench foundation -- [create] [reads] [reconcile] [memory] [watch] [rounds] [ready] [--rounds N] [--engines a,b]`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod create;
mod daemon;
mod http;
mod memory;
mod reads;
mod ready;
mod reconcile;
mod stats;
mod watch;

fn main() {
    let mut parts = Vec::new();
    let (mut rounds, mut engines) =
        (10, ["postgresql", "mariadb", "redis", "valkey"].iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // cargo adds it
            "--rounds" => rounds = arguments.next().and_then(|n| n.parse().ok()).expect("--rounds N"),
            "--engines" => engines = arguments.next().expect("--engines a,b").split(',').map(Into::into).collect(),
            part @ ("create" | "reads" | "reconcile" | "memory" | "watch" | "rounds" | "ready") => {
                parts.push(part.to_owned())
            }
            other => panic!("unknown argument {other}; see the first lines of benches/foundation/main.rs"),
        }
    }
    if parts.is_empty() {
        parts = ["reconcile", "reads", "memory", "create", "rounds", "watch"].map(Into::into).into();
    }
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for part in parts {
        println!("\n## {part}\n");
        match part.as_str() {
            "create" => threads.block_on(create::run(rounds, &engines)),
            "reads" => threads.block_on(reads::run()),
            "reconcile" => threads.block_on(reconcile::run()),
            "ready" => threads.block_on(ready::run(rounds, &engines)),
            "watch" => threads.block_on(watch::run()),
            "rounds" => threads.block_on(watch::rounds(&engines)),
            _ => threads.block_on(memory::run()),
        }
    }
}
