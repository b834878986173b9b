#!/bin/sh
# Starts ClickHouse: `docker-entrypoint.sh [--option...]`, `clickhouse-server ...` or any other program.
# It makes no user: who may log in stands in the users file that the configuration names.
set -eu

case ${1:-} in
  "") set -- clickhouse-server --config-file=/etc/clickhouse-server/config.xml ;;
  -*) set -- clickhouse-server "$@" ;;
esac
# Data files are nobody else's business, whatever the caller's mask is.
umask 0077
exec "$@"
