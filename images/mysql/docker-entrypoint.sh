#!/usr/bin/env bash
# Starts MySQL; on an empty data directory makes the system tables, the users and the database first.
# Settings as documented at https://hub.docker.com/_/mysql ("Environment Variables").
set -euo pipefail
. /usr/local/lib/fluxdb/entry-lib.sh

if [ "${1:-}" = "" ] || [ "${1:0:1}" = - ]; then set -- mysqld "$@"; fi
# shellcheck disable=SC2034 # for become
arguments=("$@")

readonly settings=(ROOT_PASSWORD ROOT_HOST RANDOM_ROOT_PASSWORD ALLOW_EMPTY_PASSWORD DATABASE USER PASSWORD
  ONETIME_PASSWORD INITDB_SKIP_TZINFO)

only_prints() {
  local argument
  for argument; do
    case $argument in -'?' | --help | --print-defaults | -V | --version) return 0 ;; esac
  done
  return 1
}

# server_option NAME DEFAULT: the value of --NAME from the command line or the configuration files.
server_option() {
  local value=$2 option
  while IFS= read -r option; do
    case $option in --"$1"=*) value=${option#*=} ;; esac
  done < <(my_print_defaults mysqld server; printf '%s\n' "${server_options[@]}")
  printf '%s' "$value"
}

read_settings() {
  local name
  for name in "${settings[@]}"; do read_setting "MYSQL_$name"; done
  : "${MYSQL_ROOT_HOST:=%}"
}

check_settings() {
  if [ -z "$MYSQL_ROOT_PASSWORD$MYSQL_RANDOM_ROOT_PASSWORD$MYSQL_ALLOW_EMPTY_PASSWORD" ]; then
    die "the data directory is empty and no root password is given: set MYSQL_ROOT_PASSWORD_FILE or MYSQL_ROOT_PASSWORD"
  fi
  [ "$MYSQL_USER" != root ] || die "MYSQL_USER=root: the root account is set up by MYSQL_ROOT_PASSWORD"
  if [ -n "$MYSQL_USER" ] && [ -z "$MYSQL_PASSWORD" ]; then die "MYSQL_USER is given without MYSQL_PASSWORD"; fi
}

# literal TEXT: an SQL string. identifier TEXT: an SQL name.
literal() {
  local text=${1//\\/\\\\}
  text=${text//\'/\\\'}
  printf "'%s'" "${text//$'\n'/\\n}"
}
# shellcheck disable=SC2016 # a backtick is a backtick
identifier() { printf '`%s`' "${1//\`/\`\`}"; }

accounts_sql() {
  local password user
  password=$(literal "$MYSQL_ROOT_PASSWORD")
  if [ "$MYSQL_ROOT_HOST" != localhost ]; then
    user="root@$(literal "$MYSQL_ROOT_HOST")"
    echo "CREATE USER $user IDENTIFIED BY $password;"
    echo "GRANT ALL ON *.* TO $user WITH GRANT OPTION;"
    [ -z "$MYSQL_ONETIME_PASSWORD" ] || echo "ALTER USER $user PASSWORD EXPIRE;"
  fi
  [ -z "$MYSQL_DATABASE" ] || echo "CREATE DATABASE IF NOT EXISTS $(identifier "$MYSQL_DATABASE");"
  if [ -n "$MYSQL_USER" ]; then
    user="$(literal "$MYSQL_USER")@'%'"
    echo "CREATE USER $user IDENTIFIED BY $(literal "$MYSQL_PASSWORD");"
    # A grant's database is a pattern, in which _ and % are escaped.
    local pattern=${MYSQL_DATABASE//_/\\_}
    [ -z "$MYSQL_DATABASE" ] || echo "GRANT ALL ON $(identifier "${pattern//%/\\%}").* TO $user;"
  fi
  # Last: until now root@localhost needs no password, and only this container can reach the socket.
  echo "ALTER USER root@localhost IDENTIFIED BY $password;"
}

time_zones_sql() {
  [ -z "$MYSQL_INITDB_SKIP_TZINFO" ] || return 0
  echo "USE mysql;"
  mysql_tzinfo_to_sql /usr/share/zoneinfo 2> /dev/null
}

# start_private_server DIR: a server for this script alone; it listens on the unix socket only.
start_private_server() {
  local dir=$1 tries
  "$server" "${server_options[@]}" --datadir="$dir" --skip-networking --mysqlx=OFF --socket="$socket" --skip-log-bin \
    --default-time-zone=SYSTEM &
  private_server=$!
  for tries in {600..0}; do
    if sql <<< 'SELECT 1;' &> /dev/null; then return; fi
    kill -0 "$private_server" 2> /dev/null || die "the server for the first start ended at once"
    sleep 0.1
  done
  die "the server for the first start did not answer within a minute (tries left: $tries)"
}

stop_private_server() { kill "$private_server" && wait "$private_server"; }

sql() { mysql --no-defaults --socket="$socket" --user=root --comments --binary-mode; }

# sql_with_password: the same when root@localhost has its password. The file is a pipe.
sql_with_password() {
  local quoted=${MYSQL_ROOT_PASSWORD//\\/\\\\}
  mysql --defaults-file=<(printf '[client]\npassword="%s"\n' "${quoted//\"/\\\"}") --socket="$socket" --user=root --comments \
    --binary-mode "$@"
}

run_init_file() {
  local file=$1 database=()
  [ -z "$MYSQL_DATABASE" ] || database=(--database="$MYSQL_DATABASE")
  note "running $file"
  case $file in
    *.sh)
      # Scripts see the settings under their official names.
      (
        export MYSQL_ROOT_PASSWORD MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD
        # shellcheck disable=SC1090 # the user's script
        if [ -x "$file" ]; then "$file"; else . "$file"; fi
      ) ;;
    *.sql | *.sql.gz | *.sql.xz | *.sql.zst) init_file_sql "$file" | sql_with_password "${database[@]}" ;;
    *) note "ignoring $file" ;;
  esac
}

initialise() {
  check_settings
  begin_staging "$data"
  local new
  new=$(staging "$data")/data
  if [ -n "$MYSQL_RANDOM_ROOT_PASSWORD" ] && [ -z "$MYSQL_ROOT_PASSWORD" ]; then
    MYSQL_ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64 --wrap=0)
    note "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
  fi
  "$server" "${server_options[@]}" --initialize-insecure --datadir="$new" --skip-log-bin --default-time-zone=SYSTEM >&2
  start_private_server "$new"
  { time_zones_sql; accounts_sql; } | sql
  if has_init_files; then each_init_file run_init_file; fi
  stop_private_server
  finish_staging "$data" mysql
  note "the new database server is ready"
}

prepare() {
  server=$1
  socket=$(server_option socket /run/mysqld/mysqld.sock)
  data=$(server_option datadir /var/lib/mysql)
  if [ "$(id -u)" = 0 ]; then become mysql "$data" "$(dirname "$socket")"; fi
  mkdir -p "$data"
  read_settings
  # As process 1, bash heeds these signals only if it is told to; the next start begins again.
  trap 'note "stopped during the first start"; exit 143' INT TERM QUIT
  if must_initialise "$data" mysql; then
    initialise
  else
    note "found a database server in $data"
  fi
  trap - INT TERM QUIT
}

if [ "$1" = mysqld ] && ! only_prints "$@"; then
  server_options=("${@:2}")
  prepare "$1"
  for setting in "${settings[@]}"; do unset "MYSQL_$setting"; done
fi
exec "$@"
