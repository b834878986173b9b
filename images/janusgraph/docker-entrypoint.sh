#!/bin/sh
# Runs the given program; `janusgraph [CONFIGURATION]` is the server. The official image makes a configuration out of
# variables, here it is a file. Graphs are nobody else's business.
set -eu
umask 0077
if [ "${1:-}" = janusgraph ]; then
  shift
  # shellcheck disable=SC2086 # several options
  set -- java ${JAVA_OPTIONS:-} -cp "$JANUS_HOME/lib/*" org.janusgraph.graphdb.server.JanusGraphServer \
    "${1:-$JANUS_CONFIG_DIR/janusgraph-server.yaml}"
fi
exec "$@"
