# MariaDB's promises.
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # used by checks.sh; options with commas; set by test.sh

port=3306
interruptions='0.15 0.4 0.7 1.0 1.3 1.6 1.9'
volume=/var/lib/mysql
arguments=(mariadbd --max-connections=50)
run_options=(--publish 127.0.0.1::3306 --tmpfs /run/mysqld:size=4m,mode=0700,U
  --env MARIADB_ROOT_PASSWORD_FILE=/run/password --env MARIADB_DATABASE=my_app --env MARIADB_USER=app
  --env MARIADB_PASSWORD_FILE=/run/password)

ask() {
  # shellcheck disable=SC2016 # for the container's shell
  inside "$1" sh -c 'MYSQL_PWD=$(cat /run/password) exec mariadb --protocol=tcp -h 127.0.0.1 -u app --skip-ssl -NB my_app' <<< "$2;"
}

ask_over_network() {
  # shellcheck disable=SC2016 # for the container's shell
  same 42 "$(client "$2" 'MYSQL_PWD=$(cat) exec mariadb --protocol=tcp -h 127.0.0.1 -P '"$1"' -u root --skip-ssl -NBe "select 6*7"')"
}

put() { ask "$1" 'CREATE TABLE IF NOT EXISTS kept (n int); DELETE FROM kept; INSERT INTO kept VALUES (7)'; }
got() { same 7 "$(ask "$1" 'SELECT n FROM kept')"; }

check_engine() {
  local what="mariadb $version"
  check "$what: leaves foreign data alone" foreign_data_stays /var/lib/mysql/mine
  remove foreign
  launch scripts "$volume" --env MARIADB_AUTO_UPGRADE=1 --volume "$(init_files):/docker-entrypoint-initdb.d:ro" \
    --volume "$(configuration):/etc/mysql/conf.d:ro"
  check "$what: runs the init files, in order" eventually 30 init_files_ran
  check "$what: leaves no account without a password" accounts_closed
  check "$what: reads /etc/mysql/conf.d" same 4000 "$(ask scripts 'SELECT @@wait_timeout')"
  check "$what: knows time zones" same '2020-06-01 02:00:00' "$(ask scripts "SELECT CONVERT_TZ('2020-06-01', 'UTC', 'Europe/Berlin')")"
  check "$what: dumps and restores" dumps
  remove scripts
  check "$what: takes the hash of a password instead of the password" hashed
  remove hash
  if [ "$version" != 10.11 ]; then
    check "$what: upgrades the system tables of 10.11" upgrades
    remove upgrade
  fi
}

init_files() {
  local dir=$scratch/initdb-mariadb
  mkdir -p "$dir"
  echo 'CREATE TABLE first (n int);' > "$dir/1.sql"
  echo 'INSERT INTO first VALUES (1);' | gzip > "$dir/2.sql.gz"
  # shellcheck disable=SC2016 # for the init script
  echo 'MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb -u root -e "INSERT INTO first VALUES (2)" "$MARIADB_DATABASE"' > "$dir/3.sh"
  chmod -R a+rX "$dir" "$scratch"
  echo "$dir"
}
init_files_ran() { same 3 "$(ask scripts 'SELECT sum(n) FROM first')"; }
configuration() {
  mkdir -p "$scratch/conf.d"
  printf '[mariadb]\nwait_timeout=4000\nskip-name-resolve=0\n' > "$scratch/conf.d/test.cnf"
  chmod -R a+rX "$scratch"
  echo "$scratch/conf.d"
}
as_root() {
  # shellcheck disable=SC2016 # for the container's shell
  inside "$1" sh -c 'MYSQL_PWD=$(cat /run/password) exec mariadb -u root --skip-ssl -NB' <<< "$2;"
}
accounts_closed() {
  same $'app@%\nmariadb.sys@localhost\nroot@%\nroot@localhost' \
    "$(as_root scripts "SELECT concat(user, '@', host) FROM mysql.user ORDER BY 1")"
  same mariadb.sys "$(as_root scripts "SELECT user FROM mysql.user WHERE authentication_string IN ('', 'invalid')")"
}
dumps() {
  # shellcheck disable=SC2016 # for the container's shell
  inside scripts sh -c 'export MYSQL_PWD=$(cat /run/password); mariadb -u root -e "CREATE DATABASE copy" &&
    mariadb-dump -u root --single-transaction my_app | mariadb -u root copy &&
    mariadb -u root -NBe "SELECT sum(n) FROM first" copy' | grep -x 3 > /dev/null
}
hashed() {
  local hash
  # shellcheck disable=SC2059 # the format is made of escapes
  hash="*"$(printf "$(sha1sum < "$scratch/password" | cut -c1-40 | sed 's/../\\x&/g')" | sha1sum | cut -c1-40 | tr a-f A-F)
  start hash --volume "$(volume_of hash):$volume" --tmpfs /run/mysqld:size=4m,mode=0700,U \
    --env MARIADB_ROOT_PASSWORD_HASH="$hash" --env MARIADB_INITDB_SKIP_TZINFO=1
  eventually 30 hash_works
}
hash_works() { same 1 "$(as_root hash 'SELECT 1')"; }
upgrades() {
  local image=localhost/fluxdb/mariadb:10.11
  bash "$images/build.sh" --if-changed mariadb 10.11 "$image"
  launch upgrade "$volume"
  eventually 60 ready upgrade
  put upgrade
  pod rm --force --time 30 "$run-upgrade" > /dev/null
  image=localhost/fluxdb/mariadb:$version
  launch upgrade "$volume" --env MARIADB_AUTO_UPGRADE=1
  eventually 60 ready upgrade
  got upgrade
  inside upgrade sh -c 'ls /var/lib/mysql/system_mysql_backup_10.11*.sql.zst; cat /var/lib/mysql/mariadb_upgrade_info' | grep "^$version"
}
