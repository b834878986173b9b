//! What a user of OpenSearch must not reach, and how fluxdb's own account is brought back.

use serde_json::json;

use super::{ENGINE, bcrypt_hash, users};
use crate::engines::lucene;
use crate::render::RenderError;
use crate::{Attack, Call, Cx, Engine, FILES_DIR, File, OpenPath, Repair, Secret};

/// Where the security plugin keeps users, roles and mappings.
const ACCOUNTS: &str = ".opendistro_security";

/// Where the server of a repair listens: not published.
const REPAIR_PORT: u16 = 19_200;

pub(super) static OPEN: [OpenPath; 3] = [
    OpenPath { port: 0, path: "/favicon.ico", tells: "a picture, so that the server is OpenSearch" },
    OpenPath { port: 0, path: "/_plugins/_security/health", tells: "whether accounts can be asked for" },
    OpenPath { port: 0, path: "/_opendistro/_security/health", tells: "the same" },
];

pub(super) const SENSITIVE: &[&str] = &[
    "/_plugins/_security/health",
    "/_plugins/_security/authinfo",
    "/_plugins/_security/whoami",
    "/_plugins/_security/license",
    "/_plugins/_security/dashboardsinfo",
    "/_plugins/_security/tenantinfo",
    "/_plugins/_security/api/account",
    "/_plugins/_security/api/internalusers",
    "/_plugins/_security/api/securityconfig",
    "/_opendistro/_security/health",
    "/.opendistro_security/_search",
    "/_cat/nodes",
    "/_cluster/settings",
    "/_nodes/hot_threads",
    "/_snapshot",
    "POST /_plugins/_sql",
    "POST /_reindex",
];

pub(super) fn attacks(cx: &Cx) -> Vec<Attack> {
    let api = |what, method, path: &str, body| {
        let body: serde_json::Value = body;
        Attack::new(what, vec![Call::json(method, format!("{}/{path}", users::API), &body)])
    };
    let own = format!("internalusers/{}", cx.user.username);
    let mut all = lucene::tenant::attacks(ACCOUNTS);
    all.extend([
        api("makes an administrator", "PUT", "internalusers/gained", json!({ "password": "Gained-0-Gained", "backend_roles": ["admin"] })),
        api("gives a user all rights", "PATCH", &own, json!([{ "op": "add", "path": "/opendistro_security_roles", "value": ["all_access"] }])),
        api("widens the roles", "PATCH", "roles/fluxdb_superuser", json!([{ "op": "add", "path": "/cluster_permissions", "value": ["*"] }])),
        api("gives itself all rights", "PATCH", "rolesmapping/all_access", json!([{ "op": "add", "path": "/users", "value": ["*"] }])),
        api("changes fluxdb's password", "PATCH", "internalusers/fluxdb", json!([{ "op": "add", "path": "/password", "value": "Gained-0-Gained" }])),
        api("lets everybody in", "PATCH", "securityconfig", json!([{ "op": "add", "path": "/config/dynamic/http/anonymous_auth_enabled", "value": true }])),
        api("writes an audit log without end", "PATCH", "audit", json!([{ "op": "replace", "path": "/config/enabled", "value": true }])),
        api("makes a token for somebody else", "POST", "generateonbehalfoftoken", json!({ "description": "gained", "durationSeconds": "60" })),
        Attack::new("is taken for fluxdb", vec![
            Call::get(format!("{}/internalusers", users::API)).header("opendistro_security_impersonate_as", "fluxdb"),
        ]),
        Attack::new("is taken for fluxdb by a proxy's header", vec![
            Call::get(format!("{}/internalusers", users::API)).header("x-proxy-user", "fluxdb").header("x-proxy-roles", "all_access"),
        ]),
        // A plugin would run these with the rights that stand in them.
        Attack::new("plants a monitor that runs as an administrator", vec![Call::json(
            "PUT",
            "/.opendistro-alerting-config/_doc/gained",
            &json!({ "monitor": { "user": { "name": "fluxdb", "roles": ["all_access"] } } }),
        )]),
        Attack::new("plants a policy that runs as an administrator", vec![Call::json(
            "PUT",
            "/.opendistro-ism-config/_doc/gained",
            &json!({ "managed_index": { "user": { "name": "fluxdb", "roles": ["all_access"] } } }),
        )]),
        Attack::new("plants a connection to another server", vec![Call::json(
            "PUT",
            "/.ql-datasources/_doc/gained",
            &json!({ "name": "gained", "connector": "PROMETHEUS", "properties": { "prometheus.uri": "http://127.0.0.1:9" } }),
        )]),
    ]);
    all
}

/// Once without the security plugin at a port that is not published: the account's hash is put into the index of accounts, the
/// other accounts stay. The plugin's own tool wants TLS for its port, and bash is what every image has of a client.
pub(super) fn repair(cx: &Cx) -> Result<Repair, RenderError> {
    // Seen: without it the bare server has neither transport nor HTTP. Of official images only the facts are known.
    if cx.version.local.is_some() {
        return Ok(Repair::Never(
            "the image that is built here has no network but the security plugin's, which cannot be started without its accounts",
        ));
    }
    let mut launch = ENGINE.launch(cx)?;
    let user = &cx.system.username;
    let script = format!(
        r#"set -eu
umask 077
# The same preparation, at another address; its last line becomes the server, and is left out.
sed '$d' {FILES_DIR}/start.sh > /tmp/prepare.sh
. /tmp/prepare.sh
{{
  sed -e '/^plugins\.security\./d' -e 's/^http.host:.*/http.host: 127.0.0.1/' -e 's/^http.port:.*/http.port: {REPAIR_PORT}/' \
    {FILES_DIR}/opensearch.yml
  echo 'plugins.security.disabled: true'
}} > "$conf/opensearch.yml"
"$home/bin/opensearch" &
server=$!
# ask METHOD PATH: the body on standard input, the answer's on standard output; fails unless it is good.
ask() {{
  body=$(cat)
  exec 3<> /dev/tcp/127.0.0.1/{REPAIR_PORT} || return 1
  printf '%s /{ACCOUNTS}/%s HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: %s\r\n\r\n%s' "$1" "$2" "${{#body}}" "$body" >&3
  IFS=' ' read -r -t 30 _ status _ <&3 || status=
  answer=$(cat <&3)
  exec 3>&-
  case $status in 2*) printf '%s' "$answer" ;; *) return 1 ;; esac
}}
tries=300
until ask GET _doc/internalusers < /dev/null > /tmp/users 2> /dev/null; do
  kill -0 $server
  tries=$((tries - 1))
  [ $tries -gt 0 ]
  sleep 1
done
ask GET _doc/rolesmapping < /dev/null > /tmp/mappings
# content NAME: the document as the plugin wrote it.
content() {{ sed -n "s/.*\"_source\":{{\"$1\":\"\([^\"]*\)\"}}.*/\1/p" | base64 -d; }}
put() {{ printf '{{"%s":"%s"}}' "$1" "$(base64 -w 0)" | ask PUT "_doc/$1?refresh=true" > /dev/null; }}
hash=$(cat {FILES_DIR}/repair-hash)
known='("{user}":\{{[^{{}}]*"hash":")[^"]*'
content internalusers < /tmp/users > /tmp/users.json
if grep -qE "$known" /tmp/users.json; then
  sed -E "s#$known#\1$hash#" /tmp/users.json
else
  sed "s#^{{#{{\"{user}\":{{\"hash\":\"$hash\",\"reserved\":false,\"hidden\":false,\"backend_roles\":[],\"attributes\":{{}},\"opendistro_security_roles\":[],\"static\":false}},#" /tmp/users.json
fi | put internalusers
list='("all_access":\{{[^{{}}]*"users":\[)'
content rolesmapping < /tmp/mappings | sed -E -e "s/$list\]/\1\"{user}\"]/;t" -e "s/$list/\1\"{user}\",/" | put rolesmapping
rm -f /tmp/users /tmp/users.json /tmp/mappings
kill -TERM $server
wait $server || true
exec sh {FILES_DIR}/start.sh
"#
    );
    launch.files.push(File { name: "repair-hash", content: Secret::new(bcrypt_hash(&cx.system, cx.unique)) });
    launch.entrypoint = Some(vec!["bash".into(), "-c".into(), script]);
    Ok(Repair::Start(launch))
}
