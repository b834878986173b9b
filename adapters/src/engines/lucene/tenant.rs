//! What a user of Elasticsearch or OpenSearch must not reach, whatever its role.

use serde_json::{Value, json};

use crate::{Answer, Attack, Call};

/// Whether a search found documents, or an answer holds some.
fn documents(answers: &[Answer]) -> bool {
    let found = |a: &Answer| {
        let total = a.json().pointer("/hits/total/value").and_then(Value::as_u64).unwrap_or(0);
        let here = a.json().get("found").and_then(Value::as_bool) == Some(true);
        let copied = a.json().get("created").and_then(Value::as_u64).unwrap_or(0);
        total > 0 || here || copied > 0
    };
    answers.iter().any(found)
}

/// Whether an action over several indices was accepted for one of them.
fn acknowledged(answers: &[Answer]) -> bool {
    answers.iter().any(|a| a.json().get("acknowledged").and_then(Value::as_bool) == Some(true))
}

/// `accounts` is the index where the server keeps users, roles and hashes.
pub(in crate::engines) fn attacks(accounts: &str) -> Vec<Attack> {
    let call = |what, method, path: String, body: Option<Value>| {
        let body = body.map(|b| crate::Secret::new(b.to_string()));
        Attack::new(what, vec![Call::http(method, path, body)])
    };
    let set = |what, body: Value| call(what, "PUT", "/_cluster/settings".into(), Some(body));
    let repository = json!({ "type": "fs", "settings": { "location": "/tmp" } });
    let remote = json!({
        "source": { "remote": { "host": "http://127.0.0.1:9200" }, "index": "fluxdb-marker" },
        "dest": { "index": "fluxdb-gained" },
    });
    let alias = json!({ "actions": [{ "add": { "index": accounts, "alias": "fluxdb-gained" } }] });
    let lookup = json!({ "query": { "terms": { "_id": { "index": accounts, "id": "internalusers", "path": "internalusers" } } } });
    let copy = json!({ "source": { "index": accounts }, "dest": { "index": "fluxdb-gained" } });
    vec![
        // Accounts.
        call("reads the index of accounts", "GET", format!("/{accounts}/_search?ignore_unavailable=false"), None)
            .gained_when(documents),
        call("reads the index of accounts by a pattern", "GET", format!("/{}*/_search", &accounts[..5]), None)
            .gained_when(documents),
        call("reads a document of the accounts", "GET", format!("/{accounts}/_doc/internalusers"), None)
            .gained_when(documents),
        call("copies the accounts", "POST", "/_reindex".into(), Some(copy)).gained_when(documents),
        call("clones the index of accounts", "PUT", format!("/{accounts}/_clone/fluxdb-gained"), None),
        call("gives the index of accounts another name", "POST", "/_aliases".into(), Some(alias))
            .gained_when(acknowledged),
        call("asks by terms that the accounts hold", "GET", "/fluxdb-marker/_search".into(), Some(lookup))
            .gained_when(documents),
        call(
            "writes an account",
            "PUT",
            format!("/{accounts}/_doc/internalusers"),
            Some(json!({ "internalusers": "e30=" })),
        ),
        call("removes the index of accounts", "DELETE", format!("/{accounts}"), None),
        call("closes the index of accounts", "POST", format!("/{accounts}/_close"), None),
        call(
            "makes the index of accounts read-only",
            "PUT",
            format!("/{accounts}/_settings"),
            Some(json!({ "index.blocks.write": true })),
        ),
        call(
            "changes the mapping of the accounts",
            "PUT",
            format!("/{accounts}/_mapping"),
            Some(json!({ "properties": { "x": { "type": "text" } } })),
        ),
        // The server.
        set("turns off allocation", json!({ "persistent": { "cluster.routing.allocation.enable": "none" } })),
        set("makes the cluster read-only", json!({ "persistent": { "cluster.blocks.read_only": true } })),
        set("allows other servers to be read", json!({ "transient": { "reindex.remote.whitelist": "*:*" } })),
        set(
            "connects to another cluster",
            json!({ "persistent": { "cluster.remote.gained.seeds": ["127.0.0.1:9300"] } }),
        ),
        call("takes the node's vote away", "POST", "/_cluster/voting_config_exclusions?node_names=fluxdb".into(), None),
        call("moves shards", "POST", "/_cluster/reroute?retry_failed=true".into(), Some(json!({ "commands": [] }))),
        call("ends the tasks of others", "POST", "/_tasks/_cancel".into(), None),
        call("ends the server", "POST", "/_shutdown".into(), None),
        call("reloads the keystore", "POST", "/_nodes/reload_secure_settings".into(), Some(json!({}))),
        call("takes in an index that lies about", "GET", "/_dangling".into(), None),
        // Files and other servers.
        call("makes a repository of a directory", "PUT", "/_snapshot/fluxdb-gained".into(), Some(repository)),
        call("lists repositories", "GET", "/_snapshot/_all".into(), None)
            .gained_when(|a| a.iter().any(|a| a.json().as_object().is_some_and(|o| !o.is_empty()))),
        call("copies from another server", "POST", "/_reindex".into(), Some(remote)),
        call(
            "reads a file as a list of words",
            "PUT",
            "/fluxdb-gained".into(),
            Some(
                json!({ "settings": { "analysis": { "filter": { "f": { "type": "stop", "stopwords_path": "/etc/passwd" } },
                "analyzer": { "a": { "type": "custom", "tokenizer": "standard", "filter": ["f"] } } } } }),
            ),
        ),
    ]
}
