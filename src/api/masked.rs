//! `Debug` of the types that may carry a secret: everything but that.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Accepted, ConnectionString, CreateInstance, CreatedToken};

/// As JSON, with these fields hidden; a field that is added later is shown without a change here.
fn write<T: Serialize>(f: &mut fmt::Formatter<'_>, name: &str, value: &T, secrets: &[&str]) -> fmt::Result {
    let Ok(mut shown) = serde_json::to_value(value) else { return write!(f, "{name}(?)") };
    for secret in secrets {
        if let Some(field) = shown.get_mut(secret).filter(|field| !field.is_null()) {
            *field = Value::String("***".to_owned());
        }
    }
    write!(f, "{name} {shown}")
}

impl fmt::Debug for CreateInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, "CreateInstance", self, &["password"])
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, "Accepted", self, &["password"])
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, "ConnectionString", self, &["value", "password"])
    }
}

impl fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, "CreatedToken", self, &["secret"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Token;
    use crate::domain::TokenId;

    const CANARY: &str = "canary-canary";

    #[test]
    fn debug_shows_all_but_the_secret() {
        let secret = Some(CANARY.to_owned());
        let create = CreateInstance { name: "demo".into(), password: secret.clone(), ..CreateInstance::default() };
        let accepted = Accepted { operation: None, instance: None, password: secret.clone() };
        let connection = ConnectionString {
            format: "uri".into(),
            value: format!("postgresql://app:{CANARY}@localhost/app"),
            revealed: true,
            username: "app".into(),
            password: secret,
        };
        let token = Token {
            id: TokenId::generate(),
            name: "ci".into(),
            permissions: Vec::new(),
            projects: Vec::new(),
            expires_at: None,
            last_used_at: None,
            created_at: String::new(),
        };
        let created = CreatedToken { token, secret: CANARY.to_owned() };
        let shown = format!("{create:?} {accepted:?} {connection:?} {created:?}");
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(shown.contains("demo") && shown.contains("\"app\"") && shown.contains("\"ci\""), "{shown}");
    }
}
