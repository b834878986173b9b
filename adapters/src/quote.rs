//! Quoting of identifiers and literals, engine by engine, and percent-encoding for URIs.

/// PostgreSQL identifier: `"` doubled.
pub fn pg_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// PostgreSQL literal: an `E''` string when a backslash is inside, so that it does not depend on `standard_conforming_strings`.
pub fn pg_literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Literal of the SQL standard: `'` doubled, a backslash is a character like any other.
pub fn sql_literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// MySQL and MariaDB identifier: backtick doubled.
pub fn mysql_ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// MySQL and MariaDB database name in a GRANT, where `_` and `%` are wildcards and `\` escapes them.
pub fn mysql_grant_database(name: &str) -> String {
    mysql_ident(&name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%"))
}

/// MySQL and MariaDB literal, for a session without `NO_BACKSLASH_ESCAPES`.
pub fn mysql_literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// ClickHouse identifier: backtick and backslash escaped.
pub fn clickhouse_ident(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// InfluxQL identifier: double quote and backslash escaped.
pub fn influx_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// InfluxQL literal: single quote and backslash escaped.
pub fn influx_literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Text inside an XML element or attribute.
pub fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&apos;")
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A word for a POSIX shell.
pub fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A double-quoted YAML scalar (a JSON string is one).
pub fn yaml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_names_are_doubled() {
        assert_eq!(pg_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(mysql_ident("a`b"), "`a``b`");
    }

    #[test]
    fn wildcards_in_granted_databases_are_literal() {
        assert_eq!(mysql_grant_database("a_b%"), "`a\\_b\\%`");
    }

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(pg_literal("it's"), "'it''s'");
        assert_eq!(pg_literal("a\\'b"), " E'a\\\\''b'");
        assert_eq!(mysql_literal("a\\'b"), "'a\\\\''b'");
    }

    #[test]
    fn uris_carry_any_password() {
        assert_eq!(percent("p@ss/w:rd é"), "p%40ss%2Fw%3Ard%20%C3%A9");
    }
}
