#!/bin/sh
# Starts Cassandra in the foreground: `cassandra -f [-Dname=value...]`. Knows MAX_HEAP_SIZE and JVM_EXTRA_OPTS.
set -eu
[ "${1:-}" != -f ] || shift
options=$(grep -vE '^(#|$)' "$CASSANDRA_CONF/jvm-server.options")
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-4}"
# shellcheck disable=SC2086 # several options each
exec java $options "-Xms${MAX_HEAP_SIZE:-512M}" "-Xmx${MAX_HEAP_SIZE:-512M}" "-javaagent:$(echo "$CASSANDRA_HOME"/lib/jamm-*.jar)" \
  -Dcassandra.storagedir=/var/lib/cassandra -Dcassandra.logdir="${CASSANDRA_LOG_DIR:-/var/log/cassandra}" \
  -Dcassandra.jmx.local.port=7199 -Dcom.sun.management.jmxremote.authenticate=false -Dcassandra-foreground=yes \
  "-Dlogback.configurationFile=$CASSANDRA_CONF/logback.xml" ${JVM_EXTRA_OPTS:-} \
  -cp "$CASSANDRA_CONF:$CASSANDRA_HOME/lib/*" "$@" org.apache.cassandra.service.CassandraDaemon
