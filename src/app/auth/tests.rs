//! Promises of authentication.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::api::CreateToken;
use crate::app::testing::{self, World};

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const OTHER_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

struct Scene {
    world: World,
    auth: Authenticator,
}

impl Scene {
    fn new(failures: u32) -> Self {
        let world = World::new();
        let config = AuthConfig { jwt: None, failures, failure_window_secs: 60 };
        let auth = Authenticator::new(world.store.clone(), world.vault.clone(), config).unwrap();
        Self { world, auth }
    }

    async fn token(&self, name: &str) -> (TokenId, String) {
        let request = CreateToken {
            name: name.into(),
            permissions: vec!["databases:write".into()],
            projects: Vec::new(),
            expires_in_days: Some(1),
        };
        let admin = testing::caller(Permission::Write, None);
        let made = tokens::create_token(&self.world.store, &self.world.vault, &admin, request).await.unwrap();
        (made.token.id, made.secret)
    }

    /// Error code (empty for none) and hashes that were computed.
    async fn try_with(&self, bearer: Option<&str>, ip: IpAddr) -> (&'static str, u64) {
        let before = self.world.vault.hashes();
        let code = self.auth.authenticate(bearer, ip).await.err().map_or("", |e| e.code);
        (code, self.world.vault.hashes() - before)
    }
}

#[tokio::test]
async fn a_request_with_a_known_token_costs_no_argon2() {
    let scene = Scene::new(20);
    let (_, token) = scene.token("ci").await;
    assert_eq!(scene.try_with(Some(&token), IP).await, ("", 1));
    for _ in 0..10 {
        assert_eq!(scene.try_with(Some(&token), OTHER_IP).await, ("", 0));
    }
    assert_eq!(scene.try_with(Some(&format!(" {token} ")), IP).await, ("", 0));
}

#[tokio::test]
async fn every_bad_token_costs_the_same_and_gets_the_same_answer() {
    let scene = Scene::new(100);
    let (_, token) = scene.token("ci").await;
    let wrong_secret = format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'A' });
    let unknown = token.replacen(&token[4..20], "0000000000000000", 1);
    let long = "x".repeat(5000);
    let mut answers = Vec::new();
    for bad in [&wrong_secret, &unknown, "nonsense", "fdb_", "fdb_x_y", "a.b.c", "übel", &long] {
        let before = scene.world.vault.hashes();
        let error = scene.auth.authenticate(Some(bad), IP).await.unwrap_err();
        assert_eq!(scene.world.vault.hashes() - before, 1, "{bad}");
        assert!(!error.story().contains(bad), "nothing of the token is told");
        answers.push((error.kind, error.code, error.public));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].0, ErrorKind::Unauthenticated);
    for nothing in [None, Some(""), Some("  ")] {
        assert_eq!(scene.try_with(nothing, IP).await, ("unauthenticated", 0));
    }
}

#[tokio::test]
async fn a_removed_token_is_forgotten_at_once() {
    let scene = Scene::new(20);
    let (id, token) = scene.token("ci").await;
    assert_eq!(scene.try_with(Some(&token), IP).await, ("", 1));
    let admin = testing::caller(Permission::Write, None);
    tokens::delete_token(&scene.world.store, &scene.auth, &admin, id).await.unwrap();
    assert_eq!(scene.try_with(Some(&token), IP).await, ("unauthenticated", 1));
}

#[tokio::test]
async fn a_token_that_another_program_removed_is_noticed() {
    let mut scene = Scene::new(20);
    scene.auth.trust_for(Duration::ZERO);
    let (id, token) = scene.token("ci").await;
    assert_eq!(scene.try_with(Some(&token), IP).await, ("", 1));
    assert_eq!(scene.try_with(Some(&token), IP).await, ("", 0), "reading the row again costs no argon2");
    scene.world.store.write(move |db| store::tokens::delete(db, id)).await.unwrap();
    assert_eq!(scene.try_with(Some(&token), IP).await, ("unauthenticated", 1));
}

#[tokio::test]
async fn an_expired_token_is_no_good_remembered_or_not() {
    let scene = Scene::new(20);
    let (id, token) = scene.token("ci").await;
    assert_eq!(scene.try_with(Some(&token), IP).await, ("", 1));
    let past = Timestamp::now() - SignedDuration::from_secs(1);
    for known in scene.auth.state().known.values_mut() {
        known.expires_at = Some(past);
    }
    scene
        .world
        .store
        .write(move |db| {
            let sql = r#"UPDATE "620600_databases_tokens" SET expires_at = ?1 WHERE id = ?2"#;
            db.execute(sql, [past.to_string(), id.to_string()])?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(scene.try_with(Some(&token), IP).await, ("unauthenticated", 1));
    assert!(scene.auth.state().known.is_empty());
}

#[tokio::test]
async fn who_fails_too_often_has_to_wait_and_costs_nothing_meanwhile() {
    let scene = Scene::new(3);
    let (_, known) = scene.token("known").await;
    let (_, fresh) = scene.token("fresh").await;
    assert_eq!(scene.try_with(Some(&known), IP).await, ("", 1));
    for _ in 0..3 {
        assert_eq!(scene.try_with(Some("nonsense"), IP).await, ("unauthenticated", 1));
    }
    assert_eq!(scene.try_with(Some("nonsense"), IP).await, ("too_many_failures", 0));
    assert_eq!(scene.try_with(Some(&fresh), IP).await, ("too_many_failures", 0), "no hint whether it is good");
    assert_eq!(scene.try_with(Some(&known), IP).await, ("", 0), "neighbours who were let in go on");
    assert_eq!(scene.try_with(Some(&fresh), OTHER_IP).await, ("", 1));
    let error = scene.auth.authenticate(Some("nonsense"), IP).await.unwrap_err();
    assert!(error.kind == ErrorKind::TooManyRequests && (1..=61).contains(&error.retry_after_secs.unwrap()));
}

#[tokio::test]
async fn a_flood_at_one_moment_does_not_pass_the_limit() {
    let scene = Scene::new(3);
    let before = scene.world.vault.hashes();
    let tries = (0..20).map(|_| scene.auth.authenticate(Some("nonsense"), IP));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|a| a.as_ref().is_err_and(|e| e.code == "unauthenticated")).count(), 3);
    assert_eq!(scene.world.vault.hashes() - before, 3);
    let (_, token) = scene.token("ci").await;
    let before = scene.world.vault.hashes();
    let tries = (0..20).map(|_| scene.auth.authenticate(Some(&token), OTHER_IP));
    assert!(futures_util::future::join_all(tries).await.iter().all(Result::is_ok));
    assert_eq!(scene.world.vault.hashes() - before, 1, "the same new token twenty times is verified once");
}

#[tokio::test]
async fn the_last_use_is_written_at_most_once_a_minute() {
    let scene = Scene::new(20);
    let (_, token) = scene.token("ci").await;
    let lookup = tokens::split(&token).unwrap().0.to_owned();
    let last_used = || async {
        let lookup = lookup.clone();
        let row = scene.world.store.read(move |db| store::tokens::find(db, &lookup)).await.unwrap().unwrap();
        row.token.last_used_at
    };
    assert_eq!(last_used().await, None);
    scene.auth.authenticate(Some(&token), IP).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while last_used().await.is_none() {
        assert!(Instant::now() < deadline, "the use was never written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let first = last_used().await;
    for _ in 0..5 {
        scene.auth.authenticate(Some(&token), IP).await.unwrap();
    }
    scene.world.store.write(|_| Ok(())).await.unwrap();
    assert_eq!(last_used().await, first);
    for known in scene.auth.state().known.values_mut() {
        known.used_at = Some(Timestamp::now() - SignedDuration::from_secs(61));
    }
    scene.auth.authenticate(Some(&token), IP).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while last_used().await == first {
        assert!(Instant::now() < deadline, "the later use was never written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let scene = Scene::new(20);
    let (_, token) = scene.token("ci").await;
    scene.auth.authenticate(Some(&token), IP).await.unwrap();
    let mut state = scene.auth.state();
    let one = state.known.values().next().unwrap().clone();
    for n in 0..MOST_KNOWN as u64 + 100 {
        make_room(&mut state.known);
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_be_bytes());
        state.known.insert(digest, one.clone());
    }
    assert_eq!(state.known.len(), MOST_KNOWN);
}
