#!/bin/sh
# Starts Redis: `docker-entrypoint.sh /path/redis.conf [--option value...]`, `redis-server ...` or any other program.
# Unlike the official build, Debian's keeps protected-mode on: without a password only this container itself is served.
set -eu

case ${1:-} in
  '' | -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user redis -exec chown redis '{}' +
  exec setpriv --reuid=redis --regid=redis --init-groups -- "$0" "$@"
fi
# Data files are nobody else's business, whatever the caller's mask is.
umask 0077
exec "$@"
