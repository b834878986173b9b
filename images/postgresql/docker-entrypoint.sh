#!/usr/bin/env bash
# Starts PostgreSQL; on an empty PGDATA makes the cluster, the database user and the database first.
# Settings as documented at https://hub.docker.com/_/postgres ("How to extend this image", "Environment Variables").
# shellcheck disable=SC2030,SC2031 # PGDATA is another one for init scripts, in their subshell only
set -euo pipefail
. /usr/local/lib/fluxdb/entry-lib.sh

if [ "${1:-}" = "" ] || [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
# shellcheck disable=SC2034 # for become
arguments=("$@")

# only_prints ARG...: does the server only print something (help, version, a setting) and end?
only_prints() {
  local argument
  for argument; do
    case $argument in -'?' | --help | --describe-config | -V | --version | -C) return 0 ;; esac
  done
  return 1
}

read_settings() {
  read_setting POSTGRES_PASSWORD
  read_setting POSTGRES_USER postgres
  read_setting POSTGRES_DB "$POSTGRES_USER"
  read_setting POSTGRES_INITDB_ARGS
  read_setting POSTGRES_INITDB_WALDIR
  read_setting POSTGRES_HOST_AUTH_METHOD
}

check_settings() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    die "the cluster is empty and no superuser password is given: set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD"
  fi
  [ "$POSTGRES_HOST_AUTH_METHOD" != trust ] || note "WARNING: POSTGRES_HOST_AUTH_METHOD=trust lets anyone in without a password"
  local old=/var/lib/postgresql/data
  if [ "$PG_MAJOR" -ge 18 ] && [ "$PGDATA" != "$old" ] && { [ -e "$old/PG_VERSION" ] || mountpoint -q "$old"; }; then
    die "$old is in use; from version 18 on the volume belongs at /var/lib/postgresql and PGDATA is $PGDATA"
  fi
}

run_initdb() {
  local options=(--username="$POSTGRES_USER" --pgdata="$new" --no-instructions) extra=()
  # The arguments are one string with shell quoting, as in the official image.
  eval "extra=($POSTGRES_INITDB_ARGS)"
  options+=("${extra[@]}")
  if [ -n "$POSTGRES_INITDB_WALDIR" ]; then
    claim_wal_directory
    options+=(--waldir="$POSTGRES_INITDB_WALDIR")
  fi
  if [ -n "$POSTGRES_PASSWORD" ]; then
    initdb "${options[@]}" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")
  else
    initdb "${options[@]}"
  fi
}

# Empties a separate WAL directory only if an interrupted first start, which found it empty, put its files there.
claim_wal_directory() {
  local ours
  ours=$(staging "$PGDATA")/wal-directory-is-ours
  if [ -e "$ours" ]; then
    find "$POSTGRES_INITDB_WALDIR" -mindepth 1 -delete
  elif [ -z "$(find "$POSTGRES_INITDB_WALDIR" -mindepth 1 -print -quit 2> /dev/null)" ]; then
    touch "$ours"
  fi
}

allow_network_clients() {
  local method=$POSTGRES_HOST_AUTH_METHOD
  [ -n "$method" ] || method=$(postgres -C password_encryption -D "$new" "${server_options[@]}")
  printf '\nhost all all all %s\n' "$method" >> "$new/pg_hba.conf"
}

# The server that runs the init files listens on the unix socket alone, which only this container can reach.
start_private_server() {
  local options=(-c listen_addresses= -c "hba_file=$(staging "$PGDATA")/hba.conf" -p "${PGPORT:-5432}" "${server_options[@]}")
  echo 'local all all trust' > "$(staging "$PGDATA")/hba.conf"
  NOTIFY_SOCKET='' pg_ctl --pgdata="$new" --wait --timeout=300 -o "$(printf '%q ' "${options[@]}")" start
}

stop_private_server() { pg_ctl --pgdata="$new" --mode=fast --wait --timeout=300 stop; }

sql() { psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"; }

create_database() {
  [ "$POSTGRES_DB" != postgres ] || return 0
  sql --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
}

run_init_file() {
  local file=$1
  note "running $file"
  case $file in
    *.sh)
      # Scripts see the settings under their official names, and the cluster where it is at this moment.
      (
        export POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD PGDATA=$new
        # shellcheck disable=SC1090 # the user's script
        if [ -x "$file" ]; then "$file"; else . "$file"; fi
      ) ;;
    *.sql | *.sql.gz | *.sql.xz | *.sql.zst) init_file_sql "$file" | sql --dbname "$POSTGRES_DB" ;;
    *) note "ignoring $file" ;;
  esac
}

initialise() {
  check_settings
  begin_staging "$PGDATA"
  local new
  new=$(staging "$PGDATA")/data
  run_initdb
  allow_network_clients
  if [ "$POSTGRES_DB" != postgres ] || has_init_files; then
    start_private_server
    create_database
    each_init_file run_init_file
    stop_private_server
  fi
  finish_staging "$PGDATA" PG_VERSION
  note "the new cluster is ready"
}

prepare() {
  if [ "$(id -u)" = 0 ]; then become postgres "$PGDATA" /run/postgresql; fi
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA" 2> /dev/null || true  # not ours to change on some volumes; the server checks again
  read_settings
  if must_initialise "$PGDATA" PG_VERSION; then
    # As process 1, bash heeds these signals only if it is told to; the next start begins again.
    trap 'note "stopped during the first start"; exit 143' INT TERM QUIT
    initialise
    trap - INT TERM QUIT
  else
    note "found a cluster in $PGDATA"
  fi
}

if [ "$1" = postgres ] && ! only_prints "$@"; then
  server_options=("${@:2}")
  prepare
  [ -z "${FLUXDB_ONLY_INITIALISE:-}" ] || exit 0
  unset POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS POSTGRES_INITDB_WALDIR POSTGRES_HOST_AUTH_METHOD
fi
exec "$@"
