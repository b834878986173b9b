//! What a good password is, and making one.

use fluxdb_adapters::Secret;
use rand::RngExt;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH: usize = 32;

/// Fewest and most characters of a password that a user brings.
const ALLOWED: std::ops::RangeInclusive<usize> = 12..=128;

/// A password of 190 random bits. Letters and digits only, a letter first: it means itself in SQL, shells, URLs,
/// YAML and every configuration file.
pub fn generate() -> Secret {
    let mut rng = rand::rng();
    let mut text = String::with_capacity(LENGTH);
    text.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
    for _ in 1..LENGTH {
        text.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    }
    Secret::new(text)
}

/// Whether a password that a user brings will do; else a sentence that says why not, without the password.
pub fn check_user_password(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    if !ALLOWED.contains(&length) {
        return Err(format!("has {length} characters; use {} to {}", ALLOWED.start(), ALLOWED.end()));
    }
    if password.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}')) {
        return Err("holds a control character, a tab or a line break; use printable characters".to_owned());
    }
    // Clients and forms cut spaces off in silence, and then the password is another one.
    if password.starts_with(char::is_whitespace) || password.ends_with(char::is_whitespace) {
        return Err("begins or ends with a space; remove it".to_owned());
    }
    let first = password.chars().next();
    if password.chars().all(|c| Some(c) == first) {
        return Err("is one character repeated; use a mixture".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn made_passwords_are_plain_different_and_pass_our_own_rule() {
        let made: BTreeSet<String> = (0..500).map(|_| generate().expose().to_owned()).collect();
        assert_eq!(made.len(), 500);
        for password in &made {
            assert!(password.len() == LENGTH && password.bytes().all(|b| b.is_ascii_alphanumeric()));
            assert!(password.starts_with(|c: char| c.is_ascii_alphabetic()));
            check_user_password(password).unwrap();
        }
        let seen: BTreeSet<u8> = made.iter().flat_map(|p| p.bytes()).collect();
        assert_eq!(seen.len(), ALPHABET.len(), "every character turns up");
        assert!((ALPHABET.len() as f64).log2() * (LENGTH - 1) as f64 + (LETTERS.len() as f64).log2() >= 160.0);
    }

    #[test]
    fn what_users_bring_is_checked() {
        let long = "ab".repeat(64);
        for good in
            ["correct horse battery", "päßwörter-sind-gut", "quote'\"\\$`{}%:@/#;", "日本語のパスワードです長い", &long]
        {
            assert_eq!(check_user_password(good), Ok(()), "{good}");
        }
        let longer = format!("{long}a");
        for bad in [
            "",
            "short",
            "aaaaaaaaaaaaaaaa",
            "with\0nul-inside",
            "with\nnewline-in",
            "tab\tinside-it",
            " leading-space",
            "trailing-space ",
            &longer,
        ] {
            let reason = check_user_password(bad).unwrap_err();
            assert!(bad.is_empty() || !reason.contains(bad), "the reason does not repeat the password");
        }
    }
}
