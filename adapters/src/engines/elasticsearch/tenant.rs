//! How fluxdb's own account is brought back. From the manual; not yet run.

use super::ENGINE;
use crate::render::RenderError;
use crate::{Cx, Engine, FILES_DIR, File, Repair, Secret};

/// Where the server of a repair listens: not published.
const REPAIR_PORT: u16 = 19_200;

/// `elastic` cannot be removed, and the tool that comes with the server gives it a password, with an administrator that it makes
/// in the file realm for the purpose.
pub(super) fn repair(cx: &Cx) -> Result<Repair, RenderError> {
    let mut launch = ENGINE.launch(cx)?;
    let user = &cx.system.username;
    let script = format!(
        r#"set -eu
umask 077
# The same preparation, at another address; its last line becomes the server, and is left out.
sed '$d' {FILES_DIR}/start.sh > /tmp/prepare.sh
. /tmp/prepare.sh
sed -e 's/^http.host:.*/http.host: 127.0.0.1/' -e 's/^http.port:.*/http.port: {REPAIR_PORT}/' \
  {FILES_DIR}/elasticsearch.yml > "$conf/elasticsearch.yml"
"$home/bin/elasticsearch" &
server=$!
tries=150
until CLI_JAVA_OPTS=-Xmx64m "$home/bin/elasticsearch-reset-password" -b -i -s -u {user} --url http://127.0.0.1:{REPAIR_PORT} \
  < {FILES_DIR}/repair-passwords > /dev/null 2>&1; do
  kill -0 $server
  tries=$((tries - 1))
  [ $tries -gt 0 ]
  sleep 2
done
kill -TERM $server
wait $server || true
exec sh {FILES_DIR}/start.sh
"#
    );
    let password = cx.system.password.expose();
    // It asks twice.
    launch.files.push(File { name: "repair-passwords", content: Secret::new(format!("{password}\n{password}\n")) });
    launch.entrypoint = Some(vec!["sh".into(), "-c".into(), script]);
    Ok(Repair::Start(launch))
}
