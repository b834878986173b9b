//! Every setting says what it takes of an instance, and what the SKU says fits the SKU.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use fluxdb_adapters::budget::{budget, host_share, tmpfs_mib};
use fluxdb_adapters::{Cx, Engine, Kind, Setting, Size, What, all, find};

/// From the smallest to the largest SKU, each with the least storage, its own, and the most.
fn sizes() -> Vec<Size> {
    let memories = [(1, 512), (1, 1024), (1, 2048), (2, 4096), (2, 8192), (4, 16_384), (8, 32_768), (16, 131_072)];
    let sized = |(vcpu, memory_mib)| [1, 8, 128, 16_384].map(|storage_gib| Size { vcpu, memory_mib, storage_gib });
    memories.into_iter().flat_map(sized).collect()
}

fn each(check: impl Fn(&dyn Engine, &Cx)) {
    for engine in all() {
        let facts = engine.facts();
        for version in facts.versions {
            for size in sizes().into_iter().filter(|s| s.memory_mib >= facts.floor.memory_mib) {
                check(*engine, &Cx::sized(facts, version, size, BTreeMap::new()));
            }
        }
    }
}

/// Whether a number is one of bytes, or one of things that each take some.
fn must_answer(setting: &Setting) -> bool {
    const WORDS: [&str; 17] = [
        "size",
        "mem",
        "cache",
        "buffer",
        "heap",
        "byte",
        "connection",
        "client",
        "thread",
        "worker",
        "process",
        "pool",
        "file",
        "packet",
        "wal",
        "lock",
        "space",
    ];
    let name = setting.name.to_lowercase();
    match setting.kind {
        Kind::Integer { unit: "ms" | "us" | "s" | "min", .. } => false,
        Kind::Integer { unit: "B" | "bytes" | "KiB" | "MiB" | "GiB" | "%", .. } => true,
        Kind::Integer { .. } | Kind::Float { .. } => WORDS.iter().any(|word| name.contains(word)),
        Kind::Boolean | Kind::Choice { .. } | Kind::Text { .. } => false,
    }
}

#[test]
fn every_size_and_every_count_says_what_it_takes() {
    let mut silent = Vec::new();
    for engine in all() {
        let catalogue = engine.settings().map(|s| s.catalogue()).unwrap_or_default();
        let unsaid = catalogue.iter().filter(|s| must_answer(s) && s.takes.what == What::Unsaid);
        silent.extend(unsaid.map(|s| format!("{}: {}", engine.facts().id, s.name)));
    }
    assert!(silent.is_empty(), "say what these take, be it Takes::NOTHING:\n{}", silent.join("\n"));
}

#[test]
fn what_takes_something_has_a_number_when_nobody_sets_it() {
    each(|engine, cx| {
        let Some(settings) = engine.settings() else { return };
        let known = settings.catalogue().iter().filter(|s| !s.not_in.contains(&cx.version.id));
        for setting in known.filter(|s| !matches!(s.takes.what, What::Unsaid | What::Nothing)) {
            let usual = settings.usual(cx, setting);
            let number = usual.parse::<f64>().is_ok() || usual.parse::<bool>().is_ok();
            assert!(number, "{} {}: {} is {usual:?}", engine.facts().id, cx.version.id, setting.name);
        }
    });
}

#[test]
fn what_multiplies_a_setting_is_in_the_same_catalogue() {
    for engine in all() {
        let catalogue = engine.settings().map(|s| s.catalogue()).unwrap_or_default();
        for setting in catalogue {
            for factor in setting.takes.times {
                if let fluxdb_adapters::Factor::Value(name) | fluxdb_adapters::Factor::OneMore(name) = factor {
                    assert!(catalogue.iter().any(|s| s.name == *name), "{}: {name}", engine.facts().id);
                }
            }
        }
    }
}

#[test]
fn what_the_sku_says_fits_the_sku() {
    each(|engine, cx| {
        let excesses = budget(engine, cx).excesses(engine, cx);
        let texts: Vec<String> = excesses.iter().map(|e| e.text()).collect();
        assert!(texts.is_empty(), "{} {} {:?}: {texts:#?}", engine.facts().id, cx.version.id, cx.size);
    });
}

/// The conformance suite changes every setting a little, all of a kind at once.
#[test]
fn a_little_more_of_everything_fits_too() {
    each(|engine, cx| {
        let Some(settings) = engine.settings() else { return };
        let known = || settings.catalogue().iter().filter(|s| !s.not_in.contains(&cx.version.id));
        for apply in [fluxdb_adapters::Apply::Dynamic, fluxdb_adapters::Apply::Restart] {
            let fixed = known().filter(|s| s.apply == apply && !s.default.is_empty());
            let set = fixed.filter_map(|s| Some((s.name.to_owned(), s.another(s.default)?))).collect();
            let cx = Cx { settings: set, ..cx.clone() };
            if cx.size.storage_gib > 1 {
                let excesses = budget(engine, &cx).excesses(engine, &cx);
                let texts: Vec<String> = excesses.iter().map(|e| e.text()).collect();
                assert!(texts.is_empty(), "{} {} {:?}: {texts:#?}", engine.facts().id, cx.version.id, cx.size);
            }
        }
    });
}

fn sized(engine: &str, memory_mib: u32, settings: &[(&str, &str)]) -> Cx {
    let facts = find(engine).unwrap().facts();
    let version = facts.version(facts.default_version).unwrap();
    let settings = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Cx::sized(facts, version, Size { vcpu: 2, memory_mib, storage_gib: 8 }, settings)
}

fn refused(engine: &str, memory_mib: u32, settings: &[(&str, &str)]) -> Vec<String> {
    let cx = sized(engine, memory_mib, settings);
    let engine = find(engine).unwrap();
    budget(engine, &cx).excesses(engine, &cx).iter().map(|e| e.text()).collect()
}

#[test]
fn a_sum_is_refused_with_its_numbers() {
    let text = |engine, memory, settings| refused(engine, memory, settings).join("; ");
    let log = text("mariadb", 2048, &[("innodb_log_file_size", "524288")]);
    assert_eq!(log, "innodb_log_file_size=524288 MiB takes 512 GiB; of 8 GiB of storage settings may take 4 GiB");
    let buffers = text("postgresql", 2048, &[("shared_buffers", "3000")]);
    assert!(buffers.contains("shared_buffers=3000 MiB takes 3000 MiB") && buffers.contains("of 2048 MiB of memory"));
    assert_ne!(text("postgresql", 512, &[("shared_buffers", "1500")]), "");
    // None of them is too much alone.
    assert_eq!(text("mariadb", 2048, &[("key_buffer_size", "400")]), "");
    assert_ne!(text("mariadb", 2048, &[("key_buffer_size", "400"), ("innodb_buffer_pool_size", "1300")]), "");
    // A count of things that each take a little.
    assert_ne!(text("postgresql", 2048, &[("max_connections", "10000")]), "");
    assert_ne!(text("postgresql", 2048, &[("max_locks_per_transaction", "100000")]), "");
    // A sort that a factor makes large.
    assert_eq!(text("postgresql", 4096, &[("work_mem", "524288")]), "");
    assert_ne!(text("postgresql", 4096, &[("work_mem", "524288"), ("hash_mem_multiplier", "4.0")]), "");
    // Parts of a heap.
    assert_ne!(text("opensearch", 2048, &[("indices.fielddata.cache.size", "90")]), "");
    // -1 and 0 are words.
    assert_eq!(text("kafka", 2048, &[("log.retention.bytes", "-1")]), "");
    assert_ne!(text("kafka", 2048, &[("log.retention.bytes", "9223372036854775807")]), "");
}

/// No limit of the container is the same for every size where what it limits grows with the size or the settings.
#[test]
fn limits_of_the_container_grow_with_the_instance() {
    let of = |engine: &str, memory, settings: &[(&str, &str)]| {
        let cx = sized(engine, memory, settings);
        host_share(find(engine).unwrap(), &cx)
    };
    for engine in all().iter().map(|e| e.facts().id) {
        let (small, large) = (of(engine, 4096, &[]), of(engine, 131_072, &[]));
        assert!(small.pids < large.pids && small.nofile < large.nofile, "{engine}: {small:?} {large:?}");
        assert!(small.shm_mib <= large.shm_mib, "{engine}");
    }
    let shm = |memory, settings: &[(&str, &str)]| of("postgresql", memory, settings).shm_mib;
    assert_eq!([512, 1024, 4096, 131_072].map(|m| shm(m, &[])), [256, 512, 2048, 65_536]);
    assert!(shm(4096, &[("shared_buffers", "2048")]) < 2048, "together they stay below the memory");
    for (engine, settings) in [
        ("postgresql", &[("max_connections", "900")][..]),
        ("postgresql", &[("max_worker_processes", "400"), ("max_wal_senders", "400")]),
        ("postgresql", &[("autovacuum_max_workers", "500")]),
        ("mysql", &[("max_connections", "4000")]),
        ("mongodb", &[("net.maxIncomingConnections", "4000")]),
        ("cassandra", &[("native_transport_max_threads", "1000")]),
    ] {
        let (plain, set) = (of(engine, 8192, &[]), of(engine, 8192, settings));
        assert!(plain.pids + 300 < set.pids, "{engine} {settings:?}: {plain:?} {set:?}");
    }
    let (plain, set) = (of("mysql", 8192, &[]), of("mysql", 8192, &[("table_open_cache", "50000")]));
    assert!(set.nofile > 100_000 && set.nofile > plain.nofile, "{plain:?} {set:?}");
    assert_eq!([64, 16, 4].map(|mib| tmpfs_mib(mib, 512)), [64, 16, 4]);
    assert_eq!([64, 16, 4].map(|mib| tmpfs_mib(mib, 131_072)), [2048, 2048, 4]);
}
