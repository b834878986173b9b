#!/bin/sh
# Starts InfluxDB: `docker-entrypoint.sh [-option...]`, `influxd ...` or any other program.
# It makes no user: the first one is made over HTTP, and until then a server with authentication answers nothing else.
set -eu

case ${1:-} in
  '' | -*) set -- influxd "$@" ;;
esac
# Data files are nobody else's business, whatever the caller's mask is.
umask 0077
exec "$@"
