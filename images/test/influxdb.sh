# InfluxDB's promises: how it is run and asked. The first administrator is made over the network by whoever comes first.
# shellcheck shell=bash disable=SC2034,SC2154 # used by checks.sh; set by test.sh and lib.sh

port=8086
interruptions='0.1 0.3'
volume=/var/lib/influxdb
arguments=()
run_options=(--user=1500:1500 --publish 127.0.0.1::8086 --env INFLUXDB_HTTP_AUTH_ENABLED=true
  --env INFLUXDB_META_DIR=/var/lib/influxdb/meta --env INFLUXDB_DATA_DIR=/var/lib/influxdb/data
  --env INFLUXDB_DATA_WAL_DIR=/var/lib/influxdb/wal --env INFLUXDB_HTTP_LOG_ENABLED=false)

influx() { inside "$1" influx -username admin -password "$(cat "$scratch/password")" -format csv "${@:2}"; }

ask() {
  local literal
  literal=$(sed "s/[\\\\']/\\\\&/g" "$scratch/password")
  if [ "$2" = 'SELECT 1' ]; then
    influx "$1" -execute 'SHOW DATABASES' > /dev/null 2>&1 \
      || inside "$1" influx -execute "CREATE USER admin WITH PASSWORD '$literal' WITH ALL PRIVILEGES" > /dev/null
    set -- "$1" 'SHOW USERS'
    influx "$1" -execute "$2" | grep -q '^admin,true' && echo 1
  else
    influx "$1" -execute "$2"
  fi
}

ask_over_network() {
  # shellcheck disable=SC2016 # for the container's shell
  client "$2" 'exec influx -host 127.0.0.1 -port '"$1"' -username admin -password "$(cat)" -format csv -execute "SHOW USERS"' | grep '^admin,true'
}

put() {
  ask "$1" 'CREATE DATABASE kept'
  influx "$1" -database kept -execute 'INSERT kept value=7i 1000000000'
}
got() { influx "$1" -database kept -execute 'SELECT value FROM kept' | grep ',7$'; }

check_engine() {
  local what="influxdb $version"
  launch strangers "$volume"
  check "$what: answers nothing before it has an administrator" eventually 10 refuses_strangers
  remove strangers
}
refuses_strangers() { { inside strangers influx -execute 'SHOW DATABASES' 2>&1 || true; } | grep -i 'create admin user first'; }
