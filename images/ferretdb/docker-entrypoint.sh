#!/bin/bash
# Starts PostgreSQL on a socket and FerretDB in front of it. What it is called with is for another server: not looked at.
set -Eeuo pipefail
umask 0077
bin=/usr/lib/postgresql/18/bin
PGDATA=/data/db/pg
# DocumentDB calls itself over the loopback interface; nothing else can reach it there.
options=(-c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp -c shared_buffers=64MB -c max_connections=50
  -c "shared_preload_libraries=pg_cron,pg_documentdb_core,pg_documentdb" -c cron.database_name=postgres
  -c password_encryption=scram-sha-256 -c cron.use_background_workers=on -c cron.host=127.0.0.1 -c dynamic_shared_memory_type=posix)

if [ ! -e /data/db/ready ]; then
  rm -rf "$PGDATA"
  "$bin/initdb" --pgdata="$PGDATA" --username="$MONGO_INITDB_ROOT_USERNAME" --pwfile="$MONGO_INITDB_ROOT_PASSWORD_FILE" \
    --auth-local=trust --auth-host=trust --encoding=UTF8 --locale=C.UTF-8
  "$bin/pg_ctl" --pgdata="$PGDATA" --wait --options="${options[*]}" start
  "$bin/psql" -h /tmp -U "$MONGO_INITDB_ROOT_USERNAME" -d postgres -c 'CREATE EXTENSION documentdb CASCADE'
  "$bin/pg_ctl" --pgdata="$PGDATA" --wait --mode=fast stop
  : > /data/db/ready
fi
"$bin/pg_ctl" --pgdata="$PGDATA" --wait --options="${options[*]}" start
trap '"$bin/pg_ctl" --pgdata="$PGDATA" --wait --mode=fast stop; exit 0' TERM INT
ferretdb --listen-addr=0.0.0.0:27017 --debug-addr=- --telemetry=disable --state-dir=/tmp \
  --postgresql-url="postgres://$MONGO_INITDB_ROOT_USERNAME@/postgres?host=/tmp" &
wait $!
