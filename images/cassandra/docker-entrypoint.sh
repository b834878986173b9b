#!/bin/sh
# Runs the given program. Unlike the official image, CASSANDRA_* variables do not change cassandra.yaml: name another one
# with `cassandra -f -Dcassandra.config=file:///path`.
set -eu
case ${1:-} in
  '' | -*) set -- cassandra -f "$@" ;;
esac
umask 0077
exec "$@"
