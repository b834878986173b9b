//! A server that has no room on its disk any more: how it says so, and what its user has to do.

/// What is said by the C library, by PostgreSQL, MariaDB and MySQL (`Errcode: 28`, `error: 28`), InnoDB, the JVM, Go, SQLite
/// and SQL Server.
const SIGNS: [&str; 10] = [
    "no space left on device",
    "enospc",
    "errno 28",
    "errno: 28",
    "errcode: 28",
    "error: 28",
    "error code 28",
    "failed with error 28",
    "disk is full",
    "disk full",
];

/// What follows the server's words in an error.
pub const ADVICE: &str = "There is no space left on the disk that holds its volume: free some there, or make the disk larger, \
    then start the instance.";

/// Whether a server's words say that its disk is full.
pub fn says_so(text: &str) -> bool {
    let text = text.to_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// The text, with the advice where it says so.
pub fn with_advice(text: String) -> String {
    if says_so(&text) && !text.contains(ADVICE) { format!("{text}\n{ADVICE}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disks_are_recognised_in_the_words_of_many_servers() {
        for text in [
            "FATAL:  could not write lock file \"postmaster.pid\": No space left on device",
            "[ERROR] mariadbd: Disk full (./slow.log); waiting for someone to free some space (errno: 28 \"No space left on device\")",
            "OS error number 28, write failed: (error: 28)",
            "java.io.IOException: No space left on device",
        ] {
            assert!(says_so(text), "{text}");
            assert!(with_advice(text.into()).ends_with(ADVICE));
        }
        assert_eq!(with_advice("it ended with code 28".into()), "it ended with code 28");
    }
}
