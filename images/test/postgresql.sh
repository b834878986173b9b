# PostgreSQL's promises.
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # used by checks.sh; options with commas; set by test.sh

port=5432
interruptions='0.15 0.3 0.5 0.7 0.9 1.1'
# The layout of the daemon: one mount point for every major version.
volume=/var/lib/postgresql
arguments=(postgres -c max_connections=50)
run_options=(--publish 127.0.0.1::5432 --shm-size=64m --tmpfs /run/postgresql:size=4m,mode=0700,U
  --env "PGDATA=/var/lib/postgresql/$version/docker" --env POSTGRES_USER=admin --env POSTGRES_DB=app
  --env POSTGRES_PASSWORD_FILE=/run/password
  --env 'POSTGRES_INITDB_ARGS=--data-checksums --auth-local=scram-sha-256 --auth-host=scram-sha-256')

ask() {
  # shellcheck disable=SC2016 # for the container's shell
  inside "$1" sh -c 'PGPASSWORD=$(cat /run/password) exec psql -h 127.0.0.1 -U admin -d app -XtAqw -v ON_ERROR_STOP=1' <<< "$2;"
}

ask_over_network() {
  # shellcheck disable=SC2016 # for the container's shell
  same 42 "$(client "$2" 'PGPASSWORD=$(cat) exec psql -h 127.0.0.1 -p '"$1"' -U admin -d app -XtAqwc "select 6*7"')"
}

put() { ask "$1" 'CREATE TABLE IF NOT EXISTS kept (n int); DELETE FROM kept; INSERT INTO kept VALUES (7)'; }
got() { same 7 "$(ask "$1" 'SELECT n FROM kept')"; }

check_engine() {
  local what="postgresql $version"
  check "$what: leaves foreign data alone" foreign_data_stays "/var/lib/postgresql/$version/docker/mine"
  remove foreign
  launch scripts "$volume" --volume "$(init_files):/docker-entrypoint-initdb.d:ro"
  check "$what: runs the init files, in order" eventually 30 init_files_ran
  check "$what: has checksums and asks local clients for the password" settings_took
  check "$what: dumps and restores" dumps
  remove scripts
  if [ "$version" -lt 18 ]; then
    launch official /var/lib/postgresql/data --env PGDATA=/var/lib/postgresql/data
    check "$what: works with the volume at the official place" eventually 30 ready official
    remove official
  fi
  check "$what: says what is wrong when there is no password" no_password
  remove nopw
  check "$what: docker-ensure-initdb.sh makes the cluster and ends" ensure_initdb
  remove ensure
}

init_files() {
  local dir=$scratch/initdb
  mkdir -p "$dir"
  echo 'CREATE TABLE first (n int);' > "$dir/1.sql"
  echo 'INSERT INTO first VALUES (1);' | gzip > "$dir/2.sql.gz"
  # shellcheck disable=SC2016 # for the init script
  echo 'psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -c "INSERT INTO first VALUES (2)"' > "$dir/3.sh"
  chmod -R a+rX "$dir" "$scratch"
  echo "$dir"
}
init_files_ran() { same 3 "$(ask scripts 'SELECT sum(n) FROM first')"; }
settings_took() {
  same on "$(ask scripts 'SHOW data_checksums')"
  same 50 "$(ask scripts 'SHOW max_connections')"
  if inside scripts psql -U admin -d app -wc 'select 1'; then return 1; fi
}
dumps() {
  # shellcheck disable=SC2016 # for the container's shell
  inside scripts sh -c 'export PGPASSWORD=$(cat /run/password); createdb -h 127.0.0.1 -U admin -w copy &&
    pg_dump -h 127.0.0.1 -U admin -w -Fc app | pg_restore -h 127.0.0.1 -U admin -w -d copy &&
    psql -h 127.0.0.1 -U admin -d copy -XtAqwc "SELECT sum(n) FROM first"' | grep -x 3 > /dev/null
}
no_password() {
  start nopw --volume "$(volume_of nopw):$volume" --tmpfs /run/postgresql:size=4m,mode=0700,U
  eventually 10 nopw_ended
  logs nopw 2>&1 | grep POSTGRES_PASSWORD > /dev/null
}
nopw_ended() { same 'exited 1' "$(state nopw)"; }
ensure_initdb() {
  start ensure --volume "$(volume_of ensure):$volume" "${run_options[@]}" -- docker-ensure-initdb.sh
  same 0 "$(pod wait "$run-ensure")"
  logs ensure 2>&1 | grep 'cluster is ready' > /dev/null
}
