//! Servers that repeat what they were sent: their words without the passwords, and short.

use fluxdb_adapters::{Account, Secret};
use serde_json::Value;

use super::fault::Fault;

/// People read these words; whole stack traces come otherwise.
const LONGEST: usize = 300;

/// A secret shorter than this is part of too many words; a server that repeats it gives nothing away by that.
const SHORTEST: usize = 4;

/// The words of a server, in which neither the account's password nor one out of the request `sent` appears.
pub(super) fn veil(words: &str, account: &Account, sent: &str) -> String {
    let mut secrets = vec![account.password.expose().to_owned()];
    match serde_json::from_str::<Value>(sent) {
        Ok(value) => of_json(&value, false, &mut secrets),
        Err(_) => of_text(sent, &mut secrets),
    }
    // The longest first: one may be the beginning of another.
    secrets.retain(|s| s.chars().count() >= SHORTEST);
    secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    let mut shown = words.to_owned();
    for secret in secrets {
        let escaped = Value::from(secret.as_str()).to_string();
        shown = shown.replace(&secret, "***").replace(escaped.trim_matches('"'), "***");
    }
    cut(shown.trim())
}

/// The same for a refused statement with its values, of which any may be the password that it sets.
pub(super) fn veil_refusal(fault: Fault, account: &Account, text: &Secret, values: &[Secret]) -> Fault {
    let Fault::Refused(code, words) = fault else { return fault };
    let mut shown = veil(&words, account, text.expose());
    if announces(text.expose()) {
        let mut values: Vec<&str> =
            values.iter().map(Secret::expose).filter(|v| v.chars().count() >= SHORTEST).collect();
        values.sort_by_key(|v| std::cmp::Reverse(v.len()));
        for value in values {
            shown = shown.replace(value, "***");
        }
    }
    Fault::Refused(code, shown)
}

/// The first 300 characters.
pub(super) fn cut(words: &str) -> String {
    words.chars().take(LONGEST).collect()
}

/// Words that stand before a password, in statements, forms and as keys.
fn announces(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "identified", "credential"].iter().any(|w| word.contains(w))
}

fn of_json(value: &Value, announced: bool, secrets: &mut Vec<String>) {
    match value {
        Value::String(text) if announced => secrets.push(text.clone()),
        // A statement within a document.
        Value::String(text) => of_text(text, secrets),
        Value::Array(items) => items.iter().for_each(|v| of_json(v, announced, secrets)),
        Value::Object(fields) => fields.iter().for_each(|(k, v)| {
            of_json(v, announced || announces(k) || k == "pw", secrets);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every literal of a statement that sets a password, and the values of a form.
fn of_text(text: &str, secrets: &mut Vec<String>) {
    if !announces(text) {
        return;
    }
    literals(text, secrets);
    for field in text.split('&') {
        let announced = field.split_once('=').filter(|(key, _)| announces(key));
        for (_, value) in form_urlencoded::parse(field.as_bytes()) {
            match announced {
                Some((_, spelt)) => secrets.extend([spelt.to_owned(), value.into_owned()]),
                // A statement within a form.
                None => literals(&value, secrets),
            }
        }
    }
}

fn literals(text: &str, secrets: &mut Vec<String>) {
    for quote in ['\'', '"'] {
        secrets.extend(text.split(quote).skip(1).step_by(2).map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &str, sent: &str) -> String {
        let account = Account { username: "admin".into(), password: Secret::new("sys-Pa55") };
        veil(words, &account, sent)
    }

    #[test]
    fn no_password_is_repeated_whatever_the_request_looked_like() {
        let json = r#"{"name":"alice","password":"p\"w-Pa55","roles":["read"]}"#;
        assert_eq!(
            shown(r#"bad: {"name":"alice","password":"p\"w-Pa55"}"#, json),
            r#"bad: {"name":"alice","password":"***"}"#
        );
        let sql = "CREATE USER \"alice\" IDENTIFIED BY 'user-Pa55'";
        assert_eq!(shown("near 'user-Pa55' by sys-Pa55", sql), "near '***' by ***");
        assert_eq!(shown("q: user%2DPa55 user-Pa55", "q=1&password=user%2DPa55"), "q: *** ***");
        let form = "q=CREATE+USER+a+WITH+PASSWORD+%27user-Pa55%27";
        assert_eq!(shown("near 'user-Pa55'", form), "near '***'");
        let nested = r#"{"statements":[{"statement":"CREATE USER a SET PASSWORD 'user-Pa55'"}]}"#;
        assert_eq!(shown("at 'user-Pa55'", nested), "at '***'");
    }

    #[test]
    fn a_statement_that_is_refused_keeps_its_passwords() {
        let account = Account { username: "admin".into(), password: Secret::new("sys-Pa55") };
        let refused = |words: &str, text: &str, values: &[&str]| {
            let values: Vec<Secret> = values.iter().map(|v| Secret::new(*v)).collect();
            match veil_refusal(Fault::Refused("42601".into(), words.into()), &account, &Secret::new(text), &values) {
                Fault::Refused(code, words) => format!("{code} {words}"),
                other => format!("{other:?}"),
            }
        };
        let create = "CREATE ROLE alice LOGIN PASSWORD 'user-Pa55'";
        assert_eq!(refused("syntax error at or near 'user-Pa55'", create, &[]), "42601 syntax error at or near '***'");
        let bound = "SELECT set_password($1, $2)";
        assert_eq!(refused("no alice with user-Pa55", bound, &["alice", "user-Pa55"]), "42601 no *** with ***");
        assert_eq!(refused("no row alice", "SELECT $1", &["alice"]), "42601 no row alice");
    }

    #[test]
    fn other_words_stay_and_are_short() {
        assert_eq!(shown("no table 'marker'", "SELECT * FROM 'marker'"), "no table 'marker'");
        assert_eq!(shown("no password: alice", r#"{"name":"alice"}"#), "no password: alice");
        assert_eq!(shown(&"x".repeat(1000), "").len(), 300);
        // An empty password is in every text.
        let account = Account { username: "a".into(), password: Secret::default() };
        assert_eq!(veil("fine", &account, ""), "fine");
    }
}
