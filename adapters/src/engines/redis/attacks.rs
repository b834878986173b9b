//! Known ways up and out of an account of the Redis family, by version.

use super::accounts::{is_keydb, is_old, unmended};
use crate::{Answer, Attack, Call, Cx};

/// Parameters of the configuration that hold a password where one is set.
const SECRETS: [&str; 6] =
    ["requirepass", "masterauth", "masteruser", "primaryauth", "tls-key-file-pass", "tls-client-key-file-pass"];

/// Commands that must be refused to everybody but fluxdb: what it would do, and the command.
const COMMANDS: &[(&str, &[&str])] = &[
    ("stops every client, fluxdb included", &["CLIENT", "PAUSE", "1000000000", "ALL"]),
    ("ends the connections of other accounts", &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]),
    ("makes an account", &["ACL", "SETUSER", "attacker", "on", "nopass", "~*", "+@all"]),
    ("opens fluxdb's account", &["ACL", "SETUSER", "fluxdb", "nopass"]),
    ("removes fluxdb's account", &["ACL", "DELUSER", "fluxdb"]),
    ("reads the hashes of all passwords", &["ACL", "LIST"]),
    ("reads the hash of fluxdb's password", &["ACL", "GETUSER", "fluxdb"]),
    ("reads the access file anew", &["ACL", "LOAD"]),
    ("sees who was refused what", &["ACL", "LOG"]),
    ("has files written elsewhere", &["CONFIG", "SET", "dir", "/tmp"]),
    ("takes the memory limit away", &["CONFIG", "SET", "maxmemory", "0"]),
    ("writes the configuration file", &["CONFIG", "REWRITE"]),
    ("makes it a copy of another server", &["REPLICAOF", "127.0.0.1", "6390"]),
    ("makes it a copy of another server by the old name", &["SLAVEOF", "127.0.0.1", "6390"]),
    ("hands its role to another server", &["FAILOVER", "TO", "127.0.0.1", "6390", "FORCE", "TIMEOUT", "100"]),
    // Replicas alone take this; an account that may read as a replica does must not turn that round.
    ("hands its role over as a replica", &["PSYNC", "0000000000000000000000000000000000000000", "1", "FAILOVER"]),
    ("sends its keys to another server", &["MIGRATE", "127.0.0.1", "6390", "fluxdb:attack", "0", "100"]),
    ("loads native code", &["MODULE", "LOAD", "/tmp/attack.so"]),
    ("stops the server for a save", &["SAVE"]),
    ("stops the server for a while", &["DEBUG", "SLEEP", "0.01"]),
    ("restores without a check", &["RESTORE-ASKING", "fluxdb:attack", "0", "x"]),
    ("stops the server in the debugger of scripts", &["SCRIPT", "DEBUG", "SYNC"]),
    ("reads a file by a script", &["EVAL", "return dofile('/fluxdb/server.conf')", "0"]),
    ("loads a file by a script", &["EVAL", "return loadfile('/fluxdb/server.conf')()", "0"]),
    ("opens a file by a script", &["EVAL", "return io.open('/fluxdb/server.conf'):read('*a')", "0"]),
    // Debian's packages once left it there: CVE-2022-0543.
    ("loads a library by a script", &["EVAL", "return package.loadlib('libc.so.6', 'system')", "0"]),
    ("runs a program by a script", &["EVAL", "return os.execute('id')", "0"]),
    ("stops every client by a script", &["EVAL", "return redis.call('client', 'pause', '1000000000', 'all')", "0"]),
    ("changes a setting by a script", &["EVAL", "return redis.call('config', 'set', 'maxmemory', '0')", "0"]),
    (
        "sends its keys away by a script",
        &["EVAL", "return redis.call('migrate', '127.0.0.1', '1', 'k', '0', '9')", "0"],
    ),
    ("ends the server", &["SHUTDOWN", "NOSAVE"]),
];

/// A library whose function does what its caller may not.
const LIBRARY: &str = "#!lua name=attack\n\
                       redis.register_function('attack', function() return redis.call('acl', 'list') end)";

/// A library whose code, which runs when it is loaded and at each start, asks for a command.
const LOADED: &str = "#!lua name=loaded\nredis.call('config', 'set', 'maxmemory', '0')\n\
                      redis.register_function('loaded', function() return 1 end)";

/// Everything for this version.
pub(super) fn attacks(cx: &Cx) -> Vec<Attack> {
    let one = |&(what, words): &(&'static str, &[&str])| Attack::new(what, vec![Call::resp(words)]);
    let mut all: Vec<Attack> = COMMANDS.iter().map(one).collect();
    let settings = vec![Call::resp(&["CONFIG", "GET", "*"])];
    all.push(Attack::new("reads a password in the settings", settings).gained_when(holds_a_secret));
    if !is_old(cx) {
        all.push(one(&("puts itself above the memory limits", &["CLIENT", "NO-EVICT", "ON"])));
        all.push(
            Attack::new("reads all accounts by a function", vec![Call::resp(&["FCALL", "attack", "0"])])
                .prepared(vec![Call::resp(&["FUNCTION", "LOAD", "REPLACE", LIBRARY])]),
        );
        let loads = vec![Call::resp(&["FUNCTION", "LOAD", "REPLACE", LOADED])];
        all.push(Attack::new("runs a command while a library is loaded", loads));
    }
    if unmended(cx) {
        all.push(one(&("runs a script where the server's own holes are open", &["EVAL", "return 1", "0"])));
        all.push(one(&("keeps a script", &["SCRIPT", "LOAD", "return 1"])));
        all.push(one(&("uses the unmended HyperLogLog", &["PFCOUNT", "fluxdb:attack"])));
    }
    if is_keydb(cx) {
        let script = "redis.call('migrate', '127.0.0.1', '1', 'k', '0', '9')";
        all.push(one(&(
            "has a script run later as nobody, without any rule",
            &["KEYDB.CRON", "fluxdb:attack", "single", "1", script],
        )));
        all.push(one(&("replays what a master would send", &["RREPLAY", "00000000-0000-0000-0000-000000000000", "x"])));
    }
    all
}

/// Whether the answer to `CONFIG GET *` names a password.
fn holds_a_secret(answers: &[Answer]) -> bool {
    let pairs = answers.iter().flat_map(super::settings::pairs);
    pairs.into_iter().any(|(name, value)| SECRETS.contains(&name) && !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_settings_is_seen() {
        let answer = |value: &str| [Answer::Json(serde_json::json!(["port", "6379", "requirepass", value]))];
        assert!(holds_a_secret(&answer("x")) && !holds_a_secret(&answer("")));
    }
}
