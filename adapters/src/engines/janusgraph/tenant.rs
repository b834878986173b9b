//! What a user of JanusGraph must not reach, and how fluxdb's own account is brought back.

use serde_json::json;

use super::{gremlin, texts, traversal};
use crate::render::RenderError;
use crate::{Answer, Attack, Call, Cx, Engine, File, Repair, SYSTEM_PASSWORD_FILE};

/// Refused by our authorizer, unless the setting `groovy` lets everybody run scripts.
pub(super) fn attacks(cx: &Cx) -> Vec<Attack> {
    let none = json!({});
    let script = |what, text: &str| Attack::new(what, vec![gremlin(text, &none)]);
    let lang = |what, text: &str| Attack::new(what, vec![traversal(text, &none)]);
    let aliased = |source: &str| {
        let body = json!({ "gremlin": "g.V().hasLabel('user').values('password')", "language": "gremlin-lang", "aliases": { "g": source } });
        Call::json("POST", "/", &body)
    };
    let some = |answers: &[Answer]| answers.iter().any(|a| !texts(a).is_empty());
    let groovy_by_name = json!({ "gremlin": "'id'.execute().text", "language": "gremlin-groovy" });
    vec![
        script("reads the system password's file", "new File('/fluxdb/system-password').text"),
        script("runs a program", "'id'.execute().text"),
        Attack::new("runs a program in a language that it names", vec![Call::json("POST", "/", &groovy_by_name)]),
        Attack::new(
            "runs a script in the address",
            vec![Call::get("/?gremlin=new%20File(%27%2Ffluxdb%2Fsystem-password%27).text")],
        ),
        script("reaches another server", "new URL('http://127.0.0.1:9/').text"),
        script(
            "changes fluxdb's password",
            &format!(
                "credentials.traversal(org.apache.tinkerpop.gremlin.groovy.jsr223.dsl.credential.CredentialTraversalSource)\
                 .user('{}', 'Gained-0').iterate(); credentials.tx().commit()",
                cx.system.username
            ),
        ),
        script("ends the server", "Runtime.runtime.halt(1)"),
        lang("writes a file through io()", "g.io('/var/lib/janusgraph/gained.json').write().iterate()"),
        lang("reads a file through io()", "g.io('/fluxdb/server.yaml').read().iterate()"),
        lang("reads a file through io() with blanks", "g . io ( '/fluxdb/server.yaml' ) . read ( ) . iterate ( )"),
        lang("reads a file through io() behind a comment", "g.io//\n('/fluxdb/server.yaml').read().iterate()"),
        lang(
            "hides io() behind a string",
            "g.inject(\"\\\n\").iterate();g.io(\"/fluxdb/server.yaml\").read().iterate()",
        ),
        lang("runs Groovy as gremlin-lang", "g.inject(1).map{ 'id'.execute().text }"),
        Attack::new("reads the graph of accounts", vec![aliased("credentials_traversal")]).gained_when(some),
        Attack::new("reads the graph of accounts by its name", vec![aliased("credentials")]).gained_when(some),
        lang("names the graph of accounts", "credentials.V().values('password')").gained_when(some),
        lang("makes the graph configure another one", "ConfiguredGraphFactory.getGraphNames()"),
    ]
}

/// Once with the right password in the file, and with a line that sets it before anybody is served.
pub(super) fn repair(cx: &Cx) -> Result<Repair, RenderError> {
    let mut launch = super::ENGINE.launch(cx)?;
    let names = [SYSTEM_PASSWORD_FILE, "init.groovy"];
    debug_assert!(names.iter().all(|n| launch.files.iter().any(|f: &File| f.name == *n)));
    for file in launch.files.iter_mut().filter(|f| f.name == "init.groovy") {
        let text = format!("{REPAIR}{}", file.content.expose()).replace("SYSTEM_USER", &cx.system.username);
        file.content = crate::Secret::new(text);
    }
    Ok(Repair::Start(launch))
}

/// Run when the server reads its first script, before it listens. It stands in front, since the last value of that script is
/// what requests can name. The name is fluxdb's own: letters.
const REPAIR: &str = "
// The account of fluxdb is brought back.
def accounts = credentials.traversal(org.apache.tinkerpop.gremlin.groovy.jsr223.dsl.credential.CredentialTraversalSource)
accounts.user('SYSTEM_USER', new File('/fluxdb/system-password').text.trim()).iterate()
credentials.tx().commit()
";
