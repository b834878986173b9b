//! H2 in server mode: JDBC over TCP for users, its PostgreSQL protocol for fluxdb. Facts: H2's manual and sources (2.4).

use minijinja::context;
use sha2::{Digest, Sha256};

use super::sql::{self, Spelling};
use crate::quote::{shell_word, sql_literal};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Launch,
    LocalImage, Marker, Metrics, NameKind, Port, Protocol, Repair, Secret, Settings, Shell, Size, Stop, Template,
    Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod attacks;
mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: H2 = H2;

/// H2.
pub(crate) struct H2;

/// Without a date of its own a release ends when the next one comes: upstream fixes the newest only. There is no official
/// image, and no other has the launcher of images/h2, without which the server would have to be told a password at each start.
static FACTS: Facts = Facts {
    id: "h2",
    title: "H2",
    category: Category::Embedded,
    license: "MPL 2.0 or EPL 1.0: free for any use, also as a service",
    protocol: Protocol::Postgres,
    http_auth: HttpAuth::None,
    versions: &[
        Version {
            id: "2.4",
            reference: "fluxdb/h2:2.4.240",
            end_of_life: "2027-09-22",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version {
            id: "2.3",
            reference: "fluxdb/h2:2.3.232",
            end_of_life: "2025-09-22",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version {
            id: "2.2",
            reference: "fluxdb/h2:2.2.224",
            end_of_life: "2024-07-15",
            local: Some(LocalImage { suite: "trixie" }),
        },
    ],
    default_version: "2.4",
    ports: &[
        Port { name: "jdbc", number: 9092 }, //
        Port { name: "postgres", number: 5435 },
    ],
    control_port: 1,
    user: User { uid: 999, gid: 999 },
    volume_path: "/data",
    tmpfs: &[Tmpfs::new("/tmp", 64)],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 60, says: None }, // exits with 143; the shutdown hook closes the database
    floor: Floor { memory_mib: 256, pids: 128, nofile: 4096 },
    templates: &[
        Template { name: "java.args", source: include_str!("../../../config_templates/h2/java.args.j2") },
        Template { name: "settings.sql", source: include_str!("../../../config_templates/h2/settings.sql.j2") },
        Template { name: "start.sh", source: include_str!("../../../config_templates/h2/start.sh.j2") },
    ],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "One database for each instance: H2 keeps its users inside a database.",
        "H2 runs in its PostgreSQL mode with lower-case names, since its PostgreSQL protocol asks for both: no BLOB, TINYINT, DATETIME, IDENTITY or AUTO_INCREMENT (use bytea, smallint, timestamp, bigserial).",
        "The roles read and readwrite count for the schema public; readwrite may also make and drop tables in every schema.",
        "No user is an administrator. There is no Java code (aliases, triggers, aggregates) and nothing that reads or writes files or URLs (CSVREAD, CSVWRITE, FILE_READ, FILE_WRITE, LINK_SCHEMA), for nobody.",
        "There is no official image, so it must be built where it runs: H2's own jar, and a launcher that is part of fluxdb.",
        "A user of the role readwrite can use up the server's memory or storage; the server then ends and is started again.",
        "H2 drops a connection over the PostgreSQL protocol that shows a wrong password, without a word.",
    ],
};

static SPELLING: Spelling = Spelling {
    scheme: "h2",
    jdbc: "h2:tcp",
    env: &["H2_HOST", "H2_PORT", "H2_USER", "H2_PASSWORD", "H2_DATABASE"],
    cli: |to| {
        // Asks for the password when the URL is typed in; with -url and no -password it would take an empty one.
        let url = format!("jdbc:h2:tcp://{}:{}/{}", to.host, to.port, to.database.unwrap_or_default());
        format!(
            "java -cp h2.jar org.h2.tools.Shell  # URL {} User {}, then the password",
            shell_word(&url),
            shell_word(&to.account.username)
        )
    },
};

impl Engine for H2 {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let memory = cx.size.memory_mib;
        let heap = heap_mib(memory);
        context! {
            heap_mib => heap,
            heap_initial_mib => heap / 4,
            metaspace_mib => (memory / 8).clamp(48, 256),
            collector => if cx.size.vcpu > 1 && memory >= 2048 { "UseG1GC" } else { "UseSerialGC" },
            vcpu => cx.size.vcpu,
            cache_kib => cache_kib(memory),
            // 40,000 for each GiB of heap, H2's own rule.
            max_memory_rows => max_memory_rows(memory),
            files => FILES_DIR,
            volume => FACTS.volume_path,
            version => cx.version.id,
            database => shell_word(database(cx)),
            system_user => cx.system.username.as_str(),
            system_salt => hex(&salt(cx)),
            system_hash => hex(&password_hash(&cx.system, &salt(cx))),
            user_settings => settings::lines(cx),
            user_properties => settings::properties(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: Some(vec!["sh".into(), format!("{FILES_DIR}/start.sh")]),
            argv: vec![],
            env: vec![("HOME", "/tmp".into())],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        users::put(&cx.user, users::OWNER)
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        if account.username == FACTS.system_user {
            return Vec::new(); // its hash stands in a rendered file, and counts from the next start on
        }
        vec![users::password_call(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        match format {
            // The settings of H2's URLs stand behind semicolons, with a backslash before those inside a value.
            UriFormat::Jdbc => Some(Secret::new(format!(
                "jdbc:h2:tcp://{}:{}/{};USER={};PASSWORD={}",
                to.host,
                to.port,
                to.database.unwrap_or_default(),
                jdbc_value(&to.account.username),
                jdbc_value(to.account.password.expose())
            ))),
            UriFormat::Dotnet => None, // no driver
            UriFormat::Uri | UriFormat::Env | UriFormat::Cli | UriFormat::Yaml => {
                Some(sql::connection_string(&SPELLING, format, to))
            }
        }
    }

    fn shell(&self, _username: &str, _database: Option<&str>) -> Shell {
        // It asks for URL, user and password: given a URL it would take an empty password without asking.
        let argv = ["java", "-Xmx48m", "-cp", "/opt/h2/bin/*", "org.h2.tools.Shell"].map(Into::into).into();
        Shell { argv, password_env: "" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 63 {
            return Err("must be 1 to 63 characters long".into());
        }
        // User names have no case in H2, and a database is a file and a part of a URL with its own separators.
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err("must be lower case letters, digits and underscores, and begin with a letter".into());
        }
        match kind {
            NameKind::User if ["fluxdb", "public", "sa"].contains(&name) => Err(format!("{name:?} is reserved")),
            NameKind::Database if ["postgres", "mem", "file", "information_schema"].contains(&name) => {
                Err(format!("{name:?} is reserved"))
            }
            NameKind::User | NameKind::Database => Ok(()),
        }
    }

    /// H2 knows no limit; a connection is a thread.
    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 8).clamp(32, 1000)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        let literal = sql_literal(value); // VALUE is a reserved word
        Marker {
            write: vec![
                Call::sql("CREATE TABLE IF NOT EXISTS fluxdb_marker (word varchar(64) PRIMARY KEY)"),
                Call::sql(format!("INSERT INTO fluxdb_marker (word) VALUES ({literal}) ON CONFLICT DO NOTHING")),
            ],
            read: Call::sql(format!("SELECT word FROM fluxdb_marker WHERE word = {literal}")),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let shown = |name: &str| {
            Call::sql(format!("SELECT setting_value FROM information_schema.settings WHERE setting_name = '{name}'"))
        };
        let first = |a: &Answer| a.first().map(Into::into);
        let set = |name: &str, ours: u32| cx.settings.get(name).cloned().unwrap_or_else(|| ours.to_string());
        vec![
            Tuned {
                what: "CACHE_SIZE",
                call: shown("cache_size"),
                expect: set("CACHE_SIZE", cache_kib(cx.size.memory_mib)),
                read: first,
            },
            Tuned {
                what: "MAX_MEMORY_ROWS",
                call: shown("max_memory_rows"),
                expect: set("MAX_MEMORY_ROWS", max_memory_rows(cx.size.memory_mib)),
                read: first,
            },
        ]
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        attacks::all(cx)
    }

    /// Each start gives the account the hash in the rendered file, and makes it where it is missing.
    fn repair(&self, _cx: &Cx) -> Result<Repair, RenderError> {
        Ok(Repair::Restart)
    }

    fn users(&self) -> Option<&dyn Users> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
}

fn database(cx: &Cx) -> &str {
    cx.database.as_deref().unwrap_or("defaultdb")
}

/// Half of the memory: threads, metaspace, file buffers and the page cache take the rest.
fn heap_mib(memory_mib: u32) -> u32 {
    memory_mib / 2
}

/// A quarter of the heap.
fn cache_kib(memory_mib: u32) -> u32 {
    heap_mib(memory_mib) / 4 * 1024
}

fn max_memory_rows(memory_mib: u32) -> u32 {
    (heap_mib(memory_mib) * 40).max(5000)
}

/// H2's salt has eight bytes. It stays with the instance, so that a rendered file is the same each time.
fn salt(cx: &Cx) -> [u8; 8] {
    let digest = Sha256::new().chain_update(b"h2 salt").chain_update(cx.unique.to_be_bytes()).finalize();
    std::array::from_fn(|i| digest[i])
}

/// What H2 keeps of a password (`org.h2.security.SHA256`): the hash of name and password in UTF-16, hashed again with a salt.
fn password_hash(account: &Account, salt: &[u8]) -> [u8; 32] {
    let login = format!("{}@{}", account.username.to_ascii_uppercase(), account.password.expose());
    let units: Vec<u8> = login.encode_utf16().flat_map(u16::to_be_bytes).collect();
    Sha256::new().chain_update(Sha256::digest(units)).chain_update(salt).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A value in an H2 URL: `;` ends it, `\` escapes.
fn jdbc_value(value: &str) -> String {
    value.replace('\\', "\\\\").replace(';', "\\;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_the_server_keeps() {
        // From H2 2.4.240 itself: CREATE USER FLUXDB PASSWORD 'pass', then SCRIPT.
        let account = Account { username: "fluxdb".into(), password: Secret::new("pass") };
        let hash = password_hash(&account, &[0xf7, 0x9a, 0x57, 0xa0, 0x44, 0xfd, 0x27, 0x82]);
        assert_eq!(hex(&hash), "b329cdfff9dc61ccd1d1fc9c828e73faec25a72882b76a3da10f1feaef2ef6d1");
    }

    #[test]
    fn a_password_cannot_leave_its_place_in_a_url() {
        assert_eq!(jdbc_value("a;INIT=x\\"), "a\\;INIT=x\\\\");
    }
}
