//! Settings against the size of the instance: whatever is accepted fits, at creation, by a change and by a resize.

use std::collections::BTreeMap;

use fluxdb::domain::sku::{SKUS, Sku};
use fluxdb_adapters::{Apply, Cx, Engine, Factor, How, Kind, Setting, Settings, Size, Version, What, all, find};
use hyper::Method;
use serde_json::{Value, json};

use crate::support::TestApp;

/// The same numbers at each run: a failure can be looked at again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// A value that the catalogue takes; numbers of every order of magnitude.
    fn value(&mut self, setting: &Setting) -> Option<String> {
        let value = match setting.kind {
            Kind::Integer { min, max, .. } => {
                let span = u64::try_from(i128::from(max) - i128::from(min)).unwrap();
                let bits = self.below(65 - u64::from(span.leading_zeros()));
                let beyond = if bits == 0 { 0 } else { (1 << (bits - 1)) + self.below(1 << (bits - 1).min(30)) };
                min.saturating_add_unsigned(beyond.min(span)).to_string()
            }
            Kind::Float { min, max } => {
                let share = f64::from(u32::try_from(self.below(1001)).unwrap()) / 1000.0;
                format!("{:.3}", min + (max - min) * share * share)
            }
            Kind::Boolean => (self.below(2) == 0).to_string(),
            Kind::Choice { values } => (*self.one(values)).to_owned(),
            Kind::Text { .. } => return None,
        };
        setting.check(&value).is_ok().then_some(value)
    }

    /// Some settings of the version, more often those that take something.
    fn settings(&mut self, engine: &dyn Engine, version: &str, created: bool) -> BTreeMap<String, String> {
        let catalogue = engine.settings().map(|s| s.catalogue()).unwrap_or_default();
        let known = catalogue.iter().filter(|s| !s.not_in.contains(&version));
        let known: Vec<_> = known.filter(|s| created || s.apply != Apply::Immutable).collect();
        let sizes: Vec<_> = known.iter().filter(|s| s.takes.what != What::Nothing).copied().collect();
        let mut chosen = BTreeMap::new();
        for _ in 0..=self.below(4) {
            let from = if self.below(4) > 0 && !sizes.is_empty() { &sizes } else { &known };
            if from.is_empty() {
                break;
            }
            let setting = *self.one(from);
            chosen.extend(self.value(setting).map(|value| (setting.name.to_owned(), value)));
        }
        chosen
    }
}

/// Reckoned in another way than fluxdb does: bytes of memory, heap and storage that are kept, and the largest of what is
/// taken while one session works.
fn taken(settings: &dyn Settings, cx: &Cx) -> [(f64, f64); 3] {
    let value = |s: &Setting| cx.settings.get(s.name).cloned().unwrap_or_else(|| settings.usual(cx, s));
    let number = |s: &Setting| match value(s).as_str() {
        "true" => 1.0,
        "false" => 0.0,
        text => text.parse::<f64>().unwrap_or(0.0).max(0.0),
    };
    let find = |name: &str| settings.catalogue().iter().find(|s| s.name == name).unwrap();
    let heap: f64 =
        settings.beside(cx).iter().filter(|b| b.heap).map(|b| f64::from(b.memory_mib)).sum::<f64>() * 1048576.0;
    let mut sums = [(0.0, 0.0); 3];
    for beside in settings.beside(cx) {
        sums[0].0 += f64::from(beside.memory_mib) * 1048576.0;
        sums[2].0 += f64::from(beside.storage_mib) * 1048576.0;
    }
    for setting in settings.catalogue().iter().filter(|s| !s.not_in.contains(&cx.version.id)) {
        let (at, how) = match setting.takes.what {
            What::Memory(how) => (0, how),
            What::Heap(how) => (1, how),
            What::Storage(how) => (2, how),
            What::Sessions | What::Clients | What::Workers | What::Files => (0, How::Kept),
            What::Nothing | What::Unsaid => continue,
        };
        let unit = match setting.kind {
            Kind::Integer { unit: "KiB", .. } => 1024.0,
            Kind::Integer { unit: "MiB", .. } => 1048576.0,
            Kind::Integer { unit: "%", .. } => heap / 100.0,
            Kind::Float { .. } if at == 1 => heap,
            _ => 1.0,
        };
        let times: f64 = (setting.takes.times.iter())
            .map(|f| match f {
                Factor::Value(name) => number(find(name)),
                Factor::OneMore(name) => number(find(name)) + 1.0,
                Factor::By(n) => f64::from(*n),
            })
            .product();
        #[expect(clippy::cast_precision_loss)]
        let bytes = number(setting) * unit * times * setting.takes.each as f64;
        match how {
            How::Kept => sums[at].0 += bytes,
            How::Work | How::Ceiling => sums[at].1 = f64::max(sums[at].1, bytes),
        }
    }
    sums
}

/// What no accepted settings may exceed: the instance itself.
fn fits(engine: &dyn Engine, version: &'static Version, size: Size, set: &BTreeMap<String, String>) -> bool {
    let Some(settings) = engine.settings() else { return true };
    let cx = Cx::sized(engine.facts(), version, size, set.clone());
    let heap: f64 = settings.beside(&cx).iter().filter(|b| b.heap).map(|b| f64::from(b.memory_mib)).sum();
    let has = [f64::from(size.memory_mib), heap, f64::from(size.storage_gib) * 1024.0].map(|mib| mib * 1048576.0);
    let kept = [0.81, 0.81, 0.51];
    (taken(settings, &cx).iter().zip(has).zip(kept))
        .all(|(((sum, largest), has), kept)| *sum <= has * kept + 1.0 && *largest <= has + 1.0)
}

fn size(sku: &Sku, storage_gib: u32) -> Size {
    Size { storage_gib, ..sku.size }
}

/// A refusal names a number of bytes, what there is, and what to do.
fn says_numbers(problem: &Value) {
    let text = problem["detail"].as_str().unwrap();
    assert!(text.contains(" takes ") && text.contains(" settings may take "), "{text}");
}

#[tokio::test]
async fn what_a_creation_accepts_fits_and_the_skus_own_values_always_do() {
    let app = TestApp::start().await;
    let mut dice = Dice(8);
    let (mut accepted, mut refused) = (0, 0);
    for engine in all() {
        let facts = engine.facts();
        let skus: Vec<_> = SKUS.iter().filter(|s| s.size.memory_mib >= facts.floor.memory_mib).collect();
        for version in facts.versions {
            for sku in &skus {
                let body =
                    json!({"name": "x", "engine": facts.id, "version": version.id, "sku": sku.id, "storage_gib": 1});
                app.post("/databases?dry_run=true").json(&body).send().await.expect(200);
            }
            for _ in 0..20 {
                let sku = *dice.one(&skus);
                let storage = *dice.one(&[1, 8, 100, 16_384]);
                let settings = dice.settings(*engine, version.id, true);
                let body = json!({"name": "x", "engine": facts.id, "version": version.id, "sku": sku.id,
                    "storage_gib": storage, "settings": settings});
                let answer = app.post("/databases?dry_run=true").json(&body).send().await;
                if answer.status == 200 {
                    accepted += 1;
                    let fits = fits(*engine, version, size(sku, storage), &settings);
                    assert!(fits, "{} {} {} {storage} GiB takes {settings:?}", facts.id, version.id, sku.id);
                } else {
                    refused += 1;
                    says_numbers(&answer.expect(422));
                }
            }
        }
    }
    assert!(accepted > 100 && refused > 100, "{accepted} {refused}");
}

#[tokio::test]
async fn what_a_change_or_a_resize_accepts_fits() {
    let app = TestApp::start_with(|config| {
        config.admission.memory_overcommit = 1e6;
        config.admission.cpu_overcommit = 1e6;
    })
    .await;
    let mut dice = Dice(88);
    let (mut changed, mut resized, mut refused) = (0, 0, 0);
    for (engine, version) in [("postgresql", "17"), ("mariadb", "11.8"), ("redis", "8.0"), ("valkey", "8.1")] {
        let made = app.create(json!({"name": engine, "engine": engine, "version": version, "sku": "B1ms"})).await;
        let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
        let engine = find(engine).unwrap();
        let version = engine.facts().version(version).unwrap();
        let mut set = BTreeMap::new();
        for _ in 0..60 {
            let resize = dice.below(2) == 0;
            let (sku, settings) = (dice.one(SKUS), dice.settings(engine, version.id, false));
            let answer = if resize {
                app.patch(&format!("{path}?wait=20")).json(&json!({"sku": sku.id})).send().await
            } else {
                let body = json!({"settings": settings});
                app.call(Method::PUT, &format!("{path}/settings?wait=20")).json(&body).send().await
            };
            if answer.status != 200 {
                refused += 1;
                says_numbers(&answer.expect(422));
                continue;
            }
            if resize {
                resized += 1
            } else {
                changed += 1
            }
            if !resize {
                set = settings;
            }
            let now = app.get(&path).send().await.expect(200);
            let mib = |name: &str| u32::try_from(now["size"][name].as_u64().unwrap()).unwrap();
            let size = Size { vcpu: mib("vcpu"), memory_mib: mib("memory_mib"), storage_gib: mib("storage_gib") };
            assert!(fits(engine, version, size, &set), "{} {size:?} takes {set:?}", engine.facts().id);
        }
    }
    assert!(changed > 20 && resized > 20 && refused > 10, "{changed} {resized} {refused}");
}

#[tokio::test]
async fn a_refusal_says_which_setting_takes_how_much_and_what_to_choose() {
    let app = TestApp::start().await;
    let body = json!({"name": "a", "engine": "mariadb", "sku": "B1s", "storage_gib": 8,
        "settings": {"innodb_log_file_size": "524288"}});
    let problem = app.post("/databases").json(&body).send().await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/settings/innodb_log_file_size");
    let text = problem["errors"][0]["detail"].as_str().unwrap();
    assert_eq!(
        text,
        "is too large: innodb_log_file_size=524288 MiB takes 512 GiB; of 8 GiB of storage settings may take 4 GiB. \
         Choose at most 4096 for innodb_log_file_size, or storage_gib 1024"
    );

    let made = app.create(json!({"name": "b", "engine": "postgresql", "sku": "B1ms"})).await;
    let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
    let settings = format!("{path}/settings?wait=20");
    let put = |value: &str| app.call(Method::PUT, &settings).json(&json!({"settings": {"shared_buffers": value}}));
    let problem = put("3000").send().await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/settings/shared_buffers");
    let text = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(text.contains("of 2048 MiB of memory") && text.contains("or SKU "), "{text}");
    put("1400").send().await.expect(200);
    let problem = app.patch(&path).json(&json!({"sku": "B1ls"})).send().await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/sku");
    let text = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(text.starts_with("is too small for the settings: shared_buffers=1400 MiB takes 1400 MiB"), "{text}");
    // What the advice says is accepted.
    let most = text.split("at most ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    put(&most).send().await.expect(200);
    app.patch(&format!("{path}?wait=20")).json(&json!({"sku": "B1ls"})).send().await.expect(200);
}
