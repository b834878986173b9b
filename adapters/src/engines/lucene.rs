//! What Elasticsearch and OpenSearch share: paths, documents, names, connection strings.

use serde_json::json;

use crate::quote::{percent, shell_word, yaml_string};
use crate::{Call, Cx, Endpoint, Marker, Secret, Size, Tuned, UriFormat};

pub(super) mod metrics;
pub(super) mod settings;
pub(super) mod tenant;

/// Holds the marker.
pub(super) const MARKER_INDEX: &str = "fluxdb-marker";

pub(super) fn marker(value: &str) -> Marker {
    let path = format!("/{MARKER_INDEX}/_doc/{}", percent(value));
    Marker {
        write: vec![Call::json("PUT", format!("{path}?refresh=true"), &json!({ "value": value }))],
        read: Call::get(path),
    }
}

/// Half of the memory up to where pointers grow; less where the JVM itself is what counts.
pub(super) fn heap_mib(size: &Size) -> u32 {
    // The JVM rounds up to its own pages.
    if size.memory_mib < 2048 { size.memory_mib * 2 / 5 / 8 * 8 } else { (size.memory_mib / 2).min(31_744) }
}

/// The heap as the node has it.
pub(super) fn tuned_heap(cx: &Cx) -> Tuned {
    Tuned {
        what: "heap",
        call: Call::get("/_nodes/_local/jvm?filter_path=nodes.*.jvm.mem.heap_init_in_bytes"),
        expect: (u64::from(heap_mib(&cx.size)) * 1024 * 1024).to_string(),
        read: |a| {
            let node = a.json().get("nodes")?.as_object()?.values().next()?;
            Some(node.pointer("/jvm/mem/heap_init_in_bytes")?.to_string())
        },
    }
}

/// Letters, digits and what the path of a request and both engines take.
///
/// # Errors
/// A sentence for the user.
pub(super) fn check_user(name: &str, reserved: &[&str]) -> Result<(), String> {
    if name.is_empty() || name.len() > 128 {
        return Err("must be 1 to 128 characters long".into());
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c)) || name.starts_with(['_', '-', '.']) {
        return Err(
            "must begin with a letter or digit and consist of letters, digits, dot, underscore, @ and dash".into()
        );
    }
    if reserved.contains(&name) {
        return Err(format!("{name:?} is reserved"));
    }
    Ok(())
}

/// `prefix` is that of the variables: `ELASTICSEARCH`.
pub(super) fn connection_string(prefix: &str, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
    let (user, password) = (&to.account.username, to.account.password.expose());
    let (host, port) = (to.host, to.port);
    let url = format!("http://{host}:{port}");
    Some(Secret::new(match format {
        UriFormat::Uri => format!("http://{}:{}@{host}:{port}", percent(user), percent(password)),
        UriFormat::Env => format!(
            "{prefix}_URL={}\n{prefix}_USERNAME={}\n{prefix}_PASSWORD={}\n",
            shell_word(&url),
            shell_word(user),
            shell_word(password)
        ),
        UriFormat::Yaml => format!(
            "url: {}\nusername: {}\npassword: {}\n",
            yaml_string(&url),
            yaml_string(user),
            yaml_string(password)
        ),
        UriFormat::Cli => format!("curl -u {} {}", shell_word(user), shell_word(&url)),
        UriFormat::Jdbc | UriFormat::Dotnet => return None,
    }))
}
