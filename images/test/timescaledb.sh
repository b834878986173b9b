# TimescaleDB's promises: PostgreSQL's, as another user, and the extension.
# shellcheck shell=bash disable=SC2034,SC2154 # used by checks.sh; set by test.sh

# shellcheck source-path=SCRIPTDIR source=postgresql.sh
. "$images/test/postgresql.sh"
run_as 70
arguments=(postgres -c max_connections=50 -c shared_preload_libraries=timescaledb)

check_engine() {
  local what="timescaledb $version"
  check "$what: leaves foreign data alone" foreign_data_stays "/var/lib/postgresql/$version/docker/mine"
  remove foreign
  launch extension "$volume"
  check "$what: has the extension in the first database" eventually 60 has_extension
  check "$what: makes a hypertable" hypertable
  remove extension
}

has_extension() { same timescaledb "$(ask extension "SELECT extname FROM pg_extension WHERE extname = 'timescaledb'")"; }
hypertable() {
  ask extension 'CREATE TABLE measured (at timestamptz NOT NULL, value float8)'
  same t "$(ask extension "SELECT (create_hypertable('measured', 'at')).created")"
  ask extension "INSERT INTO measured SELECT now() - i * interval '1 day', i FROM generate_series(1, 30) i"
  same 30 "$(ask extension 'SELECT count(*) FROM measured')"
}
