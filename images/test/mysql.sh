# MySQL's promises.
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # used by checks.sh; options with commas; set by test.sh

port=3306
interruptions='0.3 1.5 3.0 4.5 6.0'
volume=/var/lib/mysql
arguments=(mysqld --max-connections=50 --performance-schema=OFF --mysqlx=OFF)
run_options=(--publish 127.0.0.1::3306 --tmpfs /run/mysqld:size=4m,mode=0700,U
  --env MYSQL_ROOT_PASSWORD_FILE=/run/password --env MYSQL_DATABASE=my_app --env MYSQL_USER=app
  --env MYSQL_PASSWORD_FILE=/run/password)

ask() {
  # shellcheck disable=SC2016 # for the container's shell
  inside "$1" sh -c 'MYSQL_PWD=$(cat /run/password) exec mysql --protocol=tcp -h 127.0.0.1 -u app --ssl-mode=PREFERRED -NB my_app' <<< "$2;"
}

ask_over_network() {
  # shellcheck disable=SC2016 # for the container's shell
  same 42 "$(client "$2" 'MYSQL_PWD=$(cat) exec mysql --protocol=tcp -h 127.0.0.1 -P '"$1"' -u root -NBe "select 6*7"')"
}

put() { ask "$1" 'CREATE TABLE IF NOT EXISTS kept (n int); DELETE FROM kept; INSERT INTO kept VALUES (7)'; }
got() { same 7 "$(ask "$1" 'SELECT n FROM kept')"; }

check_engine() {
  local what="mysql $version"
  check "$what: leaves foreign data alone" foreign_data_stays /var/lib/mysql/mine
  remove foreign
  launch scripts "$volume" --volume "$(init_files):/docker-entrypoint-initdb.d:ro" --volume "$(configuration):/etc/mysql/conf.d:ro"
  check "$what: runs the init files, in order" eventually 60 init_files_ran
  check "$what: leaves no account without a password" accounts_closed
  check "$what: reads /etc/mysql/conf.d" same 4000 "$(ask scripts 'SELECT @@wait_timeout')"
  check "$what: knows time zones" same '2020-06-01 02:00:00' "$(ask scripts "SELECT CONVERT_TZ('2020-06-01', 'UTC', 'Europe/Berlin')")"
  check "$what: dumps and restores" dumps
  remove scripts
}

init_files() {
  local dir=$scratch/initdb-mysql
  mkdir -p "$dir"
  echo 'CREATE TABLE first (n int);' > "$dir/1.sql"
  echo 'INSERT INTO first VALUES (1);' | gzip > "$dir/2.sql.gz"
  # shellcheck disable=SC2016 # for the init script
  echo 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -u root -e "INSERT INTO first VALUES (2)" "$MYSQL_DATABASE"' > "$dir/3.sh"
  chmod -R a+rX "$dir" "$scratch"
  echo "$dir"
}
init_files_ran() { same 3 "$(ask scripts 'SELECT sum(n) FROM first')"; }
configuration() {
  mkdir -p "$scratch/conf.d-mysql"
  printf '[mysqld]\nwait_timeout=4000\n' > "$scratch/conf.d-mysql/test.cnf"
  chmod -R a+rX "$scratch"
  echo "$scratch/conf.d-mysql"
}
as_root() {
  # shellcheck disable=SC2016 # for the container's shell
  inside "$1" sh -c 'MYSQL_PWD=$(cat /run/password) exec mysql -u root -NB' <<< "$2;"
}
# The server's own accounts are locked; everyone else has a password.
accounts_closed() {
  same $'app@%\nroot@%\nroot@localhost' \
    "$(as_root scripts "SELECT concat(user, '@', host) FROM mysql.user WHERE account_locked = 'N' ORDER BY 1")"
  same 0 "$(as_root scripts "SELECT count(*) FROM mysql.user WHERE authentication_string = ''")"
}
dumps() {
  # shellcheck disable=SC2016 # for the container's shell
  inside scripts sh -c 'export MYSQL_PWD=$(cat /run/password); mysql -u root -e "CREATE DATABASE copy" &&
    mysqldump -u root --single-transaction --no-tablespaces --set-gtid-purged=OFF my_app | mysql -u root copy &&
    mysql -u root -NBe "SELECT sum(n) FROM first" copy' | grep -x 3 > /dev/null
}
