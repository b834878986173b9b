//! Promises about tokens.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::app::testing::{self, World};
use crate::config::AuthConfig;

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn auth(world: &World) -> Authenticator {
    Authenticator::new(world.store.clone(), Arc::clone(&world.vault), AuthConfig::default()).unwrap()
}

fn ask(name: &str, permissions: &[&str], projects: &[&str]) -> CreateToken {
    let own = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
    CreateToken { name: name.into(), permissions: own(permissions), projects: own(projects), expires_in_days: None }
}

#[tokio::test]
async fn a_new_token_works_and_its_secret_is_kept_nowhere() {
    let world = World::new();
    let admin = testing::caller(Permission::Write, None);
    let made =
        create_token(&world.store, &world.vault, &admin, ask("ci", &["databases:read"], &["red"])).await.unwrap();
    let (lookup, secret) = split(&made.secret).unwrap();
    assert!(made.secret.starts_with("fdb_") && lookup.len() == 16 && secret.len() == 43);
    let identity = auth(&world).authenticate(Some(&made.secret), IP).await.unwrap();
    assert_eq!((identity.actor.as_str(), identity.permission), ("ci", Permission::Read));
    assert_eq!(identity.projects.as_deref(), Some(&["red".to_owned()][..]));
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
    }
    let log = store::audit::list;
    let lines = world.store.read(move |db| log(db, None, None, None, 10)).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].params["name"] == "ci" && !lines[0].params.to_string().contains(secret));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_pointers_and_nothing_is_made() {
    let world = World::new();
    let admin = testing::caller(Permission::Write, None);
    let long = "x".repeat(64);
    let read = &["databases:read"][..];
    let mut days = ask("days", read, &[]);
    days.expires_in_days = Some(0);
    let cases = [
        (ask("", read, &[]), "/name"),
        (ask(&long, read, &[]), "/name"),
        (ask("two words", read, &[]), "/name"),
        (ask("jwt:alice", read, &[]), "/name"),
        (ask("local", read, &[]), "/name"),
        (ask("a\0b", read, &[]), "/name"),
        (ask("none", &[], &[]), "/permissions"),
        (ask("what", &["databases:read", "databases:rule"], &[]), "/permissions/1"),
        (ask("twice", &["databases:read", "databases:read"], &[]), "/permissions/1"),
        (ask("projects", read, &["red", "no good"]), "/projects/1"),
        (days, "/expires_in_days"),
    ];
    for (request, pointer) in cases {
        let name = request.name.clone();
        let error = create_token(&world.store, &world.vault, &admin, request).await.unwrap_err();
        assert_eq!((error.kind, error.fields[0].pointer.as_str()), (ErrorKind::Invalid, pointer), "{name}");
    }
    assert!(list_tokens(&world.store, &admin).await.unwrap().items.is_empty());
    assert_eq!(world.vault.hashes(), 0, "a refusal costs no argon2");
    create_token(&world.store, &world.vault, &admin, ask("same", read, &[])).await.unwrap();
    let twin = create_token(&world.store, &world.vault, &admin, ask("same", read, &[])).await.unwrap_err();
    assert_eq!((twin.code, twin.fields[0].pointer.as_str()), ("name_taken", "/name"));
}

#[tokio::test]
async fn nobody_gives_more_than_he_has() {
    let world = World::new();
    let (store, vault) = (&world.store, &world.vault);
    let reader = testing::caller(Permission::Read, None);
    let denied = create_token(store, vault, &reader, ask("a", &["databases:read"], &[])).await.unwrap_err();
    assert_eq!(denied.code, "permission_denied");
    let red = testing::caller(Permission::Write, Some(&["red", "pink"]));
    for projects in [&[][..], &["blue"], &["red", "blue"]] {
        let wide = create_token(store, vault, &red, ask("a", &["databases:write"], projects)).await.unwrap_err();
        assert_eq!(wide.code, "token_too_wide", "{projects:?}");
    }
    create_token(store, vault, &red, ask("a", &["databases:write"], &["red"])).await.unwrap();

    let admin = testing::caller(Permission::Write, None);
    let blue = create_token(store, vault, &admin, ask("blue", &["databases:read"], &["blue"])).await.unwrap();
    let seen = list_tokens(store, &red).await.unwrap().items;
    assert_eq!(seen.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["a"]);
    let auth = auth(&world);
    assert_eq!(delete_token(store, &auth, &red, blue.token.id).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(delete_token(store, &auth, &reader, blue.token.id).await.unwrap_err().code, "permission_denied");
    assert_eq!(list_tokens(store, &reader).await.unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn the_last_token_that_may_do_everything_stays() {
    let world = World::new();
    let (store, vault, auth) = (&world.store, &world.vault, auth(&world));
    let admin = testing::caller(Permission::Write, None);
    let write = &["databases:write"][..];
    let first = create_token(store, vault, &admin, ask("first", write, &[])).await.unwrap().token.id;
    create_token(store, vault, &admin, ask("limited", write, &["red"])).await.unwrap();
    create_token(store, vault, &admin, ask("reader", &["databases:read"], &[])).await.unwrap();
    let mut ends = ask("ends", write, &[]);
    ends.expires_in_days = Some(1);
    let ends = create_token(store, vault, &admin, ends).await.unwrap().token;
    let in_a_day: Timestamp = ends.expires_at.unwrap().parse().unwrap();
    assert!((in_a_day.duration_since(Timestamp::now()) - SignedDuration::from_hours(24)).abs().as_secs() < 60);

    assert_eq!(delete_token(store, &auth, &admin, first).await.unwrap_err().code, "last_admin_token");
    let second = create_token(store, vault, &admin, ask("second", write, &[])).await.unwrap().token.id;
    delete_token(store, &auth, &admin, first).await.unwrap();
    assert_eq!(delete_token(store, &auth, &admin, first).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(delete_token(store, &auth, &admin, second).await.unwrap_err().code, "last_admin_token");
    delete_token(store, &auth, &admin, ends.id).await.unwrap();
}

#[tokio::test]
async fn the_first_start_leaves_a_private_file_and_later_ones_leave_it_alone() {
    let world = World::new();
    let start = || ensure_admin_token(&world.store, &world.vault, world.dir.path());
    let AdminToken::Made { path, token } = start().await.unwrap() else { panic!("not made") };
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), token.expose());
    let identity = auth(&world).authenticate(Some(token.expose()), IP).await.unwrap();
    assert_eq!((identity.actor.as_str(), identity.permission, identity.projects), (ADMIN, Permission::Write, None));
    assert!(matches!(start().await.unwrap(), AdminToken::Kept { .. }));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(start().await.unwrap(), AdminToken::FileGone { .. }));

    let mut auth = auth(&world);
    auth.trust_for(std::time::Duration::ZERO);
    auth.authenticate(Some(token.expose()), IP).await.unwrap();
    let new = reset_admin_token(&world.store, world.dir.path()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), new.expose());
    auth.authenticate(Some(new.expose()), IP).await.unwrap();
    assert!(auth.authenticate(Some(token.expose()), IP).await.is_err(), "the old one is good for nothing");
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_repeated() {
    let world = World::new();
    std::fs::write(world.dir.path().join(ADMIN_FILE), "fdb_half").unwrap();
    let made = ensure_admin_token(&world.store, &world.vault, world.dir.path()).await.unwrap();
    assert!(matches!(made, AdminToken::Made { .. }), "a file without a row is not a token");
    let nowhere = world.dir.path().join("missing");
    let other = World::new();
    let error = ensure_admin_token(&other.store, &other.vault, &nowhere).await.unwrap_err();
    assert_eq!(error.code, "admin_token_file");
    assert!(other.store.read(store::tokens::all).await.unwrap().is_empty());
}

#[test]
fn only_what_looks_like_a_token_is_split() {
    let good = format!("fdb_{}_{}", "0123456789abcdef", "-_".repeat(21) + "a");
    assert!(split(&good).is_some());
    for bad in
        ["", "fdb", "fdb__", "fdb_0123456789abcdef_", &good[1..], &good.replace("fdb", "fdc"), &good.to_uppercase()]
    {
        assert!(split(bad).is_none(), "{bad}");
    }
}
