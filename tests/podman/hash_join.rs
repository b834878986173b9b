//! Limits of the container that grow with it: a parallel hash join keeps its table in `/dev/shm`.

use std::collections::BTreeMap;

use fluxdb::api::UpdateSettings;

use crate::world::{PASSWORD, World, caller};

/// 2.5 million rows with 512 MiB of `work_mem` on B2s: more than the 256 MiB that `/dev/shm` once had for every size.
#[tokio::test(flavor = "multi_thread")]
async fn a_parallel_hash_join_has_as_much_shared_memory_as_it_was_given() {
    let world = World::start().await;
    let instance = world.created("demo", "postgresql", "B2s").await;
    let settings = BTreeMap::from([("work_mem".to_owned(), "524288".to_owned())]);
    let accepted = world.app.update_settings(&caller(), instance.id, UpdateSettings { settings }).await.unwrap();
    world.succeeded(accepted.operation.unwrap().id).await;
    let script = "
        set client_min_messages = warning;
        create unlogged table a as select g as k, repeat('x', 60) as v from generate_series(1, 2500000) g;
        analyze a;
        set enable_mergejoin = off; set enable_nestloop = off;
        set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
        explain (costs off) select count(*), min(a.v || b.v) from a join a b using (k);
        select 'joined ' || count(*), min(a.v || b.v) from a join a b using (k);
    ";
    let output = tokio::process::Command::new("psql")
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &instance.endpoint.port.to_string()])
        .args(["-U", &instance.username, "-d", "defaultdb", "-c", script])
        .env("PGPASSWORD", PASSWORD)
        .output()
        .await
        .unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Parallel Hash") && said.contains("joined 2500000"), "{said}\n{wrong}");
    world.deleted(instance.id).await;
    world.end().await;
}
