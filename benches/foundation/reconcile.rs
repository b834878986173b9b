//! A look at 1,000 instances that are all as asked: how long, and how many calls to the runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fluxdb::config::Config;
use fluxdb::daemon;
use fluxdb::domain::container::{self, LABEL_SPEC, plan};
use fluxdb::domain::egress::Egress;
use fluxdb::domain::host::HostClass;
use fluxdb::domain::instance::Desired;
use fluxdb::runtime::ContainerRuntime;
use fluxdb::runtime::fake::FakeRuntime;
use fluxdb::store::{Store, instances};
use fluxdb::vault::Vault;
use fluxdb::wire::fake::FakeWire;
use fluxdb::workers::reconcile::Reconciler;

use fluxdb_adapters::Secret;

use crate::daemon::record;
use crate::stats::{median, ms};

pub async fn run() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join(daemon::STATE_FILE), 1).unwrap();
    let owner = daemon::installation(&store).await.unwrap();
    let records: Vec<_> = (0..1000).map(|n| record(n, Desired::Running)).collect();
    {
        let records = records.clone();
        store.write(move |tx| records.iter().try_for_each(|r| instances::insert(tx, r))).await.unwrap();
    }
    let runtime = FakeRuntime::with_images();
    let class = HostClass::of(&runtime.host().await.unwrap());
    for record in &records {
        let password = || Secret::new("bench");
        let cx = record.cx("127.0.0.1", password(), password()).unwrap();
        let mut plan = plan(&owner, record, &cx, class).unwrap();
        plan.spec.labels.insert(LABEL_SPEC.into(), format!("r{}-x", record.revision));
        let labels = container::labels(&owner, record.id);
        runtime.create_volume(&plan.spec.volume, &labels, 999, 999).await.unwrap();
        for (name, content) in &plan.files {
            runtime.put_secret(name, content).await.unwrap();
        }
        runtime.create(&plan.spec).await.unwrap();
        runtime.start(&plan.spec.name, Egress::Closed).await.unwrap();
    }
    let wire = Arc::new(FakeWire::new(runtime.clone()));
    let mut config = Config::default();
    config.data.dir = dir.path().to_owned();
    let vault = Arc::new(Vault::with_key([1; 32], "bench"));
    let app = daemon::open(store, runtime.clone(), wire, vault, config, owner).await.unwrap();
    app.core.refresh_host().await.unwrap();
    for record in &records {
        let container = container::Names::new(&app.core.owner, record.id).container();
        let run = runtime.inspect(&container).await.unwrap().unwrap().summary.run();
        app.core.registry.update(record.id, |e| e.answered = run);
    }
    let mut reconciler = Reconciler::new(app);
    runtime.forget_calls();
    let mut times = Vec::<Duration>::new();
    for _ in 0..20 {
        let started = Instant::now();
        let run = reconciler.once().await.unwrap();
        times.push(started.elapsed());
        assert_eq!((run.instances, run.repairs, run.waiting), (1000, 0, 0));
    }
    let calls = runtime.calls().len() / 20;
    println!(
        "A no-op reconcile of 1,000 running instances: median {}, {calls} call(s) to the runtime in all.",
        ms(median(&times))
    );
}
