//! How accounts of the Redis family outlive a restart, and what each may do.

use crate::{Account, Cx, Role};

/// Runs before the server, in the container: puts the access file together that the server reads and `ACL SAVE` writes.
///
/// The server takes its users from one file only. The two managed accounts stand as `#user` lines in the rendered
/// configuration, which is right at every start; the inner users stand in the volume. What comes first wins, so nothing in the
/// volume can change a managed account. Only words of the shell itself, and one `mv`: a start must not cost more than
/// the server's own. At the first start there is nothing to lose, so nothing is waited for.
pub(super) const START: &str = r#"umask 077
file=/data/users.acl known=' ' all=''
for from in /fluxdb/server.conf "$file"; do
  [ -e "$from" ] || continue
  while read -r word name rules; do
    case $word in user | '#user') ;; *) continue ;; esac
    case $known in *" $name "*) continue ;; esac
    known="$known$name " all="${all}user $name $rules
"
  done < "$from"
done
case $known in *' default '*) ;; *) all="${all}user default off resetpass resetkeys resetchannels -@all
" ;; esac
printf %s "$all" > "$file.new" || exit 1
if [ -e "$file" ]; then sync "$file.new"; fi
mv "$file.new" "$file" || exit 1
exec docker-entrypoint.sh "$@"
"#;

/// Everything: `fluxdb`'s own account.
pub(super) const SYSTEM_RULES: &[&str] = &["~*", "&*", "+@all"];

/// The owner's account and every superuser: all data, and what looks at or cares for the server, but nothing that
/// takes over other accounts, files or replication, or stops the server for everybody, fluxdb included.
const OWNER: &str = "~* &* +@all -@admin -@dangerous +info +keys +sort +flushdb +flushall +swapdb +restore +config|get \
                     +slowlog +latency +monitor +role +lastsave +bgsave +bgrewriteaof";
const READWRITE: &str = "~* &* +@all -@admin -@dangerous +info +keys +sort +flushdb";
/// 6.2 cannot grant the reading of keys alone, but its read commands do nothing else.
const READ: &str = "&* -@all +@read +@connection +@transaction -@admin -@dangerous +info +keys +subscribe +psubscribe \
                    +unsubscribe +punsubscribe";
/// `--rdb` of the command-line client reads as a replica does; other tools scan and dump.
const BACKUP: &str = "resetchannels -@all +ping +info +select +dbsize +scan +type +pttl +dump +lastsave +bgsave +sync \
                      +psync +replconf";

/// What a client says about itself, and client-side caches. Not PAUSE, which also stops fluxdb's own account; not KILL, which
/// can end its connections as fast as it opens them; not NO-EVICT, which puts a client above the memory limits.
const CLIENT: &str = "-client +client|id +client|getname +client|setname +client|info +client|reply +client|tracking \
                      +client|trackinginfo +client|caching +client|getredir";
/// Not DEBUG: `SCRIPT DEBUG SYNC` stops the server until the debugger's client says something.
const SCRIPT: &str = "-script +script|load +script|exists +script|flush +script|kill";
/// Published holes that lead from a script or a HyperLogLog to code in the server (CVE-2024-46981, CVE-2025-32023,
/// CVE-2025-49844; CVE-2025-46818 runs a script as another user) were never closed in these versions' official images.
const UNMENDED: &str = "-@scripting -@hyperloglog";
/// `KEYDB.CRON` runs its script as nobody, so without any access rule (`executeCronJobExpireHook` in its `cron.cpp`), also
/// for an account without EVAL; RREPLAY is for replication; NHSET counts as reading there, and writes.
const KEYDB: &str = "-keydb.cron -rreplay";
const KEYDB_READER: &str = "-keydb.nhset";

/// Whether the server knows access rules as they were before Redis 7.0.
pub(super) fn is_old(cx: &Cx) -> bool {
    ["6.2", "6.3"].contains(&cx.version.id)
}

/// Whether the server is a KeyDB; no other engine of the family has this version.
pub(super) fn is_keydb(cx: &Cx) -> bool {
    cx.version.id == "6.3"
}

/// Whether scripts and HyperLogLogs are withheld.
pub(super) fn unmended(cx: &Cx) -> bool {
    ["6.3", "7.0"].contains(&cx.version.id)
}

/// The rules of a role, as words of `ACL SETUSER`. Later ones win over earlier ones.
pub(super) fn rules(cx: &Cx, role: Role) -> Vec<&'static str> {
    let writer = matches!(role, Role::Superuser | Role::Readwrite);
    let (common, since_7) = match role {
        Role::Superuser => (OWNER, "+sort_ro"),
        Role::Readwrite => (READWRITE, "+sort_ro"),
        Role::Read => (READ, "+sort_ro +ssubscribe +sunsubscribe %R~*"),
        Role::Backup => (BACKUP, "%R~*"),
    };
    let mut parts = vec![common, CLIENT];
    // Names that a version does not know keep it from starting.
    if !["6.2", "6.3", "7.0"].contains(&cx.version.id) {
        parts.push("+client|setinfo +client|no-touch");
    }
    if ["8.1", "9.1"].contains(&cx.version.id) {
        parts.push("+client|capa");
    }
    if role == Role::Superuser {
        parts.push("+client|list +client|unblock");
    }
    if writer {
        parts.push(SCRIPT);
    }
    parts.push("+acl|whoami");
    parts.push(match (is_old(cx), writer) {
        (true, true) => "",
        (true, false) => "~*",
        (false, _) => since_7,
    });
    if unmended(cx) {
        parts.push(UNMENDED);
    }
    if is_keydb(cx) {
        parts.push(KEYDB);
        parts.extend((!writer).then_some(KEYDB_READER));
    }
    parts.into_iter().flat_map(str::split_whitespace).collect()
}

/// How a password stands in an access rule: hashed, so that no clear text reaches the server's log or files.
pub(super) fn hashed(account: &Account) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(account.password.expose().as_bytes());
    hash.iter().fold(String::from("#"), |text, byte| format!("{text}{byte:02x}"))
}

/// The managed accounts, each as `NAME on #HASH RULES`.
pub(super) fn managed(cx: &Cx) -> [String; 2] {
    let line =
        |account: &Account, rules: &[&str]| format!("{} on {} {}", account.username, hashed(account), rules.join(" "));
    [line(&cx.system, SYSTEM_RULES), line(&cx.user, &rules(cx, Role::Superuser))]
}
