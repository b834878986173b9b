#!/bin/sh
# Starts Valkey: `docker-entrypoint.sh /path/valkey.conf [--option value...]`, `valkey-server ...` or any other program.
# VALKEY_EXTRA_FLAGS are more options, separated by spaces.
# Unlike the official build, Debian's keeps protected-mode on: without a password only this container itself is served.
set -eu

case ${1:-} in
  '' | -* | *.conf) set -- valkey-server "$@" ;;
esac
if [ "$1" = valkey-server ]; then
  if [ "$(id -u)" = 0 ]; then
    find . \! -user valkey -exec chown valkey '{}' +
    exec setpriv --reuid=valkey --regid=valkey --init-groups -- "$0" "$@"
  fi
  # shellcheck disable=SC2086 # several options
  set -- "$@" ${VALKEY_EXTRA_FLAGS:-}
fi
# Data files are nobody else's business, whatever the caller's mask is.
umask 0077
exec "$@"
