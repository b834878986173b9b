#!/usr/bin/env bash
# Starts MariaDB; on an empty data directory makes the system tables, the users and the database first.
# Settings as documented at https://hub.docker.com/_/mariadb ("Environment Variables"); MYSQL_* names work as well.
set -euo pipefail
. /usr/local/lib/fluxdb/entry-lib.sh

if [ "${1:-}" = "" ] || [ "${1:0:1}" = - ]; then set -- mariadbd "$@"; fi
# shellcheck disable=SC2034 # for become
arguments=("$@")

readonly settings=(ROOT_PASSWORD ROOT_PASSWORD_HASH ROOT_HOST RANDOM_ROOT_PASSWORD ALLOW_EMPTY_ROOT_PASSWORD DATABASE
  USER USER_HOST PASSWORD PASSWORD_HASH MYSQL_LOCALHOST_USER MYSQL_LOCALHOST_GRANTS INITDB_SKIP_TZINFO)

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
  done < <(my_print_defaults --mysqld; printf '%s\n' "${server_options[@]}")
  printf '%s' "$value"
}

# read_settings: gives each MARIADB_X the value of MARIADB_X, MARIADB_X_FILE, MYSQL_X or MYSQL_X_FILE.
read_settings() {
  local name old
  for name in "${settings[@]}"; do
    old=MYSQL_$name
    read_setting "$old"
    read_setting "MARIADB_$name" "${!old}"
    unset "$old"
  done
  : "${MARIADB_ROOT_HOST:=%}" "${MARIADB_USER_HOST:=%}"
}

check_settings() {
  if [ -z "$MARIADB_ROOT_PASSWORD$MARIADB_ROOT_PASSWORD_HASH$MARIADB_RANDOM_ROOT_PASSWORD$MARIADB_ALLOW_EMPTY_ROOT_PASSWORD" ]; then
    die "the data directory is empty and no root password is given: set MARIADB_ROOT_PASSWORD_FILE or MARIADB_ROOT_PASSWORD"
  fi
  [ "$MARIADB_USER" != root ] || die "MARIADB_USER=root: the root account is set up by MARIADB_ROOT_PASSWORD"
  if [ -n "$MARIADB_USER" ] && [ -z "$MARIADB_PASSWORD$MARIADB_PASSWORD_HASH" ]; then
    die "MARIADB_USER is given without MARIADB_PASSWORD or MARIADB_PASSWORD_HASH"
  fi
}

# literal TEXT: an SQL string. identifier TEXT: an SQL name.
literal() {
  local text=${1//\\/\\\\}
  text=${text//\'/\\\'}
  printf "'%s'" "${text//$'\n'/\\n}"
}
# shellcheck disable=SC2016 # a backtick is a backtick
identifier() { printf '`%s`' "${1//\`/\`\`}"; }

# identified_by PASSWORD HASH: how an account proves who it is; the hash wins, so the password need not be known here.
identified_by() {
  if [ -n "$2" ]; then printf 'IDENTIFIED BY PASSWORD %s' "$(literal "$2")"; else printf 'IDENTIFIED BY %s' "$(literal "$1")"; fi
}

# accounts_sql: one statement a line, as the server's bootstrap mode reads them. mariadb-install-db leaves accounts of root
# without a password; root@localhost gets one, the others go.
accounts_sql() {
  local root user
  root=$(identified_by "$MARIADB_ROOT_PASSWORD" "$MARIADB_ROOT_PASSWORD_HASH")
  echo "SET @@SESSION.SQL_LOG_BIN=0;"
  echo "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');"
  echo "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';"
  echo "FLUSH PRIVILEGES;"
  echo "ALTER USER root@localhost $root;"
  if [ "$MARIADB_ROOT_HOST" != localhost ]; then
    user="root@$(literal "$MARIADB_ROOT_HOST")"
    echo "CREATE USER $user $root;"
    echo "GRANT ALL ON *.* TO $user WITH GRANT OPTION;"
  fi
  [ -z "$MARIADB_DATABASE" ] || echo "CREATE DATABASE IF NOT EXISTS $(identifier "$MARIADB_DATABASE");"
  if [ -n "$MARIADB_USER" ]; then
    user="$(literal "$MARIADB_USER")@$(literal "$MARIADB_USER_HOST")"
    echo "CREATE USER $user $(identified_by "$MARIADB_PASSWORD" "$MARIADB_PASSWORD_HASH");"
    # A grant's database is a pattern, in which _ and % are escaped.
    local pattern=${MARIADB_DATABASE//_/\\_}
    [ -z "$MARIADB_DATABASE" ] || echo "GRANT ALL ON $(identifier "${pattern//%/\\%}").* TO $user;"
  fi
}

# local_account_sql: the account mysql@localhost for programs in this container, if wanted.
local_account_sql() {
  [ -n "$MARIADB_MYSQL_LOCALHOST_USER" ] || return 0
  echo "CREATE USER mysql@localhost IDENTIFIED VIA unix_socket;"
  echo "GRANT ${MARIADB_MYSQL_LOCALHOST_GRANTS:-USAGE} ON *.* TO mysql@localhost;"
}

time_zones_sql() {
  [ -z "$MARIADB_INITDB_SKIP_TZINFO" ] || return 0
  echo "USE mysql;"
  mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2> /dev/null
}

# While the init files run, this script is let in by the kernel's word for who it is: no password is needed.
private_account() { printf '%s@localhost' "$(literal "$(id -un)")"; }
private_account_sql() {
  echo "CREATE USER $(private_account) IDENTIFIED VIA unix_socket;"
  echo "GRANT ALL ON *.* TO $(private_account) WITH GRANT OPTION;"
}

# start_private_server DIR OPTION...: a server for this script alone; it listens on the unix socket only.
start_private_server() {
  local dir=$1 tries
  shift
  "$server" "${server_options[@]}" --datadir="$dir" --skip-networking --socket="$socket" --skip-log-bin --skip-slave-start \
    --loose-innodb-buffer-pool-load-at-startup=0 "$@" &
  private_server=$!
  for tries in {600..0}; do
    if sql <<< 'SELECT 1;' &> /dev/null; then return; fi
    kill -0 "$private_server" 2> /dev/null || die "the server for the first start or upgrade ended at once"
    sleep 0.1
  done
  die "the server for the first start or upgrade did not answer within a minute (tries left: $tries)"
}

stop_private_server() { kill "$private_server" && wait "$private_server"; }

sql() { mariadb --no-defaults --socket="$socket" --user="$(id -un)" --comments --binary-mode "$@"; }

run_init_file() {
  local file=$1 database=()
  [ -z "$MARIADB_DATABASE" ] || database=(--database="$MARIADB_DATABASE")
  note "running $file"
  case $file in
    *.sh)
      # Scripts see the settings under their official names.
      (
        export MARIADB_ROOT_PASSWORD MARIADB_DATABASE MARIADB_USER MARIADB_PASSWORD
        # shellcheck disable=SC1090 # the user's script
        if [ -x "$file" ]; then "$file"; else . "$file"; fi
      ) ;;
    *.sql | *.sql.gz | *.sql.xz | *.sql.zst) init_file_sql "$file" | sql "${database[@]}" ;;
    *) note "ignoring $file" ;;
  esac
}

initialise() {
  check_settings
  begin_staging "$data"
  local new
  new=$(staging "$data")/data
  if [ -n "$MARIADB_RANDOM_ROOT_PASSWORD" ] && [ -z "$MARIADB_ROOT_PASSWORD$MARIADB_ROOT_PASSWORD_HASH" ]; then
    MARIADB_ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64 --wrap=0)
    note "GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
  fi
  mariadb-install-db --datadir="$new" --auth-root-authentication-method=normal --skip-test-db --cross-bootstrap \
    --skip-name-resolve --skip-log-bin >&2
  local last_sql=local_account_sql
  ! has_init_files || last_sql=private_account_sql
  { time_zones_sql; accounts_sql; "$last_sql"; } \
    | "$server" "${server_options[@]}" --bootstrap --datadir="$new" --skip-log-bin >&2
  if has_init_files; then
    start_private_server "$new"
    each_init_file run_init_file
    { echo "DROP USER $(private_account);"; local_account_sql; } | sql
    stop_private_server
  fi
  remember_version "$new"
  finish_staging "$data" mysql
  note "the new database server is ready"
}

server_version() { "$server" --version | sed -rn 's/.* Ver ([0-9]+\.[0-9]+\.[0-9]+-MariaDB).*/\1/p'; }

# remember_version DIR: so that mariadb-upgrade knows which version made the tables.
remember_version() { server_version > "$1/mariadb_upgrade_info"; }

back_up_system_tables() {
  [ -z "${MARIADB_DISABLE_UPGRADE_BACKUP:-}" ] || return 0
  local file="$data/system_mysql_backup_$1.sql.zst"
  note "keeping the system tables as they were in $file"
  mariadb-dump --no-defaults --socket="$socket" --user=root --skip-lock-tables --hex-blob --databases mysql | zstd --quiet > "$file.new"
  mv "$file.new" "$file"
}

upgrade_if_older() {
  [ -n "${MARIADB_AUTO_UPGRADE:-}" ] || return 0
  local made_by='' file
  for file in mysql_upgrade_info mariadb_upgrade_info; do
    [ ! -e "$data/$file" ] || IFS= read -r -d '' made_by < "$data/$file" || true
  done
  made_by=${made_by%$'\n'}
  if [ "$made_by" = "$(server_version)" ]; then return 0; fi
  note "upgrading the system tables from ${made_by:-an unknown version} to $(server_version)"
  start_private_server "$data" --skip-grant-tables
  back_up_system_tables "${made_by:-unknown}"
  mariadb-upgrade --no-defaults --socket="$socket" --user=root --upgrade-system-tables >&2
  stop_private_server
  remember_version "$data"
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
    upgrade_if_older
  fi
  trap - INT TERM QUIT
}

if { [ "$1" = mariadbd ] || [ "$1" = mysqld ]; } && ! only_prints "$@"; then
  server_options=("${@:2}")
  prepare "$1"
  for setting in "${settings[@]}"; do unset "MARIADB_$setting"; done
fi
exec "$@"
