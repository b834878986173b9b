//! The password of a server's very first start, which opens nothing once the server is up.

use fluxdb_adapters::{Account, Cx, Engine, PasswordFile, Secret};
use sha2::{Digest, Sha256};

/// The system account at the first start of a server that reads its password from a file; `None` where it does not, or
/// where it reads that file at each start.
///
/// The password follows from the system account's own, so nothing has to be stored for it, and does not lead back to it.
pub fn first_account(engine: &dyn Engine, cx: &Cx) -> Option<Account> {
    (engine.password_file(cx.version.id) == PasswordFile::FirstStart)
        .then(|| Account { username: cx.system.username.clone(), password: derive(&cx.system.password) })
}

/// What the adapter is told when it says how to start the server: the first start's password where that is another one.
pub fn launch_context(engine: &dyn Engine, cx: &Cx) -> Cx {
    match first_account(engine, cx) {
        Some(system) => Cx { system, ..cx.clone() },
        None => cx.clone(),
    }
}

/// 160 bits; a capital letter, a small one and a digit, for servers that insist on them.
fn derive(password: &Secret) -> Secret {
    let mut hasher = Sha256::new();
    hasher.update(b"fluxdb first start\0");
    hasher.update(password.expose());
    let text: String = hasher.finalize().iter().take(20).map(|b| format!("{b:02x}")).collect();
    Secret::new(format!("Fb1{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_password_is_always_the_same_and_another_one() {
        let (a, b) = (Secret::new("one"), Secret::new("two"));
        assert_eq!(derive(&a), derive(&a));
        assert_ne!(derive(&a), derive(&b));
        assert!(derive(&a).expose().len() == 43 && !derive(&a).expose().contains("one"));
    }
}
