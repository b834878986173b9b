//! What can be seen of a broker without JMX, which its protocol does not show: its sockets, its files, its checkpoints.

use super::Broker;
use crate::{Answer, Call, Cx, Exec, Metric, Metrics, Secret};

/// Lines `NAME VALUE`. Port 9092 is 2384 in hexadecimal; the checkpoint names topic, partition and end of every log and
/// is written every 5 s.
const SCRIPT: &str = r#"cd /var/lib/kafka/data/kafka || exit 1
cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | awk '$4 == "01" && $2 ~ /:2384$/ { n++ } END { print "connections", n + 0 }'
du -sk . | awk '{ printf "data_bytes %.0f\n", $1 * 1024 }'
[ ! -e replication-offset-checkpoint ] || awk 'NF == 3 { p++; if ($1 !~ /^__/) { m += $3; if (!($1 in t)) { t[$1] = 1; k++ } } }
  END { printf "messages_total %.0f\ntopics %d\npartitions %d\n", m, k, p }' replication-offset-checkpoint
awk '$1 == "VmRSS:" { printf "memory_bytes %.0f\n", $2 * 1024 } $1 == "Threads:" { print "threads", $2 }' /proc/1/status
awk 'NR == FNR { up = $1; next } { printf "uptime_seconds %.0f\n", up - $22 / 100 }' /proc/uptime /proc/1/stat
awk '/eth|tap|ens/ { r += $2; s += $10 } END { printf "received_bytes_total %.0f\nsent_bytes_total %.0f\n", r, s }' /proc/net/dev"#;

/// Names that are passed on, with their units.
const KNOWN: [(&str, &str); 10] = [
    ("connections", "count"),
    ("data_bytes", "bytes"),
    ("messages_total", "count"),
    ("topics", "count"),
    ("partitions", "count"),
    ("memory_bytes", "bytes"),
    ("threads", "count"),
    ("uptime_seconds", "seconds"),
    ("received_bytes_total", "bytes"),
    ("sent_bytes_total", "bytes"),
];

impl Metrics for Broker {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::exec(Exec {
            argv: vec!["sh".into(), "-c".into(), SCRIPT.into()],
            env: vec![],
            login: false,
            stdin: Secret::default(),
            refused_when: "",
        })]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let text: String = answers.iter().map(Answer::text).collect();
        let metric = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            let (name, unit) = KNOWN.iter().find(|(n, _)| *n == name)?;
            Some(Metric { name, unit, value: value.trim().parse().ok()? })
        };
        text.lines().filter_map(metric).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_numbers_and_noise_is_left_out() {
        let text = "connections 3\nmessages_total 12\nwhat 1\ndata_bytes x\nsent_bytes_total 9\n";
        let found = Broker.parse(&[Answer::Text(text.into())]);
        let names: Vec<_> = found.iter().map(|m| (m.name, m.value)).collect();
        assert_eq!(names, [("connections", 3.0), ("messages_total", 12.0), ("sent_bytes_total", 9.0)]);
    }
}
