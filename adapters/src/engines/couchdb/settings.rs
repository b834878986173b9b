//! Parameters that users of CouchDB change, as `section/key`. Names, ranges, defaults: the manual's chapter "Configuration"
//! and `default.ini` of 3.4.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Couchdb, javascript_processes, open_databases};
use crate::Apply::Dynamic;
use crate::{Answer, Call, Cx, Setting, Settings, Takes};

const COMPRESSION: &[&str] = &["none", "snappy", "deflate_1", "deflate_6", "deflate_9"];

/// Defaults that are empty follow from the SKU. All are rendered, so that a key that was changed can be put back.
#[rustfmt::skip]
pub(super) static CATALOGUE: &[Setting] = &[
    // Documents and databases
    Setting::int("couchdb/max_document_size", 1024, 4_294_967_296, "B", "8000000", Dynamic, "Longest document").takes(Takes::CEILING),
    Setting::int("couchdb/max_attachment_size", 0, 1_099_511_627_776, "B", "1073741824", Dynamic, "Longest attachment").takes(Takes::NOTHING),
    Setting::int("couchdb/max_dbs_open", 100, 100_000, "", "", Dynamic, "Shards of databases open at once").takes(Takes::FILES.each(32 << 10)),
    Setting::int("couchdb/os_process_timeout", 100, 3_600_000, "ms", "5000", Dynamic, "How long a JavaScript function may take").takes(Takes::NOTHING),
    Setting::int("couchdb/attachment_stream_buffer_size", 1024, 16_777_216, "B", "4096", Dynamic, "Buffer for writing an attachment").takes(Takes::WORK),
    Setting::int("couchdb/changes_doc_ids_optimization_threshold", 0, 100_000, "", "1000", Dynamic, "Names in a filtered feed up to which each is looked up"),
    Setting::choice("couchdb/file_compression", COMPRESSION, "snappy", Dynamic, "Compression of what is written from now on"),
    Setting::flag("couchdb/enable_database_recovery", "false", Dynamic, "Keep the files of removed databases"),
    Setting::int("attachments/compression_level", 0, 9, "", "8", Dynamic, "Compression of attachments; 0 = none"),
    Setting::text("attachments/compressible_types", 512, "text/*, application/javascript, application/json, application/xml", Dynamic, "Attachments that are compressed"),
    Setting::int("cluster/q", 1, 64, "", "2", Dynamic, "Shards of a new database"),
    Setting::choice("uuids/algorithm", &["sequential", "random", "utc_random", "utc_id"], "sequential", Dynamic, "How the server names documents"),
    Setting::int("uuids/max_count", 1, 100_000, "", "1000", Dynamic, "Names given at once"),
    // HTTP
    Setting::int("chttpd/max_http_request_size", 1024, 4_294_967_296, "B", "4294967296", Dynamic, "Longest request").takes(Takes::NOTHING),
    Setting::int("chttpd/changes_timeout", 1000, 3_600_000, "ms", "60000", Dynamic, "Silence after which a feed ends"),
    Setting::flag("chttpd/require_valid_user", "true", Dynamic, "Nobody without an account sees anything"),
    Setting::flag("chttpd/enable_cors", "false", Dynamic, "Answer to pages of other origins"),
    Setting::text("cors/origins", 1024, "", Dynamic, "Their origins, separated by commas; * = all"),
    Setting::flag("cors/credentials", "false", Dynamic, "They may send accounts"),
    Setting::text("cors/headers", 1024, "accept, authorization, content-type, origin, referer", Dynamic, "Headers that they may send"),
    Setting::text("cors/methods", 256, "GET, PUT, POST, HEAD, DELETE", Dynamic, "Methods that they may use"),
    Setting::int("cors/max_age", 0, 604_800, "s", "600", Dynamic, "How long they remember that"),
    Setting::int("chttpd_auth/timeout", 60, 31_536_000, "s", "600", Dynamic, "Life of a session cookie"),
    Setting::flag("chttpd_auth/allow_persistent_cookies", "true", Dynamic, "Session cookies outlive the browser"),
    Setting::choice("chttpd_auth_lockout/mode", &["off", "warn", "enforce"], "warn", Dynamic, "What follows many refused logins"),
    // JavaScript, queries, views
    Setting::int("query_server_config/os_process_limit", 1, 1000, "", "", Dynamic, "Processes that run JavaScript").takes(Takes::workers(16384)),
    Setting::flag("query_server_config/reduce_limit", "true", Dynamic, "Refuse reduce functions that do not make things smaller"),
    Setting::int("query_server_config/commit_freq", 1, 3600, "s", "5", Dynamic, "Pause between two commits of a view that is built"),
    Setting::int("mango/default_limit", 1, 1_000_000, "", "25", Dynamic, "Documents that _find answers when it is not told"),
    Setting::flag("mango/index_all_disabled", "false", Dynamic, "Refuse text indexes on all fields"),
    Setting::int("mango/index_scan_warning_threshold", 0, 1_000_000, "", "10", Dynamic, "Documents looked at for each one found, before _find warns; 0 = never"),
    // Compaction
    Setting::float("smoosh.ratio_dbs/min_priority", 1.0, 100.0, "2.0", Dynamic, "How many times its data a database's file is before it is compacted"),
    Setting::int("smoosh.ratio_dbs/concurrency", 1, 16, "", "1", Dynamic, "Databases compacted at once"),
    Setting::float("smoosh.ratio_views/min_priority", 1.0, 100.0, "2.0", Dynamic, "The same for views"),
    Setting::int("smoosh.ratio_views/concurrency", 1, 16, "", "1", Dynamic, "Views compacted at once"),
    // Replication
    Setting::int("replicator/max_jobs", 1, 100_000, "", "500", Dynamic, "Replications that run at once"),
    Setting::int("replicator/interval", 1000, 3_600_000, "ms", "60000", Dynamic, "Pause between two choices of which run"),
    Setting::int("replicator/max_churn", 1, 1000, "", "20", Dynamic, "Replications changed at each"),
    Setting::int("replicator/worker_processes", 1, 64, "", "4", Dynamic, "Workers of a replication").takes(Takes::NOTHING),
    Setting::int("replicator/worker_batch_size", 1, 10_000, "", "500", Dynamic, "Documents in a worker's batch").takes(Takes::NOTHING),
    Setting::int("replicator/http_connections", 1, 1000, "", "20", Dynamic, "Connections of a replication").takes(Takes::NOTHING),
    Setting::int("replicator/connection_timeout", 1000, 3_600_000, "ms", "30000", Dynamic, "How long a replication waits for an answer").takes(Takes::NOTHING),
    Setting::int("replicator/retries_per_request", 0, 100, "", "5", Dynamic, "Tries after a failure"),
    Setting::int("replicator/checkpoint_interval", 1000, 3_600_000, "ms", "30000", Dynamic, "Pause between two notes of how far it came"),
    // Log
    Setting::choice("log/level", &["debug", "info", "notice", "warning", "error"], "warning", Dynamic, "Detail of the log"),
];

/// What counts: the user's value, the SKU's, the default.
pub(super) fn value(cx: &Cx, name: &str) -> String {
    let default = || CATALOGUE.iter().find(|s| s.name == name).map_or_else(String::new, |s| s.default.to_owned());
    cx.settings.get(name).cloned().or_else(|| by_size(cx, name)).unwrap_or_else(default)
}

fn by_size(cx: &Cx, name: &str) -> Option<String> {
    match name {
        "couchdb/max_dbs_open" => Some(open_databases(&cx.size).to_string()),
        "query_server_config/os_process_limit" => Some(javascript_processes(&cx.size).to_string()),
        _ => None,
    }
}

/// Every section with its lines; a section stands once, what the user has set is in its place.
pub(super) fn sections(cx: &Cx) -> BTreeMap<&'static str, Vec<String>> {
    let mut sections: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for setting in CATALOGUE {
        if let Some((section, key)) = setting.name.split_once('/') {
            sections.entry(section).or_default().push(format!("{key} = {}", value(cx, setting.name)));
        }
    }
    sections
}

impl Settings for Couchdb {
    fn catalogue(&self) -> &'static [Setting] {
        CATALOGUE
    }

    fn usual(&self, cx: &Cx, setting: &Setting) -> String {
        let sku = by_size(cx, setting.name);
        sku.unwrap_or_else(|| setting.default.to_owned())
    }

    fn read(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/_node/_local/_config")]
    }

    fn parse(&self, _cx: &Cx, answers: &[Answer]) -> BTreeMap<String, String> {
        let Some(all) = answers.first() else { return BTreeMap::new() };
        CATALOGUE
            .iter()
            .filter_map(|s| {
                let (section, key) = s.name.split_once('/')?;
                Some((s.name.to_owned(), all.json().get(section)?.get(key)?.as_str()?.to_owned()))
            })
            .collect()
    }

    /// The server writes it to a file in memory; the rendered one holds it at the next start.
    fn change(&self, cx: &Cx, setting: &Setting, new: Option<&str>) -> Vec<Call> {
        let text = new.map_or_else(|| value(cx, setting.name), str::to_owned);
        vec![Call::json("PUT", format!("/_node/_local/_config/{}", setting.name), &json!(text))]
    }
}
