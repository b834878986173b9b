//! Kafka, one broker. 3.5 and later by KRaft; 3.4 beside a ZooKeeper on its own loopback, because there KRaft has no SCRAM.

use minijinja::context;

use crate::quote::{percent, shell_word, yaml_string};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Call, Category, Cx, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth, Kafka, Launch,
    LocalImage, Marker, Metrics, NameKind, Port, Protocol, SYSTEM_PASSWORD_FILE, Secret, Settings, Shell, Size, Stop,
    Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Broker = Broker;

/// Kafka.
pub(crate) struct Broker;

const DATA: &str = "/var/lib/kafka/data";
const LOCAL: Option<LocalImage> = Some(LocalImage { suite: "trixie" });

/// Holds the marker; one for all values.
const MARKER_TOPIC: &str = "fluxdb-marker";

static FACTS: Facts = Facts {
    id: "kafka",
    title: "Apache Kafka",
    category: Category::Streaming,
    license: "Apache-2.0: free for any use, also as a service. The images of 3.4 to 3.6 are Confluent's, whose other parts have the Confluent Community License",
    protocol: Protocol::Kafka,
    http_auth: HttpAuth::None,
    // Three minors are maintained at a time. The official image begins with 3.7.
    versions: &[
        Version { id: "4.1", reference: "apache/kafka:4.1.2", end_of_life: "2026-12-31", local: LOCAL },
        Version { id: "4.0", reference: "apache/kafka:4.0.2", end_of_life: "2026-08-31", local: LOCAL },
        Version { id: "3.9", reference: "apache/kafka:3.9.2", end_of_life: "2026-12-31", local: LOCAL },
        Version { id: "3.6", reference: "confluentinc/cp-kafka:7.6.1", end_of_life: "2024-02-27", local: LOCAL },
        Version { id: "3.5", reference: "confluentinc/cp-kafka:7.5.3", end_of_life: "2023-10-03", local: LOCAL },
        Version { id: "3.4", reference: "confluentinc/cp-kafka:7.4.4", end_of_life: "2023-06-13", local: LOCAL },
    ],
    default_version: "4.1",
    ports: &[Port { name: "kafka", number: 9092 }],
    control_port: 0,
    user: User { uid: 1000, gid: 1000 },
    volume_path: DATA,
    tmpfs: &[Tmpfs::exec("/tmp", 64)], // compression libraries are unpacked there
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("shut down completed") },
    floor: Floor { memory_mib: 512, pids: 512, nofile: 65_536 },
    templates: &[
        Template {
            name: "server.properties",
            source: include_str!("../../../config_templates/kafka/server.properties.j2"),
        },
        Template { name: "start.sh", source: include_str!("../../../config_templates/kafka/start.sh.j2") },
        Template {
            name: "zookeeper.properties",
            source: include_str!("../../../config_templates/kafka/zookeeper.properties.j2"),
        },
        Template {
            name: "log4j2.properties",
            source: include_str!("../../../config_templates/kafka/log4j2.properties.j2"),
        },
        Template {
            name: "log4j.properties",
            source: include_str!("../../../config_templates/kafka/log4j.properties.j2"),
        },
    ],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: None,
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "one broker: every topic has one copy, and a restart is an interruption",
        "clients are sent to the advertised host and port: after these change, the instance must be restarted",
        "topics are not made by producing to them unless auto.create.topics.enable is set",
        "users and their rights are made through fluxdb: whoever may change passwords in Kafka may change everyone's",
        "3.4 runs a ZooKeeper in the same container, which costs about 100 MiB; no upgrade leads from there to KRaft",
        "3.4 to 3.6 run from Confluent's images, which were not tried here",
    ],
};

impl Engine for Broker {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let heap = heap_mib(cx);
        let retention = retention_bytes(&cx.size);
        let host = &cx.advertised.host;
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
        let port = cx.advertised.ports.first().copied().unwrap_or(FACTS.ports[0].number);
        context! {
            kraft => kraft(cx),
            share_groups => cx.version.id.starts_with("4."),
            data => DATA,
            files => FILES_DIR,
            password_file => SYSTEM_PASSWORD_FILE,
            system_user => cx.system.username.as_str(),
            cluster_id => cluster_id(cx.unique),
            advertised => format!("{host}:{port}"),
            max_connections => self.max_connections(&cx.size),
            network_threads => network_threads(&cx.size),
            io_threads => io_threads(&cx.size),
            // At most a fifth of the heap; less than 1 MiB is no use.
            dedupe_bytes => (heap / 8).clamp(8, 128) * 1024 * 1024,
            retention_bytes => retention,
            segment_bytes => segment_bytes(&cx.size),
            zookeeper_heap_mib => ZOOKEEPER_HEAP_MIB,
            user_settings => settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        let heap = heap_mib(cx);
        let collector = if heap < 1024 { "-XX:+UseSerialGC" } else { "-XX:+UseG1GC -XX:MaxGCPauseMillis=20" };
        Ok(Launch {
            entrypoint: Some(vec!["sh".into(), format!("{FILES_DIR}/start.sh")]),
            argv: vec![],
            env: vec![
                ("KAFKA_HEAP_OPTS", format!("-Xms{heap}m -Xmx{heap}m")),
                (
                    "KAFKA_JVM_PERFORMANCE_OPTS",
                    format!(
                        "{collector} -XX:ActiveProcessorCount={} -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true",
                        cx.size.vcpu.max(1)
                    ),
                ),
                ("KAFKA_GC_LOG_OPTS", "-Xlog:gc=error".into()), // the image's own writes a file
                (
                    "KAFKA_LOG4J_OPTS",
                    if cx.version.id.starts_with("4.") {
                        format!("-Dlog4j2.configurationFile={FILES_DIR}/log4j2.properties")
                    } else {
                        format!("-Dlog4j.configuration=file:{FILES_DIR}/log4j.properties")
                    },
                ),
                ("LOG_DIR", "/tmp".into()),
                ("HOME", "/tmp".into()),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::kafka(Kafka::Topics)
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let mut calls = vec![Call::kafka(Kafka::PutScram(cx.user.clone()))];
        calls.extend(users::allow(&cx.user.username, users::OWNER));
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![Call::kafka(Kafka::PutScram(account.clone()))]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        let (user, password) = (&to.account.username, to.account.password.expose());
        let servers = format!("{}:{}", to.host, to.port);
        Some(Secret::new(match format {
            UriFormat::Uri => format!("kafka://{}:{}@{servers}", percent(user), percent(password)),
            UriFormat::Env => [
                ("KAFKA_BOOTSTRAP_SERVERS", servers.as_str()),
                ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
                ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
                ("KAFKA_SASL_USERNAME", user),
                ("KAFKA_SASL_PASSWORD", password),
            ]
            .map(|(name, value)| format!("{name}={}\n", shell_word(value)))
            .concat(),
            UriFormat::Yaml => [
                ("bootstrap.servers", servers.as_str()),
                ("security.protocol", "SASL_PLAINTEXT"),
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.username", user),
                ("sasl.password", password),
            ]
            .map(|(name, value)| format!("{name}: {}\n", yaml_string(value)))
            .concat(),
            // The tools take an account from a file only.
            UriFormat::Cli => format!(
                "kafka-topics.sh --bootstrap-server {} --command-config client.properties --list",
                shell_word(&servers)
            ),
            UriFormat::Jdbc | UriFormat::Dotnet => return None,
        }))
    }

    /// Kafka has no shell: a line is a tool and its arguments, `topics --list`.
    fn shell(&self, username: &str, _database: Option<&str>) -> Shell {
        Shell {
            argv: vec!["sh".into(), "-c".into(), SHELL.into(), "kafka".into(), username.to_owned()],
            password_env: "KAFKA_PASSWORD",
        }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if kind == NameKind::Database {
            return Err("Kafka has topics, not databases".into());
        }
        if name.is_empty() || name.len() > 128 {
            return Err("must be 1 to 128 characters long".into());
        }
        // Kafka takes more, but its own tools' lists of users and rights are separated by what is left out here.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c)) || name.starts_with('-') {
            return Err("must consist of letters, digits, dot, underscore, @ and dash".into());
        }
        if name == FACTS.system_user || name == "ANONYMOUS" {
            return Err(format!("{name:?} is reserved"));
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        size.memory_mib.clamp(256, 10_000)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        Marker {
            write: vec![
                Call::kafka(Kafka::CreateTopic { name: MARKER_TOPIC.into(), partitions: 1 }).tolerating(&["36"]),
                Call::kafka(Kafka::Produce { topic: MARKER_TOPIC.into(), value: value.into() })
                    .not_yet(&["3", "5", "6"]),
            ],
            read: Call::kafka(Kafka::Fetch(MARKER_TOPIC.into())),
        }
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        vec![
            Tuned {
                what: "max.connections",
                call: Call::kafka(Kafka::BrokerConfigs),
                expect: self.max_connections(&cx.size).to_string(),
                read: |a| config(a, "max.connections"),
            },
            Tuned {
                what: "num.io.threads",
                call: Call::kafka(Kafka::BrokerConfigs),
                expect: io_threads(&cx.size).to_string(),
                read: |a| config(a, "num.io.threads"),
            },
        ]
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

const ZOOKEEPER_HEAP_MIB: u32 = 64;

/// The tools that the shell offers; each takes the account from the same file.
const SHELL: &str = r#"umask 077
file=$(mktemp /tmp/client.XXXXXX)
trap 'rm -f "$file"' EXIT
quoted=$(printf '%s' "$KAFKA_PASSWORD" | sed 's/[\\"]/\\&/g; s/\\/\\\\/g')
printf 'security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n' > "$file"
printf 'sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="%s" password="%s";\n' "$1" "$quoted" >> "$file"
unset KAFKA_PASSWORD KAFKA_HEAP_OPTS KAFKA_LOG4J_OPTS KAFKA_JVM_PERFORMANCE_OPTS
if [ -d /opt/kafka/bin ]; then bin=/opt/kafka/bin end=.sh; else bin=/usr/bin end=; fi
echo 'topics, configs, acls, consumer-groups, get-offsets, console-consumer, console-producer: with arguments, as in: topics --list'
set -f
while printf 'kafka> ' && read -r tool arguments; do
  option=--command-config
  case $tool in
    topics | configs | acls | consumer-groups | get-offsets) ;;
    console-consumer) option=--consumer.config ;;
    console-producer) option=--producer.config ;;
    exit | quit) break ;;
    *) continue ;;
  esac
  "$bin/kafka-$tool$end" --bootstrap-server 127.0.0.1:9095 "$option" "$file" $arguments
done"#;

/// Without ZooKeeper.
fn kraft(cx: &Cx) -> bool {
    cx.version.id != "3.4"
}

/// Half of the memory, the rest for the page cache; less where the JVM itself is what counts.
fn heap_mib(cx: &Cx) -> u32 {
    let memory = if kraft(cx) { cx.size.memory_mib } else { cx.size.memory_mib - 128 };
    if memory < 1024 { memory * 3 / 8 } else { (memory / 2).min(6144) }
}

/// A tenth of the storage for one partition: there is no limit for all of them.
fn retention_bytes(size: &Size) -> u64 {
    u64::from(size.storage_gib) * 1024 * 1024 * 1024 / 10
}

fn segment_bytes(size: &Size) -> u64 {
    (retention_bytes(size) / 4).min(1 << 30)
}

fn network_threads(size: &Size) -> u32 {
    size.vcpu.clamp(2, 16)
}

fn io_threads(size: &Size) -> u32 {
    (size.vcpu * 2).clamp(4, 32)
}

/// One value of the broker's configuration.
fn config(answer: &Answer, name: &str) -> Option<String> {
    answer.rows().iter().find(|r| r.first().is_some_and(|n| n.as_deref() == Some(name)))?.get(1)?.clone()
}

/// Kafka's spelling of a UUID: base64url without padding. The first bit is cleared, so that it never begins with a dash.
fn cluster_id(unique: u128) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = unique & (u128::MAX >> 1);
    (0..22)
        .map(|i| {
            // 21 groups of six bits from the left, and the last two bits.
            let index = if i < 21 { (bits >> (122 - 6 * i)) & 63 } else { (bits & 3) << 4 };
            char::from(ALPHABET[usize::try_from(index).unwrap_or_default()])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::cluster_id;

    #[test]
    fn cluster_ids_are_base64_of_the_bits() {
        assert_eq!(cluster_id(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), "ASNFZ4mrze8BI0VniavN7w");
        assert_eq!(cluster_id(u128::MAX), "f____________________w");
    }
}
