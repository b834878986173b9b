#!/bin/sh
# Cassandra's nodetool: speaks to the server in the same container.
set -eu
# shellcheck disable=SC2046 # several options
exec java -Xmx128m -XX:+UseSerialGC $(grep -E '^--add' "$CASSANDRA_CONF/jvm-server.options") -Dlogback.configurationFile=none \
  -Dcassandra.storagedir=/var/lib/cassandra -cp "$CASSANDRA_CONF:$CASSANDRA_HOME/lib/*" org.apache.cassandra.tools.NodeTool "$@"
